"""Video files: every picture is in them, in its colours; and nothing half-made ever stands under their name."""

import math
import resource
import signal
import sys

import av
import numpy as np
import pytest

from rltrain.errors import DiskError, InputError, MissingError
from rltrain.film import picture, recording
from rltrain.film.caption import Subject, caption
from rltrain.film.film import Film
from rltrain.run.play import Moment


def pictures(count: int, height: int = 64, width: int = 96) -> list[np.ndarray]:
    """A bright square that moves a step to the right each time."""
    made = []
    for number in range(count):
        frame = np.full((height, width, 3), (20, 40, 160), np.uint8)
        frame[16:32, 4 * number : 4 * number + 16] = (250, 220, 30)
        made.append(frame)
    return made


def frames_of(path):  # type: ignore[no-untyped-def]
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        found = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in file.decode(stream)]
        return found, stream.codec_context.name, stream.codec_context.pix_fmt


@pytest.mark.parametrize("name", ["game.mp4", "game.gif"])
def test_every_picture_at_its_time_in_its_colours(tmp_path, name):
    made = pictures(12)
    file = recording.Recording(tmp_path / name, fps=15)
    for one in made:
        file.add(one)
    assert not (tmp_path / name).exists()  # until it is whole
    file.close()
    found, _, _ = frames_of(tmp_path / name)
    assert len(found) == 12
    for number, ((time, frame), one) in enumerate(zip(found, made, strict=True)):
        assert time == pytest.approx(number / 15, abs=0.011)
        assert np.abs(frame.astype(int) - one).mean() < (3 if name.endswith("mp4") else 0.01)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_mp4_that_every_player_plays(tmp_path):
    film = Film(tmp_path / "x.mp4", Subject("t", ("a",), "", 1), 50.0, None, False)
    film.show(moment(np.zeros((33, 35, 3), np.uint8), last=True))
    assert "pictures" in film.close()
    found, codec, form = frames_of(tmp_path / "x.mp4")
    assert (codec, form) == ("h264", "yuv420p")
    assert found[0][1].shape[0] % 2 == 0 and found[0][1].shape[1] % 2 == 0
    assert len(found) == round(0.75 * 50)  # the last picture of a game stays


def test_a_gif_faster_than_its_players_drops_pictures(tmp_path):
    file = recording.Recording(tmp_path / "x.gif", fps=100)
    for one in pictures(10):
        file.add(one)
    file.close()
    times = [time for time, _ in frames_of(tmp_path / "x.gif")[0]]
    assert times == pytest.approx([0, 0.02, 0.04, 0.06, 0.08])


def test_nothing_recorded_is_no_file(tmp_path):
    recording.Recording(tmp_path / "x.mp4", 10).close()
    assert not list(tmp_path.iterdir())


OLD = b"GIF8ftyp, the old one"  # begins as both kinds do


@pytest.mark.parametrize("name", ["game.mp4", pytest.param("game.gif", marks=pytest.mark.slow)])
def test_a_full_disk_is_an_error_and_leaves_the_old_file(tmp_path, name):
    """A limit on the size of files stands for the disk: the write fails in the same place."""
    (tmp_path / name).write_bytes(OLD)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    noise = np.random.default_rng(0)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        with pytest.raises(DiskError, match=name):
            file = recording.Recording(tmp_path / name, 10)
            for _ in range(30):
                file.add(noise.integers(0, 256, (96, 96, 3)).astype(np.uint8))
            file.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == OLD


def test_what_is_refused_before_anything_is_played(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"\.mp4 or \.gif"):
        recording.check(tmp_path / "x.avi")
    with pytest.raises(InputError, match="no folder"):
        recording.check(tmp_path / "nowhere" / "x.mp4")
    (tmp_path / "x.gif").mkdir()
    with pytest.raises(InputError, match="folder"):
        recording.check(tmp_path / "x.gif")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingError, match=r'pip install "rltrain\[watch\]"'):
        recording.check(tmp_path / "y.mp4")


def moment(frame, **changes):  # type: ignore[no-untyped-def]
    first = Moment(frame, "", 1, 4, 1.0, 4.0, np.array([0.2, 0.8]), None, 1, False, False, False)
    return first._replace(**changes)


def test_bars_stand_beside_the_frame_and_leave_it_alone():
    frame = np.random.default_rng(0).integers(0, 256, (400, 300, 3)).astype(np.uint8)
    subject = Subject("reinforce on CartPole-v1", ("left", "right"), "probability", 1)
    shown = picture.beside(frame, caption(subject, moment(frame)))
    assert (shown[:, :300] == frame).all() and shown.shape == (400, 300 + picture.PANEL, 3)
    bars = shown[:, 300 + picture.MARGIN + 90 : -picture.MARGIN - 60]  # between the names and the values
    gold, blue = ((bars == colour).all(axis=-1).sum(axis=1).max() for colour in (picture.CHOSEN, picture.BAR))
    assert gold == pytest.approx(4 * blue, abs=3)  # .8 beside .2
    assert (shown[:, 300:] == picture.TEXT).all(axis=-1).any()


def test_eighteen_actions_fit():
    names = tuple(f"ACTION{number}" for number in range(18))
    frame = np.zeros((420, 320, 3), np.uint8)
    words = caption(Subject("x", names, "Q", 1), moment(frame, scores=np.arange(18.0), action=17))
    panel = picture.panel(words, 420)
    rows = np.flatnonzero((panel == picture.CHOSEN).all(axis=-1).any(axis=1))
    assert 0 < rows.max() < 420 - picture.MARGIN


def test_numbers_and_several_choices_are_shown_where_they_are_between_their_bounds():
    frame = np.zeros((420, 320, 3), np.uint8)
    subject = Subject("x", ("0", "1"), "", 1, ((-2.0, 2.0), (-math.inf, math.inf)))
    words = caption(subject, moment(frame, scores=None, action=np.array([1.0, -0.125], np.float32)))
    assert [(bar.name, bar.value, bar.share) for bar in words.bars] == [("0", "+1", 0.75), ("1", "-0.125", 0.5)]
    assert picture.panel(words, 420).shape == (420, picture.PANEL, 3)
    several = Subject("x", ("0", "1"), "", 1, ((0, 2), (0, 0)))
    words = caption(several, moment(frame, scores=None, action=np.array([1, 0])))
    assert [(bar.value, bar.share) for bar in words.bars] == [("1", 0.5), ("0", 1.0)]
    over = caption(several, moment(frame, scores=None, action=None, last=True))
    assert [bar.value for bar in over.bars] == ["", ""]


def test_a_frame_is_enlarged_without_blur():
    frame = np.random.default_rng(0).integers(0, 256, (210, 160, 3)).astype(np.uint8)
    assert picture.enlargement(210) == 2 and picture.enlargement(400) == 1
    large = picture.enlarged(frame, 2)
    assert large.shape == (420, 320, 3) and (large[::2, ::2] == frame).all() and (large[1::2, 1::2] == frame).all()
