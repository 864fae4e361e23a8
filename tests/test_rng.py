"""Seeds derived from seeds."""

from hypothesis import example, given
from hypothesis import strategies as st

from rltrain.rng import derive, derive_run

WORDS = st.integers(0, 32).flatmap(lambda bits: st.integers(0, 2**bits))


@given(WORDS, WORDS, WORDS)
@example(0, 0, 0)
@example(2**32 - 1, 2**32 - 1, 2**32 - 4)
@example(2**32, 3, 0)
@example(3, 3, 2**32 - 2)
def test_many_seeds_at_once_are_those_derived_one_by_one(seed: int, key: int, first: int) -> None:
    assert derive_run(seed, key, first, 3) == [derive(seed, key, number) for number in range(first, first + 3)]
