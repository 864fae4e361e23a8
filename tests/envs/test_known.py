"""Wrong names, caught before they can hang or end the process."""

import pytest

from rltrain import envs
from rltrain.envs import known
from rltrain.errors import InputError, MissingError
from rltrain.experiment.settings import EnvironmentConfig


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ALE/MsPacmn-v5", "ALE/MsPacman-v5"),
        ("ALE/mspacman-v5", "ALE/MsPacman-v5"),
        ("ALE/MsPacman-v9", "ALE/MsPacman-v5"),
        ("pong", "ALE/Pong-v5"),
        ("CartPol-v1", "CartPole-v1"),
        ("CartPole", "CartPole-v1"),
        ("zzzzzzzz", "rltrain list"),
    ],
)
def test_an_unknown_id_names_the_nearest(name, hint):
    for door in (envs.check, envs.describe, envs.make):
        with pytest.raises(MissingError, match=hint):
            door(EnvironmentConfig(id=name))


def test_a_two_player_rom_is_not_offered():
    with pytest.raises(MissingError):  # ALE would call exit(1)
        envs.make(EnvironmentConfig(id="ALE/Combat-v5"))


def test_a_colon_is_refused_even_past_the_config():
    with pytest.raises(InputError, match="colon"):
        envs.make(EnvironmentConfig.model_construct(id="antigravity:CartPole-v1"))


@pytest.mark.parametrize("old", ["MsPacmanNoFrameskip-v4", "MsPacman-v0"])
def test_an_old_atari_id_is_told_the_new_one(old):
    with pytest.raises(InputError, match="ALE/MsPacman-v5"):
        envs.check(EnvironmentConfig(id=old))


def test_a_missing_package_is_named():
    with pytest.raises(MissingError, match="jax"):
        envs.make(EnvironmentConfig(id="phys2d/CartPole-v1"))


def test_there_are_104_games_and_every_id_is_distinct():
    assert len(known.atari_games()) == 104
    assert len(set(known.ids())) == len(known.ids())
    assert {"CartPole-v1", "ALE/MsPacman-v5"} <= set(known.ids())
    assert "MsPacman-v0" not in known.ids()


def test_a_damaged_rom_is_named_and_nothing_goes_to_stdout(tmp_path, monkeypatch, capfd):
    (tmp_path / "pong.bin").write_bytes(b"no game")
    monkeypatch.setenv("ALE_ROMS_DIR", str(tmp_path))
    for game in ("ALE/Pong-v5", "ALE/Breakout-v5"):  # damaged, absent
        with pytest.raises(MissingError, match=f"the ROM of {game}"):
            envs.make(EnvironmentConfig(id=game))
    assert capfd.readouterr().out == ""
