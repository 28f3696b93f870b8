"""Optuna: what a search tries, what it stops, what it found, and the database that shows it."""
