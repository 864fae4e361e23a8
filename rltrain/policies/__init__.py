"""Parametrised policies: rules whose behaviour is a vector of numbers, played a whole population at a time."""
