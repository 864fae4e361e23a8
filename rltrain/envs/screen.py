"""Whether there is a screen, and pygame, which draws on it and into pictures, kept quiet."""

from __future__ import annotations

import os
import platform

INSTALL = 'pip install "rltrain[watch]"'


def has_screen() -> bool:
    """Whether a window could be opened here."""
    if platform.system() == "Linux":
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return "SSH_CONNECTION" not in os.environ


def keep_quiet() -> None:
    """Before pygame is imported: no greeting on standard output, no sound, no screen where there is none."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
    if not has_screen():  # where "dummy" stands, highway-env draws nothing
        os.environ.setdefault("SDL_VIDEODRIVER", "offscreen" if platform.system() == "Linux" else "dummy")
