"""rltrain from Python: train, watch, resume, evaluate, load, read, compare, check, solve, as the commands do.

Errors are those of `rltrain.errors`, in the words of the command line. Nothing is printed, no signal handler is
installed, no random generator of the process is touched. What a function does to its process while it works: numpy's
matrix products take one thread, as the command has it, since their last bits depend on it (`run.blas`); torch is told
how many threads to take, and the C library to keep freed memory, as long as the process lives.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from fractions import Fraction
from typing import Any, Literal, get_args

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.mdp.model import Model
from rltrain.mdp.solvers.solve import METHODS
from rltrain.report.scored import On
from rltrain.run import folder
from rltrain.run.blas import one_thread
from rltrain.run.loop import Event
from rltrain.spelling import shown
from rltrain.verbs import check as checks
from rltrain.verbs import compare as comparisons
from rltrain.verbs import evaluate as evaluations
from rltrain.verbs import export as exports
from rltrain.verbs import given, saved_policy
from rltrain.verbs import read as columns
from rltrain.verbs import train as training
from rltrain.verbs.check import ConfigReport, RunReport
from rltrain.verbs.compare import ComparedSides
from rltrain.verbs.evaluate import PolicyScore
from rltrain.verbs.explain.door import explain as explain
from rltrain.verbs.export import Exported
from rltrain.verbs.given import Overrides, path_of, settings_of, text_of, whole, yes_or_no
from rltrain.verbs.mdp.from_function import model as model
from rltrain.verbs.mdp.from_function import save_model as save_model
from rltrain.verbs.mdp.write import write_model as write_model
from rltrain.verbs.meant import Config, Environment, Place, alone, is_config, saved_run, start_of
from rltrain.verbs.meant import experiment_of as experiment_of
from rltrain.verbs.model_solution import ModelSolution, solved
from rltrain.verbs.report import write_report as write_report
from rltrain.verbs.saved_policy import LoadedPolicy
from rltrain.verbs.session import RunResult, driven, watched
from rltrain.verbs.track_run import track_run as track_run


def train(
    config: Config,
    overrides: Overrides = (),
    *,
    environment: Environment | None = None,
    start_from: Place | None = None,
    seed: int | None = None,
    max_wall: str | int | None = None,
    runs_dir: Place = "runs",
    name: str | None = None,
    picture: bool = True,
) -> RunResult:
    """Train what a config describes, in a new run folder, until its budget is spent.

    config      a YAML file; the name of one here or that comes with rltrain, "dqn_cartpole"; YAML text; a mapping
    overrides   settings that go before the config's: {"algorithm.gamma": 0.95}, or ["algorithm.gamma=0.95"]
    environment a class of your own that extends gymnasium.Env, or a function that makes one, in place of the config's;
                it is called with `environment.kwargs`, and the run's id is python/NAME
    start_from  a run, of which the best checkpoint is taken, or a checkpoint's folder: the new run starts from what was
                learned there; run.json says what was taken, and a warning what not
    seed        of all randomness; the same seed gives the same bytes, here and by the command
    max_wall    stop and save after this long: "5h50m", or seconds
    name        of the run's folder in runs_dir; else one with the next free number
    picture     draw the run's curve when it ends

    Ctrl-C finishes the step, saves, and raises KeyboardInterrupt, whose text says how to go on. Warnings of the run are
    Python's warnings. InputError, MissingError, OutOfMemoryError, DivergedError, DiskError, EnvironmentFault.
    """
    experiment = experiment_of(config, overrides, seed, max_wall, environment)
    where, picture = path_of("runs_dir", runs_dir), yes_or_no("picture", picture)
    name = given.text_or_none("name", name)
    with one_thread() as sure:
        start = start_of(start_from, where)
        command = f"rltrain.train({experiment.source!r})"
        run = training.begin(experiment, where.absolute(), name, command, start)
        return driven(run, sure, picture)


def stream(
    config: Config,
    overrides: Overrides = (),
    *,
    environment: Environment | None = None,
    start_from: Place | None = None,
    seed: int | None = None,
    max_wall: str | int | None = None,
    runs_dir: Place = "runs",
    name: str | None = None,
    picture: bool = True,
) -> Iterator[Event]:
    """Train as `train` does, and yield what happens: `event.kind` is step, eval, save, warning, busy or end.

    Each event has the `counters` and `metrics` of its moment, and a `text`. Whoever leaves the loop early leaves a run
    that is saved and closed. The arguments and errors are those of `train`; nothing is begun before the first event.
    """
    experiment = experiment_of(config, overrides, seed, max_wall, environment)
    where, picture = path_of("runs_dir", runs_dir), yes_or_no("picture", picture)
    name = given.text_or_none("name", name)

    def events() -> Iterator[Event]:
        with one_thread() as sure:
            start = start_of(start_from, where)
            command = f"rltrain.stream({experiment.source!r})"
            run = training.begin(experiment, where.absolute(), name, command, start)
            with closing(watched(run, sure, picture)) as found:
                yield from found

    return events()


def resume(
    run: Place,
    overrides: Overrides = (),
    *,
    environment: Environment | None = None,
    max_wall: str | int | None = None,
    runs_dir: Place = "runs",
    picture: bool = True,
    new_episodes: bool = False,
) -> RunResult:
    """Go on with a run from its newest good checkpoint: the same folder, the same curve, nothing repeated.

    `run` is a result of `train`, a run's folder, or its name in runs_dir. Only settings may change on which nothing
    depends that is learned, such as {"run.budget": {"env_steps": 200_000}}. A run that began with an `environment` of
    your own needs it again. Ctrl-C and errors are as of `train`;
    BusyError while another process works in the folder, CheckpointError where no checkpoint is whole. The episodes that
    were under way are played again, or left behind if you ask for `new_episodes`; NotReplayedError says when to.
    """
    where, picture = path_of("runs_dir", runs_dir), yes_or_no("picture", picture)
    new_episodes = yes_or_no("new_episodes", new_episodes)
    place = folder.find(where, alone(run, where)).absolute()
    saved_policy.hand_over(place, environment)
    with one_thread() as sure:
        settings = settings_of(overrides, max_wall=max_wall)
        return driven(training.resume(place, settings, new_episodes), sure, picture)


def evaluate(
    run: Place,
    games: int = 30,
    *,
    environment: Environment | None = None,
    protocol: Literal["nature", "sticky", "training"] | None = None,
    epsilon: float | None = None,
    seed: int = 0,
    last: bool = False,
    device: str | None = None,
    runs_dir: Place = "runs",
) -> PolicyScore:
    """Play whole games with a run's policy, beside the baselines: `mean`, `interval` (95 %), `returns`, `baselines`.

    `run` is a result of `train`, a run's folder or name, of which the best checkpoint is taken or the `last`, or a
    checkpoint's folder. The games depend on `seed` alone, not on the training's. `protocol` None is what the run's
    config says, `epsilon` None the protocol's share of random actions; `environment` is as of `resume`.
    Ctrl-C raises KeyboardInterrupt. CheckpointError, InputError.
    """
    games, seed = whole("games", games, 1), whole("seed", seed, 0)
    epsilon, device = given.chance("epsilon", epsilon), given.device_of(device)
    given.text_or_none("protocol", protocol)
    with one_thread():
        saved = saved_run(run, runs_dir, last, environment)
        found = evaluations.evaluate(saved, games, protocol, epsilon, seed, device=device)
    if found.partial:
        raise KeyboardInterrupt(f"after {len(found.returns)} of {games} games, the short ones; nothing is kept")
    return found


def load(
    run: Place,
    *,
    environment: Environment | None = None,
    last: bool = False,
    device: str | None = None,
    runs_dir: Place = "runs",
) -> LoadedPolicy:
    """The policy of a run, or of a checkpoint's folder: `act(obs)` for one observation or a batch, `scores(obs)`.

    Of a run its best checkpoint is taken, or the `last`. An observation is what the run's environment shows, with its
    preprocessing; `obs_shape` and `actions` say what goes in and what comes out. `environment` is as of `resume`.
    CheckpointError, InputError.
    """
    with one_thread():
        return LoadedPolicy(saved_run(run, runs_dir, last, environment), given.device_of(device))


def export(
    run: Place,
    path: Place,
    *,
    environment: Environment | None = None,
    last: bool = False,
    overwrite: bool = False,
    runs_dir: Place = "runs",
) -> Exported:
    """Write a run's policy to a file that needs no rltrain: `policy.onnx`, or `policy.py`; `run` as of `load`.

    It is held against the checkpoint on 1,000 observations: `equal`, `ties`. InputError, and no file, where it would
    act otherwise; MissingError without onnx and onnxruntime, CheckpointError, DiskError.
    """
    target, overwrite = path_of("path", path), yes_or_no("overwrite", overwrite)
    with one_thread():
        saved = saved_run(run, runs_dir, last, environment)
        return exports.export(saved, target, overwrite=overwrite)


def read(
    runs: Place | Iterable[Place], table: columns.Table = "training", *, runs_dir: Place = "runs"
) -> dict[str, Array]:
    """The numbers of runs as columns of one length: `pandas.DataFrame(rltrain.read("runs/*"))`.

    `runs` are folders, names of runs in `runs_dir`, or patterns such as "runs/dqn-*"; a folder with the runs of several
    seeds stands for all of them. `table` is "training" (a row a step), "evaluations", or "timings". The columns `run`,
    `algorithm` and `environment` are texts, `seed` and counters int64 (-1: the run lacks it), metrics float64 (NaN).
    InputError.
    """
    given.one_of("table", table, list(columns.FILES))
    return columns.read(runs, table, path_of("runs_dir", runs_dir))


def compare(
    *runs: Place,
    on: Literal["final", "best", "auc"] = "final",
    by: Literal["environment"] | None = None,
    picture: Place | None = None,
    runs_dir: Place = "runs",
) -> ComparedSides:
    """Which runs are better, and how sure that is: `verdict`, a sentence; `sides`, what each scored; `duels`, pairs.

    runs     patterns, "dqn-*", "ppo-*", or folders of several seeds, each a side; or runs, sorted by their configs
    on       a run's score: its final or best evaluation, or auc, the mean of its evaluations over steps
    by       "environment": over several, as shares of what there is to win
    picture  a file to draw it to: .png, .svg or .pdf

    `rltrain.report.inference` has the formulas. InputError for what cannot be compared.
    """
    given.one_of("on", on, get_args(On))
    if by is not None:
        given.one_of("by", by, comparisons.BY)
    output, where = None if picture is None else path_of("picture", picture), path_of("runs_dir", runs_dir)
    return comparisons.compare([text_of("runs", run) for run in runs], output, on=on, by=by, runs_dir=where)


def check(
    target: Config,
    overrides: Overrides = (),
    *,
    environment: Environment | None = None,
    runs_dir: Place = "runs",
) -> ConfigReport | RunReport:
    """Is a config right, and will it fit? Or, of a run or a checkpoint's folder: is every byte as it was written?

    A config and an environment are given as to `train`. Its report says what it will cost; the speed is not measured.
    A run's has `ok`, and the faults of each checkpoint. InputError for what is neither, OutOfMemoryError for what will
    not fit.
    """
    where = path_of("runs_dir", runs_dir)
    if not isinstance(target, str | os.PathLike) or is_config(target, where):
        return checks.check_config(experiment_of(target, overrides, environment=environment), where)
    if overrides:
        raise InputError(f"{shown(str(target))} is a run: its settings cannot be overridden in a check")
    return checks.check_run(alone(target, where), where)


def solve(
    model: Place | Model | None = None,
    settings: Mapping[str, Any] | None = None,
    *,
    discount: float | str | Fraction | None = None,
    method: str = "auto",
    epsilon: float = 1e-6,
    exact: bool = False,
    average: bool = False,
    horizon: int | None = None,
) -> ModelSolution:
    """The best values and policy of a known model: `.value`, `.policy`, `.q` by name, and the proven `.bound`.

    model     a model file, a Gymnasium id whose table is known, such as "FrozenLake-v1", or what `rltrain.model` made,
              whose states and actions are their own names; None: the book's
    settings    arguments of the environment: {"map_name": "8x8"}
    discount  0 to 1, also as "19/20"; None: the model's own
    method    auto, vi, qvi, pi, mpi, gs or lp; every answer is proven, whatever the method
    exact     in fractions, for small models
    average   the best average reward of a step without end; `value` is that gain, and there is no q
    horizon   the best so many steps; `policy` is that of the first, and `answer` has one for each time to go

    InputError for what makes no sense together, and where no finite answer exists.
    """
    if horizon is not None:
        horizon = whole("horizon", horizon, 1)
    if model is not None and not isinstance(model, Model):
        model = text_of("model", model)
    discount, epsilon = given.discount_of(discount), given.positive("epsilon", epsilon)
    method = given.one_of("method", method, METHODS)
    exact, average = yes_or_no("exact", exact), yes_or_no("average", average)
    with one_thread():
        return solved(model, given.block("settings", settings), discount, method, epsilon, exact, average, horizon)
