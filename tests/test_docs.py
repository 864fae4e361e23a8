"""docs/mdp.md is true: its commands are run and print what it shows, its files are read, its tables are the code's."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest
import typer

from rltrain import errors
from rltrain.cli import app
from rltrain.cli.errors import exit_code_of
from rltrain.cli.mdp import app as mdp
from rltrain.cli.mdp.solve import Method
from rltrain.cli.signals import EXIT_CODES
from rltrain.mdp import files
from rltrain.mdp.files import policy_files

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "mdp.md"
TEXT = PAGE.read_text(encoding="utf-8")
BAD = "discount: 0.9\nstates:\n  home:\n    walk: {shop: 0.7, hme: 0.2}\n    wait: home reward lots\n  shop: terminl\n"
FOREIGN_OPTIONS = {"--help"}


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    found = re.findall(r"^```([a-z]*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


def section(heading: str) -> str:
    """What stands under a heading, up to the next of its level or above."""
    level = len(heading.split()[0])
    fenced = re.sub(
        r"^```.*?^```$", lambda block: block[0].replace("\n#", "\n #"), TEXT, flags=re.MULTILINE | re.DOTALL
    )
    after = re.split(rf"^{re.escape(heading)}$", fenced, flags=re.MULTILINE)[1]
    return re.split(rf"^#{{1,{level}}} ", after, flags=re.MULTILINE)[0]


def first_column(text: str) -> list[str]:
    """The first cells of a table's rows, without its head."""
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [row.split("|")[1].strip() for row in rows[1:] if not row.startswith("| ---")]


def examples() -> list[tuple[str, list[str]]]:
    """Every command of the console blocks with the lines that the page shows below it."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks("console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def steady(line: str) -> str:
    """A line without times, sizes of pictures, numbers near rounding, and blanks at its end."""
    line = re.sub(r"\b[\d.]+ m?s$", "TIME", line.rstrip())
    line = re.sub(r'(?<="seconds": )[\d.e-]+', "TIME", line)
    line = re.sub(r"(?<=\.svg: )[\d.]+ k?B$", "SIZE", line)
    line = re.sub(r"\b\d\.\d+e-(?:1[0-9])\b", "TINY", line)
    return re.sub(r"\b(\d+\.\d{11})\d+", r"\1", line)


def run(command: str) -> str:
    """What a command prints on both streams, by the same `app` that the script runs; `cat` and `; echo $?` besides."""
    command, shows_code = command.removesuffix("; echo $?"), command.endswith("; echo $?")
    program, *arguments = shlex.split(command)
    if program == "cat":
        return Path(arguments[0]).read_text(encoding="utf-8")
    assert program == "rltrain", command
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = exit_code_of(lambda: app(arguments))
    assert shows_code or code == 0, f"$ {command}\n{said.getvalue()}"
    return said.getvalue() + (f"{code}\n" if shows_code else "")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the configs and the files that the page speaks of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "bad.yaml").write_text(BAD)
    for text in blocks("yaml"):
        name = re.match(r"# ([a-z]+\.yaml)", text)
        assert name, text
        (tmp_path / name[1]).write_text(text)
    return tmp_path


def test_every_command_prints_what_the_page_shows(here):
    for command, lines in examples():
        out = run(command)
        pattern = ""
        for line in lines:
            if line == "...":
                pattern += r"(?:.*\n)*?"
            else:
                pattern += r".*".join(map(re.escape, steady(line).split(" ..."))) + "\n"
        said = "".join(steady(line) + "\n" for line in out.splitlines())
        assert re.fullmatch(pattern, said), f"$ {command}\n{out}"


def test_its_files_are_models_or_policies(here):
    (here / "rows.csv").write_text(blocks("csv")[0])
    for path in sorted(here.glob("*.*")):
        if path.name == "bad.yaml":
            continue
        if "policy" in path.read_text().splitlines()[0]:
            assert policy_files.read(path, files.read(files.BOOK).model).sum() == 3
        else:
            assert files.read(path).warnings == ()
    assert files.read("rows.csv").model.terminal.tolist() == [False, True]


def test_every_verb_has_a_section_with_an_example():
    verbs = re.findall(r"^### (\w+)$", section("## The verbs"), re.MULTILINE)
    assert set(verbs) == set(typer.main.get_command(mdp).commands)
    for verb in verbs:
        assert re.search(rf"^\$ rltrain mdp {verb}\b", section(f"### {verb}"), re.MULTILINE), verb


def test_every_option_exists():
    commands = typer.main.get_command(mdp).commands.values()
    options = {name for command in commands for parameter in command.params for name in parameter.opts}
    mentioned = set(re.findall(r"(?<![\w|-])--[a-z][a-z-]*", TEXT))
    assert len(mentioned) > 15 and mentioned <= options | FOREIGN_OPTIONS


def test_every_method_is_named():
    named = set(re.findall(r"`(\w+)`", section("### solve").split("`--method` chooses")[1].split("\n\n")[0]))
    assert named == {method.value for method in Method}


def test_every_suffix_is_named():
    for suffix in files.FORMATS:
        assert f"`{suffix}`" in TEXT or suffix == ".yml", suffix


def test_the_arrays_are_those_of_the_file(here):
    run("rltrain mdp generate garnet g.npz --states 5 --discount 0.9")
    import zipfile

    named = set(re.findall(r"`(\w+)`", " ".join(first_column(section("### npz: millions of states")))))
    with zipfile.ZipFile("g.npz") as archive:
        assert {name.removesuffix(".npy") for name in archive.namelist()} <= named | {"num_actions"}


def test_the_exit_codes_are_those_of_the_code():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RltrainError)]
    codes = {0, 1, *EXIT_CODES.values(), *(kind.exit_code for kind in kinds)}
    named = [int(cell) for cell in first_column(section("## Exit codes"))]
    assert named == sorted(named) and set(named) <= codes and {0, 1, 2, 9} <= set(named)


def test_every_path_and_every_place_exists():
    for path in re.findall(r"`((?:configs|docs|bench|rltrain)/[\w./-]+)`", TEXT):
        assert (ROOT / path).exists(), path
    places = {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", TEXT)) <= places
