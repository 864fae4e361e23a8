"""Dense arrays of other tools: which axis is which, what is impossible, what is paid, and what is never guessed."""

import io
import zipfile

import numpy as np
import pytest

from rltrain.errors import InputError
from rltrain.mdp import files
from rltrain.mdp.solvers.solve import solve

P = np.array([[[0.5, 0.5], [0.8, 0.2]], [[0.0, 1.0], [0.1, 0.9]]])  # pymdptoolbox's example.small(): [a, s, s']
R = np.array([[5.0, 10.0], [-1.0, 2.0]])
T3 = np.array([[[0.5, 0.5, 0], [0, 1, 0]], [[0, 0, 1], [1, 0, 0]], [[0, 0, 1], [0, 0, 1]]])  # [s, a, s']
R3 = np.array([[1.0, 2], [3, 4], [0, 0]])


@pytest.fixture
def read(tmp_path):
    def of(strict=False, **arrays):
        np.savez(tmp_path / "m.npz", **arrays)
        return files.read(tmp_path / "m.npz", strict)

    return of


def value(loaded, discount=0.9):
    return solve(loaded.model, discount).value.tolist()


@pytest.mark.parametrize("arrays", [{"P": P}, {"T": P.swapaxes(0, 1)}, {"transitions": P, "axes": "ass"}])
def test_where_actions_are_as_many_as_states_the_name_says_which_axis_is_which(read, arrays):
    """V by pymdptoolbox, on the same arrays."""
    loaded = read(**arrays, R=R, discount=0.9)
    assert value(loaded) == pytest.approx([42.4418604651163, 36.0465116279070])
    assert ("as many states as actions" in " ".join(loaded.warnings)) == ("axes" not in arrays)


def test_axes_by_key_stand_above_the_name(read):
    assert value(read(T=P, axes="ass", R=R)) == value(read(P=P, R=R))
    assert value(read(P=P.swapaxes(0, 1), axes="sas", R=R)) == value(read(P=P, R=R))
    assert value(read(P=T3.swapaxes(0, 1), R=R3)) == value(read(T=T3, R=R3)) == value(read(P=T3, R=R3))
    for wide in (np.repeat(R3[:, :, None], 3, axis=2), R3):
        turned = wide.swapaxes(0, 1) if wide.ndim == 3 else wide
        assert value(read(P=T3.swapaxes(0, 1), R=turned)) == value(read(T=T3, R=R3))
    fortran = np.asfortranarray(T3)
    assert value(read(T=fortran, R=np.asfortranarray(R3))) == value(read(T=T3, R=R3))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (
            {"transitions": P, "R": R},
            "'transitions' has the shape (2, 2, 2), and as many states as actions: which axis",
        ),
        (
            {"T": T3.swapaxes(0, 1), "R": R3},
            "move the actions into the middle: np.moveaxis(T, 0, 1), or add axes='ass'",
        ),
        ({"T": T3, "R": R3, "axes": "ass"}, "axes: got 'ass'; the shape (3, 2, 3) of 'T' allows 'sas'"),
        ({"T": T3, "R": R3.T}, "'R' has the shape (2, 3), expected (3, 2, 3), (3, 2) or (3,)"),
        ({"T": T3}, "no array of rewards; expected 'R'"),
        ({"T": T3, "RR": R3}, "no array of rewards"),
        ({"R": R3}, "no array of probabilities; expected 'T'"),
        ({"T": T3, "P": T3, "R": R3}, "holds 'T' and 'P': which are the probabilities?"),
        ({"T": T3, "R": R3, "C": R3}, "holds 'R' and 'C': which are the rewards?"),
        ({"T": T3, "R": R3, "gama": 0.9}, "unknown array 'gama'; did you mean 'gamma'?"),
        ({"T": T3, "R": R3, "gamma": 0.9, "discount": 0.8}, "'discount' is 0.8 and 'gamma' 0.9: which is it?"),
        ({"T": np.zeros((3, 2, 4)), "R": R3}, "expected (states, actions, states)"),
        ({"T": T3 * 0.5, "R": R3}, "state '0', action '0': the probabilities do not sum to 1"),
        ({"T": T3, "R": R3, "terminal_reward": np.array([0.0, 5, 0])}, "state '1' is not terminal, and has 5"),
    ],
)
def test_what_fits_two_readings_or_none_is_refused(read, arrays, said):
    with pytest.raises(InputError) as caught:
        read(**arrays)
    assert said in str(caught.value)


