"""`rltrain mdp simulate`: random episodes of a known model under a policy, beside what is expected exactly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from rltrain.cli.mdp.solve import Discount, Json, Limit, Minimize, ModelName, Settings, Strict, loading
from rltrain.errors import InputError, UncertifiedError

if TYPE_CHECKING:
    from rltrain.core import Array, Progress
    from rltrain.mdp.chains.chain import Chain, Classes, Expected
    from rltrain.mdp.chains.long_run import Proven
    from rltrain.mdp.chains.policy import Evaluated
    from rltrain.mdp.chains.simulate import Spread, Trajectories
    from rltrain.mdp.model import Model

EXACT = 5 * 10**9  # transitions that are worth following for the exact expectation: half a minute or less
LONG_RUN = 50_000  # states up to which the long run is solved for
KEPT = 10**8  # steps of all episodes that a CSV may have


def simulate_command(
    model: ModelName = None,
    settings: Settings = None,
    minimize: Minimize = False,
    strict: Strict = False,
    policy: Annotated[
        str | None,
        typer.Option(metavar="FILE|optimal|random|ACTION", help="Else optimal; a Markov chain needs none."),
    ] = None,
    episodes: Annotated[int, typer.Option("-n", "--episodes", metavar="N", min=1, help="To play.")] = 1000,
    steps: Annotated[int, typer.Option(metavar="T", min=1, help="Where an episode is cut, if it has not ended.")] = 100,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The same seed draws the same episodes.")] = 0,
    discount: Discount = None,
    start: Annotated[str | None, typer.Option(metavar="STATE", help="Else where the model starts.")] = None,
    show: Annotated[int, typer.Option(metavar="N", min=0, help="Episodes to print, step by step.")] = 3,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.csv", help="Every step of every episode, as a table.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Let -o replace a file.")] = False,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Play episodes of a known model: returns and visits, beside their exact expectation."""
    from rltrain.cli.mdp import simulate_report
    from rltrain.cli.mdp.show import say_pieces
    from rltrain.cli.mdp.simulate_show import show_simulation
    from rltrain.cli.progress import line
    from rltrain.mdp.files import json_stream

    if limit is not None and json:
        raise InputError("--json goes without --limit: the JSON has every state")
    if output is not None:
        check_output(output, overwrite, episodes, steps)
    elif overwrite:
        raise InputError("--overwrite is for -o FILE.csv")
    loaded = loading(model, settings, minimize, strict)
    task = task_of(loaded, policy, discount, start, episodes, steps, seed)
    if output is not None:
        write_steps(output, loaded, task)
    found = simulate(loaded, task, show, line)
    if json:
        say_pieces(json_stream.of_object(simulate_report.report(loaded, task, found)))
    else:
        show_simulation(loaded, task, found, limit, output)


class Task(NamedTuple):
    """What to play."""

    policy: Array  # [P]
    called: str  # the policy, by the person
    discount: float | None
    start: Array  # [S]
    start_name: str | None
    episodes: int
    steps: int
    seed: int


class Simulation(NamedTuple):
    """What was played, and what is expected. None: it was not worth the time, there is none, or it was not proven."""

    played: Trajectories
    returns: Spread
    discounted: Spread | None
    expected: Expected | None
    value: Evaluated | None  # without end
    chain: Chain
    classes: Classes
    reachable: Array  # [S] bool, from the start
    long_run: Proven | None
    notes: list[str]  # why not


def check_output(path: Path, overwrite: bool, episodes: int, steps: int) -> None:
    """Refuse a file that cannot be written, before any work is done."""
    from rltrain.mdp import files

    if path.suffix.lower() != ".csv":
        raise InputError(f"{path}: the steps are saved as .csv")
    if episodes * steps > KEPT:
        raise InputError(f"-o: {episodes:,} episodes of {steps:,} steps are more than {KEPT:,} lines; ask for fewer")
    files.check_target(path, overwrite)


def task_of(
    model: Model,
    policy: str | None = None,
    discount: str | None = None,
    start: str | None = None,
    episodes: int = 1000,
    steps: int = 100,
    seed: int = 0,
) -> Task:
    """What the options ask for, as numbers and arrays.

    A model that leaves no choice needs no policy, and what is not optimised no discount.
    """
    import numpy as np

    from rltrain.cli.mdp.evaluate import policy_of
    from rltrain.mdp.pairs import uniform
    from rltrain.verbs.mdp import models

    no_choice = model.num_pairs == int((~model.terminal).sum())
    gamma = None
    if discount is not None or model.discount is not None or (policy in (None, "optimal") and not no_choice):
        gamma = models.discount_of(model, discount)
    if policy is None and no_choice:
        probabilities, called = uniform(model), "none: a Markov chain"
    else:
        called = policy or "optimal"
        probabilities = policy_of(model, called, 0.0 if gamma is None else gamma)
    where = model.start_distribution()
    if start is not None:
        where = np.zeros(model.num_states)
        where[state_of(model, start)] = 1.0
    return Task(probabilities, called, gamma, where, start, episodes, steps, seed)


