"""Algorithms are found by file name and by entry point, and nothing is imported before it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rltrain import registry
from rltrain.errors import DiskError, InputError, MissingError
from rltrain.experiment import schema

COMPLETE = '''"""Plays at random.

More.
"""
from pydantic import BaseModel
from rltrain.core import AlgorithmPlugin
from rltrain.experiment.settings import STRICT
class Config(BaseModel):
    model_config = STRICT
class Algorithm: ...
PLUGIN = AlgorithmPlugin(config=Config, make=Algorithm, budget={"episodes": 10})
'''
BROKEN = {  # the module of each algorithm that breaks the contract: what of the complete one is another
    "no_plugin": ("PLUGIN", "plugin"),
    "lax": ("= STRICT", "= {}"),
    "named": ("= STRICT", "= STRICT\n    name: str = ''"),
    "wrong_task": ("budget=", 'task="game", budget='),
    "no_budget": ('{"episodes": 10}', "{}"),
    "odd_budget": ("10}", "0.5}"),
    "crowded": ("budget=", "num_envs=2000, budget="),
    "no_hook": ("budget=", 'cost={"parameters": 1}, budget='),
    "other_member": ("budget=", "budgets={}, budget="),
    "needy": ('"""\nfrom', '"""\nimport a_package_that_nobody_has\nfrom'),
    "broken": ("class Algorithm", "def ("),
}
PLACE = "algorithm 'plug-{0}' (plugins_{0}:PLUGIN)"
FILES = sorted((Path(registry.__file__).parent / "algos").glob("*.py"))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package, as the import system sees one, that registers an algorithm by each file put into it."""
    information = tmp_path / "plugins-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: plugins\nVersion: 1.0\n")
    points = "".join(f"plug-{name} = plugins_{name}:PLUGIN\n" for name in ("complete", "absent", *BROKEN))
    points += "plug-module = plugins_complete\nplug-odd = a module\n"
    (information / "entry_points.txt").write_text(f"[{registry.ALGORITHMS}]\n{points}")
    (tmp_path / "plugins_complete.py").write_text(COMPLETE)
    for name, (text, other) in BROKEN.items():
        assert text in COMPLETE
        (tmp_path / f"plugins_{name}.py").write_text(COMPLETE.replace(text, other))
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_every_file_of_algos_is_an_algorithm_with_a_line_about_it() -> None:
    files = {file.stem for file in FILES if not file.stem.startswith("_")}
    assert files <= set(registry.names())
    assert all(len(registry.summary(name)) > 10 for name in registry.names())


def test_every_algorithm_loads() -> None:
    for name in registry.names():
        assert registry.plugin(name).task in registry.TASKS


def test_every_setting_of_every_algorithm_is_described() -> None:
    for name in registry.names():
        fields = registry.plugin(name).config.model_fields
        assert [key for key, info in fields.items() if not info.description] == []


def test_an_entry_point_registers_an_algorithm(package: Path) -> None:
    assert "plug-complete" in registry.names()
    assert registry.summary("plug-complete") == "Plays at random."
    plugin = registry.plugin("plug-complete")
    assert (plugin.budget, plugin.num_envs, plugin.task) == ({"episodes": 10}, 1, "env")
    assert plugin.cost(None, None) == {} and list(plugin.summary_lines(None, None, {})) == []  # what it does not offer


