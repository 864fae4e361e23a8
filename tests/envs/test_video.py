"""What a person sees belongs to the same moment as what the policy sees, and is of the same game as any other."""

import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from rltrain import envs
from rltrain.envs.atari.film import FilmedAtari
from rltrain.envs.atari.settings import AtariConfig
from rltrain.envs.atari.vector import Atari
from rltrain.errors import InputError, MissingError
from rltrain.experiment.settings import EnvironmentConfig

BOOK = str(Path(__file__).parents[2] / "configs" / "mdp" / "book.yaml")
# The game's music plays for 65 steps, in which nothing moves.
PACMAN = AtariConfig(
    id="ALE/MsPacman-v5", repeat_action_probability=0.25, max_episode_steps=150, reseed_every=200, noop_max=5
)
DRAWN = {  # settings, task, height and width, pace
    "cartpole": (EnvironmentConfig(id="CartPole-v1"), "env", (400, 600), 50),
    "acrobot": (EnvironmentConfig(id="Acrobot-v1"), "env", (500, 500), 15),
    "lake": (EnvironmentConfig(id="FrozenLake-v1", kwargs={"is_slippery": True}), "env", (256, 256), 4),
    "taxi": (EnvironmentConfig(id="Taxi-v4"), "env", (456, 536), 4),
    "pacman": (PACMAN, "env", (210, 160), 15),
    "pacman of the book": (
        AtariConfig(id="ALE/MsPacman-v5", preprocessing="book", max_episode_steps=60),
        "env",
        (210, 160),
        20,
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_game_as_without_a_camera_and_a_picture_of_each_step(name):
    settings, task, size, fps = DRAWN[name]
    filmed, plain = envs.film(settings, task), envs.make(settings, task=task, num_envs=1, training=False)
    try:
        assert filmed.fps == fps and filmed.spec.obs_shape == plain.spec.obs_shape
        assert len(filmed.spec.action_names) == plain.spec.num_actions
        rng = np.random.default_rng(0)
        seen, expected = filmed.reset(7), plain.reset(7)
        frames = set()
        for _ in range(330 if settings is PACMAN else 100):  # over the end of a game, and a new seed
            for one, other in zip(seen, expected, strict=True):
                np.testing.assert_array_equal(one, other)
            frame = filmed.frame()
            assert frame is not None and frame.shape == (*size, 3) and frame.dtype == np.uint8
            frames.add(frame.tobytes())
            action = rng.integers(plain.spec.num_actions, size=1)
            seen, expected = filmed.step(action), plain.step(action)
        assert len(frames) > (150 if settings is PACMAN else 2)
    finally:
        filmed.close()
        plain.close()


def test_the_colours_of_an_atari_game_are_of_the_moment_that_the_policy_sees():
    """The grey squares are the mean over areas of a grey picture. Of pictures that are not pooled, colours give it."""
    filmed = FilmedAtari(PACMAN)
    rng = np.random.default_rng(0)
    rows, columns = (
        np.clip(
            np.minimum(np.linspace(0, n, 85)[1:, None], np.arange(n) + 1)
            - np.maximum(np.linspace(0, n, 85)[:-1, None], np.arange(n)),
            0,
            None,
        )
        * 84
        / n
        for n in (210, 160)
    )  # [84, 210], [84, 160]
    step = filmed.reset(3)
    own, other, before = [], [], None
    for _ in range(140):
        grey = filmed.frame() @ np.array([0.2989, 0.587, 0.114])  # [210, 160]
        small = rows @ grey @ columns.T
        newest = step.obs[0, -1].astype(float)
        own.append(np.abs(small - newest).mean())
        if before is not None:
            other.append(np.abs(small - before).mean())
        before = newest
        step = filmed.step(rng.integers(9, size=1))
    filmed.close()
    assert np.mean(own) < 0.25  # of 255; the emulator pools the greys of two frames, not their colours
    assert np.mean(other) > 2 * np.mean(own)  # the moment before is another one


def test_an_emulator_that_plays_another_game_is_noticed():
    filmed = FilmedAtari(PACMAN)
    filmed.reset(3)
    filmed._shown.reset(4)
    rng = np.random.default_rng(0)
    with pytest.raises(RuntimeError, match="another game"):
        for _ in range(300):
            filmed.step(rng.integers(9, size=1))
    filmed.close()


def test_a_colour_emulator_has_the_console_s_size():
    env = Atari(AtariConfig(id="ALE/Pong-v5", frame_stack=2), 1, colour=True)
    assert env.spec.obs_shape == (2, 210, 160, 3) and env.reset(0).obs.shape == (1, 2, 210, 160, 3)
    env.close()


def test_a_table_s_policy_is_shown_the_environment_itself():
    filmed = envs.film(EnvironmentConfig(id="FrozenLake-v1", kwargs={"is_slippery": False}), "tabular")
    step = filmed.reset(0)
    assert step.obs.tolist() == [[0]] and step.obs.dtype == np.int64
    before = filmed.frame()
    step = filmed.step(np.array([filmed.spec.action_names.index("down")]))
    assert step.obs.tolist() == [[4]] and (filmed.frame() != before).any()
    filmed.close()


@pytest.mark.parametrize("task", ["tabular", "env"])
def test_a_known_model_has_names_instead_of_a_picture(task):
    filmed = envs.film(EnvironmentConfig(id=BOOK), task)
    filmed.reset(0)
    assert filmed.frame() is None and filmed.state() == "s0"
    names = set()
    for number in range(50):
        filmed.step(np.array([number % 3]))
        names.add(filmed.state())
    assert names == {"s0", "s1", "s2"}
    filmed.close()


class Blind(gymnasium.Env):
    """Cannot be drawn."""

    metadata: ClassVar = {"render_modes": ["ansi"]}
    observation_space, action_space = spaces.Box(0, 1, (1,), np.float32), spaces.Discrete(2)


class Odd(Blind):
    """Draws something that is no picture."""

    metadata: ClassVar = {"render_modes": ["rgb_array"]}

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def render(self):
        return np.zeros((4, 4), np.float32)


@pytest.fixture
def registered():
    for name, env in {"Blind-v0": Blind, "Odd-v0": Odd}.items():
        gymnasium.register(name, entry_point=env)
    yield
    for name in ("Blind-v0", "Odd-v0"):
        del gymnasium.registry[name]


def test_what_cannot_be_drawn_is_refused(registered):
    with pytest.raises(InputError, match=r"Blind-v0 cannot be drawn.*has the render modes ansi"):
        envs.film(EnvironmentConfig(id="Blind-v0"))
    filmed = envs.film(EnvironmentConfig(id="Odd-v0"))
    filmed.reset(0)
    with pytest.raises(InputError, match="no picture"):
        filmed.frame()


def test_without_pygame_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    filmed = envs.film(EnvironmentConfig(id="CartPole-v1"))
    filmed.reset(0)
    with pytest.raises(MissingError, match=r'CartPole-v1 needs pygame.*pip install "rltrain\[watch\]"'):
        filmed.frame()


def test_drawing_says_nothing():
    """pygame greets on standard output, and complains of a missing screen."""
    code = (
        "from rltrain import envs; from rltrain.experiment.settings import EnvironmentConfig as C\n"
        "env = envs.film(C(id='CartPole-v1')); env.reset(0); env.frame()"
    )
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
