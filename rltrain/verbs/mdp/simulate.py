"""Random episodes of a known model under a policy, beside what is expected of them exactly."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rltrain.cells import guarded
from rltrain.core import Array
from rltrain.errors import InputError, UncertifiedError
from rltrain.mdp import pairs
from rltrain.mdp.chains import chain as chains
from rltrain.mdp.chains import long_run
from rltrain.mdp.chains import policy as policies
from rltrain.mdp.chains import simulate as sampling
from rltrain.mdp.model import Model, Numbered
from rltrain.mdp.solvers import bellman
from rltrain.mdp.solvers.substochastic import Proven
from rltrain.outputs import check_output
from rltrain.progress import Progress, Silent
from rltrain.spelling import described, did_you_mean
from rltrain.verbs.mdp.models import GivenDiscount, Source, discount_of, model_of
from rltrain.verbs.mdp.policies import OPTIMAL, GivenPolicy, name_of, policy_of
from rltrain.whole_files import replacing

EXACT = 5 * 10**9  # transitions that are worth following for the exact expectation: half a minute or less
LONG_RUN = 50_000  # states up to which the long run is solved for
KEPT = 10**8  # steps of all episodes that a CSV may have


@dataclass(frozen=True, eq=False)
class SimulationTask:
    """What to play: a policy from a start, so many episodes of at most so many steps."""

    model: Model
    policy: Array  # [P]
    policy_name: str
    discount: float | None  # None: none is known, and nothing is optimised
    start: Array  # [S] probabilities
    start_name: str | None  # None: where the model starts
    episodes: int
    steps: int
    seed: int


@dataclass(frozen=True, eq=False)
class Simulation:
    """What was played, and what is expected. None: it was not worth the time, there is none, or it was not proven."""

    task: SimulationTask
    played: sampling.Trajectories
    returns: sampling.Spread
    discounted: sampling.Spread | None
    expected: chains.Expected | None  # of at most task.steps steps
    value: policies.Evaluated | None  # without end
    classes: chains.Classes
    reachable: Array  # [S] bool, from the start
    long_run: Proven | None  # [S] shares of the time
    notes: tuple[str, ...]  # why something was left out

    def reached_classes(self) -> list[int]:
        """The numbers of the recurrent classes that can be reached."""
        inside = self.reachable & self.classes.recurrent[self.classes.label]
        numbers: list[int] = np.unique(self.classes.label[inside]).tolist()
        return numbers


def task_of(
    model: Source = None,
    policy: GivenPolicy | None = None,
    discount: GivenDiscount = None,
    start: str | None = None,
    *,
    episodes: int = 1000,
    steps: int = 100,
    seed: int = 0,
    progress: Progress | None = None,
) -> SimulationTask:
    """The episodes to play, from a start [S] by name or else where the model starts.

    The policy [P] is the optimal one unless another is given; a model that leaves no choice needs none, and what is not
    optimised needs no discount. InputError for an unknown policy or start, or a discount that is lacking.
    """
    model = model_of(model)
    no_choice = model.num_pairs == int((~model.terminal).sum())
    optimal = policy is None or name_of(policy) == OPTIMAL
    gamma = None
    if discount is not None or model.discount is not None or (optimal and not no_choice):
        gamma = discount_of(model, discount)
    if policy is None and no_choice:
        probabilities, name = pairs.uniform(model), "none: a Markov chain"
    else:
        name = OPTIMAL if policy is None else name_of(policy)
        probabilities = policy_of(model, OPTIMAL if policy is None else policy, gamma or 0.0, progress)
    where = model.start_distribution()
    if start is not None:
        where = np.zeros(model.num_states)
        where[_state_of(model, start)] = 1.0
    return SimulationTask(model, probabilities, name, gamma, where, start, episodes, steps, seed)


def _state_of(model: Model, name: str) -> int:
    try:
        return model.states.index(name)
    except ValueError as error:
        hint = f"; one of 0 to {model.num_states - 1}"
        if not isinstance(model.states, Numbered):
            hint = did_you_mean(name, model.states) if model.num_states <= 20_000 else ""
        raise InputError(f"--start {described(name)}: no state is called so{hint}") from error


def simulate(task: SimulationTask, keep: int = 3, progress: Progress | None = None) -> Simulation:
    """Play the episodes, the first `keep` of which are kept step by step, and say what is expected of them."""
    model, gamma = task.model, 1.0 if task.discount is None else task.discount
    listening = progress or Silent()
    with listening.phase(f"{task.episodes:,} episodes"):
        played = sampling.simulate(
            model, task.policy, task.episodes, task.steps, task.seed, gamma,
            start=task.start, keep=keep, progress=listening,
        )  # fmt: skip
    chain = chains.of_policy(model, task.policy)
    classes, reachable = chains.classes(chain), chains.reachable(chain, task.start)
    notes: list[str] = []
    expected = value = ends = None
    if task.steps * len(chain.next) <= EXACT:
        expected = chains.within(chain, task.start, task.steps, gamma)
    else:
        notes.append("the exact expectation was left out: it would take too long for a model of this size")
    if task.discount is not None:
        try:
            value = policies.evaluate(model, task.policy, task.discount)
            value = value._replace(start_value=bellman.mean(task.start, value.value))
        except (InputError, UncertifiedError) as error:
            notes.append(f"the value without end: {error}")
    stays = classes.recurrent[classes.label] & reachable & ~model.terminal
    if stays.any() and model.num_states <= LONG_RUN:
        try:
            ends = long_run.limit(chain, classes, task.start)
        except UncertifiedError as error:
            notes.append(f"the long run: {error}")
    elif stays.any():
        notes.append(f"the long run was left out: the model has more than {LONG_RUN:,} states")
    spread = None if task.discount is None else sampling.spread(played.discounted)
    returns = sampling.spread(played.total)
    return Simulation(task, played, returns, spread, expected, value, classes, reachable, ends, tuple(notes))


def z_score(sample: sampling.Spread, exact: float) -> float:
    """Standard errors from the exact mean to the sample's; 0 where they agree to nine digits, NaN without an error."""
    if math.isnan(sample.error):
        return math.nan
    differs = sample.mean - exact
    if abs(differs) <= 1e-9 * max(1.0, abs(exact)):
        return 0.0
    return differs / sample.error if sample.error > 0 else math.copysign(math.inf, differs)


