"""The journal against plain lists, over any order of adding, clearing and saving."""

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rltrain.envs.journal import Journal
from rltrain.errors import CheckpointError
from rltrain.spaces import Discrete


@settings(deadline=None, max_examples=examples(60))
@given(seed=st.integers(0, 10**6), steps=st.integers(0, 700), clear_chance=st.sampled_from([0.0, 0.01, 0.2]))
def test_lanes_remember_what_was_added_since_they_were_cleared(seed, steps, clear_chance):
    rng = np.random.default_rng(seed)
    journal, lists = Journal(3, Discrete(300)), [[], [], []]
    for _ in range(steps):
        action = rng.integers(0, 300, size=3)
        journal.add(action)
        cleared = rng.random(3) < clear_chance
        journal.clear(cleared)
        lists = [[] if gone else [*own, move] for own, move, gone in zip(lists, action.tolist(), cleared, strict=True)]
    other = Journal(3, Discrete(300))
    other.load(journal.save())
    for one in (journal, other):
        assert [one.of(i).tolist() for i in range(3)] == lists
        assert one.lengths.tolist() == [len(own) for own in lists]
        for i, own in enumerate(lists):  # all lanes end together
            assert one.aligned()[len(one.aligned()) - len(own) :, i].tolist() == own


def test_actions_take_a_byte_each():
    journal = Journal(2, Discrete(18))
    for _ in range(1000):
        journal.add(np.array([17, 0]))
    assert journal.save()["actions"].nbytes == 2000


@pytest.mark.parametrize("action", [[0, 4], [-1, 0], [0], [0, 0, 0]])
def test_an_action_out_of_range_is_refused_and_not_remembered(action):
    journal = Journal(2, Discrete(4))
    with pytest.raises(ValueError, match="expected 2 actions from 0 to 3"):
        journal.add(np.array(action))
    assert journal.lengths.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("lengths", "actions"),
    [([1, 1], [0]), ([1, 1, 1], [0, 0, 0]), ([-1, 2], [0]), ([1, 1], [0, 9])],
)
def test_a_saved_journal_that_does_not_fit_is_refused(lengths, actions):
    with pytest.raises(CheckpointError, match=r"(lengths|actions): .*; (must|there)"):
        Journal(2, Discrete(4)).load({"lengths": np.array(lengths), "actions": np.array(actions, dtype=np.uint8)})
