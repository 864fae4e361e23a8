"""What the verbs of `rltrain mdp` do."""
