"""Model files: what is read, what is refused and how that is said, and that writing and reading change nothing."""

import random
import warnings as python_warnings
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rltrain.errors import InputError, OutOfMemoryError, RltrainError
from rltrain.mdp import build, files, problems
from rltrain.mdp.files import yaml_text
from rltrain.mdp.solvers.solve import solve

ROOT = Path(__file__).parents[2]
BOOK = files.read(files.BOOK).model
ARRAYS = ("first_pair", "action", "first_next", "next", "prob", "reward", "next_reward", "start")


def same(one, other):
    """Whether two models are identical, bit for bit."""
    for key in ARRAYS:
        mine, theirs = getattr(one, key), getattr(other, key)
        assert (mine is None) == (theirs is None), key
        assert mine is None or (mine.dtype == theirs.dtype and np.array_equal(mine, theirs)), key
    return (one.states, one.actions, one.discount, one.name) == (
        other.states,
        other.actions,
        other.discount,
        other.name,
    )


def yaml(text):
    return yaml_text.parse(text, "m.yaml")


def refused(text):
    with pytest.raises(InputError) as caught:
        yaml(text)
    return str(caught.value).splitlines()


# the book's model and its neighbours


def test_the_book_is_the_chapters_and_the_packaged_one_is_the_one_to_see():
    assert (ROOT / "configs/mdp/book.yaml").read_bytes() == files.BOOK.read_bytes()
    assert BOOK.states == ("s0", "s1", "s2") and BOOK.actions == ("a0", "a1", "a2")
    q = solve(BOOK, BOOK.discount, epsilon=1e-9).q
    assert np.allclose(q, [21.89925005, 20.80428755, 16.86759588, 1.12082922, 1.17982024, 53.87349498], atol=1e-8)
    assert BOOK.exact.prob[0] == Fraction(7, 10) and BOOK.exact.reward == (7, 0, 0, 0, -50, 32)
    assert BOOK.exact.discount == Fraction(19, 20)


