"""Data sets: one file per format, prepared once into arrays that are mapped into memory, split by subject."""
