"""The study file: what a researcher writes, read and checked; names are words here, nothing is looked up."""
