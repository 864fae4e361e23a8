"""Discounts below 1 in floating point: the Bellman operator, sweeps, policy iteration, linear programs; and H steps."""
