"""Discount 1 in floating point: total reward of policies that end, and average reward of those that do not."""
