"""R11: every Atari game, in two environments with sticky actions, goes on from a saved state as it would have anyway.

Two environments play 130 random steps; their state is saved and loaded into an environment made afresh, and the next
40 steps of both must be the same in every array, to the bit. Lanes are seeded anew and games cut off within them.
"""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

import numpy as np
from reliability_common import Figure

LANES, BEFORE, AFTER = 2, 130, 40


def replays(game: str) -> str:
    """What is wrong with a game; empty if nothing is."""
    from rltrain import envs
    from rltrain.envs.atari.settings import AtariConfig

    settings = AtariConfig(
        id=game, repeat_action_probability=0.25, reseed_every=50, max_episode_steps=60, num_envs=LANES
    )
    env, fresh = envs.make(settings), envs.make(settings)
    try:
        moves = np.random.default_rng(0).integers(env.spec.num_actions, size=(BEFORE + AFTER, LANES))
        env.reset(11)
        for move in moves[:BEFORE]:
            env.step(move)
        fresh.load(env.save())
        for number, move in enumerate(moves[BEFORE:]):
            one, other = env.step(move), fresh.step(move)
            if not all(_equal(*pair) for pair in zip(one, other, strict=True)):
                return f"{game}: step {BEFORE + number} differs"
    except Exception as error:  # whatever it is, it belongs to this game and not to the others
        return f"{game}: {type(error).__name__}: {error}"
    finally:
        env.close()
        fresh.close()
    return ""


def _equal(one: Any, other: Any) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)


def atari(share: float = 1.0) -> Figure:
    """All games, or every so manieth."""
    from rltrain.envs.atari import roms

    games = list(roms.games())
    games = games[:: max(1, round(1 / share))]
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        faults = [fault for fault in pool.imap_unordered(replays, games) if fault]
    right = len(games) - len(faults)
    return Figure(
        "R11",
        "Atari games that replay exactly, p = 0.25",
        "104 of 104",
        f"{right} of {len(games)}",
        not faults,
        {"games": len(games), "exact": right, "environments": LANES, "steps": BEFORE, "compared": AFTER},
        sorted(faults),
    )
