"""Exact answers: a model of the world as data, the Bellman operator over it, and solvers that prove their bounds."""
