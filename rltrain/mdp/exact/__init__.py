"""Answers in fractions: discounted, undiscounted, average and finite-horizon, and every discount at once."""
