"""Exact answers: a model of the world as data, the Bellman operator over it, and solvers that prove their bounds.

Who may know whom, from the ground up; arrows point down only (held by tests/test_imports.py):

    mapped                               arrays in files, seen through memory maps
    model  thresholds  splitmix          a finite Markov decision process as data; sizes at which ways change; numbers
    checks  done  solution               what a model must be; episodes that end with a transition; what a solver says
    graph  row_checks  terminal          what can be reached, and what can go on for ever
    pairs  build                         policies as numbers of pairs; models from rows
    dense_rows                           rows as a table, every pair with as many successors
    parts  problems  files  explore      models made of a model, by name, from and to files, from a function
    fates  draw                          which states discount 1 gives a value; models as pictures
    solvers                              discounts below 1 in floating point, and H steps
    chains                               one policy: its Markov chain, its value, its long run, samples of it
    exact                                answers in fractions
    undiscounted                         discount 1 and average reward, in floating point; fractions where that fails
    losses  learn                        policies beside the best; learning from samples, beside the truth
"""
