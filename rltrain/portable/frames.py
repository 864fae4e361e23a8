"""What every policy.py has beside its own lines: how it is called, and how it tests itself."""

from __future__ import annotations

from typing import NamedTuple


class Frame(NamedTuple):
    """Pieces of a file, in which NAME, OUTPUT, SAID and FIRST stand for what is its own."""

    module: str  # of rltrain.portable, whose functions it carries
    function: str
    draws: str  # a function that draws an action by its probability
    rows: str
    compute: str
    unpacked: str
    check: str


PLAIN = Frame(
    module="without_numpy",
    function='''
def NAME(obs, mask=None):
    """SAID"""
    return compute(rows_of(obs, mask))["OUTPUT"]
''',
    draws='''
def act(obs, mask=None):
    """An action, drawn."""
    return random.choices(range(len(ABOUT["actions"]["names"])), scores(obs, mask))[0]
''',
    rows='''
def rows_of(obs, mask):
    """What is given, by name."""
    try:
        rows = {"obs": list(obs)}
    except TypeError:  # one number
        rows = {"obs": [obs]}
    if len(rows["obs"]) != INPUTS["obs"][1]:
        raise ValueError(f"an observation has {INPUTS['obs'][1]} numbers; this one has {len(rows['obs'])}")
    if "mask" in INPUTS:
        rows["mask"] = [True] * INPUTS["mask"][1] if mask is None else [bool(able) for able in mask]
    return rows
''',
    compute='''
def compute(rows):
    """All that the policy computes of one observation."""
''',
    unpacked='''
def unpacked(kind, shape, text):
    """Numbers as lists, of base64."""
    data, code = base64.b64decode(text), {"f4": "f", "f8": "d", "i8": "q"}[kind]
    flat = list(struct.unpack(f"<{len(data) // int(kind[1])}{code}", data))
    width = shape[-1]
    return flat if len(shape) == 1 else [flat[at : at + width] for at in range(0, len(flat), width)]
''',
    check='''
def near(a, b):
    """Whether two actions are equal, numbers but for rounding."""
    if isinstance(a, list):
        return len(a) == len(b) and all(map(near, a, b))
    return abs(a - b) <= 1e-4 * max(1.0, abs(b)) if isinstance(b, float) else a == b


def check():
    """Whether the recorded observations still lead to the recorded actions. Returns how many do not."""
    return sum(not near(FIRST(*given), action) for *given, action in EXAMPLES)


if __name__ == "__main__":
    wrong = check()
    print(__doc__)
    print(f"{len(EXAMPLES) - wrong} of {len(EXAMPLES)} recorded observations lead to the action that was taken")
    sys.exit(bool(wrong))
''',
)

NUMPY = Frame(
    module="with_numpy",
    function='''
def NAME(obs, mask=None):
    """SAID"""
    rows, single = rows_of(obs, mask)
    found = compute(rows)["OUTPUT"]
    return found if not single else found[0] if found.ndim > 1 else found[0].item()
''',
    draws='''
def act(obs, mask=None):
    """An action, drawn; or one for each observation of a batch."""
    chance = scores(obs, mask)
    found = [np.random.choice(len(own), p=own / own.sum()) for own in np.atleast_2d(chance).astype(np.float64)]
    return np.array(found) if np.ndim(chance) > 1 else int(found[0])
''',
    rows='''
def rows_of(obs, mask):
    """What is given, by name, [N, ...] each; and whether it was one observation."""
    given = {f"obs.{name}": own for name, own in obs.items()} if isinstance(obs, dict) else {"obs": obs}
    rows, single = {}, False
    for name, (dtype, *shape) in INPUTS.items():
        if name == "mask":
            continue
        own = np.asarray(given[name], dtype)
        own, single = (own[None], True) if own.ndim == len(shape) else (own, False)
        if own.shape[1:] != tuple(shape):
            raise ValueError(f"{name}: an array of {list(own.shape)}; one observation is {shape}, a batch [N, ...]")
        rows[name] = own
    if "mask" in INPUTS:
        everything = np.ones((len(own), INPUTS["mask"][1]), bool)
        rows["mask"] = everything if mask is None else np.asarray(mask, bool).reshape(everything.shape)
    return rows, single
''',
    compute='''
def compute(rows):
    """All that the policy computes of a batch of observations."""
''',
    unpacked='''
def unpacked(kind, shape, text):
    """An array, of base64."""
    found = np.frombuffer(base64.b64decode(text), "<" + kind).reshape(shape)
    return found.astype(FLOAT) if kind[0] == "f" else found
''',
    check='''
def check():
    """Whether the recorded observations still lead to the recorded actions. Returns how many do not."""
    rows = {
        name: np.frombuffer(zlib.decompress(base64.b64decode(text)), kind).reshape(shape)
        for name, (kind, shape, text) in EXAMPLES.items()
    }
    mask = rows.pop("mask", None)
    parts = {name.removeprefix("obs."): own for name, own in rows.items()}
    found, wanted = FIRST(rows["obs"] if "obs" in rows else parts, mask), np.array(ANSWERS)
    equal = np.isclose(found, wanted, rtol=1e-4, atol=1e-4) if wanted.dtype.kind == "f" else found == wanted
    return int((~equal.reshape(len(wanted), -1).all(axis=1)).sum())


if __name__ == "__main__":
    wrong = check()
    print(__doc__)
    print(f"{len(ANSWERS) - wrong} of {len(ANSWERS)} recorded observations lead to the action that was taken")
    sys.exit(bool(wrong))
''',
)
