"""A policy.py refuses what is no observation: it names the place, the value and the rule, with numpy and without."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rltrain import computation as ops
from rltrain.computation import Input, Numbers, Value
from rltrain.core import Array
from rltrain.portable import python_file

TABLE = np.array([3.0, 1.0, 2.0])
NUMBERS, STATE, MASK = Input("obs", (2,), "float32"), Input("obs", (1,), "int64"), Input("mask", (2,), "bool")
PICTURE, SPEED = Input("obs.picture", (1, 2, 2), "uint8"), Input("obs.speed", (2,), "float32")
ABLE = ops.Masked(Numbers(NUMBERS), ops.Possible(MASK))


def acts(path: Path, inputs: list[Input], action: Value, given: dict[str, Array], observation: dict[str, Any]) -> Any:
    """The `act` of a file that was written, of the answer 0 to what is given."""
    about = {"observation": observation, "actions": {"form": "discrete"}, "preprocessing": []}
    about |= {"scores": "", "drawn": "", "mask": "what can be done" if MASK in inputs else ""}
    path.write_bytes(
        python_file.written(inputs, {"action": action}, "a test", about, "0", given, np.zeros(1, np.int64))
    )
    return runpy.run_path(str(path))["act"]


@pytest.fixture(scope="module", params=["without numpy", "with numpy"])
def one(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A policy of two numbers and a mask: the greater that can be done."""
    path = tmp_path_factory.mktemp("files") / "policy.py"
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "with numpy":
            patch.setattr(python_file, "MOST_PLAIN", -1)
        given = {"obs": np.array([[1.0, 0.0]], np.float32), "mask": np.ones((1, 2), bool)}
        found = acts(path, [NUMBERS, MASK], ops.ArgMax(ABLE), given, {"shape": [2], "dtype": "float32"})
    assert ("import numpy" in path.read_text()) == (request.param == "with numpy")
    return found


def test_what_is_right_is_answered_in_any_form(one: Any) -> None:
    for obs in ([0.0, 1.0], (0, 1), np.array([0.0, 1.0]), [np.float32(0), np.float32(1)], [False, True]):
        assert one(obs) == 1
        for mask in ([True, False], np.array([True, False]), [1, 0], [np.bool_(True), np.bool_(False)]):
            assert one(obs, mask) == 0


@pytest.mark.parametrize(
    ("obs", "said"),
    [
        ([0.0, np.nan], r"obs.*nan.*no finite number"),
        ([np.inf, 0.0], r"obs.*inf.*no finite number"),
        (np.array([0.0, -np.inf], np.float32), r"obs.*inf.*no finite number"),
        ([1e39, 0.0], r"obs.*1e\+39.*no finite number of float32"),
        ([0.0], r"obs: .*1.*one observation is"),
        ([0.0, 1.0, 2.0], r"obs: .*3.*one observation is"),
        (np.zeros((1, 3)), r"obs: .*one observation is"),
        (np.zeros((2, 1)), r"obs"),
        (np.zeros((1, 1, 2)), r"obs: .*one observation is"),
        (["a", "b"], r"obs.*number"),
        ("ab", r"obs"),
        (None, r"obs"),
        ({"speed": [0.0, 1.0]}, r"obs"),
        ([[0.0], [1.0, 2.0]], r"obs"),
    ],
)
def test_what_is_no_observation_is_refused(one: Any, obs: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        one(obs)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        ([False, False], "mask: all .*false.* nothing could be done"),
        ([True], r"mask: .*1"),
        ([True, False, True], r"mask: .*3"),
        (np.ones((2, 2), bool), r"mask"),
        ([True, 2], r"mask.*2.* is neither true nor false"),
        ([0.5, 1.0], r"mask.*0\.5.* is neither true nor false"),
        (["no", "yes"], r"mask.*(neither|numbers)"),
    ],
)
def test_what_is_no_mask_is_refused(one: Any, mask: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        one([0.0, 1.0], mask)


@pytest.mark.parametrize("plain", [True, False])
def test_a_number_that_no_state_has_is_refused(plain: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_file, "MOST_PLAIN", 0 if plain else -1)
    observation = {"shape": [1], "dtype": "int64", "states": ["a", "b", "c"]}
    act = acts(
        tmp_path / "policy.py", [STATE], ops.Lookup(STATE, TABLE), {"obs": np.zeros((1, 1), np.int64)}, observation
    )
    assert [act([state]) for state in (0, 2, 1.0, np.int32(1))] == [3.0, 2.0, 1.0, 1.0]
    for wrong in (-1, 3, 0.5, np.nan):
        with pytest.raises(ValueError, match=rf"obs.*{wrong}.* no (whole number from 0 to 2|finite)"):
            act([wrong])
    with pytest.raises(ValueError, match="mask: given, but this policy knows none"):
        act([0], [True, True])


def test_batches_of_pictures_and_numbers_are_refused_by_their_names(tmp_path: Path) -> None:
    given = {"obs.picture": np.zeros((1, 1, 2, 2), np.uint8), "obs.speed": np.zeros((1, 2), np.float32)}
    both = ops.ArgMax(ops.Joined((ops.Flat(Numbers(PICTURE)), Numbers(SPEED))))
    form = {"dtype": "", "shape": []}
    act = acts(tmp_path / "policy.py", [PICTURE, SPEED], both, given, {"picture": form, "speed": form})
    picture, speed = np.full((3, 1, 2, 2), 7), np.zeros((3, 2))
    picture[1, 0, 1, 1], speed[2, 0] = 9, 8.0
    assert act({"picture": picture, "speed": speed}).tolist() == [0, 3, 4]
    assert act({"picture": picture[1], "speed": speed[1]}) == 3
    speed[1, 1] = np.nan
    wrong: list[tuple[Any, str]] = [
        ({"picture": picture, "speed": speed}, r"obs\.speed: nan at \[1, 1\] is no finite number"),
        ({"picture": picture / 255, "speed": speed}, r"obs\.picture: 0.02.* is no whole number from 0 to 255"),
        ({"picture": -picture, "speed": speed}, r"obs\.picture: -7 at .* is no whole number"),
        ({"picture": picture[:2], "speed": speed[2:]}, r"parts of batches of \[1, 2\]"),
        ({"picture": picture}, r"one observation is obs\.picture, obs\.speed"),
        (picture, r"one observation is obs\.picture, obs\.speed"),
        ({"picture": picture[0, 0], "speed": speed[0]}, r"obs\.picture: an array of \[2, 2\]"),
    ]
    for obs, said in wrong:
        with pytest.raises(ValueError, match=said):
            act(obs)
