"""Hyperparameters of the Zoo's PPO and A2C become settings of ppo, for every kind of environment of its files."""

import json
import math

import pytest
from in_process import command

from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.verbs import init, zoo

ATARI = (
    "env_wrapper: [stable_baselines3.common.atari_wrappers.AtariWrapper], frame_stack: 4, policy: CnnPolicy,"
    " n_timesteps: !!float 1e7"
)
POLE = (
    "n_envs: 8, n_timesteps: !!float 1e5, policy: MlpPolicy, n_steps: 32, batch_size: 256, gae_lambda: 0.8,"
    " gamma: 0.98, n_epochs: 20, ent_coef: 0.0, learning_rate: lin_0.001, clip_range: lin_0.2"
)
SHAPED = "policy_kwargs: 'dict(log_std_init=-2, activation_fn=nn.ReLU, net_arch=dict(pi=[256, 128], vf=[256, 128]))'"
GRID = "env_wrapper: minigrid.wrappers.FlatObsWrapper, normalize: true, n_envs: 8, n_timesteps: !!float 1e5"
CAR = (
    "env_wrapper: [{rl_zoo3.wrappers.FrameSkip: {skip: 2}},"
    " {rl_zoo3.wrappers.YAMLCompatResizeObservation: {shape: [64, 64]}},"
    " {gymnasium.wrappers.transform_observation.GrayscaleObservation: {keep_dim: true}}], frame_stack: 2,"
    " normalize: \"{'norm_obs': False, 'norm_reward': True}\", policy: CnnPolicy, use_sde: True, sde_sample_freq: 4,"
    " policy_kwargs: 'dict(log_std_init=-2, activation_fn=nn.GELU, net_arch=dict(pi=[256], vf=[256]))'"
)
SIGHT, PAY = {"name": "NormalizeObservation", "clip": 10.0}, {"name": "NormalizeReward", "clip": 10.0}
STACK = {"name": "FrameStackObservation", "stack_size": 2, "padding_type": "zero"}
CUT = {"name": "ClipReward", "min_reward": -1.0, "max_reward": 1.0}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def rltrain(capsys):
    return command(capsys)


def translated(place, algorithm, environment, block, *overrides):
    name = "atari" if "NoFrameskip" in environment else environment
    (place / f"{algorithm}.yml").write_text(f"{name}: {{{block}}}")
    return zoo.translated(place / f"{algorithm}.yml", None, environment, overrides)


def untold(made):
    """What is not the same here, by key."""
    return {key.key: key.why for key in made.keys if key.lost or "NOT TRANSLATED" in key.why}


def wrappers(made):
    listed = made.experiment.environment.wrappers
    return [each.model_dump(mode="json", exclude_defaults=True) for each in listed]


def test_a_block_of_ppo_becomes_the_settings_that_mean_the_same(place):
    made = translated(place, "ppo", "CartPole-v1", POLE)
    found = made.experiment.algorithm
    assert made.experiment.algorithm_name == "ppo" and not untold(made)
    assert made.experiment.run.budget == {"env_steps": 100_000} and made.experiment.environment.num_envs == 8
    assert (found.n_steps, found.batch_size, found.n_epochs, found.gae_lambda, found.gamma) == (32, 256, 20, 0.8, 0.98)
    assert (found.learning_rate, found.learning_rate_final, found.learning_rate_steps) == (0.001, 0.0, 100_000)
    assert (found.clip_range, found.clip_range_final) == (0.2, 0.0)


def test_where_a_block_of_ppo_is_silent_stable_baselines3_speaks(place):
    made = translated(place, "ppo", "CartPole-v1", "n_timesteps: 1000")
    found = made.experiment.algorithm
    assert (found.n_steps, found.batch_size, found.n_epochs, found.gae_lambda) == (2048, 64, 10, 0.95)
    assert (found.learning_rate, found.learning_rate_final, found.clip_range, found.clip_range_final) == (
        3e-4,
        None,
        0.2,
        None,
    )
    assert (found.gamma, found.ent_coef, found.vf_coef, found.max_grad_norm) == (0.99, 0.0, 0.5, 0.5)
    assert (found.target_kl, found.clip_range_vf, found.normalize_advantage) == (None, None, True)
    assert (found.optimizer, found.optimizer_eps, found.hidden, found.activation) == ("adam", 1e-5, None, "tanh")
    assert made.experiment.environment.num_envs == 1 and not untold(made)


