"""The optional packages: what each extra is for, and which of its packages are installed here."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple


class Extra(NamedTuple):
    """What `pip install "rltrain[NAME]"` brings."""

    purpose: str
    packages: tuple[str, ...]  # distributions, as an index of packages calls them


# `dev` is for working on rltrain itself
EXTRAS = {
    "watch": Extra("windows and videos of a policy", ("av", "pygame-ce")),
    "onnx": Extra("export -o policy.onnx", ("onnx", "onnxruntime")),
    "sweep": Extra("rltrain sweep", ("optuna",)),
    "box2d": Extra("LunarLander", ("box2d",)),
    "mujoco": Extra("HalfCheetah and other robots", ("mujoco",)),
    "worlds": Extra(
        "configs/worlds/", ("box2d", "flappy-bird-gymnasium", "highway-env", "minatar", "minigrid", "mujoco")
    ),
    "trackio": Extra("track --to trackio", ("trackio",)),
    "wandb": Extra("track --to wandb", ("wandb",)),
    "mlflow": Extra("track --to mlflow", ("mlflow",)),
    "tensorboard": Extra("to look at events/", ("tensorboard",)),
    "ray": Extra("runs on a cluster of Ray", ("ray",)),
    "slurm": Extra("runs in the queue of a cluster", ("submitit",)),
    "mpi": Extra("mdp solve over several machines", ("mpi4py", "mpich")),
    "exact": Extra("mdp solve --exact of larger models", ("python-flint",)),
    "plot": Extra("pictures, where rltrain came without its dependencies", ("matplotlib",)),
}


def versions(name: str) -> dict[str, str | None]:
    """The version of each package of an extra; None: it is not installed."""
    return {package: _version(package) for package in EXTRAS[name].packages}


def command(name: str) -> str:
    """What installs an extra."""
    return f'pip install "rltrain[{name}]"'


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
