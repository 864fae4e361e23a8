"""Every argument of every function of `rltrain`, by discovery: of a wrong type it is an InputError that begins with its
name, and nothing was done."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_runs import run_to

import rltrain
from rltrain import api
from rltrain.errors import InputError

CART = "algorithm: {name: reinforce, hidden: [4]}\nenvironment: {id: CartPole-v1}\n"
DOORS = sorted(set(rltrain.__all__) - {"__version__", "errors"})
ANYTHING = {("model", "initial"), ("write_model", "start")}  # any value is a state; an array of any kind
NO_VALUES = {"progress"}  # objects that are called, as `rltrain.progress` says
SAYS = {"config": "config", "target": "config", "max_wall": "run.max_wall", "seed": "(run.)?seed"}


def given_to(door: str, folder: Path) -> dict[str, Any]:
    """Arguments that are right, for those that have no default."""
    run, config = folder / "run", {"algorithm": "reinforce", "environment": "CartPole-v1"}
    known: dict[str, Any] = {
        "run": run,
        "runs": run,
        "to": "tensorboard",
        "config": config,
        "target": config,
        "path": folder / "policy.py",
    }
    if door == "save_model":
        known = {"model": rltrain.model(lambda _: {"stay": [(1.0, 0, 0.0)]}, 0), "path": folder / "model.yaml"}
    if door == "write_model":
        known = {"path": folder / "model.mdpd", "states": 2, "actions": 2, "rows": lambda _: ()}
    if door == "model":
        known = {"step": lambda _: {}, "initial": 0}
    wanted = inspect.signature(getattr(api, door)).parameters.values()
    return {each.name: known[each.name] for each in wanted if each.default is each.empty and each.name in known}


def arguments() -> Iterator[tuple[str, str]]:
    for door in DOORS:
        for name in inspect.signature(getattr(api, door)).parameters:
            if name not in NO_VALUES and (door, name) not in ANYTHING:
                yield door, name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("doors")
    run_to(place / "run", CART, {"env_steps": 50})
    return place


@pytest.mark.parametrize(("door", "name"), list(arguments()))
def test_an_argument_of_a_wrong_type_is_named(door: str, name: str, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    said = SAYS.get(name, name)
    for wrong in (object(), 3.5j):
        given = given_to(door, folder)
        if door == "compare" and name == "runs":
            positional, given = [wrong], {}
        else:
            positional = [given.pop("runs")] if door == "compare" else []
            given[name] = wrong
        with pytest.raises(InputError, match=rf"^{said}\b.*({type(wrong).__name__}|3.5j)"):
            found = getattr(api, door)(*positional, **given)
            next(found)  # of `stream`, whose work begins when it is asked
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("door", "given", "said"),
    [
        ("export", {"last": "no"}, "last: expected True or False, got 'no'"),
        ("export", {"overwrite": 1}, "overwrite: expected True or False, got 1"),
        ("load", {"last": None}, "last: expected True or False, got nothing"),
        ("load", {"device": "gpu"}, "device: expected auto, cpu, cuda or cuda:N, or None, got 'gpu'"),
        ("write_report", {"film": "maybe"}, "film: expected True or False, got 'maybe'"),
        ("explain", {"step": -1}, "step: expected a whole number of at least 0, got -1"),
        ("explain", {"worst": 0}, "worst: expected a whole number of at least 1, got 0"),
        ("explain", {"epsilon": 1.5}, "epsilon: expected a number from 0 to 1, or None, got 1.5"),
        ("explain", {"epsilon": True}, "epsilon: expected a number from 0 to 1, or None, got true"),
        ("explain", {"game": 0.5}, "game: expected a whole number of at least 0, got 0.5"),
        ("evaluate", {"games": 0}, "games: expected a whole number of at least 1, got 0"),
        ("evaluate", {"protocol": "atari"}, "protocol: 'atari' is unknown; one of "),
        ("solve", {"epsilon": 0}, "epsilon: expected a number above 0, got 0"),
        ("solve", {"method": "v"}, "method: expected one of auto, vi, qvi, pi, mpi, gs, lp, got 'v'"),
        ("solve", {"exact": "yes"}, "exact: expected True or False, got 'yes'"),
    ],
)
def test_a_value_out_of_range_is_named_with_the_rule(door: str, given: dict[str, Any], said: str, folder: Path) -> None:
    with pytest.raises(InputError) as error:
        getattr(api, door)(**given_to(door, folder), **given)
    assert str(error.value).startswith(said)


def test_how_runs_are_compared_is_one_of_some(folder: Path) -> None:
    run = str(folder / "run")
    with pytest.raises(InputError, match="on: expected one of final, best, auc, got 'last'"):
        rltrain.compare(run, on="last")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="by: expected one of environment, got 'seed'"):
        rltrain.compare(run, by="seed")  # type: ignore[arg-type]
