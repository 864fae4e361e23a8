"""Policies in plain numpy: small networks and rules that need no deep-learning library to act or to learn."""
