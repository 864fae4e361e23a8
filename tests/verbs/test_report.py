"""A page about runs: what it says, that it is safe and needs no network, and how it looks in a browser."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from browser import screenshot

import rltrain
from rltrain.errors import InputError
from rltrain.run.lock import Lock
from rltrain.verbs.report import write_report as report

NAMESPACES = re.compile(r'xmlns(:\w+)?="http://www\.w3\.org/[^"]*"')


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run that solves its task, three seeds of another, and a table."""
    place = tmp_path_factory.mktemp("runs")
    rltrain.train("reinforce_cartpole", seed=1, runs_dir=place, name="cart")
    for seed in (1, 2, 3):
        overrides = {"run.budget": {"env_steps": 3_000}, "run.evaluate.every": {"env_steps": 1_000}}
        rltrain.train("ppo_cartpole", overrides, seed=seed, runs_dir=place, name=f"ppo-{seed}", picture=False)
    rltrain.train("book/viter", runs_dir=place, name="table", picture=False)
    return place


class Reader(HTMLParser):
    """The tags of a page, its text, and everything that a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.text, self.fetched = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "href", "xlink:href", "data", "poster")]

    def handle_data(self, data):
        self.text += data


def read(page):
    return Reader(Path(page).read_text())


@pytest.fixture(scope="module")
def filmed(runs, tmp_path_factory):
    """The page of a run with its film."""
    return report(["cart"], tmp_path_factory.mktemp("page") / "page.html", runs_dir=runs)


def test_a_page_of_a_run_says_what_came_of_it_and_how_to_make_it_again(filmed, runs):
    made = filmed
    page, score = read(made.page), json.loads((runs / "cart" / "eval.jsonl").read_text().splitlines()[-1])
    assert made.verdict.startswith(f"Solved: the last evaluation has a mean of {score['mean']:.1f}")
    assert made.title == "reinforce on CartPole-v1" and not made.diagnosis and not made.notes
    for told in (made.verdict, "under the protocol training", "algorithm.learning_rate", "processor", "Exact:"):
        assert told in page.text
    assert f"rltrain rerun {runs / 'cart'}" in page.text
    assert (runs / "cart" / "config.yaml").read_text().strip() in page.text
    assert {"svg", "video", "table"} <= set(page.tags)


def test_a_page_of_several_seeds_has_their_interval_and_each_of_them(runs, tmp_path):
    made = report(["ppo-*"], tmp_path / "page.html", runs_dir=runs, film=False)
    assert re.match(r"3 seeds, mean [\d.]+ \(95 % interval over seeds .+\), of the last evaluation\.", made.verdict)
    page = read(made.page)
    assert all(f"ppo-{seed}" in page.text for seed in (1, 2, 3)) and "video" not in page.tags


def test_several_configs_are_told_apart(runs, tmp_path):
    made = report(["cart", "ppo-1"], tmp_path / "page.html", runs_dir=runs, film=False)
    page = read(made.page)
    assert "Which is better" in page.text and "reinforce scored" in made.verdict
    assert "algorithm.games_per_update" in page.text and "algorithm.n_epochs" in page.text


def test_a_side_has_one_name_on_the_whole_page(runs, tmp_path):
    for run, seed in (("ppo-1", 0), ("ppo-2", 1)):
        shutil.copytree(runs / run, tmp_path / "mine" / f"s{seed}")
    shutil.copytree(runs / "cart", tmp_path / "cart")
    made = report(["mine", "cart"], tmp_path / "page.html", runs_dir=tmp_path, film=False)
    text = read(made.page).text
    assert re.search(r"mine: settings that are not the defaults", text) and "ppo: settings" not in text


def test_a_run_that_is_training_has_a_page_that_says_so(runs, tmp_path):
    with Lock(runs / "ppo-1"):
        assert report(["ppo-1"], tmp_path / "one.html", runs_dir=runs, film=False).verdict.startswith(
            "Still training. So far: "
        )
        made = report(["ppo-*"], tmp_path / "all.html", runs_dir=runs, film=False)
    assert made.verdict.endswith(". Still training: ppo-1.")
    assert made.verdict in read(made.page).text


def test_a_table_has_a_page_and_no_film(runs, tmp_path):
    made = report(["table"], tmp_path / "page.html", runs_dir=runs)
    assert made.verdict.startswith("At the end the greatest error of any value is ")
    assert len(made.notes) == 1 and made.notes[0].startswith("no film: ")


def test_the_page_goes_to_the_run_unless_it_is_given_a_place(runs):
    assert report(["cart"], runs_dir=runs, film=False).page == str(runs / "cart" / "report.html")
    assert report(["ppo-*"], runs_dir=runs, film=False).page == str(runs / "report.html")
    with pytest.raises(InputError, match=r"page\.pdf: the name of a page ends in \.html"):
        report(["cart"], Path("page.pdf"), runs_dir=runs)


def test_a_sweep_has_its_ranking_and_its_best_config(tmp_path):
    from built import app

    from rltrain.cli.errors import exit_code_of

    short = ["run.budget.env_steps=1_500", "run.evaluate.every.env_steps=1_000", "run.evaluate.episodes=5"]
    words = ["train", "reinforce_cartpole", "algorithm.learning_rate=0.001,0.05", *short, "--quiet"]
    words += ["--runs-dir", str(tmp_path / "runs"), "--name", "swept"]
    assert exit_code_of(lambda: app(words)) == 0
    made = report(["swept"], runs_dir=tmp_path / "runs", film=False)
    page = read(made.page)
    assert made.page == str(tmp_path / "runs" / "swept" / "report.html")
    assert re.match(r"The best of 2 trials, t000[01], has [\d.]+: learning_rate", made.verdict)
    assert all(f"t000{number}" in page.text for number in range(2)) and "rltrain sweep best swept" in page.text


def test_what_a_strangers_run_says_is_escaped(runs, tmp_path):
    evil = "<script>alert(1)</script><img src=http://evil.example/x>"
    shutil.copytree(runs / "cart", tmp_path / "evil")
    facts = json.loads((tmp_path / "evil" / "run.json").read_text())
    facts |= {"command": evil, "why": evil, "exact": False, "machine": {evil: evil}}
    (tmp_path / "evil" / "run.json").write_text(json.dumps(facts))
    known = {"baselines": {evil: 3.0, "random": 20.0}, "reward_threshold": 475}
    (tmp_path / "evil" / "baselines.json").write_text(json.dumps(known))
    (tmp_path / "evil" / "status.json").write_text(json.dumps({"state": evil}))
    page = read(report(["evil"], runs_dir=tmp_path, film=False).page)
    assert evil in page.text
    assert "script" not in page.tags and "img" not in page.tags


@pytest.mark.parametrize("names", [["cart"], ["ppo-*"]])
def test_a_page_asks_no_network_for_anything(names, filmed, runs, tmp_path):
    several = names != ["cart"]
    made = report(names, tmp_path / "page.html", runs_dir=runs, film=False) if several else filmed
    page, text = read(made.page), Path(made.page).read_text()
    assert "script" not in page.tags and (several or page.fetched)
    assert all(value.startswith(("data:", "#")) for value in page.fetched)
    assert "url(http" not in text and "@import" not in text
    assert "http://" not in NAMESPACES.sub("", text) and "https://" not in text


def test_ctrl_c_while_the_film_is_made_leaves_a_page_without_it(runs, tmp_path):
    class Impatient:
        """Ctrl-C comes with the first picture."""

        def phase(self, name, of=""):
            from contextlib import nullcontext

            return nullcontext()

        def at(self, *where):
            raise KeyboardInterrupt

    made = report(["cart"], tmp_path / "page.html", runs_dir=runs, progress=Impatient())
    assert made.partial and "video" not in read(made.page).tags


@pytest.mark.parametrize(("scheme", "width"), [("dark", 500), pytest.param("light", 1_000, marks=pytest.mark.slow)])
def test_a_browser_shows_it_whole_and_asks_no_network(scheme, width, runs, tmp_path):
    made = report(["cart"], tmp_path / "page.html", runs_dir=runs, film=False)
    shown = screenshot(made.page, scheme, width, tmp_path)
    ground = shown[-1, 0]
    assert (ground.mean() > 200) == (scheme == "light")
    rows = (np.abs(shown - ground).max(axis=2) > 60).mean(axis=1) > 0  # where something is written or drawn
    assert rows[:1_200].mean() > 0.3


def test_a_killed_run_is_not_at_its_end_and_few_games_are_not_called_a_hundred(runs, tmp_path):
    shutil.copytree(runs / "ppo-1", tmp_path / "killed")
    status = json.loads((tmp_path / "killed" / "status.json").read_text()) | {"state": "running"}
    (tmp_path / "killed" / "status.json").write_text(json.dumps(status))
    for name in ("eval.jsonl", "eval.csv"):
        (tmp_path / "killed" / name).unlink()
    rows = [json.loads(line) for line in (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()]
    few = [row | {"episodes": 24} for row in rows]
    (tmp_path / "killed" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in few))
    made = report("killed", runs_dir=tmp_path, film=False)
    assert made.verdict.startswith("Not at its end (killed). Never evaluated; the last 24 training games have a mean")


@pytest.mark.parametrize("given", [[], 3, [3]])
def test_what_is_no_run_is_refused(given, tmp_path):
    with pytest.raises(InputError, match=r"a report of what|runs: expected a path or a text, got 3"):
        report(given, runs_dir=tmp_path)
