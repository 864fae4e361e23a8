"""The loop that drives every algorithm, and the folder that remembers it."""
