"""README.md is true: its commands are run and print what it shows, its tables and names are compared with the code."""

import json
import os
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import typer

import rltrain
from rltrain import errors, kinds, registry
from rltrain.cli import app
from rltrain.cli.signals import EXIT_CODES
from rltrain.experiment import config
from rltrain.run.protocols import PROTOCOLS
from rltrain.run.sinks import STEMS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
WRONG_ON_PURPOSE = {"algorithm.learning_rte"}  # in the example of an error
FOREIGN_OPTIONS = {"--help", "--logdir"}
AT_TIMES = {
    "crash.txt",
    "model",
    "points.csv",
    ".ballast",
    *(f"{STEMS['eval']}.{ending}" for ending in ("jsonl", "csv")),
}  # not in every run folder


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, "" for those that name none."""
    found = re.findall(r"^```([a-z]*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def section(heading: str) -> str:
    """What stands under a heading, up to the next of the same level."""
    level = heading.split()[0]
    after = re.split(rf"^{re.escape(heading)}$", README, flags=re.MULTILINE)[1]
    return re.split(rf"^#{{1,{len(level)}}} ", after, flags=re.MULTILINE)[0]


def first_column(text: str) -> list[str]:
    """The first cells of a table's rows, without its head."""
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [row.split("|")[1].strip().strip("`") for row in rows[2:]]


def examples() -> list[tuple[str, list[str]]]:
    """Every command of the console blocks with the lines that README shows below it."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks("console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def steady(command: str, line: str) -> str:
    """A line without what depends on the machine and the moment: times, speeds, memory, disk, versions, widths."""
    if command == "rltrain doctor":
        return " ".join(re.split(r"\s{2,}", line)[:2])
    line = re.sub(r"[\d,.]+ steps a second.* for the budget", "SPEED for the budget", line)
    line = re.sub(r"\b\d+(:\d\d){1,2}\b|(?<= in )[\d.]+ s\b", "TIME", line)
    line = re.sub(r"(?:[\d,]+|-)/s\b", "SPEED", line)
    line = re.sub(r"about [\d.]+ [kMGT]?B|[\d.]+ [kMGT]?B (?=available|free)|(?<=whole, )[\d.]+ kB", "SIZE ", line)
    line = re.sub(r"\d+ (?:s|min|h|d) *$", "AGE", line)
    return re.sub(r"\s+", " ", line).strip()


class Shell:
    """A folder with the configs, and this interpreter's rltrain on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        script = folder / "bin" / "rltrain"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rltrain "$@"\n')
        script.chmod(0o755)
        (folder / "configs").symlink_to(ROOT / "configs")
        path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
        modules = os.pathsep.join([str(folder), *(entry for entry in sys.path if entry)])
        self._environment = {**os.environ, "PATH": path, "PYTHONPATH": modules, "COLUMNS": "80"}
        for name in ("FORCE_COLOR", "OMP_NUM_THREADS"):  # the second is set for all tests, and doctor speaks of it
            self._environment.pop(name, None)

    def run(self, command: str) -> tuple[int, str]:
        """The exit code, and stdout and stderr together."""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
        )
        return done.returncode, done.stdout.decode()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_every_command_prints_what_readme_shows(shell: Shell) -> None:
    """And the run folder that they leave is laid out as README says."""
    for command, lines in examples():
        quick = f"{command} --probe 0.1" if command.startswith("rltrain check configs/") else command
        code, out = shell.run(quick)
        assert code == 0, f"$ {quick}\n{out}"
        shown = [line if line == "..." else steady(command, line) for line in lines]
        pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line) + "\n" for line in shown)
        said = [steady(command, line) for line in out.splitlines()]
        assert re.fullmatch(pattern, "".join(line + "\n" for line in said)), f"$ {quick}\n{out}"
    described = {line.split()[0].rstrip("/") for line in blocks("text")[0].splitlines()[1:]}
    present = {path.name for path in (shell.folder / "runs" / "cart").iterdir()}
    assert present <= described
    assert described - present <= AT_TIMES


def test_every_verb_has_a_section_with_an_example() -> None:
    verbs = set(re.findall(r"^### (\w+)$", section("## The verbs"), re.MULTILINE))
    assert verbs == {name for name, command in typer.main.get_command(app).commands.items() if not command.hidden}
    commands = [command for command, _ in examples()]
    for verb in verbs:
        assert any(command.startswith(f"rltrain {verb} ") or command == f"rltrain {verb}" for command in commands)


def test_every_option_exists() -> None:
    verbs = typer.main.get_command(app).commands
    commands = [command for name, command in verbs.items() if name != "mdp"] + list(verbs["mdp"].commands.values())
    options = {name for command in commands for parameter in command.params for name in parameter.opts}
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README))
    assert len(mentioned) > 8
    assert mentioned <= options | FOREIGN_OPTIONS


