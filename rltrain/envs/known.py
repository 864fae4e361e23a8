"""Which environments exist. What could hang or end the process on a wrong name is caught here, before it is called.

ALE calls `exit(1)` on a ROM that it does not know, and `gymnasium.make("package:Id-v0")` imports that package.
"""

from __future__ import annotations

import contextlib
import difflib
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

import gymnasium

import rltrain.envs.vacuum  # noqa: F401  its import registers RobotVacuum-v0
from rltrain.errors import InputError, MissingError
from rltrain.experiment.settings import EnvironmentConfig

LEGACY_ATARI_ENTRY = "ale_py.env:AtariEnv"  # what the old ids (MsPacman-v0, PongNoFrameskip-v4) are registered with

GYMNASIUM_ENTRIES = ("gymnasium.envs.classic_control", "gymnasium.envs.toy_text", "gymnasium.envs.tabular")


def atari_games() -> dict[str, str]:
    """The ids of the single-player Atari games and their ROM names: {"ALE/MsPacman-v5": "ms_pacman", ...}."""
    _import_ale()
    return {name: spec.kwargs["game"] for name, spec in sorted(gymnasium.registry.items()) if name.startswith("ALE/")}


def ids() -> list[str]:
    """Every id that `make` may be asked for, sorted. Some need a package that is not installed."""
    games = atari_games()
    others = [name for name, spec in gymnasium.registry.items() if not _is_atari(name, spec.entry_point)]
    return sorted([*games, *others])


def check(settings: EnvironmentConfig) -> None:
    """Raise MissingError or InputError, naming the nearest ids, if this environment cannot exist here."""
    if ":" in settings.id:
        raise InputError(
            f"environment.id: {settings.id!r}: a colon would import a package and is refused; write the id alone"
        )
    if settings.id.startswith("ALE/"):
        rom_path(settings.id)
        return
    if settings.id not in gymnasium.registry:
        _import_ale()  # it registers the old Atari ids too
    spec = gymnasium.registry.get(settings.id)
    if spec is None:
        raise _unknown(settings.id)
    if _is_atari(settings.id, spec.entry_point):
        raise InputError(
            f"environment.id: {settings.id!r} is an old Atari id; write {_modern(settings.id)!r}: frame skip, sticky "
            "actions and no-ops are settings here"
        )


def needs_gymnasium_alone(name: str) -> bool:
    """Whether these are games that Gymnasium plays without other packages."""
    spec = gymnasium.registry.get(name)
    return spec is not None and str(spec.entry_point).startswith(GYMNASIUM_ENTRIES)


def rom_path(game_id: str) -> Path:
    """The file of an Atari game, verified by its hash. `ALE_ROMS_DIR` names another folder of ROMs."""
    games = atari_games()
    if game_id not in games:
        raise _unknown(game_id)
    from ale_py import roms

    try:
        # With ALE_ROMS_DIR set ale_py prints to stdout, which belongs to `--json`.
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path: Path | None = roms.get_rom_path(games[game_id])
    except OSError as error:
        raise MissingError(f"environment.id: the ROM of {game_id} is not usable: {error}") from error
    if path is None:
        raise _unknown(game_id)
    return path


def _import_ale() -> None:
    try:
        import ale_py  # noqa: F401  its import registers the games
    except ImportError as error:
        raise MissingError(f"Atari games need the package ale-py: pip install ale-py ({error})") from error


def _is_atari(name: str, entry_point: object) -> bool:
    return name.startswith("ALE/") or entry_point == LEGACY_ATARI_ENTRY


def _modern(old: str) -> str:
    """MsPacmanNoFrameskip-v4 -> ALE/MsPacman-v5."""
    return f"ALE/{old.rsplit('-', 1)[0].removesuffix('NoFrameskip')}-v5"


def _unknown(name: str) -> MissingError:
    nearest = _nearest(name, atari_games() if name.startswith("ALE/") else ids())
    hint = f"; did you mean {' or '.join(nearest)}?" if nearest else "; `rltrain list` shows them all"
    return MissingError(f"environment.id: no environment is called {name!r}{hint}")


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    """Up to three ids like this one: case, a namespace such as ALE/ and the version may be left out ("pong")."""
    forms: dict[str, str] = {}
    for full in known:
        bare = full.lower().rsplit("/", 1)[-1]
        for form in (full.lower(), bare, bare.rsplit("-", 1)[0]):
            forms.setdefault(form, full)
    found = difflib.get_close_matches(name.lower().rsplit("/", 1)[-1][:100], forms, n=6, cutoff=0.6)
    return list(dict.fromkeys(forms[form] for form in found))[:3]