def test_a2c_is_one_epoch_of_one_batch(place):
    made = translated(place, "a2c", "CartPole-v1", "n_envs: 8, n_timesteps: !!float 5e5, learning_rate: lin_7e-4")
    found = made.experiment.algorithm
    assert made.experiment.algorithm_name == "ppo" and not untold(made)
    assert (found.n_steps, found.n_epochs, found.batch_size, found.gae_lambda) == (5, 1, 40, 1.0)
    assert (found.optimizer, found.optimizer_eps, found.normalize_advantage) == ("rmsprop", 1e-5, False)
    assert (found.learning_rate, found.learning_rate_final, found.learning_rate_steps) == (7e-4, 0.0, 500_000)


@pytest.mark.parametrize(
    ("block", "name", "value"),
    [
        ("n_steps: 8, n_envs: 3", "batch_size", 24),
        ("use_rms_prop: False", "optimizer", "adam"),
        ("use_rms_prop: True", "optimizer", "rmsprop"),
        ("rms_prop_eps: 0.001", "optimizer_eps", 0.001),
        ("normalize_advantage: True", "normalize_advantage", True),
        ("vf_coef: 0.25", "vf_coef", 0.25),
        ("policy_kwargs: 'dict(optimizer_kwargs=dict(eps=1e-3))'", "optimizer_eps", 0.001),
    ],
)
def test_keys_of_a2c(place, block, name, value):
    made = translated(place, "a2c", "CartPole-v1", block)
    assert made.experiment.algorithm.model_dump()[name] == value and not untold(made)


@pytest.mark.parametrize(
    ("block", "name", "value"),
    [
        ("target_kl: 0.03", "target_kl", 0.03),
        ("target_kl: null", "target_kl", None),
        ("clip_range_vf: 0.3", "clip_range_vf", 0.3),
        ("normalize_advantage: False", "normalize_advantage", False),
        ("max_grad_norm: 5", "max_grad_norm", 5.0),
        ("policy_kwargs: 'dict(net_arch=[32, 16])'", "hidden", (32, 16)),
        ("policy_kwargs: 'dict(net_arch=[])'", "hidden", ()),
        ("policy_kwargs: 'dict(net_arch=dict(pi=[8], vf=[8]))'", "hidden", (8,)),
        ("policy_kwargs: {net_arch: {pi: [8], vf: [8]}}", "hidden", (8,)),
        ("policy_kwargs: 'dict(net_arch=[dict(pi=[8], vf=[8])])'", "hidden", (8,)),
        ("policy_kwargs: 'dict(activation_fn=th.nn.ELU)'", "activation", "elu"),
        ("policy_kwargs: 'dict(activation_fn=nn.Tanh, ortho_init=True)'", "activation", "tanh"),
        ("policy_kwargs: 'dict(optimizer_kwargs=dict(eps=1e-7))'", "optimizer_eps", 1e-7),
    ],
)
def test_keys_of_ppo(place, block, name, value):
    made = translated(place, "ppo", "CartPole-v1", block)
    assert made.experiment.algorithm.model_dump()[name] == value and not untold(made)


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("use_sde: True", "there noise depends on what is seen"),
        ("clip_range_vf: lin_0.2", "'lin_0.2' has no counterpart here"),
        ("clip_range: exp_0.2", "'exp_0.2' has no counterpart here"),
        ("learning_rate: lin_0.2", "it falls over n_timesteps, and there are none"),
        ("normalize_advantage: 3", "3 has no counterpart here"),
        ("rollout_buffer_class: Mine", "rltrain has no such setting"),
        ("policy: MlpLstmPolicy", "'MlpLstmPolicy' has no counterpart here"),
        ("policy_kwargs: my_function()", "it is Python, which is never run"),
        ("policy_kwargs: 'dict(ortho_init=False)'", "ortho_init=false, weights are always orthogonal at first"),
        ("policy_kwargs: 'dict(net_arch=dict(pi=[8], vf=[9]))'", "networks of policy and value have the same widths"),
        ("policy_kwargs: 'dict(net_arch=dict(pi=[8]))'", "networks of policy and value have the same widths"),
        ("policy_kwargs: 'dict(net_arch=[64, dict(pi=[8], vf=[8])])'", "layers that are no list of widths"),
        ("policy_kwargs: 'dict(activation_fn=nn.GELU)'", "activation_fn=nn.GELU"),
        ("policy_kwargs: 'dict(optimizer_class=RMSpropTFLike)'", "RMSprop is torch's, with epsilon beside the root"),
        ("policy: CnnPolicy, policy_kwargs: 'dict(net_arch=[64])'", "after pictures policy and value share"),
    ],
)
def test_what_has_no_counterpart_is_said_with_its_reason(place, block, why):
    (told,) = untold(translated(place, "ppo", "CartPole-v1", block)).values()
    assert why in told