def test_no_package_replaces_an_algorithm_of_ours(package: Path) -> None:
    ours = next(file.stem for file in FILES if not file.stem.startswith("_"))
    points = package / "plugins-1.0.dist-info" / "entry_points.txt"
    points.write_text(f"[{registry.ALGORITHMS}]\n{ours} = plugins_complete:PLUGIN\n")
    os.utime(package)  # as an installation leaves it
    assert registry.summary(ours) != "Plays at random."
    assert registry.plugin(ours).config.__module__.startswith("rltrain.")
    assert registry.names().count(ours) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plug-no_plugin", "algorithm 'plug-no_plugin' (plugins_no_plugin:PLUGIN) cannot be loaded: AttributeError"),
        ("plug-module", "algorithm 'plug-module' (plugins_complete): must name a rltrain.core.AlgorithmPlugin, as"),
        ("plug-odd", "algorithm 'plug-odd' (a module) cannot be loaded"),
        ("plug-broken", "algorithm 'plug-broken' (plugins_broken:PLUGIN) cannot be loaded: SyntaxError"),
        (
            "plug-other_member",
            "algorithm 'plug-other_member' (plugins_other_member:PLUGIN) cannot be loaded: TypeError",
        ),
        ("plug-lax", f"{PLACE.format('lax')}: config must be a pydantic model with model_config"),
        ("plug-named", f"{PLACE.format('named')}: config must have no setting 'name'"),
        ("plug-wrong_task", f"{PLACE.format('wrong_task')}: task must be one of env, tabular, mdp, is 'game'"),
        ("plug-no_budget", f"{PLACE.format('no_budget')}: budget must be a dict of a counter and its limit"),
        ("plug-odd_budget", f"{PLACE.format('odd_budget')}: budget must be a dict of a counter and its limit"),
        ("plug-crowded", f"{PLACE.format('crowded')}: num_envs must be a whole number from 1 to 1024, is 2000"),
        ("plug-no_hook", f"{PLACE.format('no_hook')}: cost must be a function, is {{'parameters': 1}}"),
        ("plug-compleat", "unknown algorithm 'plug-compleat'; did you mean 'plug-complete'?"),
        ("PLUG-COMPLETE", "unknown algorithm 'PLUG-COMPLETE'; did you mean 'plug-complete'?"),
    ],
)
def test_what_is_no_algorithm_is_refused(package: Path, name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        registry.plugin(name)
    assert str(caught.value).startswith(message)


def test_a_name_like_none_is_answered_with_all_names() -> None:
    with pytest.raises(InputError, match=f"one of .*{registry.names()[0]}"):
        registry.plugin("zzzzzzzz")


@pytest.mark.parametrize(
    ("name", "module"), [("plug-needy", "a_package_that_nobody_has"), ("plug-absent", "plugins_absent")]
)
def test_a_package_that_is_not_installed_is_named(package: Path, name: str, module: str) -> None:
    with pytest.raises(MissingError, match=f"algorithm '{name}' needs the module '{module}'"):
        registry.plugin(name)


def test_a_broken_package_has_no_line_and_breaks_no_listing(package: Path) -> None:
    assert registry.summary("plug-broken") == registry.summary("plug-absent") == registry.summary("plug-odd") == ""
    described = schema.schema()["properties"]["algorithm"]["oneOf"][0]["enum"]
    assert "plug-complete" in described and "plug-broken" not in described


def test_names_and_lines_import_no_algorithm() -> None:
    program = (
        "import sys; from rltrain import registry; [registry.summary(name) for name in registry.names()];"
        "print([m for m in sys.modules if m == 'torch' or m.startswith('rltrain.algos.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("member", "function", "message"),
    [
        ("doubts", "lambda *_: [].pop()", "doubts failed: IndexError: pop from empty list (plugins_complete.py, line"),
        ("doubts", "lambda *_: 'one text'", "doubts must give a list of lines, and gave 'one text'"),
        ("cost", "lambda *_: None", "cost must give a dict of names and whole numbers, and gave None"),
        ("warnings", "lambda *_: exit(3)", "warnings failed: SystemExit: 3"),
        ("tables", "lambda *_: {'../out': {'x': [1]}}", "tables must give a dict of tables"),
        ("tables", "lambda *_: {'metrics': {'x': [1]}}", "tables must give a dict of tables"),
        ("tables", "lambda *_: {'t': {'x': [1], 'y': [1, 2]}}", "tables must give a dict of tables"),
        ("warm_start", "lambda *_: ['all of it']", "warm_start must give a warm_start.Taken of lines"),
        ("warm_start", "lambda *_: [].pop()", "warm_start failed: IndexError: pop from empty list"),
        ("make", "lambda *_: None", "make must give an object with counters, done, step, policy, save, load"),
    ],
)
def test_a_hook_that_fails_is_an_error_that_names_its_entry_point(
    package: Path, member: str, function: str, message: str
) -> None:
    text = COMPLETE.replace("make=Algorithm", f"**{{'make': Algorithm, '{member}': {function}}}")
    (package / "plugins_complete.py").write_text(text)
    sys.modules.pop("plugins_complete", None)
    hooks = {
        "make": 4,
        "doubts": 3,
        "cost": 2,
        "warnings": 1,
        "tables": 3,
        "warm_start": 2,
    }  # and how many arguments each has
    with pytest.raises(InputError) as error:
        getattr(registry.plugin("plug-complete"), member)(*range(hooks[member]))
    sys.modules.pop("plugins_complete", None)
    assert str(error.value).startswith(f"algorithm 'plug-complete' (plugins_complete:PLUGIN): {message}")


def test_a_module_that_ends_the_process_is_an_error(package: Path) -> None:
    (package / "plugins_broken.py").write_text("raise SystemExit(3)")
    with pytest.raises(InputError, match="cannot be loaded: SystemExit: 3"):
        registry.plugin("plug-broken")


def test_what_the_disk_refuses_a_sink_is_a_disk_error_and_all_else_names_the_sink(package: Path) -> None:
    (package / "plugins-1.0.dist-info" / "entry_points.txt").write_text(f"[{registry.SINKS}]\npail = pails:Pail\n")
    os.utime(package)  # as an installation leaves it
    (package / "pails.py").write_text(
        "class Pail:\n"
        "    def __init__(self, folder): pass\n"
        "    def write(self, table, counters, metrics): raise OSError(28, 'No space left on device')\n"
        "    def flush(self): raise KeyError('x')\n"
        "    def save(self): return None\n"
        "    def load(self, state): pass\n"
        "    def close(self): pass\n"
    )
    sink = registry.sink("pail")(package)
    with pytest.raises(DiskError, match="No space left on device"):
        sink.write("train", {}, {})
    with pytest.raises(
        InputError, match=r"sink 'pail' \(pails:Pail\): flush failed: KeyError: 'x' \(pails.py, line 4\)"
    ):
        sink.flush()
    with pytest.raises(InputError, match="save must give a mapping, and gave None"):
        sink.save()
