"""The house as ARCHITECTURE.md describes it: who may know whom, no circle, no reflection, names that are unique."""

import ast
import collections
import tomllib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "rltrain"
FLOORS = [  # from the ground up; rooms of one floor do not know each other
    {
        "cells",
        "words",
        "computation",
        "core",
        "distributions",
        "spaces",
        "steps",
        "progress",
        "ranks",
        "counters",
        "errors",
        "guard",
        "imports",
        "plain_files",
        "registering",
        "rng",
        "ray_cluster",
        "saved",
        "source_files",
        "spelling",
        "trust",
        "yaml_subset",
        "whole_files",
        "lettering",
        "outputs",
        "memory",
        "side_by_side",
        "version",
        "warm_start",
    },
    {"registry", "kinds", "origins"},
    {"experiment"},
    {"deep", "mdp", "policies"},
    {"envs"},  # a known model may be sampled: the one door between the two rooms
    {"algos"},
    {"run"},
    {"launchers", "portable", "report", "film", "track"},
    {"verbs"},
    {"api", "cli"},
    {"__main__"},
]
MDP_FLOORS = [  # those within mdp, whose docstring says what each is
    {"mapped"},
    {"model", "thresholds", "splitmix"},
    {"checks", "done", "solution"},
    {"graph", "row_checks", "terminal"},
    {"pairs", "build"},
    {"dense_rows"},
    {"parts", "problems", "files", "explore"},
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
        "algos/_dqn_rule.py",
        "algos/_dqn_round.py",
        "algos/pqn.py",
        "algos/_ppo_pictures.py",
        "rng.py",
        "verbs/doctor.py",
        "verbs/sweep/search.py",
    },
    "gymnasium": {"envs", "registering.py"},
    "ale_py": {"envs"},
    "numba": {"mdp", "envs", "deep/sum_tree.py", "deep/fast/tiling.py", "deep/fast/distinct.py"},
    "scipy.sparse.linalg": {"mdp/solvers/linear.py"},
    "scipy": {"mdp", "envs/vacuum/room.py", "run/across_seeds.py", "verbs/sweep/search.py"},
    "jinja2": {"report/html_page.py"},
    "matplotlib": {"report", "mdp", "cli", "lettering.py"},
    "wandb": {"track/to_wandb.py"},
    "mlflow": {"track/to_mlflow.py"},
    "trackio": {"track/to_trackio.py"},
    "flint": {"mdp/exact/linear.py", "mdp/exact/rational.py"},
    "ray": {"ray_cluster.py"},
    "onnx": {"portable/onnx_file.py"},
    "onnxruntime": {"portable/replay.py"},
    "av": {"film/recording.py"},
    "pygame": {"film/picture.py", "cli/show/window.py"},
}
REFLECTION = {"eval", "exec", "hasattr", "vars", "torch.load", "torch.save", "np.load", "np.save"}
OWN_GENERATORS = {"default_rng", "SeedSequence", "generate_state"}
MOST_LINES = 320  # of a file
FILES = sorted(PACKAGE.rglob("*.py"))
ALGORITHMS = {path.stem for path in (PACKAGE / "algos").glob("[!_]*.py")}


@cache
def tree(path):
    return ast.parse(path.read_text())


@cache
def imports(path):
    """The full names that a file imports, wherever in it they stand: inside functions and for types alone too."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides where it goes"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def module(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def place(path):
    return str(path.relative_to(PACKAGE))


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor(name, floors):
    return next(number for number, rooms in enumerate(floors) if name in rooms)


def owner(stem):
    """The algorithm that a file of algos/ belongs to: _dqn_config.py is dqn's. None for one that is shared."""
    return next((name for name in ALGORITHMS if stem == name or stem.startswith(f"_{name}_")), None)


def calls(path):
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]


def test_arrows_point_down():
    up = []
    for path in FILES:
        here = room(path)
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "rltrain" or here == "__init__" or (here, parts[1]) in LAZY:
                continue
            below = parts[1] == here or {parts[1], here} <= GROUND or floor(parts[1], FLOORS) < floor(here, FLOORS)
            up += [] if below else [f"{place(path)} imports {name}"]
    assert up == []


def test_arrows_point_down_within_mdp():
    up = []
    for path in (path for path in FILES if room(path) == "mdp"):
        here = path.relative_to(PACKAGE / "mdp").parts[0].removesuffix(".py")
        for name in imports(path):
            parts = name.split(".")
            if parts[:2] == ["rltrain", "mdp"] and here != "__init__" and parts[2] != here:
                down = floor(parts[2], MDP_FLOORS) < floor(here, MDP_FLOORS)
                up += [] if down else [f"{place(path)} imports {name}"]
    assert up == []


def test_no_algorithm_imports_another():
    others = [
        f"{place(path)} imports {name}"
        for path in FILES
        for name in imports(path)
        if room(path) == "algos" and name.startswith("rltrain.algos.")
        if owner(name.split(".")[2]) not in (owner(path.stem), None)
    ]
    assert others == []


def circles():
    """Files that import each other, by way of whatever others: strongly connected components of more than one."""
    by_name = {module(path): path for path in FILES}
    known = {
        name: {
            other
            for found in imports(path)
            for other in ([found] if found in by_name else [found.rpartition(".")[0]])
            if other in by_name and other != name
        }
        for name, path in by_name.items()
    }
    while leaves := [name for name, below in known.items() if not below & known.keys()]:
        for name in leaves:
            del known[name]
    above = {name for below in known.values() for name in below}
    return sorted(name for name in known if name in above)


def test_no_circle_of_imports():
    assert circles() == []


def test_heavy_packages_have_their_doors():
    beside = [
        f"{place(path)} imports {name}"
        for path in FILES
        for name in imports(path)
        if (doors := next((DOORS[package] for package in DOORS if f"{name}.".startswith(f"{package}.")), None))
        is not None
        if place(path) not in doors and room(path) not in doors
    ]
    assert beside == []


def test_nothing_is_found_by_reflection():
    """What a thing may offer stands in a type, so that nobody needs to look whether it does."""
    found = []
    for path in FILES:
        for node in calls(path):
            called = ast.unparse(node.func)
            if called in REFLECTION or (called == "getattr" and len(node.args) > 2):
                found.append(f"{place(path)}:{node.lineno} calls {called}")
    assert found == []


def test_nothing_draws_from_the_global_generator():
    found = [
        f"{place(path)}:{node.lineno} calls {called}"
        for path in FILES
        for node in calls(path)
        if (called := ast.unparse(node.func)).startswith("np.random.")
        if called.rpartition(".")[2] not in OWN_GENERATORS
    ]
    assert found == []


def test_no_two_public_classes_share_a_name():
    homes = collections.defaultdict(list)
    for path in FILES:
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(place(path))
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_a_file_has_one_idea():
    assert {place(path): size for path in FILES if (size := len(path.read_text().splitlines())) > MOST_LINES} == {}


def test_a_docstring_stands_alone():
    """What a tooltip shows has no neighbour that it could be the same as."""
    leaning = [
        f"{place(path)}: {node.name}: {text.splitlines()[0]}"
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node))
        if text.startswith(("The same", "Same ", "Such ", "As above", "What is asked for"))
    ]
    assert leaning == []


def test_types_are_strict_for_the_whole_package():
    settings = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["tool"]["mypy"]
    assert settings["strict"] is True
    loosened = [
        key for override in settings["overrides"] for key in override if key not in ("module", "ignore_missing_imports")
    ]
    assert loosened == []
