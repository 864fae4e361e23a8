"""No name, message or number of a stranger's run, config, model or environment drives the terminal, whatever verb."""

import io
import json
import logging
import math
import os
import re
import shutil
import unicodedata
import warnings

import gymnasium
import pytest
from built import app
from in_process import command

from rltrain import yaml_subset
from rltrain.cli import views, warned
from rltrain.cli.errors import exit_code_of
from rltrain.cli.output import Output, complain, console, say, say_json
from rltrain.cli.run_display import RunDisplay, RunFacts
from rltrain.cli.screen import ScreenView
from rltrain.cli.seeds.display import SeedsDisplay, SeedsFacts
from rltrain.launchers.pool import last_words
from rltrain.spelling import brief, in_one_line, shown
from rltrain.verbs.seeds.measure import EVALUATION
from rltrain.verbs.seeds.progress import SeedProgress, SeedRow
from rltrain.verbs.seeds.train import SeedsMoment

TITLE = "\x1b]0;owned\x07"  # sets the window's title
HOSTILE = [
    TITLE,
    "\x1b[2J\x1b[H",  # wipes the screen
    "\x9b31m\x1b[31mred",  # the same sequence in one byte and in two
    "\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\",
    "a\rb\x08\x0b\x0c\x7f",
    "\u202eturned\u2066\u200b\u2028",
    "two\nlines",
    "[red]x[/red] [link=http://example.org]y[/link] :smile: [/]",
]
ALL = "".join(HOSTILE)
OURS = re.compile(r"\x1b\[[0-9;?]*[mAKhlJ]")  # what rich writes: colours, up, clear a line, cursor on and off
CONFIG = "algorithm: {name: basic, policy: angle}\nenvironment: CartPole-v1\nrun: {budget: {episodes: 3}}\n"


def controls(text):
    """Characters that a terminal obeys or that hide others."""
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") and c not in "\n\t"}


def quoted(text):
    return yaml_subset.word(text)


@pytest.fixture
def rltrain(tmp_path, monkeypatch, capsys):
    """Runs a verb in an empty folder; nothing that it says may be obeyed by a terminal, and it is never our bug."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code, out, err = command(capsys)(*arguments)
        assert controls(out + err) == set()
        assert code != 1, err
        return code, out, err

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of a few games. Its files are what a stranger edits."""
    home = tmp_path_factory.mktemp("trained")
    (home / "c.yaml").write_text(CONFIG)
    assert (
        exit_code_of(lambda: app(["train", str(home / "c.yaml"), "--runs-dir", str(home), "--name", "good", "-q"])) == 0
    )
    return home / "good"


