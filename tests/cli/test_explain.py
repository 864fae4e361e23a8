"""`rltrain explain` as a person types it: files that it writes, exit codes, and a picture in the terminal."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import small_runs
from built import app

from rltrain.cli.errors import exit_code_of
from rltrain.cli.progress import line

PONG = "{id: ALE/Pong-v5, num_envs: 2, max_episode_steps: 40}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a run that sees pictures, and one that sees numbers."""
    place = tmp_path_factory.mktemp("explained")
    images = f"{small_runs.IMAGES}, buffer_size: 200"
    small_runs.run_to(place / "pong", small_runs.text_of("dqn", images, PONG), {"env_steps": 60})
    small_runs.run_to(place / "cart", small_runs.text_of("dqn", "", "CartPole-v1"), {"env_steps": 200})
    return place


@pytest.fixture
def rltrain(runs, tmp_path, monkeypatch, capsys):
    """Runs the verb beside the runs; returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = exit_code_of(lambda: app(["explain", *arguments, "--runs-dir", str(runs)]))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_film_has_every_step_with_what_is_thought_beside_it(rltrain, tmp_path):
    code, out, _ = rltrain("cart", "-o", "cart.mp4")
    assert code == 0
    assert "film: cart.mp4" in out
    with av.open("cart.mp4") as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert len(frames) >= 8
    panel = frames[0][:, -260:]
    assert np.ptp(panel) > 100  # words and bars
    assert list(tmp_path.iterdir()) == [tmp_path / "cart.mp4"]


def test_a_game_without_pictures_has_no_film(rltrain, runs):
    book = small_runs.text_of("viter", "", small_runs.BOOK)
    small_runs.run_to(runs / "book", book, {"sweeps": 3})
    code, _, err = rltrain("book", "-o", "book.mp4")
    assert code == 2
    assert "has no picture" in err
    assert not Path("book.mp4").exists()


def test_a_page_of_a_game_of_pictures_shows_where_it_looks(rltrain):
    code, out, _ = rltrain("pong", "--protocol", "training", "--when", "step < 2", "-o", "pong.html")
    assert code == 0
    assert "page: pong.html" in out
    text = Path("pong.html").read_text()
    assert text.count("data:image/png;base64,") == 2
    assert text.count("magenta against it") == 2


def test_a_step_of_a_game_of_pictures_in_numbers(rltrain):
    code, out, _ = rltrain("pong", "--protocol", "training", "--step", "3", "--json")
    assert code == 0
    found = json.loads(out)
    (detail,) = found["details"]
    assert detail["saliency"]["shape"] == [84, 84]
    assert detail["inputs"] is None
    assert [row["step"] for row in found["steps"]] == [3]
    assert set(found["steps"][0]["scores"]) == set(found["actions"])


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("cart", "-o", "cart.pdf"), 2, "the name of a page or a film ends in .html, .htm, .mp4 or .gif"),
        (("cart", "-o", "absent/cart.html"), 2, "there is no folder"),
        (("cart", "--when", "gapp < 1"), 2, "did you mean 'gap'?"),
        (("cart", "--step", "9999"), 2, "the game has"),
    ],
)
def test_what_cannot_be_is_one_line(rltrain, words, code, why):
    found, _, err = rltrain(*words)
    assert found == code
    assert why in err
    assert len(err.strip().splitlines()) == 1


def test_a_horizon_of_nothing_is_refused(rltrain):
    code, _, err = rltrain("cart", "--horizon", "5")
    assert (code, err.strip()) == (2, "--horizon 5: says how far --why looks; there is no --why N")


@pytest.mark.parametrize(("phase", "unit_of"), [("playing", "steps"), ("writing", "pictures")])
def test_ctrl_c_leaves_the_file_as_it_was_and_says_so(phase, unit_of, rltrain, tmp_path, monkeypatch):
    Path("cart.gif").write_text("GIF89a before")
    told = line.at

    def pressed(done, total, spent=0.0, unit=""):
        told(done, total, spent, unit)
        if done == 3 and unit == unit_of:
            raise KeyboardInterrupt

    monkeypatch.setattr(line, "at", pressed)
    code, out, err = rltrain("cart", "-o", "cart.gif")
    assert code == 130
    if phase == "playing":  # what was played by then has a film
        assert err == "stopped by Ctrl-C: what was found is partial\n"
        assert "film: cart.gif" in out
    else:
        assert err == "stopped by Ctrl-C: nothing was written to cart.gif\n"
        assert Path("cart.gif").read_text() == "GIF89a before"
    assert [path.name for path in tmp_path.iterdir()] == ["cart.gif"]