def state_of(model: Model, name: str) -> int:
    """The number of a state."""
    from rltrain.mdp.model import Numbered
    from rltrain.spelling import described, did_you_mean

    try:
        return model.states.index(name)
    except ValueError as error:
        hint = f"; one of 0 to {model.num_states - 1}"
        if not isinstance(model.states, Numbered):
            hint = did_you_mean(name, model.states) if model.num_states <= 20_000 else ""
        raise InputError(f"--start {described(name)}: no state is called so{hint}") from error


def simulate(model: Model, task: Task, show: int = 3, progress: Progress | None = None) -> Simulation:
    """Play, and say what is expected of it."""
    import numpy as np

    from rltrain.core import Silent
    from rltrain.mdp.chains import chain as chains
    from rltrain.mdp.chains import policy, simulate
    from rltrain.mdp.solvers import bellman

    gamma = 1.0 if task.discount is None else task.discount
    listening = progress or Silent()
    with listening.phase(f"{task.episodes:,} episodes"):
        played = simulate.simulate(
            model, task.policy, task.episodes, task.steps, task.seed, gamma,
            start=task.start, keep=show, progress=listening,
        )  # fmt: skip
    chain = chains.of_policy(model, task.policy)
    classes = chains.classes(chain)
    reachable = chains.reachable(chain, task.start)
    notes: list[str] = []
    expected = value = long_run = None
    if task.steps * len(chain.next) <= EXACT:
        expected = chains.within(chain, task.start, task.steps, gamma)
    else:
        notes.append("the exact expectation was left out: it would take too long for a model of this size")
    if task.discount is not None:
        try:
            value = policy.evaluate(model, task.policy, task.discount)
            value = value._replace(start_value=bellman.mean(task.start, value.value))
        except (InputError, UncertifiedError) as error:
            notes.append(f"the value without end: {error}")
    stays = classes.recurrent[classes.label] & reachable & ~model.terminal
    if stays.any() and model.num_states <= LONG_RUN:
        try:
            long_run = _long_run(chain, classes, task.start)
        except UncertifiedError as error:
            notes.append(f"the long run: {error}")
    elif stays.any():
        notes.append(f"the long run was left out: the model has more than {LONG_RUN:,} states")
    spread = None if task.discount is None else simulate.spread(np.asarray(played.discounted))
    returns = simulate.spread(played.total)
    return Simulation(played, returns, spread, expected, value, chain, classes, reachable, long_run, notes)


def _long_run(chain: Chain, classes: Classes, start: Array) -> Proven:
    from rltrain.mdp.chains.long_run import limit

    return limit(chain, classes, start)


def apart(sample: Spread, exact: float) -> float:
    """Standard errors from the exact mean to the sample's."""
    import math

    if math.isnan(sample.error):
        return math.nan
    differs = sample.mean - exact
    if abs(differs) <= 1e-9 * max(1.0, abs(exact)):
        return 0.0
    return differs / sample.error if sample.error > 0 else math.copysign(math.inf, differs)


def write_steps(path: Path, model: Model, task: Task) -> None:
    """episode, step, state, action, reward, next: one line a step. Whole or not at all."""
    from rltrain.whole_files import replacing

    with replacing(path) as file:
        for piece in _lines(model, task):
            file.write(piece)


def _lines(model: Model, task: Task) -> Iterator[bytes]:
    import csv
    import io

    from rltrain.cells import guarded
    from rltrain.mdp.chains.simulate import record

    text = io.StringIO(newline="")
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["episode", "step", "state", "action", "reward", "next"])
    for episode, one in enumerate(
        record(model, task.policy, task.episodes, task.steps, task.seed, start=task.start), start=1
    ):
        names = [guarded(model.states[state]) for state in one.states.tolist()]
        actions = [guarded(model.actions[action]) for action in model.action[one.pairs].tolist()]
        for step, (action, reward) in enumerate(zip(actions, one.rewards.tolist(), strict=True)):
            out.writerow([episode, step, names[step], action, f"{reward:.17g}", names[step + 1]])
        if text.tell() > 1 << 20:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def reached_classes(found: Simulation) -> list[int]:
    """The numbers of the recurrent classes that can be reached."""
    import numpy as np

    inside = found.reachable & found.classes.recurrent[found.classes.label]
    numbers: list[int] = np.unique(found.classes.label[inside]).tolist()
    return numbers
