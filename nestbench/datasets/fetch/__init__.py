"""From a server to a folder of data: transferred, checked, unpacked, and put in its place whole or not at all."""
