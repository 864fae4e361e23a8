"""What --when can say, and how it refuses the rest."""

import numpy as np
import pytest

from rltrain.errors import InputError
from rltrain.verbs.explain.condition import holds

COLUMNS = {
    "step": np.arange(5),
    "gap": np.array([0.5, 0.05, np.nan, 0.2, 0.0]),
    "td": np.array([-2.0, 0.0, 1.0, 3.0, -0.5]),
    "chosen": np.array([0, 1, 1, 0, 2]),
    "explored": np.array([False, True, False, True, False]),
}
ACTIONS = ("left", "right", "turn -45")


def steps(text: str) -> list[int]:
    return np.flatnonzero(holds(text, COLUMNS, ACTIONS, ("chosen",))).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gap<0.1", [1, 4]),
        ("gap >= .2", [0, 3]),
        ("0.1 > gap", [1, 4]),
        ("gap != 0.5", [1, 3, 4]),  # what is not known is neither equal nor unequal
        ("td < -1e0", [0]),
        ("td > -gap and step<=3", [1, 3]),
        ("1 <= step < 4", [1, 2, 3]),
        ("explored", [1, 3]),
        ("not explored", [0, 2, 4]),
        ("explored == false", [0, 2, 4]),
        ("chosen == left", [0, 3]),
        ("left == chosen", [0, 3]),
        ("chosen != right and not explored", [0, 4]),
        ("chosen == 'turn -45'", [4]),
        ("chosen = 2", [4]),
        ("step == 0 or step == 1 and explored", [0, 1]),  # and binds closer
        ("(step == 0 or step == 1) and explored", [1]),
        ("not (step < 2 or explored)", [2, 4]),
        ("not explored AND step > 0", [2, 4]),
    ],
)
def test_a_comparison_picks_the_steps_where_it_holds(text: str, expected: list[int]) -> None:
    assert steps(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("gp < 1", "'gp' is no column; did you mean 'gap'?"),
        ("zzz < 1", "'zzz' is no column; one of step, gap, td, chosen, explored"),
        ("chosen == lefft", "'lefft' is no action; did you mean 'left'?"),
        ("chosen < left", "actions are equal or not: == or !=, not <"),
        ("td == left", "'left' is no column"),
        ("gap", "a comparison is missing after 'gap', such as gap < 0.1"),
        ("gap <", "it ends too early"),
        ("", "it ends too early"),
        ("gap < 1 and", "it ends too early"),
        ("gap < 1 td > 2", "'td' is one word too many"),
        ("(gap < 1", "a bracket is not closed"),
        ("gap < and", "a column or a number is missing before 'and'"),
        ("gap $ 1", "cannot read '$ 1'"),
        ("__import__('os').system('true')", "cannot read '.system('true')'"),
        ("gap < " + "1" * 600, "500 at most"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_nearest_right_name(text: str, why: str) -> None:
    with pytest.raises(InputError) as error:
        steps(text)
    assert why in str(error.value)


def test_brackets_of_any_depth_that_fits_are_read() -> None:
    assert steps("(" * 200 + "step == 3" + ")" * 200) == [3]
