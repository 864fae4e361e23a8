"""Environments that Gymnasium makes by their id."""
