"""Which Atari games there are, and their files. ALE ends the process, `exit(1)`, on a ROM that it does not know."""

from __future__ import annotations

import contextlib
import sys
import warnings
from pathlib import Path

import gymnasium

from rltrain.envs.atari import old_ids
from rltrain.errors import MissingError


def games() -> dict[str, str]:
    """The ids of the single-player games and their ROM names: {"ALE/MsPacman-v5": "ms_pacman", ...}."""
    register()
    return {name: spec.kwargs["game"] for name, spec in sorted(gymnasium.registry.items()) if name.startswith("ALE/")}


def rom_path(game_id: str) -> Path:
    """The file of one of `games`, verified by its hash. `ALE_ROMS_DIR` names another folder of ROMs. MissingError."""
    from ale_py import roms

    try:
        # With ALE_ROMS_DIR set ale_py prints to stdout, which belongs to `--json`.
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path: Path | None = roms.get_rom_path(games()[game_id])
    except OSError as error:
        raise MissingError(f"environment.id: the ROM of {game_id} is not usable: {error}") from error
    if path is None:
        raise MissingError(f"environment.id: ale-py has no ROM of {game_id}")
    return path


def is_atari(env_id: str, entry_point: object) -> bool:
    """Whether a registered id is of a game, by its name of today or an old one."""
    return env_id.startswith("ALE/") or entry_point == old_ids.ENTRY


def register() -> None:
    """Let ale-py tell Gymnasium of its games. MissingError where it is not installed."""
    try:
        import ale_py  # noqa: F401  its import registers them
    except ImportError as error:
        raise MissingError(f"Atari games need the package ale-py: pip install ale-py ({error})") from error
