"""The window, on a screen that only exists in memory."""

import subprocess
import sys
from pathlib import Path

CODE = """
import numpy as np
from rltrain.cli.show import window
from rltrain.film import picture
from rltrain.film.caption import Subject
from rltrain.run.play import Moment

frame = np.random.default_rng(0).integers(0, 256, (210, 160, 3)).astype(np.uint8)
moment = Moment(frame, "", 1, 4, 1.0, 4.0, np.array([0.2, 0.8]), None, 1, False, False, False)
view = window.Window(Subject("dqn on Pong", ("left", "right"), "Q", 1), None, bars=True)
view.show(moment)
pygame = picture.pygame()
shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
assert shown.shape == (420, 320 + picture.PANEL, 3), shown.shape
assert (shown[::2, :320:2] == frame).all()
assert (shown[:, 320:] == picture.CHOSEN).all(axis=-1).any()
assert view.key(0.01) == ""
pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_SPACE, unicode=" "))
assert view.key(0.01) == " "
pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE, unicode=""))
assert view.key(0.01) == "q"
pygame.event.post(pygame.event.Event(pygame.QUIT))
assert view.key(0.01) == "q"
view.close()
assert not pygame.display.get_init()
"""


def python(code: str, driver: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[3]), "SDL_VIDEODRIVER": driver}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)


def test_it_shows_the_picture_and_hands_out_keys():
    done = python(CODE, "dummy")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_screen_that_does_not_answer_is_an_error_for_a_person():
    done = python(CODE, "x11")
    assert "InputError: no window can be opened here" in done.stderr
    assert "take --terminal or --record FILE" in done.stderr