@pytest.mark.parametrize("environment", ["BreakoutNoFrameskip-v4", "ALE/Breakout-v5"])
@pytest.mark.parametrize("algorithm", ["ppo", "a2c"])
def test_games_have_the_settings_of_the_wrapper_and_learn_from_signs(place, algorithm, environment):
    (place / f"{algorithm}.yml").write_text(f"atari: {{{ATARI}}}")
    made = zoo.translated(place / f"{algorithm}.yml", None, environment)
    world = made.experiment.environment
    assert (made.block, world.id, world.frame_stack, world.terminal_on_life_loss) == (
        "atari",
        "ALE/Breakout-v5",
        4,
        True,
    )
    assert wrappers(made) == [CUT]
    assert untold(made) == {"env_wrapper": "NOT TRANSLATED: it presses FIRE where a life begins, in games that have it"}


@pytest.mark.parametrize(
    ("environment", "block", "listed", "lost"),
    [
        ("Acrobot-v1", "normalize: true, n_envs: 16", [SIGHT, PAY], set()),
        ("MountainCarContinuous-v0", "normalize: true, gamma: 0.9999", [SIGHT, {**PAY, "gamma": 0.9999}], set()),
        ("Pendulum-v1", "use_sde: True, sde_sample_freq: 4", [], {"use_sde", "sde_sample_freq"}),
        ("LunarLanderContinuous-v3", "n_envs: 16, n_steps: 1024", [], set()),
        ("BipedalWalker-v3", "normalize: true, clip_range: 0.18", [SIGHT, PAY], set()),
        ("HalfCheetah-v4", f"normalize: true, {SHAPED}", [SIGHT, PAY], set()),
        ("AntBulletEnv-v0", f"normalize: true, {SHAPED}", [SIGHT, PAY], set()),
        (
            "MiniGrid-DoorKey-5x5-v0",
            GRID,
            [
                {"name": "FilterObservation", "filter_keys": ["image"]},
                {"name": "FlattenObservation"},
                SIGHT,
                PAY,
            ],
            {"env_wrapper"},
        ),
        (
            "CarRacing-v3",
            CAR,
            [
                {"name": "RepeatAction", "num_repeats": 2},
                {"name": "ResizeObservation", "shape": [64, 64]},
                {"name": "GrayscaleObservation", "keep_dim": True},
                STACK,
                PAY,
            ],
            {"use_sde", "sde_sample_freq", "policy_kwargs"},
        ),
        ("BreakoutNoFrameskip-v4", ATARI, [CUT], {"env_wrapper"}),
    ],
)
def test_every_kind_of_environment_of_the_zoos_file_becomes_a_config(place, environment, block, listed, lost):
    made = translated(place, "ppo", environment, block)
    assert wrappers(made) == listed and set(untold(made)) == lost
    assert config.loads(made.experiment.to_yaml(), "x.yaml") == made.experiment


