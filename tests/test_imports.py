"""Who may know whom: arrows point down only. And what may not be called anywhere."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "rltrain"
FLOORS = [  # from the ground up; rooms of one floor do not know each other
    {
        "cells",
        "words",
        "core",
        "errors",
        "plain_files",
        "rng",
        "saved",
        "spelling",
        "yaml_subset",
        "whole_files",
        "lettering",
        "version",
    },
    {"registry", "kinds"},
    {"experiment"},
    {"deep", "mdp", "policies"},
    {"envs"},  # a known model may be sampled: the one door between the two rooms
    {"algos"},
    {"run"},
    {"report"},
    {"verbs"},
    {"api", "cli"},
    {"__main__"},
]
MDP_FLOORS = [  # the same within mdp, whose docstring says what each is
    {"model", "thresholds", "splitmix"},
    {"checks", "done", "solution"},
    {"graph", "row_checks", "terminal"},
    {"pairs", "build"},
    {"parts", "problems", "files"},
    {"fates", "draw"},
    {"solvers"},
    {"chains"},
    {"exact"},
    {"undiscounted"},
    {"losses", "learn"},
]
GROUND = FLOORS[0] | FLOORS[1] | FLOORS[2]  # single files: those of one floor may know each other
LAZY = {  # inside a function: a model's own discount is a default
    ("experiment", "mdp"),
}
DOORS = {
    "torch": {
        "deep",
        "algos/dqn.py",
        "algos/_dqn_machine.py",
        "algos/_dqn_round.py",
        "algos/pqn.py",
        "rng.py",
        "verbs/doctor.py",
    },
    "gymnasium": {"envs"},
    "ale_py": {"envs"},
    "numba": {"mdp", "envs", "deep/sum_tree.py", "deep/fast/tiling.py"},
    "scipy.sparse.linalg": {"mdp/solvers/linear.py"},
    "scipy": {"mdp", "envs/vacuum/room.py"},
    "matplotlib": {"report", "mdp", "cli", "lettering.py"},
    "flint": {"mdp/exact/linear.py", "mdp/exact/rational.py"},
    "av": {"cli/show/recording.py"},
    "pygame": {"cli/show/picture.py", "cli/show/window.py"},
}
OWN_GENERATORS = {"default_rng", "SeedSequence", "generate_state"}
FILES = sorted(PACKAGE.rglob("*.py"))
ALGORITHMS = {path.stem for path in (PACKAGE / "algos").glob("[!_]*.py")}


def imports(path):
    """The full names that a file imports, wherever in it they stand."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it goes"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def owner(stem):
    """The algorithm that a file of algos/ belongs to: _dqn_config.py is dqn's. None for one that is shared."""
    return next((name for name in ALGORITHMS if stem == name or stem.startswith(f"_{name}_")), None)


def floor(room):
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_down(path):
    here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "rltrain" or here == "__init__" or (here, parts[1]) in LAZY:
            continue
        if here == "algos" == parts[1] and len(parts) > 2:
            own_or_shared = owner(parts[2]) in (owner(path.stem), None)
            assert own_or_shared, f"{path}: an algorithm imports another: {name}"
        below = floor(parts[1]) < floor(here) or parts[1] == here or {parts[1], here} <= GROUND
        assert below, f"{path} imports {name}, which is not below it"


def test_arrows_point_down_within_mdp():
    """Imports inside functions count: no circle of wings or files."""
    level = {room: number for number, rooms in enumerate(MDP_FLOORS) for room in rooms}
    for path in sorted((PACKAGE / "mdp").rglob("*.py")):
        here = path.relative_to(PACKAGE / "mdp").parts[0].removesuffix(".py")
        for name in imports(path):
            parts = name.split(".")
            if parts[:2] == ["rltrain", "mdp"] and here != "__init__":
                below = parts[2] == here or level[parts[2]] < level[here]
                assert below, f"{path} imports {name}, which is not below it"


def test_no_circle_of_imports_within_the_solvers_of_mdp():
    """Wings have no floors within; files that read models are not looked at here."""
    paths = [path for path in (PACKAGE / "mdp").rglob("*.py") if not {"files", "draw"} & set(path.parts)]
    files = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in paths}
    left = {
        name: {other for found in imports(path) for other in (found, found.rpartition(".")[0]) if other in files}
        for name, path in files.items()
    }
    while leaves := [name for name, known in left.items() if not known & set(left)]:
        for name in leaves:
            del left[name]
    assert not left, f"these files import each other: {sorted(left)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_packages_have_their_doors(path):
    place = path.relative_to(PACKAGE)
    for name in imports(path):
        doors = next((DOORS[package] for package in DOORS if name == package or name.startswith(f"{package}.")), None)
        assert doors is None or str(place) in doors or place.parts[0] in doors, f"{path} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_stored_is_ever_executed(path):
    """No pickle in any form, no eval, no reflection by name: see the security section of the design."""
    forbidden = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
    assert not forbidden & {name.split(".")[0] for name in imports(path)}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"eval", "exec", "hasattr", "torch.load", "torch.save", "np.load", "np.save"}, path
            assert not called.startswith("np.random.") or called.rpartition(".")[2] in OWN_GENERATORS, (
                f"{path}: {called} draws from the global generator"
            )
