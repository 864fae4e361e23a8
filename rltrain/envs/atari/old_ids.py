"""Atari ids of the years before `ALE/NAME-v5`, and the settings that mean the same today.

    id       NAME, -ram for observations of the memory, how frames are skipped, -v0 or -v4; also ALE/NAME-ram-v5
    skip     none written: 2, 3 or 4 frames, drawn for every action; Deterministic: 4 frames, 3 in SpaceInvaders;
             NoFrameskip: 1, for those who skip 4 by a wrapper, as Mnih et al. 2015 and most papers since
    sticky   -v0 and -v5: a frame repeats the last action with probability 0.25 (Machado et al. 2018); -v4: never

Source: the registrations of OpenAI Gym 0.26 (`gym/envs/__init__.py`) and of ale-py (`ale_py/registration.py`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from rltrain.yaml_subset import flow

ENTRY = "ale_py.env:AtariEnv"  # what ale-py registers the old ids with that it still knows
_GAMES = (
    "Adventure AirRaid Alien Amidar Assault Asterix Asteroids Atlantis BankHeist BattleZone BeamRider Berzerk Bowling"
    " Boxing Breakout Carnival Centipede ChopperCommand CrazyClimber Defender DemonAttack DoubleDunk ElevatorAction"
    " Enduro FishingDerby Freeway Frostbite Gopher Gravitar Hero IceHockey Jamesbond JourneyEscape Kangaroo Krull"
    " KungFuMaster MontezumaRevenge MsPacman NameThisGame Phoenix Pitfall Pong Pooyan PrivateEye Qbert Riverraid"
    " RoadRunner Robotank Seaquest Skiing Solaris SpaceInvaders StarGunner Tennis TimePilot Tutankham UpNDown Venture"
    " VideoPinball WizardOfWor YarsRevenge Zaxxon"
)
NAMES = frozenset(_GAMES.split())  # of the games that have old ids
_OLD = re.compile(r"(?P<name>[A-Za-z]+?)(?P<ram>-ram)?(?P<skip>Deterministic|NoFrameskip)?-v(?P<version>[04])")
_RAM = re.compile(r"ALE/(?P<name>[A-Za-z0-9]+)-ram-v5")
_SLOW = {"SpaceInvaders": 3}  # its shots blink, and are not seen where 4 frames are skipped
NO_RAM = "observations of the 128 bytes of its memory are not offered: policies see the screen"
NO_RANDOM_SKIP = "it draws 2, 3 or 4 frames for every action, which is not offered: here they are always as many"
BY_WRAPPER = "alone it skips no frames, frame_skip 1; 4 is what the wrappers skip that it is used with"


@dataclass(frozen=True)
class OldAtariId:
    """What an old id means."""

    id: str  # the game's id of today
    settings: Mapping[str, int | float]  # keys of the `environment` block, which say what the old id did
    notes: tuple[str, ...]  # what they do not say, and what is not offered here, a sentence each

    @property
    def block(self) -> str:
        """The `environment` block in a line of YAML."""
        return f"environment: {flow({'id': self.id, **self.settings})}"

    @property
    def overrides(self) -> list[str]:
        """The block as dotted overrides."""
        return [f"environment.{key}={flow(value)}" for key, value in {"id": self.id, **self.settings}.items()]


def meaning(env_id: str) -> OldAtariId | None:
    """What an old Atari id means today; None for any other, and where others registered an environment of the name."""
    if found := _RAM.fullmatch(env_id):
        return OldAtariId(f"ALE/{found['name']}-v5", {"frame_skip": 4, "repeat_action_probability": 0.25}, (NO_RAM,))
    found = _OLD.fullmatch(env_id)
    if found is None or found["name"] not in NAMES or _is_of_others(env_id):
        return None
    name = found["name"]
    frames = _SLOW.get(name, 4) if found["skip"] == "Deterministic" else 4
    sticky = 0.25 if found["version"] == "0" else 0.0
    notes = {None: (NO_RANDOM_SKIP,), "NoFrameskip": (BY_WRAPPER,), "Deterministic": ()}[found["skip"]]
    settings = {"frame_skip": frames, "repeat_action_probability": sticky}
    return OldAtariId(f"ALE/{name}-v5", settings, ((NO_RAM,) if found["ram"] else ()) + notes)


def explained(env_id: str, old: OldAtariId) -> str:
    """An old id in lines for a person: a block for a config, overrides to be typed after one, and the notes."""
    lines = [
        f"environment.id: {env_id!r} is an old Atari id; write",
        f"  {old.block}",
        "or, after a config on the command line,",
        f"  {' '.join(old.overrides)}",
        *(f"but {note}" for note in old.notes),
    ]
    return "\n".join(lines)


def _is_of_others(env_id: str) -> bool:
    """Whether a package that is imported has registered it; without Gymnasium nobody has."""
    gymnasium = sys.modules.get("gymnasium")
    spec = None if gymnasium is None else gymnasium.registry.get(env_id)
    return spec is not None and spec.entry_point != ENTRY
