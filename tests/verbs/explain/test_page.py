"""The page of an explained game: whole in one file, with what was asked for, and nothing of a stranger's in it."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_runs
from browser import screenshot

from rltrain.report import game_curves
from rltrain.verbs.explain import page
from rltrain.verbs.explain.explain import Explanation, Question, explain
from rltrain.verbs.explain.map import map_of


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    """Q-learning on the slippery lake, for so short a time that much of it is wrong."""
    place = tmp_path_factory.mktemp("lake") / "run"
    text = small_runs.text_of("qlearn", "", "{id: FrozenLake-v1}")
    small_runs.run_to(place, text, {"env_steps": 313})
    return explain(place, Question(why=0, horizon=3, detailed=4), pictures=True)


def test_a_page_has_the_curves_the_table_the_steps_and_the_outcomes(lake: Explanation, tmp_path: Path) -> None:
    text = page.write(lake, tmp_path / "lake.html", "rltrain explain lake").read_text()
    assert "<script" not in text
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)  # nothing is asked of a network
    assert text.count("<svg") == 2  # the curves, and the table
    assert "What each action at step 0 leads to" in text
    assert len(lake.details) > 1
    for detail in lake.details:
        assert f"Step {detail.step}: {lake.game.named(detail.step)}" in text
    pictures = re.findall(r"data:image/png;base64,([\w+/=]+)", text)
    assert len(pictures) == len(lake.details)  # a frame of each step
    for data in pictures:
        assert base64.b64decode(data).startswith(b"\x89PNG")
    assert "rltrain explain lake" in text


def test_the_table_is_a_grid_of_cells_in_which_the_wrong_ones_are_red(lake: Explanation, tmp_path: Path) -> None:
    def cells(found: Explanation) -> list[str]:
        text = page.write(found, tmp_path / "lake.html", "").read_text()
        return re.findall(r'<g class="(\w+)" transform="translate', text)

    assert lake.table is not None
    assert lake.table.wrong is not None
    assert lake.table.wrong.any()
    kinds = cells(lake)
    assert len(kinds) == 16
    assert (kinds.count("goal"), kinds.count("end")) == (1, 4)
    assert [kind == "wrong" for kind in kinds] == lake.table.wrong.tolist()
    assert "wrong" not in cells(replace(lake, table=replace(lake.table, wrong=np.zeros_like(lake.table.wrong))))


def test_an_arrow_is_what_the_policy_takes_and_a_pale_one_what_is_as_good(lake: Explanation) -> None:
    assert lake.table is not None
    taken = np.zeros_like(lake.table.taken)
    taken[[0, 1]] = 0.75, 0.25  # left and down in the first cell
    tied = np.zeros(len(taken), bool)
    tied[3] = True  # up
    found = map_of(replace(lake.table, taken=taken, tied=tied))
    assert found is not None
    up, left, down = found["cells"][0].arrows
    assert (left.x2 < left.x1, down.y2 > down.y1, up.y2 < up.y1) == (True, True, True)
    assert (up.opacity, left.opacity, down.opacity) == (0.3, 0.85, 0.55)
    assert found["cells"][0].title == f"0,0, {found['cells'][0].value}, left 0.75, down 0.25"


@pytest.mark.parametrize(("scheme", "width"), [("light", 900), pytest.param("dark", 500, marks=pytest.mark.slow)])
def test_a_browser_shows_it_whole_and_asks_no_network(
    scheme: str, width: int, lake: Explanation, tmp_path: Path
) -> None:
    made = page.write(lake, tmp_path / "lake.html", "rltrain explain lake")
    shown = screenshot(made, scheme, width, tmp_path)
    ground = shown[-1, 0]
    assert (ground.mean() > 200) == (scheme == "light")
    rows = (np.abs(shown - ground).max(axis=2) > 60).mean(axis=1) > 0  # where something is written or drawn
    assert rows[:1_200].mean() > 0.3
    red = (shown[:, :, 0] - shown[:, :, 1:].max(axis=2) > 50).mean(axis=1)  # of the table's wrong cells
    assert red.max() > 0.05


def test_what_a_run_says_is_escaped(lake: Explanation, tmp_path: Path) -> None:
    strange = replace(lake.game, environment="<b onload=x>", actions=("<i>", "&amp;", "c", "d"))
    text = page.write(replace(lake, game=strange), tmp_path / "x.html", "<u>").read_text()
    for tag in ("<b onload", "<i>", "<u>"):
        assert tag not in text
    assert "&lt;i&gt;" in text


def test_a_game_of_which_nothing_was_asked_shows_each_thing_seen_once(lake: Explanation) -> None:
    seen = [lake.recording.seen[detail.step].tobytes() for detail in lake.details]
    assert len(set(seen)) == len(seen)
    assert lake.game.actions == ("left", "down", "right", "up")
    steps = [detail.step for detail in lake.details]
    assert steps == sorted(steps)


def test_a_long_game_is_drawn_by_the_farthest_of_each_stretch() -> None:
    column = np.zeros(10_000)
    column[[5, 777, 9_999]] = -3.0, np.nan, 2.0
    shown = game_curves.farthest(column)
    assert len(shown) == game_curves.MOST_LINES
    assert {5, 9_999} <= set(shown.tolist())
    assert game_curves.farthest(column[:1_000]).tolist() == list(range(1_000))
