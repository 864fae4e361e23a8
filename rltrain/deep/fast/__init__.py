"""How updates of a Q-network become fast: two threads, a GPU, bfloat16. The numbers stay those of the plain way."""
