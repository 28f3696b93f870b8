"""What a report says of a study whose objects are told apart: its numbers, its tables, and their order."""
