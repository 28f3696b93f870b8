"""From a study's results to a PDF that says which network to use, and how sure one may be."""
