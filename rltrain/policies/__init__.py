"""Policies in plain numpy: small networks and rules that need no deep-learning library to act or to learn.

One with its weights learned by gradient is `mlp`; those that are a vector of numbers to be searched for are a
`parameters.Family`, which acts for a whole population at a time.
"""