def test_make_knows_its_targets() -> None:
    commands = blocks("")[0].splitlines()
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


def test_the_smallest_config_has_five_lines_and_loads(shell: Shell) -> None:
    text, *_ = blocks("yaml")
    assert len(text.splitlines()) == 5
    assert config.loads(text, "README.md").run.seed == 1
    (shell.folder / "c.yaml").write_text(text)
    code, out = shell.run("rltrain train c.yaml --dry-run")
    assert code == 0
    assert config.loads(out, "").environment.id == "CartPole-v1"


def test_every_setting_exists() -> None:
    experiment = config.loads(blocks("yaml")[0], "README.md").to_dict()
    experiment["run"]["sinks"] = []  # written out only where there are some
    files = {line.split()[0] for line in blocks("text")[0].splitlines()}
    named = re.findall(r"`((?:algorithm|environment|run)(?:\.[a-z_]+)+)(?:`|:)", README)
    assert len(set(named)) > 8
    for key in set(named) - files - WRONG_ON_PURPOSE:
        place = experiment
        for part in key.split("."):
            assert part in place, key
            place = place[part]


def test_the_settings_that_may_change_on_a_resume_are_those_of_the_code() -> None:
    (sentence,) = re.findall(r"^Only (.*) may change on a resume", README, re.MULTILINE)
    assert set(re.findall(r"`([a-z_.]+)`", sentence)) == set(config.SAFE_KEYS)


def test_every_config_is_in_the_table() -> None:
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "configs").rglob("*.yaml")}
    assert set(first_column(section("## The smallest config"))) == files


def test_every_path_exists() -> None:
    paths = re.findall(r"`((?:configs|docs|tests|bench|rltrain)/[\w./-]*)`", README) + re.findall(
        r"\]\((.*?)\)", README
    )
    assert len(paths) > 8
    for path in paths:
        assert (ROOT / path).exists(), path


def test_the_exit_codes_are_those_of_the_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RltrainError)]
    codes = {0, 1, *EXIT_CODES.values(), *(kind.exit_code for kind in kinds)}
    assert [int(cell) for cell in first_column(section("## Exit codes"))] == sorted(codes)


def test_the_protocols_are_those_of_the_code() -> None:
    assert first_column(section("### eval")) == list(PROTOCOLS)


def test_the_number_of_games_is_right() -> None:
    (said,) = set(re.findall(r"(\d+) Atari games", README))
    assert int(said) == sum(name.startswith("ALE/") for name in kinds.ids())


def test_the_algorithm_of_readme_is_found_trains_and_resumes_exactly(shell: Shell) -> None:
    ((name, value),) = tomllib.loads(blocks("toml")[0])["project"]["entry-points"][registry.ALGORITHMS].items()
    package = shell.folder / value.split(".")[0]
    package.mkdir()
    (package / "__init__.py").touch()
    (package / f"{name}.py").write_text(next(text for text in blocks("python") if "PLUGIN" in text))
    information = shell.folder / "my_package-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{registry.ALGORITHMS}]\n{name} = {value}\n")
    (shell.folder / "search.yaml").write_text(blocks("yaml")[1])

    for command in (
        "train search.yaml --name whole run.budget.episodes=60",
        "train search.yaml --name parts run.budget.episodes=20",
        "resume parts run.budget.episodes=60",
    ):
        code, out = shell.run(f"rltrain {command} --quiet")
        assert code == 0, out
    whole, parts = ((shell.folder / "runs" / run / "metrics.jsonl").read_bytes() for run in ("whole", "parts"))
    assert whole == parts
    scores = [json.loads(line)["return/last"] for line in whole.splitlines()]
    assert max(scores) > 100  # random play: about 22
    assert "Random search" in shell.run("rltrain list algorithms")[1]


def test_the_picture_is_whole_and_fetches_nothing() -> None:
    (path,) = re.findall(r"!\[.*?\]\((.*?\.svg)\)", README)
    text = (ROOT / path).read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    words = " ".join(element.text or "" for element in root.iter()).replace("\xa0", " ")
    for part in ("ALE/MsPacman-v5", "evaluated", "epsilon", "frames", "best", "replay"):
        assert part in words
    assert "url(http" not in text and "href" not in text


def test_the_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(.*?)\]", text, re.MULTILINE)[0] == rltrain.__version__


def test_the_table_of_dqn_names_every_setting() -> None:
    from rltrain.algos._dqn_config import DqnConfig

    section = README.split("## DQN on Atari")[1].split("| `environment.` |")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")][1:]
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(DqnConfig.model_fields)