def ending():
    """T3 whose state 2 is terminal."""
    t = T3.copy()
    t[2] = np.nan
    return t


def test_rewards_of_states_are_paid_in_terminal_ones_too(read):
    """R(s): V(2) = 7, V(1) = 1 + .9 max(V(2), V(0)), as in Russell and Norvig's grid worlds."""
    loaded = read(T=ending(), R=np.array([0.0, 1, 7]))
    v = dict(zip(loaded.model.states, value(loaded), strict=True))
    assert v["2"] == 7 and v["1"] == pytest.approx(1 + 0.9 * 7) and v["0"] == pytest.approx(0.9 * v["1"])
    assert v["end"] == 0 and loaded.model.terminal.tolist() == [False, False, False, True]
    own = read(T=ending(), R=np.array([[0.0, 0], [1, 1], [np.nan, np.nan]]), terminal_reward=np.array([0.0, 0, 7]))
    assert value(own) == value(loaded)
    for lost in (np.array([[0.0, 0], [1, 1], [7, 7]]), np.full((3, 2, 3), 7.0)):
        with pytest.raises(InputError, match=r"no action is possible in that state.*'terminal_reward'"):
            read(T=ending(), R=lost)


def test_a_reward_of_minus_infinity_makes_an_action_impossible(read):
    barred = R3.copy()
    barred[0, 0] = -np.inf
    expected = T3.copy()
    expected[0, 0] = np.nan
    for reward in (barred, np.repeat(barred[:, :, None], 3, axis=2)):
        assert value(read(T=T3, R=reward)) == value(read(T=expected, R=R3))
    zero = T3.copy()
    zero[0, 0] = 0
    assert value(read(T=zero, R=barred)) == value(read(T=expected, R=R3))
    some = np.repeat(R3[:, :, None], 3, axis=2)
    some[0, 0, 0] = -np.inf
    with pytest.raises(InputError, match="state '0', action '0': the reward is -inf for some next states"):
        read(T=T3, R=some)
    some[0, 0] = [1, 1, -np.inf]  # where it cannot lead
    assert read(T=T3, R=some).model.reward[0] == 1
    with pytest.raises(InputError, match="not a finite number"):
        read(T=T3, R=np.where(R3 == 1, np.inf, R3))


def test_costs_are_minimised(read):
    loaded = read(T=T3, C=R3)
    assert loaded.costs and loaded.model.reward.tolist() == [-1, -2, -3, -4, 0, 0]
    assert value(loaded) == value(files.minimised(read(T=T3, R=R3)))


@pytest.mark.parametrize(
    "arrays",
    [
        {"T": np.float32([[[0.1, 0.9], [1, 0]], [[1, 0], [0.3, 0.7]]])},
        {"T": np.round(np.random.default_rng(0).dirichlet([1.0] * 7, (7, 2)), 6)},
        {"T": np.array([[[1.0, -1e-17]], [[0.5, 0.5]]])},
    ],
    ids=["float32", "six digits", "1 - p - q"],
)
def test_rounding_is_mended_said_and_refused_when_asked(read, arrays):
    states, actions = arrays["T"].shape[:2]
    loaded = read(**arrays, R=np.ones((states, actions)))
    assert value(loaded) == pytest.approx([10] * states)
    assert any("divided by the sum" in line or "taken as 0" in line for line in loaded.warnings)
    with pytest.raises(InputError):
        read(**arrays, R=np.ones((states, actions)), strict=True)


def test_a_block_at_a_time_gives_the_same(read, monkeypatch):
    whole = read(T=T3, R=np.repeat(R3[:, :, None], 3, axis=2)).model
    monkeypatch.setattr("rltrain.mdp.files.archive.BLOCK", 1)
    parts = read(T=T3, R=np.repeat(R3[:, :, None], 3, axis=2)).model
    assert (
        (whole.next == parts.next).all() and (whole.prob == parts.prob).all() and (whole.reward == parts.reward).all()
    )


# the file behind them