@pytest.mark.parametrize(
    ("package", "environment", "block"),
    [
        ("numpy", "Pendulum-v1", "use_sde: True, n_envs: 4"),
        ("Box2D", "LunarLanderContinuous-v3", "n_envs: 16, n_steps: 16"),
        ("mujoco", "HalfCheetah-v5", f"normalize: true, {SHAPED}"),
        ("minigrid", "MiniGrid-DoorKey-5x5-v0", GRID),
        ("ale_py", "BreakoutNoFrameskip-v4", f"{ATARI}, n_envs: 2, n_steps: 8"),
    ],
)
def test_what_it_becomes_can_be_run(place, package, environment, block):
    pytest.importorskip(package)
    translated(place, "ppo", environment, block)
    made = init.from_zoo(place / "ppo.yml", None, environment)
    assert made.title.startswith("ppo on ") and made.text("x.yaml")


@pytest.mark.parametrize(
    ("environment", "block", "expected"),
    [
        ("Pendulum-v1", "gamma: 0.9", -math.log(2)),  # numbers from -2 to 2, of deviation 1
        ("Pendulum-v1", "policy_kwargs: dict(log_std_init=-1)", -1 - math.log(2)),
        ("MountainCarContinuous-v0", "policy_kwargs: dict(log_std_init=-1)", -1.0),
        ("MountainCarContinuous-v0", "gamma: 0.9", 0.0),
        ("Pendulum-v1", "use_sde: True", 0.0),  # its deviation is another thing
        ("CartPole-v1", "policy_kwargs: dict(log_std_init=-1)", 0.0),
    ],
)
def test_the_deviation_of_numbers_is_the_same_in_their_own_units(place, environment, block, expected):
    made = translated(place, "ppo", environment, block)
    assert made.experiment.algorithm.log_std_init == pytest.approx(expected, abs=1e-4)
    (key,) = (key for key in made.keys if key.key == "policy_kwargs")
    assert ("halves of the bounds' width" in key.why) == (expected in (-math.log(2), -1 - math.log(2)))


def test_a_deviation_that_is_of_other_noise_is_not_taken_over(place):
    block = "use_sde: True, policy_kwargs: dict(log_std_init=-2)"
    assert "log_std_init=-2, part of use_sde" in untold(translated(place, "ppo", "Pendulum-v1", block))["policy_kwargs"]


def test_the_files_algorithm_may_be_said(place):
    (place / "mine.yml").write_text("CartPole-v1: {n_steps: 7}")
    assert zoo.translated(place / "mine.yml", "a2c", "CartPole-v1").experiment.algorithm.batch_size == 7
    for name in ("sac", "td3", "trpo", "ppo_lstm"):
        (place / f"{name}.yml").write_text("CartPole-v1: {gamma: 0.9}")
        with pytest.raises(InputError, match=rf"hyperparameters of {name}, which rltrain has not; .* a2c, dqn, ppo,"):
            zoo.translated(place / f"{name}.yml", None, "CartPole-v1")


def test_what_was_imported_for_an_environment_is_named_in_its_config(rltrain, place):
    pytest.importorskip("minigrid")
    (place / "ppo.yml").write_text(f"MiniGrid-DoorKey-5x5-v0: {{{GRID}}}")
    line = ("--from-zoo", "ppo.yml", "--env", "MiniGrid-DoorKey-5x5-v0", "--import", "minigrid")
    code, out, err = rltrain("init", "grid", *line)
    assert (code, err) == (0, "") and "next: rltrain train grid.yaml --import minigrid" in out
    assert config.load("grid").environment.needs == ("minigrid",)


def test_a_translated_config_learns_cartpole(rltrain, place):
    (place / "ppo.yml").write_text(f"CartPole-v1: {{{POLE}}}")
    assert rltrain("init", "pole", "--from-zoo", "ppo.yml", "--env", "CartPole-v1")[0] == 0
    assert rltrain("train", "pole", "--name", "pole", "-q", "-n", "8000", "run.threads=1")[0] == 0
    code, out, _ = rltrain("eval", "pole", "--episodes", "20", "--json")
    assert code == 0 and json.loads(out)["mean"] > 60  # random play scores 20