@pytest.mark.parametrize("path", sorted((ROOT / "configs/mdp").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_model_is_valid_and_comes_back(path, tmp_path):
    loaded = files.read(path)
    assert loaded.warnings == () and loaded.model.name == path.stem and loaded.model.exact is not None
    for suffix in (".yaml", ".npz", ".csv"):
        files.write(loaded.model, tmp_path / f"m{suffix}")
        assert same(files.read(tmp_path / f"m{suffix}").model, loaded.model)
    assert files.read(tmp_path / "m.yaml").model.exact == loaded.model.exact


# YAML


def test_every_way_to_write_a_move():
    model = yaml(
        """
        start: [a, b]
        states:
          a:
            sure: b
            paid: b reward -1.5
            dice: {a: 1/3, b: 1/3 reward 3, end: 1 / 3, reward: 1}
          b: {sure: {end: 1.0}}
          end: terminal
        """
    ).model
    assert model.actions == ("sure", "paid", "dice")
    assert np.allclose(model.reward, [0, -1.5, 2, 0], atol=1e-15) and model.next_reward.tolist() == [
        0,
        -1.5,
        1,
        4,
        1,
        0,
    ]
    assert model.start.tolist() == [0.5, 0.5, 0] and model.discount is None
    assert model.exact.prob[2:5] == (Fraction(1, 3),) * 3 and model.exact.reward[2] == 2


def test_a_chain_has_one_action_and_names_may_be_numbers_or_have_blanks():
    model = yaml("chain:\n  0: {0: 0.5, 1: 0.5}\n  1: 0 reward 2\n").model
    assert model.actions == ("step",) and list(model.states) == ["0", "1"] and model.reward.tolist() == [0, 2]
    model = yaml("states:\n  in bed: {get up: at work reward -1}\n  at work: terminal\n").model
    assert model.states == ("in bed", "at work") and model.actions == ("get up",)


GOOD = "discount: 0.9\nstates:\n  s0:\n    go: {s0: 0.5, s1: 0.5}\n  s1: terminal\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "s1: 0.5}",
            "s1: 0.4}",
            "m.yaml:4: state 's0', action 'go': the 2 probabilities sum to 0.9; they must sum to 1",
        ),
        ("s1: 0.5}", "s1: -0.5}", "m.yaml:4: state 's0', action 'go', next 's1': expected a probability from 0 to 1"),
        ("s1: 0.5}", "s1: .nan}", "such as 0.7 or 1/3, got '.nan'"),
        ("s1: 0.5}", "s1: .inf}", "got '.inf'"),
        ("s1: 0.5}", "s1: 1/0}", "got '1/0'"),
        ("s1: 0.5}", "s1: [0.5]}", "m.yaml:4: state 's0', action 'go', next 's1': expected a probability, or"),
        ("s1: 0.5}", "s1: 0.5 reward lots}", "next 's1': expected a finite number as the reward, got 'lots'"),
        (
            "s1: 0.5}",
            "s1: 0.5 reward 1e151}",
            "next 's1': expected at most 1e+150 either way as the reward, got '1e151'",
        ),
        ("s1: 0.5}", "s1: 0.5, reward: .inf}", "m.yaml:4: state 's0', action 'go', reward: expected a finite number"),
        (
            "s1: 0.5}",
            "s11: 0.5}",
            "m.yaml:4: state 's0', action 'go', next 's11': unknown state 's11'; did you mean 's",
        ),
        ("s1: 0.5}", "s0: 0.5}", "m.yaml:4: state 's0', action 'go', next 's0': duplicate key; first given in line 4"),
        ("s1: terminal", "s1:", "m.yaml:5: state 's1': no action; a state without any is written `NAME: terminal`"),
        ("s1: terminal", "s1: {}", "no action"),
        ("s1: terminal", "s0: terminal", "m.yaml:5: state 's0': duplicate key; first given in line 3"),
        (
            "s1: terminal",
            "reward: terminal",
            'm.yaml:5: the word reward has a meaning; a state of that name is written "reward"',
        ),
        ("{s0: 0.5, s1: 0.5}", "s7", "m.yaml:4: state 's0', action 'go': unknown state 's7'; one of s0, s1"),
        ("{s0: 0.5, s1: 0.5}", "[s0, s1]", "action 'go': expected a state, or {STATE: PROBABILITY, …}, got a list"),
        ("{s0: 0.5, s1: 0.5}", "{}", "no successor"),
        ("0.9", "1.5", "m.yaml:1: discount: expected a number from 0 to 1, such as 0.95, got '1.5'"),
        ("0.9", "yes", "discount: expected a number"),
        ("discount", "discuont", "m.yaml:1: discuont: unknown key; did you mean 'discount'?"),
        ("discount: 0.9", "start: s9", "m.yaml:1: start: unknown state 's9'; one of s0, s1"),
        ("discount: 0.9", "start: {s0: 0.9}", "m.yaml:1: start: the one probability is 0.9; they must sum to 1"),
        ("discount: 0.9", "actions: [run]", "m.yaml:4: state 's0', action 'go': not in the list 'actions'; one of run"),
        ("states:", "stats:", "no 'states'"),
        (
            GOOD.partition("states:")[2],
            " {}",
            "m.yaml:2: states: expected a block with one key a state, got an empty one",
        ),
        ("discount: 0.9", "chain: {}", "exclude each other"),
    ],
)
def test_a_fault_names_line_state_and_action(old, new, said):
    assert old in GOOD
    assert any(said in line for line in refused(GOOD.replace(old, new))), refused(GOOD.replace(old, new))


def test_five_faults_in_the_order_of_lines_and_a_count():
    lines = refused("states:\n" + "".join(f"  s{n}: {{go: nowhere{n}}}\n" for n in range(9)))
    assert [line.split(":")[1] for line in lines[:5]] == ["2", "3", "4", "5", "6"] and lines[5:] == ["and 4 more"]


@pytest.mark.parametrize("text", ["", "[]", "7", "states: 3", "states: {}", "a: b: c", "states: {a: terminal}", "\t"])
def test_what_is_no_model(text):
    assert refused(text)[0].startswith("m.yaml")