@pytest.fixture
def runs(trained, tmp_path):
    """A folder of runs: a good one, and one for each hostile text, which stands in all that is text there."""
    shutil.copytree(trained, tmp_path / "runs/good")
    for number, text in enumerate(HOSTILE):
        run = tmp_path / "runs" / f"{number}{text}".replace("/", "|")
        shutil.copytree(trained, run)
        config = (run / "config.yaml").read_text().replace("CartPole-v1", quoted(f"{text}-v1"))
        (run / "config.yaml").write_text(config + f"{quoted(text)}: {quoted(text)}\n")
        status = json.loads((run / "status.json").read_text())
        status |= {"state": text, "scored": text, "score": text, "counters": {text: text, "episodes": number}}
        (run / "status.json").write_text(json.dumps(status))
        rows = [json.loads(line) | {text: 1.5} for line in (run / "metrics.jsonl").read_text().splitlines()]
        (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (run / "baselines.json").write_text(json.dumps({"baselines": {text: 20.5}, "reward_threshold": text}))
    return tmp_path / "runs"


def test_list_shows_hostile_runs_and_says_what_is_wrong_with_each(rltrain, runs):
    code, out, _ = rltrain("list", "runs")
    assert code == 0
    assert sum(line.startswith(" ") and " finished " in line for line in out.splitlines()) == 1  # the others say a lie
    for number, text in enumerate(HOSTILE):
        assert f"  {brief(f'{number}{text}'.replace('/', '|'), 100)}: status.json: score: expected a number" in out
    code, out, _ = rltrain("list", "runs", "--json")
    assert code == 0
    assert {run["name"] for run in json.loads(out)["runs"]} == set(os.listdir(runs))  # programs get names as they are


def test_markup_and_emoji_names_stay_text(rltrain, runs):
    _, out, _ = rltrain("list", "runs")
    assert "7[red]x[|red] [link=http:||example.org]y[|link] :smile: [|]" in out


VERBS = [["eval"], ["resume"], ["check"], ["plot"], ["plot", "--y", "retrun"], ["plot", "--group", "sede"], ["watch"]]
VERBS += [["compare", "good"], ["diff", "good"], ["rerun", "-q"]]
DRAWS = (["plot"], ["plot", "--group", "sede"])  # a picture each; list and check show all of the names


@pytest.mark.parametrize(
    ("verb", "number"),
    [
        pytest.param(verb, number, marks=pytest.mark.slow if verb in DRAWS and number % 4 else ())
        for verb in VERBS
        for number in range(len(HOSTILE))
    ],
)
def test_each_verb_says_of_a_hostile_run_what_is_wrong(rltrain, runs, verb, number):
    run = next(name for name in os.listdir(runs) if name.startswith(str(number)))
    rltrain(verb[0], f"runs/{run}", *verb[1:])


def test_plot_of_all_runs_and_a_name_that_is_like_theirs(rltrain, runs):
    code, _, err = rltrain("plot", "*")
    assert code == 0 and f"{shown(TITLE)}: the same config and seed; it is left out" in err.replace("\n", "")
    assert rltrain("plot", "[0-9]*", "--json")[0] == 0
    code, _, err = rltrain("eval", "5turned")
    assert code == 2 and "did you mean" in err


@pytest.mark.parametrize("text", HOSTILE)
def test_a_config_of_hostile_keys_and_values_is_refused_in_words(rltrain, tmp_path, text):
    for config in (
        f"algorithm: {{name: {quoted(text)}}}\nenvironment: CartPole-v1\n",
        f"algorithm: {{name: basic, {quoted(text)}: 1}}\nenvironment: CartPole-v1\n",
        f"algorithm: basic\nenvironment: {quoted(text)}\n",
        f"algorithm: basic\nenvironment: CartPole-v1\n{quoted(text)}: {quoted(text)}\n",
        f"algorithm: {{name: basic, policy: {quoted(text)}}}\nenvironment: CartPole-v1\n",
        f"algorithm: basic\nenvironment: {{id: CartPole-v1, kwargs: {{{quoted(text)}: {quoted(text)}}}}}\n"
        "run: {budget: {episodes: 1}}\n",
    ):
        (tmp_path / "c.yaml").write_text(config)
        assert rltrain("check", "c.yaml", "--probe", "0")[0] in (2, 4)
        assert rltrain("train", "c.yaml", f"{text}=1")[0] in (2, 4)


ODD = ["[red]x[/red]", "$\\frac{$", "$a$ and \\$", "_x", "漢字😀", ":smile:", "=1+1", '"q", <b>&', "\\N", "n" * 200]


def written_model(names):
    """A circle through states of these names, with two actions of such names each."""
    lines = [f"name: {quoted(names[0])}", "discount: 0.9", f"start: {quoted(names[0])}", "states:"]
    for place, name in enumerate(names):
        after = names[(place + 1) % len(names)]
        ways = [f"{quoted(action)}: {{{quoted(after)}: 1 reward {place}}}" for action in names[1:3]]
        lines.append(f"  {quoted(name)}: {{{', '.join(ways)}}}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def model(tmp_path):
    """A known model whose states and actions have the oddest names that a model may have."""
    (tmp_path / "m.yaml").write_text(written_model(ODD))
    return "m.yaml"


def test_a_model_of_names_that_a_terminal_obeys_is_refused_in_words(rltrain, tmp_path):
    for text in HOSTILE[:7]:
        (tmp_path / "m.yaml").write_text(written_model([text, "b", "c"]))
        (tmp_path / "m.csv").write_text(f'state,action,next,probability,reward\n"{text}",a,b,1,1\nb,,,,\n')
        for file in ("m.yaml", "m.csv"):
            code, _, err = rltrain("mdp", "solve", file)
            assert code == 2 and "printable" in err


@pytest.mark.parametrize(
    "verb",
    [
        ["solve"],
        ["solve", "--exact"],
        ["solve", "--average"],
        ["solve", "--horizon", "3"],
        ["info"],
        ["info", "--json"],
        ["evaluate", "--policy", "random"],
        ["simulate", "--policy", "random", "--episodes", "2", "--steps", "5"],
        ["discounts", "-o", "d.svg"],
        ["graph"],
        ["graph", "-o", "g.svg"],
        pytest.param(["graph", "-o", "g.png"], marks=pytest.mark.slow),
        ["convert", "n.csv"],
    ],
    ids=" ".join,
)
def test_mdp_shows_odd_names(rltrain, model, verb):
    assert rltrain("mdp", verb[0], model, *verb[1:])[0] == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_mdp_refuses_hostile_words_in_words(rltrain, model, text):
    for line in (["evaluate", model, "--policy", text], ["graph", model, "-o", text], ["solve", text]):
        assert rltrain("mdp", *line)[0] in (2, 4)
    with open(model, "a") as file:
        file.write(f"{quoted(text)}: {quoted(text)}\n")
    assert rltrain("mdp", "solve", model)[0] == 2


def test_a_learner_on_a_model_of_odd_names_trains_plays_and_is_measured(rltrain, model, tmp_path):
    (tmp_path / "c.yaml").write_text(
        "algorithm: {name: qlearn, learners: 2, gamma: 0.9}\n"
        f"environment: {{id: {model}, max_episode_steps: 9}}\nrun: {{budget: {{env_steps: 2000}}}}\n"
    )
    for line in (["check", "c.yaml", "--probe", "0"], ["train", "c.yaml", "--name", "r"], ["eval", "r", "-n", "2"]):
        assert rltrain(*line)[0] == 0
    code, out, _ = rltrain("watch", "r", "--steps", "4")
    assert code == 0 and "[red]x[/red] -" in out
    assert rltrain("plot", "r")[0] == 0


class Terminal(io.StringIO):
    """A terminal of 80 columns, as far as rich asks."""

    encoding = "utf-8"

    def isatty(self):
        return True


def test_the_live_table_lets_no_name_of_a_metric_through(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    progress = {"share": 0.5, "elapsed_seconds": 1.0, "steps_per_second": 1.0}
    facts = RunFacts(ALL, f"runs/{ALL}", {"env_steps": 10}, 1, lambda: progress)
    view = views.view(RunDisplay(facts), Output(stream))
    assert isinstance(view, ScreenView)
    for kind in ("step", "warning", "save", "busy"):
        view.show(Event(kind, {"env_steps": 5, "episodes": 1}, dict.fromkeys(HOSTILE, 1.0), ALL))
    view.close()
    assert controls(OURS.sub("", stream.getvalue()).replace("\r", "")) == set()
    assert shown(TITLE) in stream.getvalue()
    assert "[red]" in stream.getvalue()
    lines = OURS.sub("", stream.getvalue().replace("\x1b[1A", "\n")).replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 80  # a line that is too long would break the redrawing in place


class Event:
    """What a run tells its view."""

    def __init__(self, kind, counters, metrics, text):
        self.kind, self.counters, self.metrics, self.text = kind, counters, metrics, text
        self.warnings = [text] if kind == "warning" else []


def test_the_table_of_seeds_and_the_lines_of_their_logs_let_nothing_through(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    for stream in (Terminal(), io.StringIO()):
        facts = SeedsFacts(ALL, ALL, ALL, {"env_steps": 10}, True, 1)
        view = views.view(SeedsDisplay(facts), Output(stream))
        known = SeedProgress({"env_steps": 5, ALL: 3}, {ALL: 1.0, TITLE: math.nan}, 1.0, 2.0, 3.0)
        now = SeedsMoment([SeedRow(1, "running", known)], 1.0, EVALUATION, ALL, True, [f"seed 1: {ALL}"])
        view.show(now)
        view.close()
        text = stream.getvalue()
        assert shown(TITLE) in text
        assert controls(OURS.sub("", text).replace("\r", "") if stream.isatty() else text) == set()
    quiet = io.StringIO()
    views.QuietView(Output(quiet)).show(now)
    assert controls(quiet.getvalue()) == set() and quiet.getvalue().count("\n") == 1
    said = last_words(1, ["\x1b[33mWARN: odd\x1b[0m", f"it says {TITLE}"])
    assert said == "WARN: odd; it says \\x1b]0;owned\\x07"


def test_lines_are_cleaned_and_keep_their_own_ends(capsys):
    say(f"a\tb\n{ALL}")
    complain(ALL)
    said = capsys.readouterr()
    assert said.out.startswith("a\tb\n\\x1b]0;owned\\x07") and controls(said.out + said.err) == set()


def test_rich_prints_no_text_uncleaned_and_reads_no_markup():
    stream = io.StringIO()
    console(Output(stream), width=400).print(ALL, "[bold]b[/bold]")
    assert controls(stream.getvalue()) == set()
    assert "[red]x[/red]" in stream.getvalue() and "[bold]b" in stream.getvalue() and ":smile:" in stream.getvalue()


def test_json_of_hostile_text_is_json_that_reads_back_the_same(capsys, monkeypatch):
    value = {ALL: [ALL, "é😀\ud800"]}
    say_json(value)
    out = capsys.readouterr().out
    assert controls(out) == set() and "é😀" in out
    assert json.loads(out) == value
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    say_json(value)
    assert json.loads(raw.getvalue().decode("latin-1")) == value


def test_what_a_library_warns_of_is_one_line_without_colours(capsys, monkeypatch):
    with warnings.catch_warnings():
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        monkeypatch.setattr(logging, "lastResort", logging.lastResort)
        warnings.simplefilter("always")
        warned.say_warnings_in_lines()
        gymnasium.logger.warn("the box is\nodd")
        warnings.warn(ALL, stacklevel=1)
        logging.lastResort.handle(logging.makeLogRecord({"levelname": "WARNING", "msg": f"careful {TITLE}"}))
    said = capsys.readouterr()
    first, second, third = said.err.splitlines()
    assert first == "warning: the box is odd"
    assert second.startswith("warning: \\x1b]0;owned\\x07") and controls(second) == set()
    assert third == "warning: careful \\x1b]0;owned\\x07"
    assert said.out == ""


def test_shown_is_one_line_and_leaves_ordinary_text_alone():
    assert shown("Ünïcode – 漢字 ε") == "Ünïcode – 漢字 ε"
    assert shown("a\nb\u202e\x9b") == "a\\nb\\u202e\\x9b"
    assert in_one_line("\x1b[33mWARN:\x1b[0m  two\n lines" + "x" * 900) == f"WARN: two lines{'x' * 482}..."
    assert len(brief("\x1b" * 50, 20)) == 20
