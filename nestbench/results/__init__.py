"""The files of a study's results: written whole or not at all, read without knowing who wrote them."""
