"""The page of an explained game: whole in one file, with what was asked for, and nothing of a stranger's in it."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_runs
from PIL import Image

from rltrain.verbs.explain import page
from rltrain.verbs.explain.explain import Explanation, Question, explain


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
    assert text.count("<svg") == 1
    assert "What each action at step 0 leads to" in text
    assert len(lake.details) > 1
    for detail in lake.details:
        assert f"Step {detail.step}: {lake.game.named(detail.step)}" in text
    pictures = re.findall(r"data:image/png;base64,([\w+/=]+)", text)
    assert len(pictures) == 1 + len(lake.details)  # the table, and a frame of each step
    for data in pictures:
        assert base64.b64decode(data).startswith(b"\x89PNG")
    assert "rltrain explain lake" in text


def test_cells_where_the_policy_is_wrong_are_red(lake: Explanation, tmp_path: Path) -> None:
    def red(found: Explanation) -> int:
        """Points of this red in the picture of the table."""
        text = page.write(found, tmp_path / "lake.html", "").read_text()
        data = re.findall(r"values and policy of every state.*?base64,([\w+/=]+)", text)[0]
        (tmp_path / "map.png").write_bytes(base64.b64decode(data))
        pixels = np.asarray(Image.open(tmp_path / "map.png").convert("RGB"))
        return int((pixels == [0xE0, 0x39, 0x2B]).all(axis=2).sum())

    assert lake.table is not None
    assert lake.table.wrong is not None
    assert lake.table.wrong.any()
    assert red(lake) > 1000 * int(lake.table.wrong.sum())
    assert red(replace(lake, table=replace(lake.table, wrong=np.zeros_like(lake.table.wrong)))) == 0


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
