"""Algorithms are found by file name and by entry point, and nothing is imported before it is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rltrain import algos, registry
from rltrain.errors import InputError, MissingError

COMPLETE = '''"""Plays at random.

More.
"""
from pydantic import BaseModel
from rltrain.experiment.config import STRICT
TASK = "env"
DEFAULT_BUDGET = {"episodes": 10}
class Config(BaseModel):
    model_config = STRICT
class Algorithm: ...
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package, as the import system sees one, that registers an algorithm by each file put into it."""
    information = tmp_path / "plugins-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: plugins\nVersion: 1.0\n")
    names = ("complete", "lacking", "lax", "wrong_task", "needy", "broken", "absent")
    points = "".join(f"plug-{name} = plugins_{name}\n" for name in names)
    (information / "entry_points.txt").write_text(f"[rltrain.algorithms]\n{points}")
    (tmp_path / "plugins_complete.py").write_text(COMPLETE)
    (tmp_path / "plugins_lacking.py").write_text(COMPLETE.replace("TASK", "task").replace("DEFAULT_BUDGET", "budget"))
    (tmp_path / "plugins_lax.py").write_text(COMPLETE.replace("STRICT\nTASK", "STRICT\nSTRICT = {}\nTASK"))
    (tmp_path / "plugins_wrong_task.py").write_text(COMPLETE.replace('"env"', '"game"'))
    (tmp_path / "plugins_needy.py").write_text(COMPLETE + "import a_package_that_nobody_has\n")
    (tmp_path / "plugins_broken.py").write_text("def (")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_every_file_of_algos_is_an_algorithm_with_a_line_about_it() -> None:
    files = {file.stem for folder in algos.__path__ for file in Path(folder).glob("*.py")} - {"__init__"}
    assert {name for name in files if not name.startswith("_")} <= set(registry.names())
    assert all(len(registry.summary(name)) > 10 for name in registry.names())


def test_every_algorithm_loads() -> None:
    for name in registry.names():
        module = vars(registry.load(name))
        assert module["TASK"] in registry.TASKS
        assert all(isinstance(ends, int) and ends > 0 for ends in module["DEFAULT_BUDGET"].values())


def test_every_setting_of_every_algorithm_is_described() -> None:
    for name in registry.names():
        fields = vars(registry.load(name))["Config"].model_fields
        assert [key for key, info in fields.items() if not info.description] == []


def test_an_entry_point_registers_an_algorithm(package: Path) -> None:
    assert "plug-complete" in registry.names()
    assert registry.summary("plug-complete") == "Plays at random."
    assert vars(registry.load("plug-complete"))["DEFAULT_BUDGET"] == {"episodes": 10}


def test_no_package_replaces_an_algorithm_of_ours(package: Path) -> None:
    ours = next(file.stem for file in Path(next(iter(algos.__path__))).glob("[!_]*.py"))
    points = package / "plugins-1.0.dist-info" / "entry_points.txt"
    points.write_text(f"[rltrain.algorithms]\n{ours} = plugins_complete\n")
    assert registry.summary(ours) != "Plays at random."


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plug-lacking", "algorithm 'plug-lacking': the module plugins_lacking lacks TASK, DEFAULT_BUDGET"),
        ("plug-lax", "algorithm 'plug-lax': its Config must be a pydantic model with model_config"),
        ("plug-wrong_task", "algorithm 'plug-wrong_task': TASK must be one of env, tabular, mdp, is 'game'"),
        ("plug-compleat", "unknown algorithm 'plug-compleat'; did you mean 'plug-complete'?"),
        ("PLUG-COMPLETE", "unknown algorithm 'PLUG-COMPLETE'; did you mean 'plug-complete'?"),
    ],
)
def test_what_is_no_algorithm_is_refused(package: Path, name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        registry.load(name)
    assert str(caught.value).startswith(message)


def test_a_name_like_none_is_answered_with_all_names() -> None:
    with pytest.raises(InputError, match=f"one of .*{registry.names()[0]}"):
        registry.load("zzzzzzzz")


@pytest.mark.parametrize(
    ("name", "module"), [("plug-needy", "a_package_that_nobody_has"), ("plug-absent", "plugins_absent")]
)
def test_a_package_that_is_not_installed_is_named(package: Path, name: str, module: str) -> None:
    with pytest.raises(MissingError, match=f"algorithm '{name}' needs the module '{module}'"):
        registry.load(name)


def test_a_broken_package_has_no_line_and_breaks_no_listing(package: Path) -> None:
    assert registry.summary("plug-broken") == registry.summary("plug-absent") == ""


def test_names_and_lines_import_no_algorithm() -> None:
    program = (
        "import sys; from rltrain import registry; [registry.summary(name) for name in registry.names()];"
        "print([m for m in sys.modules if m == 'torch' or m.startswith('rltrain.algos.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
