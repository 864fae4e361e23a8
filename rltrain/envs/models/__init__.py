"""Environments whose states have numbers: known models, and Gymnasium environments that carry their table."""
