"""Hyperparameters of RL Baselines3 Zoo become a config: every key is translated, or named. Nothing is executed."""

import os

import pytest
from in_process import command

from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.verbs import zoo, zoo_file

FILE = """\
atari:
  env_wrapper:
    - stable_baselines3.common.atari_wrappers.AtariWrapper
  frame_stack: 4
  policy: 'CnnPolicy'
  n_timesteps: !!float 1e7
  buffer_size: 100000
  learning_rate: !!float 1e-4
  exploration_final_eps: 0.01
  optimize_memory_usage: False

base: &base
  n_envs: 4
  n_timesteps: 2e5
  learning_rate: lin_2.3e-3
  train_freq: 16
  gradient_steps: -1

CartPole-v1:
  <<: *base
  policy: 'MlpPolicy'
  learning_starts: 0
  gamma: 0.98
  exploration_fraction: 0.16
  policy_kwargs: "dict(net_arch=[256, 128],
                       activation_fn=nn.ReLU)"

LunarLander-v2:
  n_timesteps: !!float 1e5
  policy: 'MlpPolicy'
  normalize: "{'norm_obs': True, 'norm_reward': False}"
  tau: 0.005
  policy_kwargs: "dict(net_arch=[64], n_quantiles=25)"
  train_freq: [1, "episode"]
  replay_buffer_class: HerReplayBuffer
  env_wrapper:
    - gym.wrappers.time_limit.TimeLimit:
        max_episode_steps: 700
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dqn.yml").write_text(FILE)
    return tmp_path


@pytest.fixture
def rltrain(capsys):
    return command(capsys)


def translated(place, environment, *overrides):
    return zoo.translated(place / "dqn.yml", None, environment, overrides)


def test_a_block_becomes_the_settings_that_mean_the_same(place):
    made = translated(place, "CartPole-v1")
    found = made.experiment.algorithm
    assert made.experiment.run.budget == {"env_steps": 200_000}
    assert made.experiment.environment.num_envs == 4
    assert (found.learning_rate, found.learning_rate_final, found.learning_rate_steps) == (2.3e-3, 2.3e-6, 200_000)
    assert (found.train_freq, found.gradient_steps) == (64, 64)  # 16 steps of each of 4, and an update for each
    assert (found.exploration_steps, found.learning_starts, found.gamma) == (32_000, 0, 0.98)
    assert found.hidden == (256, 128)
    assert not any(key.lost for key in made.keys)


def test_where_a_block_is_silent_stable_baselines3_speaks(place):
    made = translated(place, "CartPole-v1")
    found = made.experiment.algorithm
    assert (found.buffer_size, found.batch_size, found.target_update_interval) == (1_000_000, 32, 10_000)
    silent = {key.key for key in made.keys if key.silent}
    assert silent == {
        "buffer_size",
        "batch_size",
        "target_update_interval",
        "exploration_initial_eps",
        "exploration_final_eps",
        "max_grad_norm",
    }


@pytest.mark.parametrize("environment", ["ALE/Pong-v5", "PongNoFrameskip-v4"])
def test_all_games_share_a_block_and_the_wrapper_becomes_settings(place, environment):
    made = translated(place, environment)
    world = made.experiment.environment
    assert (made.block, world.id, made.environment) == ("atari", "ALE/Pong-v5", "ALE/Pong-v5")
    assert (world.frame_skip, world.frame_stack, world.screen_size, world.noop_max) == (4, 4, 84, 30)
    assert world.terminal_on_life_loss and made.experiment.algorithm.reward_clip == 1.0
    assert world.repeat_action_probability == 0.0
    assert not any(key.lost for key in made.keys)


def test_an_old_game_that_repeats_actions_does_so_here(place):
    assert translated(place, "PongNoFrameskip-v0").experiment.environment.repeat_action_probability == 0.25


def test_a_block_of_another_version_is_taken_and_named(place):
    made = translated(place, "LunarLander-v3")
    assert (made.block, made.experiment.environment.id) == ("LunarLander-v2", "LunarLander-v3")


def test_what_has_no_counterpart_is_named_with_its_reason(place):
    made = translated(place, "LunarLander-v3")
    lost = {key.key: key.why for key in made.keys if key.lost}
    assert lost == {
        "tau": "the target network is a copy, not a moving mean",
        "train_freq": "rltrain counts steps, not episodes",
        "replay_buffer_class": "rltrain has no such setting",
    }
    assert made.experiment.environment.max_episode_steps == 700
    (network,) = (key for key in made.keys if key.key == "policy_kwargs")
    assert network.settings == {"algorithm.hidden": [64]} and network.why == "NOT TRANSLATED: n_quantiles=25"


SIGHT = {"name": "NormalizeObservation", "clip": 10.0}
PAY = {"name": "NormalizeReward", "clip": 10.0}
STACK = {"name": "FrameStackObservation", "stack_size": 3, "padding_type": "zero"}


@pytest.mark.parametrize(
    ("block", "wrappers"),
    [
        ("normalize: false", []),
        ("normalize: true", [SIGHT, PAY]),
        ("{normalize: true, gamma: 0.9}", [SIGHT, {**PAY, "gamma": 0.9}]),
        ("normalize: \"{'norm_obs': True, 'norm_reward': False}\"", [SIGHT]),
        ("normalize: 'dict(norm_obs=False, clip_reward=5, gamma=0.5)'", [{**PAY, "clip": 5, "gamma": 0.5}]),
        ("frame_stack: 1", []),
        ("{normalize: true, frame_stack: 3}", [STACK, SIGHT, PAY]),
        ("env_wrapper: gymnasium.wrappers.TimeAwareObservation", [{"name": "TimeAwareObservation"}]),
        (
            "{normalize: true, env_wrapper: [gym.wrappers.FlattenObservation,"
            " {gymnasium.wrappers.RescaleObservation: {min_obs: [0, 0], max_obs: 1}}]}",
            [
                {"name": "FlattenObservation"},
                {"name": "RescaleObservation", "min_obs": [0, 0], "max_obs": 1},
                SIGHT,
                PAY,
            ],
        ),
    ],
)
def test_what_is_put_around_an_environment_is_put_around_it_here(place, block, wrappers):
    block = block if block.startswith("{") else f"{{{block}}}"
    (place / "dqn.yml").write_text(f"MountainCar-v0: {block}")
    made = translated(place, "MountainCar-v0")
    assert not any(key.lost or "NOT TRANSLATED" in key.why for key in made.keys if not key.silent)
    said = config.loads("algorithm: dqn\nenvironment: MountainCar-v0", "", [f"environment.wrappers={wrappers}"])
    assert made.experiment.environment.wrappers == said.environment.wrappers
    assert len(said.environment.wrappers) == len(wrappers)


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("normalize: 3", "no dict(...)"),
        ("normalize: dict(norm_obs_keys=['a'])", "norm_obs_keys has no counterpart here"),
        ("normalize: dict(norm_obs=3)", "norm_obs and norm_reward are true or false"),
        ("normalize: dict(clip_obs=-1)", "clip: must be more than 0, got -1"),
        ("frame_stack: 100", "stack_size: must be at most 64, got 100"),
        ("frame_stack: many", "'many' has no counterpart here"),
        ("env_wrapper: sb3_contrib.common.wrappers.TimeFeatureWrapper", "TimeFeatureWrapper, it shows the share of"),
        ("env_wrapper: my.FlattenObservation", "FlattenObservation, a config names no classes"),
        ("env_wrapper: gym.wrappers.GrayScaleObservation", "GrayScaleObservation, it is not among Gymnasium's"),
        ("env_wrapper: gymnasium.wrappers.RecordVideo", "RecordVideo, to look at games there are `rltrain watch`"),
        ("env_wrapper: gymnasium.wrappers.ResizeObservation", "ResizeObservation needs shape"),
    ],
)
def test_what_is_put_around_an_environment_and_is_not_the_same_here_is_named(place, block, why):
    (place / "dqn.yml").write_text(f"MountainCar-v0:\n  {block}")
    made = translated(place, "MountainCar-v0")
    (lost,) = (key for key in made.keys if key.lost and not key.silent)
    assert why in lost.why and not made.experiment.environment.wrappers


def test_of_several_wrappers_those_that_are_not_translated_are_named(place):
    several = "[gymnasium.wrappers.ClipAction, my_package.Strange]"
    (place / "dqn.yml").write_text(f"MountainCar-v0: {{env_wrapper: {several}}}")
    (key,) = (key for key in translated(place, "MountainCar-v0").keys if key.key == "env_wrapper")
    assert key.settings == {"environment.wrappers": [{"name": "ClipAction"}]}
    assert key.why == "NOT TRANSLATED: Strange, a config names no classes"


def test_nothing_is_put_around_what_takes_no_wrappers(place):
    (place / "dqn.yml").write_text("atari: {normalize: true}\nRobotVacuum-v0: {normalize: true, frame_stack: 2}")
    for name, lost in (("ALE/Pong-v5", {"normalize"}), ("RobotVacuum-v0", {"normalize", "frame_stack"})):
        assert {key.key for key in translated(place, name).keys if key.lost and not key.silent} == lost


def test_every_key_of_the_block_is_in_the_file_and_what_is_lost_on_the_screen(rltrain, place):
    pytest.importorskip("Box2D")
    code, out, err = rltrain("init", "moon", "--from-zoo", "dqn.yml", "--env", "LunarLander-v3", "run.seed=7")
    assert (code, err) == (0, "")
    text = (place / "moon.yaml").read_text()
    for key in zoo_file.block_for(place / "dqn.yml", "LunarLander-v2", False)[1]:
        assert f"#   {key}: " in text
    assert text.count("NOT TRANSLATED") == 4
    assert "not translated: tau: the target network is a copy, not a moving mean" in out
    assert "in part: policy_kwargs:" in out and "n_quantiles=25" in out
    loaded = config.load("moon")
    assert loaded.run.seed == 7 and loaded.algorithm == translated(place, "LunarLander-v3").experiment.algorithm


def test_a_file_of_the_zoo_trains(rltrain):
    assert rltrain("init", "pole", "--from-zoo", "dqn.yml", "--env", "CartPole-v1")[0] == 0
    assert rltrain("check", "pole", "--probe", "0")[0] == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("dict(net_arch=[64, 64])", {"net_arch": [64, 64]}),
        ("{'norm_obs': False, 'norm_reward': True}", {"norm_obs": False, "norm_reward": True}),
        ("dict(log_std_init=-2, activation_fn=nn.ReLU)", {"log_std_init": -2, "activation_fn": "nn.ReLU"}),
        ("dict(net_arch=[dict(pi=[8], vf=[8])])", {"net_arch": [{"pi": [8], "vf": [8]}]}),
        ("dict(a=[f(1), dict(b={'c': 2})])", {"a": ["f(1)", {"b": {"c": 2}}]}),
        (f"dict(a={'-' * 1500}1)", {"a": "..."}),
        ("dict(a=__import__('os').mkdir('owned'))", {"a": "__import__('os').mkdir('owned')"}),
    ],
)
def test_python_in_quotes_is_read_and_never_run(place, text, value):
    assert zoo_file.arguments(text) == value
    assert not (place / "owned").exists()


@pytest.mark.parametrize(
    "text", ["__import__('os').mkdir('owned')", "dict(", "f(a=1)", "dict([1])", "(" * 1_900, "x" * 3_000]
)
def test_other_python_is_refused(place, text):
    with pytest.raises(ValueError, match="no dict"):
        zoo_file.arguments(text)
    assert os.listdir(place) == ["dqn.yml"]


def bomb() -> str:
    """Ten lists, each of ten of the one before."""
    lists = [f"l{number}: &l{number} [{', '.join([f'*l{number - 1}'] * 10)}]\n" for number in range(1, 10)]
    return "l0: &l0 {x: 1}\n" + "".join(lists) + "CartPole-v1: *l9\n"


@pytest.mark.parametrize(
    ("name", "text", "environment", "message"),
    [
        ("trpo.yml", "{}", "CartPole-v1", "trpo.yml: hyperparameters of trpo, which rltrain has not; of the Zoo's"),
        (
            "reinforce.yml",
            "{}",
            "CartPole-v1",
            "an algorithm whose settings are others here",
        ),
        ("dqn.yml", FILE, "CartPol-v1", "no hyperparameters for CartPol-v1; did you mean 'CartPole-v1'?"),
        ("dqn.yml", "[1]", "CartPole-v1", "expected a block of hyperparameters for each environment"),
        ("dqn.yml", "CartPole-v1: 3", "CartPole-v1", "CartPole-v1: expected a block of hyperparameters"),
        ("dqn.yml", "a: {b: [}", "CartPole-v1", "dqn.yml:1: not YAML:"),
        ("dqn.yml", bomb(), "CartPole-v1", "a block of more than 10,000 values"),
        ("dqn.yml", "CartPole-v1: &a {b: *a}", "CartPole-v1", "nested without end"),
        ("dqn.yml", "CartPole-v1: {gamma: 7}", "CartPole-v1", "algorithm.gamma=7: must be at most 1, got 7"),
        ("dqn.yml", "CartPole-v1: !!python/object/apply:os.mkdir [owned]", "CartPole-v1", "expected a block"),
    ],
)
def test_files_that_cannot_be_translated_are_one_clear_error(place, name, text, environment, message):
    (place / name).write_text(text)
    with pytest.raises(InputError) as caught:
        zoo.translated(place / name, None, environment)
    assert message in str(caught.value)
    assert not (place / "owned").exists()


def test_python_files_folders_and_missing_ones_are_refused(place):
    (place / "dqn.py").write_text("hyperparams = {}")
    (place / "folder").mkdir()
    for name, message in (("dqn.py", "Python is never run"), ("folder", "a folder"), ("none.yml", "cannot be read")):
        with pytest.raises(InputError, match=message):
            zoo.translated(place / name, "dqn", "CartPole-v1")
