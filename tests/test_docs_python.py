"""The Python of docs/ and README's three lines are true: they are run, in a folder of their own."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest

import rltrain

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "python.md"
LINES = re.search(r"^## From Python$.*?^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)[1]


@pytest.fixture(autouse=True)
def known_ids():
    """What a page registers is not left to other tests, which list and try every environment."""
    before = set(gymnasium.registry)
    yield
    for name in set(gymnasium.registry) - before:
        if callable(gymnasium.registry[name].entry_point):  # of a package that was imported meanwhile it is a text
            del gymnasium.registry[name]


def test_the_examples_of_the_page_print_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=flags, encoding="utf-8")
    assert result.attempted > 20 and result.failed == 0


def test_the_examples_of_models_from_a_function_print_what_the_page_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "large_models.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8")
    assert result.attempted > 6 and result.failed == 0


def test_the_page_names_every_function():
    text = PAGE.read_text(encoding="utf-8")
    for name in set(rltrain.__all__) - {"__version__"}:
        assert f"rltrain.{name}" in text, name


def in_a_fresh_interpreter(lines, folder):
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run([sys.executable, "-c", lines], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_the_lines_of_the_readme_work_in_a_fresh_interpreter(tmp_path):
    short = LINES.replace('("dqn_cartpole")', '("dqn_cartpole", {"run.budget": {"env_steps": 3000}})')
    assert short != LINES
    assert in_a_fresh_interpreter(short, tmp_path) > 25  # random play has 22


@pytest.mark.slow
def test_the_lines_of_the_readme_solve_cartpole(tmp_path):
    assert in_a_fresh_interpreter(LINES, tmp_path) >= 475
