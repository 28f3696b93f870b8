"""Ray: runs on many machines, what they and their coordinator say to each other, and folders that all of them see."""
