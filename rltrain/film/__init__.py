"""A game as a film: its pictures, what is written beside them, and the file."""
