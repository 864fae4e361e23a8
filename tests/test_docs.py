"""README.md and docs/*.md are true: commands print what is shown, and links, files, options and settings exist."""

import re
from pathlib import Path

import pages
import pytest
import typer
from pages import PAGES, ROOT, Page, Shell, steady

from rltrain import kinds, registry
from rltrain.cli import app
from rltrain.experiment import config, sweep
from rltrain.experiment.settings import DistributeConfig, EvaluateConfig, RunConfig, SaveConfig
from rltrain.mdp import files
from rltrain.mdp.files import policy_files
from rltrain.run.sinks import STEMS
from rltrain.verbs.session import RunResult

EVERY = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
WITH_COMMANDS = [page for page in PAGES if page.blocks("console")]
OTHERS = [pages.page(name) for name in ("CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md")]
# Pages whose commands take many seconds. What the verbs print is compared to the byte by test_golden_output.py.
LONG = {"docs/commands.md", "docs/compare.md", "docs/sweeps.md", "docs/worlds.md"}
WRONG_ON_PURPOSE = {"algorithm.learning_rte"}  # in the example of an error
FILES = {"run.json"}
FOREIGN_OPTIONS = {"--help", "--logdir"}
# The scripts of bench/ have their own options; so they are in backticks or alone in a line.
SCRIPTS = re.compile(r"`[^`]*\bbench/\w+\.py\b[^`]*`|^python bench/.*$", re.MULTILINE)
WIDEST = 120
AT_TIMES = {
    "crash.txt",
    "model",
    "points.csv",
    ".ballast",
    "tracked-wandb.json",
    "track.log",
    *(f"{STEMS['eval']}.{ending}" for ending in ("jsonl", "csv")),
}  # not in every run folder


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.slow) if page.name in LONG else page for page in WITH_COMMANDS],
    ids=lambda page: page.name,
)
def test_every_command_prints_what_the_page_shows(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the run folder of the first run is laid out as docs/runs.md says."""
    monkeypatch.setenv("COLUMNS", "80")
    shell, elsewhere = Shell(tmp_path, page), page.name == "README.md" and not pages.same_machine()
    for command, lines in page.examples():
        quick = command
        for pattern, faster in pages.QUICK.items():
            quick = re.sub(pattern, faster, quick)
        code, out = shell.run(quick)
        assert code == 0, f"$ {quick}\n{out}"

        def seen(line: str, command: str = command) -> str:
            line = steady(command, line)
            return re.sub(r"\d[\d,.]*", "N", line) if elsewhere else line

        expected = "".join(
            r"(?:.*\n)*?" if line == "..." else ".*".join(map(re.escape, seen(line).split(" ..."))) + "\n"
            for line in lines
        )
        said = "".join(seen(line) + "\n" for line in out.splitlines())
        assert re.fullmatch(expected, said), f"$ {quick}\n{out}"
    if page.name == "docs/commands.md":
        described = {
            line.split()[0].rstrip("/") for line in pages.page("docs/runs.md").blocks("text")[0].splitlines()[1:]
        }
        present = {path.name for path in (tmp_path / "runs" / "cart").iterdir()}
        assert present <= described
        assert described - present <= AT_TIMES


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Page) -> None:
    for link in page.links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        assert target.exists(), link
        if anchor:
            assert anchor in Page(target, target.read_text(encoding="utf-8")).anchors, link


def test_readme_leads_to_every_page() -> None:
    links = {link.partition("#")[0] for link in pages.page("README.md").links}
    assert {page.name for page in PAGES} - {"README.md"} <= links


@EVERY
def test_every_path_exists(page: Page) -> None:
    for path in re.findall(r"`((?:configs|docs|tests|bench|rltrain)/[\w./-]*)`", page.text):
        assert (ROOT / path).exists(), path


@EVERY
def test_every_option_exists(page: Page) -> None:
    root = typer.main.get_command(app)
    verbs = root.commands
    inner = [command for name in ("mdp", "sweep") for command in verbs[name].commands.values()]
    commands = [root, *verbs.values(), *inner]
    flags = [(parameter.opts, parameter.secondary_opts) for command in commands for parameter in command.params]
    options = {name for opts, opposites in flags for name in (*opts, *opposites)}
    text = SCRIPTS.sub("", page.text)
    mentioned = set(re.findall(r"(?<![\w|-])--[a-z][a-z-]*", text))
    assert mentioned <= options | FOREIGN_OPTIONS


def known_settings() -> set[str]:
    """The dotted names of all settings; those of `algorithm` and `environment` of every algorithm and kind."""
    algorithms = {key for name in registry.names() for key in registry.plugin(name).config.model_fields}
    environments = {key for kind in kinds.all_kinds() for key in kind.settings.model_fields}
    return {
        *(f"algorithm.{key}" for key in {"name", *algorithms}),
        *(f"environment.{key}" for key in environments),
        *(f"run.{key}" for key in RunConfig.model_fields),
        *(f"run.evaluate.{key}" for key in EvaluateConfig.model_fields),
        *(f"run.save.{key}" for key in SaveConfig.model_fields),
        *(f"run.distribute.{key}" for key in DistributeConfig.model_fields),
    }


@EVERY
def test_every_setting_that_is_named_exists(page: Page) -> None:
    named = set(re.findall(r"`((?:algorithm|environment|run)(?:\.[a-z_]+)+)(?=[`:=])", page.text))
    free = re.compile(r"(environment\.kwargs|run\.budget|run\.(?:evaluate|save)\.every)\..*")  # keys of one's own
    of_a_run = {*dir(RunResult), *RunResult.__annotations__}
    results = {f"run.{name}" for name in of_a_run} if page.name == "docs/python.md" else set()  # of `run = ...`
    assert {free.sub(r"\1", name) for name in named} <= known_settings() | WRONG_ON_PURPOSE | FILES | results


@EVERY
def test_every_yaml_block_is_a_config_a_sweep_a_model_or_a_policy(page: Page, tmp_path: Path) -> None:
    for number, text in enumerate(page.blocks("yaml")):
        named = re.match(r"# ([a-z]+\.yaml)", text)
        path = tmp_path / (named[1] if named else f"{number}.yaml")
        path.write_text(text)
        if text.startswith(f"algorithm: {pages.OWN}\n"):
            continue  # test_docs_own.py trains it
        elif re.search(r"^algorithm:", text, re.MULTILINE):
            assert config.load(path).run.budget
        elif re.search(r"^sweep:", text, re.MULTILINE):
            assert sweep.load(path).trials
        elif "policy" in text.splitlines()[0]:
            assert policy_files.read(path, files.read(files.BOOK).model).sum() == 3
        else:
            assert files.read(path).warnings == ()


@EVERY
def test_prose_is_wrapped(page: Page) -> None:
    assert [line for line in page.prose.splitlines() if len(line) > WIDEST and not line.startswith("|")] == []
