"""Tabular learning from samples of a known model, in compiled code, beside the truth."""
