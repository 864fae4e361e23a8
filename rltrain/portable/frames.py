"""What every policy.py has beside its own lines: how it is called, and how it tests itself."""

from __future__ import annotations

from typing import NamedTuple


class Frame(NamedTuple):
    """Pieces of a file, in which NAME, OUTPUT, SAID and FIRST stand for what is its own."""

    module: str  # of rltrain.portable, whose functions it carries
    function: str
    draws: str  # a function that draws an action by its probability
    rows: str  # what is given, checked: ValueError names the place, the value and the rule
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
    """What is given, by name. ValueError for what is no observation, and for a mask that is none."""
    values, (dtype, count), most = listed(obs), INPUTS["obs"], WHOLE.get("obs")
    if len(values) != count:
        raise ValueError(f"obs: {len(values)} values; one observation is {dtype} [{count}], and one is taken at a time")
    for place, value in enumerate(values):
        if not isinstance(value, (int, float)) or not -FLOAT32_MOST <= value <= FLOAT32_MOST:
            raise ValueError(f"obs[{place}]: {value!r} is no finite number of float32")
        if most is not None and not (0 <= value <= most and value == int(value)):
            raise ValueError(f"obs[{place}]: {value!r} is no whole number from 0 to {most}")
    rows = {"obs": values if most is None else [int(value) for value in values]}
    if "mask" not in INPUTS:
        if mask is not None:
            raise ValueError("mask: given, but this policy knows none; leave it out")
    elif mask is None:
        rows["mask"] = [True] * INPUTS["mask"][1]
    else:
        able = listed(mask)
        if len(able) != INPUTS["mask"][1]:
            raise ValueError(f"mask: {len(able)} values; one for each action makes {INPUTS['mask'][1]}")
        for place, own in enumerate(able):
            if own not in (False, True):
                raise ValueError(f"mask[{place}]: {own!r} is neither true nor false")
        if not any(able):
            raise ValueError("mask: all of it is false, so nothing could be done")
        rows["mask"] = [bool(own) for own in able]
    return rows


def listed(given):
    """The numbers of a list, of an array, or one number, as a list."""
    given = plain(given)
    try:
        return [plain(own) for own in given]
    except TypeError:  # one number
        return [given]


def plain(given):
    """What an array holds, as Python has it; what is no array as it is."""
    try:
        return given.tolist()
    except AttributeError:
        return given
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
    """What is given, by name, [N, ...] each; and whether it was one observation. ValueError for what is neither."""
    given = {f"obs.{name}": own for name, own in obs.items()} if isinstance(obs, dict) else {"obs": obs}
    forms = {name: form for name, form in INPUTS.items() if name != "mask"}
    if given.keys() != forms.keys():
        raise ValueError(f"obs: given is {', '.join(given)}; one observation is {', '.join(forms)}")
    rows, counts = {}, set()
    for name, (dtype, *shape) in forms.items():
        own = array_of(name, given[name])
        single = own.ndim == len(shape)
        if (own.shape if single else own.shape[1:]) != tuple(shape):
            raise ValueError(f"{name}: an array of {list(own.shape)}; one observation is {shape}, a batch [N, ...]")
        own = numbers_in(name, own, dtype)
        rows[name] = own = own[None] if single else own
        counts.add((len(own), single))
    if len(counts) > 1:
        raise ValueError(f"obs: parts of batches of {sorted(count for count, _ in counts)}; they must be of one size")
    shape = (len(own), INPUTS["mask"][1]) if "mask" in INPUTS else None
    if shape is None:
        if mask is not None:
            raise ValueError("mask: given, but this policy knows none; leave it out")
    elif mask is None:
        rows["mask"] = np.ones(shape, bool)
    else:
        able = array_of("mask", mask)
        if able.shape != shape and not (single and able.shape == shape[1:]):
            raise ValueError(f"mask: an array of {list(able.shape)}; of {shape[0]} observations it is {list(shape)}")
        able = able.reshape(shape)
        if not np.isin(able, (0, 1)).all():
            raise ValueError(f"mask: {able[~np.isin(able, (0, 1))][0]} is neither true nor false")
        if not able.any(axis=1).all():
            raise ValueError(f"mask: all false in row {able.any(axis=1).argmin()}, so nothing could be done")
        rows["mask"] = able.astype(bool)
    return rows, single


def array_of(name, given):
    """What is given as an array of numbers. ValueError for what is none."""
    try:
        own = np.asarray(given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: no array of numbers: {error}") from error
    if own.dtype.kind not in "biuf":
        raise ValueError(f"{name}: an array of {own.dtype}; expected numbers")
    return own


def numbers_in(name, own, dtype):
    """Rows of numbers in their dtype. ValueError for those that have no place in it."""
    if own.dtype == dtype == "uint8":
        return own
    if name in WHOLE:
        most = WHOLE[name]
        right, rule = (own >= 0) & (own <= most) & (own == np.floor(own)), f"whole number from 0 to {most}"
    else:
        right, rule = np.abs(own) <= np.finfo(np.float32).max, "finite number of float32"
    if not right.all():
        place = [int(at) for at in np.argwhere(~right)[0]]
        raise ValueError(f"{name}: {own[tuple(place)]} at {place} is no {rule}")
    return own.astype(dtype, copy=False)
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
