"""Wrong names, caught before they can hang or end the process."""

import subprocess
import sys

import pytest

from rltrain import envs, kinds
from rltrain.envs.atari import roms
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
    assert len(roms.games()) == 104
    assert len(set(kinds.ids())) == len(kinds.ids())
    assert {"CartPole-v1", "ALE/MsPacman-v5"} <= set(kinds.ids())
    assert "MsPacman-v0" not in kinds.ids()


def test_a_damaged_rom_is_named_and_nothing_goes_to_stdout(tmp_path, monkeypatch, capfd):
    (tmp_path / "pong.bin").write_bytes(b"no game")
    monkeypatch.setenv("ALE_ROMS_DIR", str(tmp_path))
    for game in ("ALE/Pong-v5", "ALE/Breakout-v5"):  # damaged, absent
        with pytest.raises(MissingError, match=f"the ROM of {game}"):
            envs.make(EnvironmentConfig(id=game))
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ALE/Pong-v5", "atari"),
        ("ALE/NoGame-v5", "atari"),
        ("models/a.npz", "models"),
        ("a.mdp.gz", "models"),
        ("RobotVacuum-v0", "vacuum"),
        ("CartPole-v1", "gym"),
        ("no_such_name", "gym"),
    ],
)
def test_an_id_is_of_one_kind_by_its_form(name, kind):
    assert kinds.of(name) is kinds.load(kind)
    assert [other for other in ("atari", "models", "vacuum") if kinds.load(other).handles(name)] in ([], [kind])


def test_what_a_kind_of_ours_lists_it_handles_and_no_kind_lists_what_another_does():
    ours = {kind: set(kinds.load(kind).ids()) for kind in kinds.names()}
    assert all(kinds.load(kind).handles(name) for kind, ids in ours.items() for name in ids)
    assert ours["atari"].isdisjoint(ours["gym"]) and "ALE/MsPacman-v5" in ours["atari"]


def test_settings_are_typed_by_the_kind_of_the_id():
    assert kinds.typed("ALE/Pong-v5", frame_skip=2).frame_skip == 2
    assert type(kinds.typed("CartPole-v1", kwargs={})) is EnvironmentConfig
    with pytest.raises(TypeError, match="ALE/Pong-v5 needs AtariConfig, not EnvironmentConfig"):
        envs.make(EnvironmentConfig(id="ALE/Pong-v5"))


def test_kinds_are_found_without_what_is_heavy():
    code = """
import sys
from rltrain import kinds
assert kinds.of("ALE/Pong-v5").settings(id="ALE/Pong-v5").frame_skip == 4 and kinds.of("a.yaml").title
assert not {"gymnasium", "ale_py", "numba", "scipy", "torch"} & set(sys.modules)
assert len(kinds.all_kinds()) >= 4
assert not {"ale_py", "numba", "scipy", "torch"} & set(sys.modules)  # the robot vacuum registers with Gymnasium
"""
    subprocess.run([sys.executable, "-c", code], check=True)
