"""A model under a given policy: its Markov chain, what it is worth, where it is in the long run, and samples of it."""
