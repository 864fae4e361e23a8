"""Sizes at which the solvers change their way, in one table: the number, its unit, and why it stands there.

Full matrices need no scipy, whose import takes 0.1 to 0.3 s, and grow with the cube of the states; factorisations stay
thin while few states are linked; compiled code takes 0.5 s to load. Each number was measured where its user works, so
those of one kind differ: what is cheap for one system of equations is not for hundreds.
"""

from __future__ import annotations

# Graphs
SORTED_BY_NUMPY = 100_000  # edges up to which a graph is turned round by numpy's sort, without importing scipy
WAVES = 3_000  # of a search in numpy, 20 us each, before scipy's search takes over: long chains
PLAIN_GRAPH = 20_000  # transitions up to which a chain's graph is searched in plain Python, without importing scipy

# Sweeps
PLAIN_STATES, PLAIN_NEXT = 1_000, 200_000  # states and successors up to which sweeps are in numpy: nothing is compiled
ROWS_A_THREAD = 20_000  # states; with fewer a thread costs more than it brings

# The equations of a policy, states
DENSE_IN_METHODS = 1_000  # a full matrix within policy iteration: what is solved in numpy at all is solved so
DENSE_IN_EVALUATION = 700  # a full matrix for one policy, and the refinement of its answer: two or three solves
DENSE_IN_LONG_RUN = 800  # elimination state by state, in numpy: 1 s
DENSE_IN_EXACT = 1_500  # a full matrix for the policy that fractions begin with: less than the fractions take
DENSE_FOR_AVERAGE = 700  # so few that Howard's equations are never the longer way than sweeps
FACTORISED_IN_EVALUATION = 5_000  # a sparse factorisation for one policy; above iterations take less memory
FACTORISED_AT_ONE = 100_000  # a sparse factorisation at discount 1, where iterations converge slowly
FACTORISED_IN_LONG_RUN = 100_000  # a sparse factorisation where iterations have failed
BAND_ROOTS = 2  # square roots of the states: so far from the diagonal a band may reach to be factorised
BAND_NUMBERS = 30_000_000  # numbers in the band of a factorised matrix: a quarter of a gigabyte

# Fractions
EXACT_BY_FLINT = range(8, 1_501)  # states that lead to each other: 10 s; fewer take none, more take long in any way
EXACT_NEXT = 200_000  # successors; more is never a small model
EXACT_FALLBACK_NEXT = 20_000  # successors up to which fractions are tried where floating point can prove nothing
EXACT_DISCOUNTS_NEXT = 20_000  # successors up to which discounts where the policy changes are found as roots

# Learned tables against the truth, states
TRUTH_STATES = 200_000  # up to which sweeps are held against a solution
REGRET_OF_ALL_STATES = 100  # up to which the regret of every learner is found: linear equations at every look
REGRET_OF_FIRST_STATES = 700  # up to which that of the first learner is, above none
