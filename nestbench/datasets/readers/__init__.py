"""The data sets that come with nestbench, one file each, in the layouts of their official downloads."""
