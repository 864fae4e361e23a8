"""Atari ids of the years before ALE/NAME-v5: what they mean today, and nobody's own environment is taken for one."""

import gymnasium
import pytest

from rltrain import envs, kinds
from rltrain.envs.atari import old_ids, roms
from rltrain.errors import InputError, MissingError
from rltrain.experiment.config import loads
from rltrain.experiment.settings import EnvironmentConfig


@pytest.mark.parametrize(
    ("old", "today", "frame_skip", "sticky", "notes"),
    [
        ("PongNoFrameskip-v4", "ALE/Pong-v5", 4, 0.0, [old_ids.BY_WRAPPER]),
        ("PongNoFrameskip-v0", "ALE/Pong-v5", 4, 0.25, [old_ids.BY_WRAPPER]),
        ("MsPacman-v0", "ALE/MsPacman-v5", 4, 0.25, [old_ids.NO_RANDOM_SKIP]),
        ("MsPacman-v4", "ALE/MsPacman-v5", 4, 0.0, [old_ids.NO_RANDOM_SKIP]),
        ("MsPacmanDeterministic-v4", "ALE/MsPacman-v5", 4, 0.0, []),
        ("SpaceInvadersDeterministic-v0", "ALE/SpaceInvaders-v5", 3, 0.25, []),
        ("MsPacman-ram-v0", "ALE/MsPacman-v5", 4, 0.25, [old_ids.NO_RAM, old_ids.NO_RANDOM_SKIP]),
        ("MsPacman-ramNoFrameskip-v4", "ALE/MsPacman-v5", 4, 0.0, [old_ids.NO_RAM, old_ids.BY_WRAPPER]),
        ("ALE/MsPacman-ram-v5", "ALE/MsPacman-v5", 4, 0.25, [old_ids.NO_RAM]),
    ],
)
def test_an_old_id_means_a_game_of_today_with_settings(old, today, frame_skip, sticky, notes):
    found = old_ids.meaning(old)
    assert found is not None and found.id == today and list(found.notes) == notes
    assert found.settings == {"frame_skip": frame_skip, "repeat_action_probability": sticky}


@pytest.mark.parametrize(
    "name", ["ALE/Pong-v5", "Pong-v5", "Blackjack-v0", "CartPole-v0", "GameNoFrameskip-v4", "Pong-v1", "pong-v0", ""]
)
def test_no_other_id_is_an_old_one(name):
    assert old_ids.meaning(name) is None


def test_the_games_with_old_ids_are_those_that_ale_py_registers_so():
    roms.register()
    registered = {name for name, spec in gymnasium.registry.items() if spec.entry_point == old_ids.ENTRY}
    assert {name.removesuffix("-v0") for name in registered if name.endswith("-v0") and "Frameskip" not in name} == (
        old_ids.NAMES
    )
    assert {f"ALE/{name}-v5" for name in old_ids.NAMES} <= set(roms.games())


@pytest.mark.parametrize("old", ["PongNoFrameskip-v4", "MsPacman-ram-v0", "ALE/MsPacman-ram-v5"])
def test_the_error_has_a_block_and_overrides_that_are_valid_as_they_stand(old):
    with pytest.raises(InputError) as raised:
        envs.check(kinds.typed(old))
    lines = str(raised.value).splitlines()
    block = next(line.strip() for line in lines if "environment: {" in line)
    overrides = next(line.split() for line in lines if "environment.id=" in line)
    wanted = loads(f"algorithm: dqn\n{block}", "pasted").environment
    assert loads("algorithm: dqn\nenvironment: CartPole-v1", "typed", overrides).environment == wanted
    envs.check(wanted)


def test_a_config_for_atari_with_an_old_id_is_told_the_new_one_and_not_that_its_keys_are_wrong():
    text = "algorithm: dqn\nenvironment: {id: PongNoFrameskip-v4, frame_skip: 2}\nrun: {evaluate: {protocol: nature}}"
    with pytest.raises(InputError, match="ALE/Pong-v5"):
        envs.check(loads(text, "config").environment)


def test_an_environment_of_somebody_elses_that_has_such_a_name_is_theirs():
    gymnasium.register("PongDeterministic-v4", entry_point="gymnasium.envs.classic_control.cartpole:CartPoleEnv")
    try:
        assert envs.describe(EnvironmentConfig(id="PongDeterministic-v4")).obs_shape == (4,)
    finally:
        del gymnasium.registry["PongDeterministic-v4"]
    with pytest.raises(InputError, match="ALE/Pong-v5"):
        envs.describe(kinds.typed("PongDeterministic-v4"))


def test_memory_of_a_game_that_does_not_exist_is_an_unknown_id():
    with pytest.raises(MissingError, match="ALE/NoGame-ram-v5"):
        envs.check(kinds.typed("ALE/NoGame-ram-v5"))
