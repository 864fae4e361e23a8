"""Values of a saved state: taken as they are, or refused with the place, the value and the rule."""

import math

import numpy as np
import pytest

from rltrain.core import Blob, EnvSpec
from rltrain.errors import CheckpointError, DivergedError
from rltrain.rng import Streams
from rltrain.saved import ANY_FLOAT, ANY_INTEGER, Saved, loading, seed_of, step_of
from rltrain.spaces import Discrete

STATE = {
    "count": 5,
    "rate": 0.5,
    "lost": math.nan,
    "done": True,
    "name": "a",
    "nothing": None,
    "part": {"q": np.arange(6.0).reshape(2, 3), "n": np.array([3, 4], np.uint8)},
    "list": [np.ones(2), 7],
    "chunk": Blob("chunk-0", lambda: {"x": np.zeros(2, np.int8)}),
}


def saved() -> Saved:
    return Saved(STATE, folder="ckpt-000000000001/")


def test_what_fits_is_given_as_it_was() -> None:
    state = saved()
    assert (state.integer("count"), state.number("rate"), state.flag("done"), state.text("name")) == (5, 0.5, True, "a")
    assert math.isnan(state.number("lost", finite=False)) and not state.given("nothing")
    own = np.zeros((2, 3))
    state.part("part").fill("q", own)
    assert own.tolist() == [[0, 1, 2], [3, 4, 5]]
    numbers = state.part("part").array("n", ANY_INTEGER, (None,), 0, 4)
    assert numbers.dtype == np.int64 and numbers.tolist() == [3, 4]
    assert state.part("part").array("q", ANY_FLOAT, (2, None)).dtype == np.float64
    assert state.listed("list", 2).integer("1") == 7
    assert state.blob("chunk", "chunk-0", 100).array("x", "int8", (2,)).tolist() == [0, 0]


def test_an_array_is_given_as_a_copy() -> None:
    saved().part("part").array("q", "float64", (2, 3))[:] = 9
    assert STATE["part"]["q"].max() == 5  # type: ignore[index]


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda s: s.integer("rate"), "state.json: rate: 0.5; must be a whole number from 0 to 999999999999"),
        (lambda s: s.integer("done"), "state.json: done: True; must be a whole number"),
        (lambda s: s.integer("count", 6), "state.json: count: 5; must be a whole number from 6"),
        (lambda s: s.number("lost"), "state.json: lost: nan; must be a finite number"),
        (lambda s: s.number("lost", 0, finite=False), "lost: nan; must be a number at least 0"),
        (lambda s: s.number("rate", 1), "rate: 0.5; must be a finite number at least 1"),
        (lambda s: s.flag("count"), "count: 5; must be true or false"),
        (lambda s: s.text("name", among=("b", "c")), "name: 'a'; must be one of b, c"),
        (lambda s: s.part("count"), "count: 5; must be a mapping"),
        (lambda s: s.listed("part"), "part: a mapping; must be a list"),
        (lambda s: s.listed("list", 3), "list: a list of 2; must be of 3"),
        (lambda s: s.part("part").integer("no"), "state.json: part/no: missing"),
        (lambda s: s["no"], "state.json: no: missing"),
        (lambda s: s.array("rate", "float64", (2,)), "state.json: rate: 0.5; must be an array"),
        (
            lambda s: s.part("part").array("q", "float32", (2, 3)),
            "arrays.safetensors: part/q: float64 [2, 3]; must be float32 [2, 3]",
        ),
        (lambda s: s.part("part").array("q", "float64", (None,)), "part/q: float64 [2, 3]; must be float64 [any]"),
        (
            lambda s: s.part("part").array("q", "float64", (2, 3), high=4),
            "part/q: 5.0 at [1, 2]; must be finite at most",
        ),
        (lambda s: s.part("part").array("n", "uint8", (2,), 4, 9), "part/n: 3 at [0]; must be from 4 to 9"),
        (lambda s: s.blob("chunk", "chunk-1", 100), "chunk: the blob 'chunk-0'; must be the blob 'chunk-1'"),
        (
            lambda s: s.blob("chunk", "chunk-0", 100).array("x", "int8", (3,)),
            "chunks/chunk-0: chunk/x: int8 [2]; must be",
        ),
        (lambda s: Saved.of([s]), "state.json: a list of 1; must be a mapping"),  # type: ignore[arg-type]
    ],
)
def test_what_does_not_fit_is_refused_with_its_place_and_the_rule(read, said) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CheckpointError) as caught:
        read(saved())
    assert said in str(caught.value) and "changed, or written by another version" in str(caught.value)


def test_an_environment_that_has_begun_takes_no_state_of_one_that_has_not() -> None:
    assert seed_of(Saved({"seed": None}), begun=False) is None
    with pytest.raises(CheckpointError, match="seed: None; must be"):
        seed_of(Saved({"seed": None}), begun=True)


def test_a_step_is_one_of_its_environments() -> None:
    spec = EnvSpec("E", (2,), "float32", 1, Discrete(2, ("a", "b")), 3, 1, None, None)
    step = {
        "obs": np.zeros((3, 2), np.float32),
        "reward": np.zeros(3),
        "discount": np.ones(3, np.float32),
        "first": np.zeros(3, bool),
        "last": np.zeros(3, bool),
    }
    assert step_of(Saved(step), spec).obs.shape == (3, 2)
    for key, wrong in (("obs", np.zeros((1, 2), np.float32)), ("discount", step["discount"] * 2), ("last", True)):
        with pytest.raises(CheckpointError, match=f"{key}: "):
            step_of(Saved({**step, key: wrong}), spec)


def test_what_stumbles_over_a_state_is_no_bug_and_what_is_one_stays() -> None:
    with pytest.raises(CheckpointError, match=r"ckpt-1/state\.json: cannot be loaded, TypeError"), loading("ckpt-1"):
        len(5)  # type: ignore[arg-type]
    for error in (DivergedError("no"), MemoryError(), RuntimeError("CUDA out of memory")):
        with pytest.raises(type(error)), loading("ckpt-1"):
            raise error


@pytest.mark.parametrize(("left", "place"), [(624, 624), (0, 625), (-1, 626), (1, 625), (5, 2**60)])
def test_a_generator_that_would_read_beyond_its_words_is_refused(left: int, place: int) -> None:
    streams = Streams(0)
    streams.torch("init")
    state = streams.save()
    state["torch"]["init"][8:12] = np.array([left], np.int32).view(np.uint8)
    state["torch"]["init"][16:24] = np.array([place], np.uint64).view(np.uint8)
    with pytest.raises(CheckpointError, match="torch/init"):
        Streams(0).load(state)


def test_a_blob_that_says_how_large_it_is_is_not_read_where_that_cannot_be():
    state = Saved({"chunk": Blob("chunk-0", lambda: pytest.fail("read"), 1 << 30)})
    with pytest.raises(CheckpointError, match="a blob of 1,073,741,824 bytes; must be at most 100"):
        state.blob("chunk", "chunk-0", 100)