def test_a_discount_of_1_that_has_no_values_is_read_without_a_word_and_lost_states_are_warned_of(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text("discount: 1\nstates:\n  a: {go: a reward 1}\n")
    assert files.read(path).warnings == ()  # whoever asks for discount 1 is told
    path.write_text("start: a\nstates:\n  a: {go: a}\n  b: {go: a}\n")
    (warning,) = files.read(path).warnings
    assert warning.endswith("m.yaml: 1 of 2 states cannot be reached from the start: 'b'")


# npz


def test_the_chapters_arrays_are_read(tmp_path):
    nan, no = np.nan, [np.nan] * 3
    t = np.array([[[0.7, 0.3, 0], [1, 0, 0], [0.8, 0.2, 0]], [[0, 1, 0], no, [0, 0, 1]], [no, [0.8, 0.1, 0.1], no]])
    r = np.array([[[10.0, 0, 0], [0, 0, 0], [0, 0, 0]], [[10, 0, 0], no, [0, 0, -50]], [no, [40, 0, 0], no]])
    np.savez(tmp_path / "book.npz", T=t, R=r)
    model = files.read(tmp_path / "book.npz").model
    for key in ("first_pair", "action", "first_next", "next", "prob", "reward", "next_reward"):
        assert np.array_equal(getattr(model, key), getattr(BOOK, key)), key
    np.savez_compressed(tmp_path / "two.npz", T=t, R=np.nansum(t * r, axis=2), gamma=0.95)
    model = files.read(tmp_path / "two.npz").model
    assert np.allclose(model.reward, BOOK.reward) and model.discount == 0.95
    t[1, 0, 2] = nan
    np.savez(tmp_path / "bad.npz", T=t, R=r)
    with pytest.raises(InputError, match="state '1', action '0': NaN for some next states"):
        files.read(tmp_path / "bad.npz")
    np.savez(tmp_path / "turned.npz", T=np.zeros((2, 3, 3)), R=r)
    with pytest.raises(InputError, match=r"np\.moveaxis"):
        files.read(tmp_path / "turned.npz")


def test_what_an_archive_claims_is_held_against_what_it_is(tmp_path, monkeypatch):
    path = tmp_path / "m.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("first_pair.npy", "w") as member:
        header = {"descr": "<i8", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(member, header)
    with zipfile.ZipFile(path, "a") as archive:
        for key in ("action", "first_next", "next", "prob", "reward"):
            archive.writestr(f"{key}.npy", b"")
    with pytest.raises(InputError, match="claims the shape"):
        files.read(path)
    np.savez(path, **{key: getattr(BOOK, key) for key in ARRAYS[:6]} | {"prob": np.array([object()])})
    with pytest.raises(InputError, match="Python objects, which are never read"):
        files.read(path)
    np.savez(path, **{key: getattr(BOOK, key) for key in ARRAYS[:5]})
    with pytest.raises(InputError, match="the array 'reward' is missing"):
        files.read(path)
    np.savez_compressed(path, T=np.zeros((300, 1, 300)), R=np.zeros((300, 1)))
    monkeypatch.setattr("rltrain.mdp.files.archive.UNCHECKED", 0)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 1000}))
    with pytest.raises(OutOfMemoryError):
        files.read(path)


# CSV


def csv(tmp_path, text):
    path = tmp_path / "m.csv"
    path.write_text(text)
    return files.read(path)


def test_rows_in_any_order_of_columns_under_the_names_people_use(tmp_path):
    loaded = csv(tmp_path, "p;next_state;r;s;a\n0.25;b;1;a;go\n0.75;a;0;a;go\n;;;b;\n")
    assert loaded.warnings == () and loaded.model.states == ("a", "b") and loaded.model.prob.tolist() == [0.75, 0.25]
    assert loaded.model.exact.reward == (Fraction(1, 4),)
    loaded = csv(tmp_path, "state,action,next,probability,reward\n10,0,2,1,0\n2,0,3,1/1,0\n3,,,,\n")
    assert loaded.model.states == ("2", "3", "10") and loaded.warnings == ()
    loaded = csv(tmp_path, "from,to,prob\na,a,1\n")
    assert loaded.model.actions == ("step",) and "a Markov chain without rewards" in loaded.warnings[0]


HEADER = "state,action,next,probability,reward\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            HEADER + "a,go,a,0.5,0\na,go,b,0.4,0\nb,,,,\n",
            "m.csv:2: state 'a', action 'go': the 2 probabilities sum to 0.9",
        ),
        (HEADER + "a,go,a,x,0\n", "m.csv:2: state 'a', action 'go', next 'a': the probability 'x' is no number"),
        (HEADER + "a,go,a,1,-\n", "the reward '-' is no number"),
        (HEADER + "a,go,a,nan,0\n", "m.csv:2: state 'a', action 'go', next 'a': the probability nan is not"),
        (HEADER + "a,go,a,1,inf\n", "the reward inf is not a finite number"),
        (HEADER + "a,go,a,1,0\n\na,go,a,1,0\n", "m.csv:2: state 'a', action 'go': the one probability is 2"),
        (HEADER + "a,go,a,1\n", "m.csv:2: 4 cells; the header has 5"),
        (HEADER + "a,go,a,1,0\na,,,,\n", "m.csv:2: state 'a': declared terminal by a row of its own, and acts"),
        (HEADER + ",go,a,1,0\n", "m.csv:2: no state"),
        (HEADER, "no transition follows the header"),
        ("state,action,nxt,probability\n", "no column 'next' in the header"),
        ("", "empty"),
        ("# discount: 2\n" + HEADER + "a,go,a,1,0\n", "m.csv:1: discount: expected a number from 0 to 1"),
        ("# start: z\n" + HEADER + "a,go,a,1,0\n", "m.csv:1: start: unknown state 'z'"),
    ],
)
def test_a_faulty_row_is_named(tmp_path, text, said):
    with pytest.raises(InputError) as caught:
        csv(tmp_path, text)
    assert said in str(caught.value)


# there and back

