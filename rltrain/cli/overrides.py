"""What was typed after a verb as the dotted overrides of a config, in the words of RL Baselines3 Zoo too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rltrain.errors import InputError


def sorted_out(words: Sequence[str], params: Sequence[str]) -> tuple[str | None, list[str]]:
    """The config among the words that are no options, and the overrides. After `-params` a word may be k:v too.

    >>> sorted_out(["batch_size:64", "c.yaml", "run.seed=3"], ["gamma:0.9"])
    ('c.yaml', ['algorithm.gamma=0.9', 'algorithm.batch_size=64', 'run.seed=3'])
    """
    config: str | None = None
    overrides = [_as_override(param) for param in params]
    for word in words:
        if params and re.match(r"[A-Za-z_][\w.]*:", word) and "=" not in word and not Path(word).exists():
            overrides.append(_as_override(word))
        elif config is None and ("=" not in word or Path(word).is_file()):
            config = word
        else:  # also a second word without "=": the config's reader says what is wrong with it
            overrides.append(word)
    return config, overrides


def _as_override(param: str) -> str:
    key, colon, value = param.partition(":")
    if not colon:
        raise InputError(f"-params {param}: expected KEY:VALUE, such as learning_rate:1e-3")
    return f"{key if '.' in key else f'algorithm.{key}'}={value}"


def as_overrides(
    total_timesteps: str | None, env: str | None, seed: str | None, device: str | None, max_wall: str | None
) -> list[str]:
    """Options that are settings, as the dotted overrides that they stand for; so they are checked as those are."""
    options = {
        "run.budget.env_steps": total_timesteps,
        "environment.id": env,
        "run.seed": seed,
        "run.device": device,
        "run.max_wall": max_wall,
    }
    return [f"{key}={value}" for key, value in options.items() if value is not None]
