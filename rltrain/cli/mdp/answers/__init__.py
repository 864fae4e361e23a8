"""Results of `verbs.mdp` as answers: which words and columns, and which JSON. One file a kind of result."""