def archive_of(path, arrays, packed=False):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for key, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asanyarray(array))
            archive.writestr(f"{key}.npy", data.getvalue())


def test_arrays_that_unpack_to_far_more_than_they_take_are_refused_by_their_header(tmp_path, monkeypatch):
    monkeypatch.setattr("rltrain.mdp.files.archive.SMALL", 100_000)
    archive_of(tmp_path / "bomb.npz", {"T": np.zeros((300, 2, 300)), "R": np.zeros((300, 2))}, packed=True)
    monkeypatch.setattr("numpy.lib.format.read_array", None)  # nothing is read
    with pytest.raises(InputError, match="'T' unpacks to 1,440,128 bytes, more than 100 times what it takes"):
        files.read(tmp_path / "bomb.npz")


SPARSE = {"first_pair": [0, 1, 2], "action": [0, 0], "first_next": [0, 1, 2], "next": [1, 0], "prob": [1.0, 1.0]}
SPARSE |= {"reward": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        ({"next": [1, 2]}, "'next' holds 2; expected 0 to 1"),
        ({"next": [1, -1]}, "'next' holds a number that no next can have"),
        ({"next": [1, 2**40]}, "'next' holds a number that no next can have"),
        ({"next": 0}, "'next' has the shape ()"),
        ({"next": [1.0, 0.0]}, "'next' holds float64, expected whole numbers"),
        ({"action": [0, 5], "num_actions": 1}, "'action' holds 5; expected 0 to 0"),
        ({"action": [0, -1]}, "'action' holds a number that no action can have"),
        ({"first_pair": [0, 1, 2**62]}, "'first_pair' runs to 4611686018427387904, expected 2"),
        ({"first_pair": np.array([0, 1, 2**63 + 2], dtype=np.uint64)}, "'first_pair' must not descend"),
        ({"first_pair": [1, 1, 2]}, "'first_pair' runs from 1, expected 0"),
        ({"first_pair": np.zeros(0, dtype=int)}, "'first_pair' is empty"),
        ({"first_pair": [0, -5, 2]}, "'first_pair' must not descend"),
        ({"first_next": [0, 1, 3]}, "'first_next' runs to 3, expected 2"),
        ({"first_next": [0, 2**62, 2]}, "'first_next'"),
        ({"first_next": [0, 2]}, "'first_next' has the shape (2,), expected (3,)"),
        ({"prob": 1.0}, "'prob' has the shape ()"),
        ({"prob": [1.0]}, "'prob' has the shape (1,), expected (2,)"),
        ({"reward": 0.0}, "'reward' has the shape ()"),
        ({"start": 1.0}, "'start' has the shape ()"),
        ({"start": [1.0]}, "'start' has the shape (1,), expected (2,)"),
        ({"next_reward": [1.0]}, "'next_reward' has the shape (1,), expected (2,)"),
        ({"num_actions": 2**40}, "'num_actions' is"),
        ({"num_actions": -1}, "'num_actions' is -1"),
        ({"states": ["a"]}, "'states' has 1 names"),
        ({"states": ["a", "b" * 300]}, "at most 200 are a name"),
        ({"prbo": [1.0, 1.0]}, "unknown array 'prbo'; did you mean 'prob'?"),
    ],
)
def test_a_forged_index_never_reaches_compiled_code(tmp_path, forged, said):
    archive_of(tmp_path / "m.npz", SPARSE)
    assert files.read(tmp_path / "m.npz").model.num_states == 2
    archive_of(tmp_path / "m.npz", SPARSE | forged)
    with pytest.raises(InputError) as caught:
        files.read(tmp_path / "m.npz")
    assert said in str(caught.value)


def test_terminal_states_of_sparse_arrays_may_pay(tmp_path):
    ends = SPARSE | {"first_pair": [0, 1, 1], "action": [0], "first_next": [0, 1], "next": [1], "prob": [1.0]}
    archive_of(tmp_path / "m.npz", ends | {"reward": [1.0], "terminal_reward": [0.0, 5.0], "start": [1.0, 0.0]})
    model = files.read(tmp_path / "m.npz").model
    assert solve(model, 0.9).value.tolist() == pytest.approx([5.5, 5, 0]) and model.start.tolist() == [1, 0, 0]
