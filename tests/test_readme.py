"""README.md is a welcome of two screens: its first commands, its picture, its smallest config."""

import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from pages import ROOT, Shell, page

import rltrain
from rltrain.experiment import config

README = page("README.md")
LONGEST = 150


def test_it_is_short() -> None:
    assert len(README.text.splitlines()) <= LONGEST


def test_make_knows_its_targets() -> None:
    commands = README.blocks("")[0].splitlines()
    assert commands == ["make pacman", "make test"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    said = {}
    for command in commands:
        target = command.split()[1]
        done = subprocess.run(["make", "-n", target], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said[target] = done.stdout
    (path,) = re.findall(r"rltrain train (\S+)", said["pacman"])
    assert config.load(ROOT / path).environment.id == "ALE/MsPacman-v5"
    assert "-m pytest" in said["test"]


def test_the_smallest_config_has_five_lines_and_loads(tmp_path: Path) -> None:
    text, *_ = README.blocks("yaml")
    assert len(text.splitlines()) == 5
    assert config.loads(text, "README.md").run.seed == 1
    (tmp_path / "c.yaml").write_text(text)
    code, out = Shell(tmp_path, README).run("rltrain train c.yaml --dry-run")
    assert code == 0
    assert config.loads(out, "").environment.id == "CartPole-v1"


def test_the_picture_is_whole_and_fetches_nothing() -> None:
    (path,) = re.findall(r"!\[.*?\]\((.*?\.svg)\)", README.text)
    text = (ROOT / path).read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    words = " ".join(element.text or "" for element in root.iter()).replace("\xa0", " ")
    for part in ("ALE/MsPacman-v5", "evaluated", "epsilon", "frames", "best", "replay"):
        assert part in words
    assert "url(http" not in text and "href" not in text


def test_the_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(.*?)\]", text, re.MULTILINE)[0] == rltrain.__version__