def check_target(path: Path, overwrite: bool, episodes: int, steps: int) -> None:
    """InputError for a file that `write_steps` cannot make, before any work is done."""
    check_output(path, "a table of steps", (".csv",), overwrite)
    if episodes * steps > KEPT:
        raise InputError(f"-o: {episodes:,} episodes of {steps:,} steps are more than {KEPT:,} lines; ask for fewer")


def write_steps(path: Path, task: SimulationTask) -> None:
    """A CSV of episode, step, state, action, reward, next: one line a step, whole or not at all."""
    with replacing(path) as file:
        for piece in _lines(task):
            file.write(piece)


def _lines(task: SimulationTask) -> Iterator[bytes]:
    model, text = task.model, io.StringIO(newline="")
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["episode", "step", "state", "action", "reward", "next"])
    played = sampling.record(model, task.policy, task.episodes, task.steps, task.seed, start=task.start)
    for episode, one in enumerate(played, start=1):
        names = [guarded(model.states[state]) for state in one.states.tolist()]
        actions = [guarded(model.actions[action]) for action in model.action[one.pairs].tolist()]
        for step, (action, reward) in enumerate(zip(actions, one.rewards.tolist(), strict=True)):
            out.writerow([episode, step, names[step], action, f"{reward:.17g}", names[step + 1]])
        if text.tell() > 1 << 20:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()
