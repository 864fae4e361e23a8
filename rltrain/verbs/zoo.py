"""Hyperparameters of RL Baselines3 Zoo as settings of rltrain: what each key means here, or that it means nothing.

Where a block is silent the defaults of Stable-Baselines3 hold (2.3 and later). `zoo_keys` has what is common to all of
the Zoo's algorithms, `zoo_dqn` and `zoo_ppo` what is of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rltrain import kinds, registry
from rltrain.envs.atari import old_ids
from rltrain.errors import InputError
from rltrain.experiment.config import Experiment, named
from rltrain.spelling import shown
from rltrain.verbs import zoo_file
from rltrain.verbs.zoo_dqn import DQN
from rltrain.verbs.zoo_keys import INWARDS_OUT, WRAPPERS, ZooAlgorithm, ZooBlock, ZooKey
from rltrain.verbs.zoo_ppo import A2C, PPO
from rltrain.yaml_subset import flow

TRANSLATED: Mapping[str, ZooAlgorithm] = {"a2c": A2C, "dqn": DQN, "ppo": PPO}  # as the Zoo's files are called


@dataclass(frozen=True)
class ZooExperiment:
    """A block of a hyperparameter file as an experiment."""

    experiment: Experiment
    environment: str  # as a config says it
    block: str  # its name in the file
    keys: Sequence[ZooKey]


def translated(path: Path, algorithm: str | None, environment: str, overrides: Sequence[str] = ()) -> ZooExperiment:
    """The experiment that a hyperparameter file describes for an environment.

    path       the file, called after its algorithm: dqn.yml
    algorithm  of the file, where its name does not say it
    InputError for a file that cannot be read, an algorithm that rltrain has not, an environment that has no block.
    """
    name = algorithm or path.stem
    if name not in TRANSLATED:
        have = "an algorithm whose settings are others here" if name in registry.names() else "which rltrain has not"
        mended = "" if algorithm else "; where the file is called otherwise, --algo says which"
        raise InputError(
            f"{shown(str(path))}: hyperparameters of {shown(name)}, {have}; of the Zoo's it can translate "
            f"{', '.join(TRANSLATED)}, and `rltrain list algorithms` shows all{mended}"
        )
    own = TRANSLATED[name]
    old = old_ids.meaning(environment)
    is_atari = old is not None or environment.startswith("ALE/")
    block_name, block = zoo_file.block_for(path, environment, is_atari)
    world = environment if old is None else old.id
    keys = ZooBlock(block, own, world, is_atari, "wrappers" in kinds.own_keys(kinds.of(world))).keys()
    if old is not None:
        meant = {f"environment.{key}": value for key, value in {"id": old.id, **old.settings}.items()}
        keys.insert(0, ZooKey("env", environment, meant, "; ".join(old.notes)))
    settings = {name: value for key in keys for name, value in key.settings.items() if name != "environment.id"}
    by_name = {key.key: key.settings.get(WRAPPERS, []) for key in keys}
    if WRAPPERS in settings:
        settings[WRAPPERS] = [each for name in INWARDS_OUT for each in by_name.get(name, [])]
    given = [f"{name}={flow(value)}" for name, value in settings.items()]
    return ZooExperiment(named(own.name, world, [*given, *overrides]), world, block_name, keys)
