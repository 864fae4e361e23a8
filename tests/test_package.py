"""The package as it is installed: quick to say what it is, and pinned in one place only."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {
    "torch",
    "gymnasium",
    "ale_py",
    "numpy",
    "psutil",
    "safetensors",
    "rich.live",
    "rltrain.experiment.config",
    "rltrain.run",
}
SHOW = "import sys, rltrain.cli as cli\ntry: cli.main()\nfinally: print('modules', *sys.modules, file=sys.stderr)"


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["eval", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments):
    """This is what keeps `rltrain --help` under 0.3 s; the time itself would be a test of the machine."""
    done = subprocess.run([sys.executable, "-c", SHOW, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and done.stdout
    assert not HEAVY & set(done.stderr.split("modules ")[-1].split())


def test_the_module_runs_as_the_script_does():
    done = subprocess.run([sys.executable, "-m", "rltrain", "--version"], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout.split()[0]) == (0, "rltrain")


def test_dependencies_are_open_upward_and_every_one_is_pinned_for_the_tests():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name in pins}
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        name, rule = re.fullmatch(r"([A-Za-z0-9_-]+)(?:\[[a-z0-9]+\])?(.*)", requirement).groups()
        assert rule == "" or re.fullmatch(r">=[0-9.]+(,!=[0-9.]+[*]?)*", rule), (
            f"{requirement} closes the way to newer versions"
        )
        assert re.sub(r"[-_.]+", "-", name).lower() in pinned, f"{name} is not in constraints.txt"
    assert "+" not in pins["torch"], "a local version such as +cpu exists on no other machine"


def test_every_target_of_the_makefile_says_what_it_does():
    text = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())
    assert targets == set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
