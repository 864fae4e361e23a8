"""What stands beside the code says what is so: the citation, the workflows, the hooks before a commit."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import rltrain

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()


def test_the_citation_names_the_version_and_the_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {key for key in ("cff-version", "message", "title", "authors") if key not in citation} == set()
    assert str(citation["version"]) == rltrain.__version__
    assert citation["license"] == PROJECT["project"]["license"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_what_a_person_runs_and_pins_what_it_uses(path):
    jobs = yaml.safe_load(path.read_text())["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert all(re.fullmatch(r"[\w/.-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    made = [name for step in steps for name in re.findall(r"\bmake ([a-z-]+)", step.get("run", ""))]
    assert made and all(f"\n{name}:" in MAKEFILE for name in made)


def test_the_matrix_begins_with_the_oldest_python_that_the_package_allows():
    matrix = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]["check"]["strategy"]["matrix"]
    assert f">={matrix['python'][0]}" == PROJECT["project"]["requires-python"]


def test_every_hook_is_a_tool_of_the_project():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    for hook in hooks:
        tool, *words = hook["entry"].split()
        wanted = words[1] if words[:1] == ["-m"] else Path(tool).name
        assert any(line.startswith(wanted) for line in PROJECT["project"]["optional-dependencies"]["dev"]), hook["id"]
        assert all((ROOT / word).exists() for word in words if word.startswith("tests/")), hook["id"]


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_what_a_page_names_exists(page):
    text = (ROOT / page).read_text()
    paths = re.findall(r"`((?:rltrain|tests|bench|configs|docs)/[a-z_/.0-9]*)`", text)
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [path for path in paths + links if not (ROOT / path).exists()] == []
    assert [name for name in re.findall(r"\bmake ([a-z-]+)\b", text) if f"\n{name}:" not in MAKEFILE] == []


def test_the_picture_of_the_house_has_every_room():
    picture = (ROOT / "ARCHITECTURE.md").read_text().split("```")[1]
    rooms = [path for path in (ROOT / "rltrain").iterdir() if (path / "__init__.py").is_file()]
    assert sorted(re.findall(r"^  ([a-z]+)/", picture, re.MULTILINE)) == sorted(room.name for room in rooms)
    wings = {path.name for room in ("envs", "mdp") for path in (ROOT / "rltrain" / room).iterdir() if path.is_dir()}
    assert {wing for wing in wings - {"__pycache__"} if not re.search(rf"\b{wing}\b", picture)} == set()