NAMES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=6),
    st.sampled_from(["reward", "terminal", "a reward 3", "x", "x reward 1", "null", "true", "end", "1.0", "2.0", "-4"]),
    st.text("=+-@',;:#a\"", min_size=1, max_size=4),
)
NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)


@st.composite
def models(draw):
    count, acts = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    names = st.one_of(
        st.just(tuple(map(str, range(count)))),
        st.lists(NAMES, min_size=count, max_size=count, unique=True).map(tuple),
        st.permutations([str(number) for number in range(count)]).map(tuple),
    )
    states = draw(names)
    actions = draw(st.lists(NAMES, min_size=acts, max_size=acts, unique=True))
    rows = []
    pairs = draw(st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, acts - 1)), min_size=1))
    for state, action in pairs:
        following = draw(st.lists(st.integers(0, count - 1), min_size=1, unique=True))
        weights = draw(st.lists(st.integers(1, 1000), min_size=len(following), max_size=len(following)))
        own = draw(NUMBERS)
        each = draw(st.booleans())
        rows += [
            (state, action, n, w / sum(weights), draw(NUMBERS) if each else own)
            for n, w in zip(following, weights, strict=True)
        ]
    start = draw(
        st.none() | st.integers(0, count - 1).map(lambda s: np.eye(count)[s]) | st.just(np.full(count, 1 / count))
    )
    discount = draw(st.none() | st.floats(0, 0.999))
    name = draw(st.just("some model") | NAMES)
    return build.from_transitions(states, actions, *zip(*rows, strict=True), start=start, discount=discount, name=name)


@pytest.mark.parametrize("suffix", [".yaml", ".npz", ".csv"])
@settings(max_examples=examples(150))
@given(model=models())
def test_what_is_written_is_read(suffix, model, tmp_path_factory):
    path = tmp_path_factory.mktemp("there") / f"m{suffix}"
    files.write(model, path)
    assert same(files.read(path).model, model)


def mutated(data, source):
    data = bytearray(data)
    for _ in range(source.randint(1, 4)):
        place = source.randrange(len(data) + 1)
        match source.randrange(5):
            case 0:
                data[place : place + 1] = bytes([source.randrange(256)])
            case 1:
                del data[place : place + source.randint(1, 20)]
            case 2:
                data[place:place] = source.choice(
                    [b"-", b"nan", b"1e999", b"\n", b": ", b"{", b'"', b",", b"\0", b"9" * 400]
                )
            case 3:
                data[place:place] = data[place : place + source.randint(1, 50)]
            case _:
                data = data[:place]
    return bytes(data)


@pytest.mark.parametrize("suffix", [".yaml", ".npz", ".csv"])
def test_a_damaged_file_is_a_model_or_an_error_that_one_can_act_on(suffix, tmp_path):
    python_warnings.simplefilter("error")
    path = tmp_path / f"m{suffix}"
    files.write(BOOK, path)
    whole = path.read_bytes()
    source = random.Random(suffix)
    accepted = 0
    for _ in range(1500):
        path.write_bytes(mutated(whole, source))
        try:
            model = files.read(path).model
        except RltrainError as error:
            assert str(path) in str(error) and len(str(error)) < 5000
        else:
            accepted += 1
            assert (
                np.allclose(np.add.reduceat(model.prob, model.first_next[:-1]), 1) and np.isfinite(model.reward).all()
            )
    assert accepted < 1500


# the file system


def test_nothing_is_replaced_unasked_and_nothing_is_left_behind(tmp_path, monkeypatch):
    path = tmp_path / "m.yaml"
    files.write(BOOK, path)
    with pytest.raises(InputError, match="exists; --overwrite replaces it"):
        files.write(BOOK, path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rltrain.whole_files.os.fsync", full)
    with pytest.raises(RltrainError, match="No space left on device; free some space") as caught:
        files.write(problems.forest(), path, overwrite=True)
    assert caught.value.exit_code == 7
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["m.yaml"]


def test_what_is_no_model_file(tmp_path):
    (tmp_path / "book.yaml").write_bytes(files.BOOK.read_bytes())
    (tmp_path / "latin.yaml").write_bytes(b"name: x\nstates: {\xe9: terminal}\n")
    (tmp_path / "folder.yaml").mkdir()
    for name, said in [
        ("bok.yaml", "no such file; did you mean"),
        ("folder.yaml", "cannot be read: a folder"),
        ("book.txt", "cannot read '.txt'"),
        ("latin.yaml", "latin.yaml:2: not text in UTF-8"),
    ]:
        with pytest.raises(InputError, match=said):
            files.read(tmp_path / name)
    with pytest.raises(InputError, match=r"too many for YAML|can be read; write an \.npz"):
        files.write(problems.garnet(10_000), tmp_path / "large.yaml")
