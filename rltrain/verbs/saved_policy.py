"""A saved policy: which checkpoint is meant, the experiment that made it, and the policy itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rltrain import envs, imports, registry
from rltrain.core import Array, Hardware, Policy, Scoring
from rltrain.envs.products import mask_of_combinations
from rltrain.errors import CheckpointError, InputError
from rltrain.experiment.config import Experiment
from rltrain.policies.asking import chosen, thought
from rltrain.policies.normalizing import normalizing
from rltrain.rng import Streams
from rltrain.run import believed, build, folder, machine, needs, unverified
from rltrain.run.lock import is_locked
from rltrain.run.play import plain
from rltrain.run.reading import NAME, Loaded, checkpoint_names, load_path, name_of_best, newest_meta
from rltrain.saved import loading
from rltrain.spaces import OwnForm
from rltrain.spelling import shown
from rltrain.verbs.observed_values import mask_values, refuse_no_states, refuse_not_finite

BEST = "the best of the run by the evaluations made while it trained; --last takes the newest"


class SavedRun(NamedTuple):
    """A checkpoint that was read, and the experiment that made it."""

    path: Path
    chosen: str  # why this one
    loaded: Loaded
    experiment: Experiment
    warnings: tuple[str, ...]


def read(checkpoint: str | Path, runs_dir: Path, last: bool = False) -> SavedRun:
    """The checkpoint that is meant by its folder, or by a run: its best one, or the newest if `last`.

    InputError where there is none of this name, CheckpointError for one that is damaged.
    """
    path, chosen = locate(str(checkpoint), runs_dir, last)
    home = home_of(path)
    needs.require(home)
    if path.resolve() == home:
        _require_a_checkpoint(path)
    warnings: list[str] = []
    try:
        loaded = load_path(path)
    except CheckpointError as error:
        if chosen != BEST:
            raise
        warnings.append(str(error))
        path, chosen = path.parent.parent, "the newest, since the best of the run is damaged"
        loaded = load_path(path)
    experiment, edited = experiment_of(path, loaded)
    envs.check(experiment.environment)
    warnings += [*loaded.warnings, *needs.changes(home, experiment.environment.id)]
    warnings += edited
    place = path if path.name == loaded.name else path / "checkpoints" / loaded.name
    return SavedRun(place, chosen, loaded, experiment, tuple(warnings))


def locate(checkpoint: str, runs_dir: Path, last: bool) -> tuple[Path, str]:
    """The checkpoint folder that is meant, and why; the run's own folder stands for its newest whole checkpoint."""
    path = Path(checkpoint)
    if os.path.isdir(path) and not (path / folder.MARKER).exists():
        if (path / "MANIFEST.json").exists():
            return path, "as asked for"
        raise InputError(f"{path} is neither a run (no {folder.MARKER}) nor a checkpoint (no MANIFEST.json)")
    run = folder.find(runs_dir, checkpoint)
    if last:
        return run, "the newest, as asked for with --last"
    step, score = _best(run)
    if step is None:
        return run, "the newest: never evaluated while it trained"
    home = run / "checkpoints"
    found = home / name_of_best(home, step, score)
    if not found.is_dir():
        return run, "the newest, since the best of the run is gone"
    return found, BEST


def _best(run: Path) -> tuple[int | None, float | None]:
    """Where the best evaluation was made, and its mean; by the newest checkpoint where status.json is lost."""
    status, newest = unverified.status(run), newest_meta(run)
    if status.best_step is None and status.state is None and newest is not None:
        with suppress(CheckpointError):
            if newest[1].get("best") is not None:
                best = newest[1].part("best")
                return best.integer("step"), best.number("score")
    return status.best_step, status.best_score


def _require_a_checkpoint(run: Path) -> None:
    """CheckpointError, which says what to do, for a run that has none yet, and so no policy."""
    if checkpoint_names(run / "checkpoints"):
        return
    what = f"{shown(str(run))}: has no checkpoint yet, and so no policy"
    if is_locked(run):
        raise CheckpointError(f"{what}: it is training, and its first save is still to come; ask again then")
    raise CheckpointError(f"{what}: it ended before its first save; rltrain resume {shown(str(run))} begins it anew")


def home_of(path: Path) -> Path:
    """The run folder of what `locate` returned: a run, or one of its checkpoints."""
    place = path.resolve()
    return place.parent.parent if NAME.fullmatch(place.name) and not (place / folder.MARKER).is_file() else place


def hand_over(path: Path, environment: Callable[..., Any] | None) -> None:
    """Register a program's own environment, if there is one, as that of a run or of a checkpoint. InputError.

    NotBroughtError if there is none, and another class of the run's name was handed over for another run.
    """
    if environment is not None:
        imports.hand_over(environment, believed.experiment(home_of(path))[0].environment.id)
    else:
        needs.refuse_another_class(home_of(path))


def experiment_of(path: Path, loaded: Loaded) -> tuple[Experiment, list[str]]:
    """The configuration that a checkpoint was made with, and what config.yaml in its run folder says otherwise.

    What a resume takes, such as a larger budget, is config.yaml's: an older checkpoint was made before it.
    """
    config = home_of(path) / folder.MARKER
    if not config.is_file():
        raise CheckpointError(f"{path}: its run's {config} is missing; copy the whole run folder")
    experiment, edited = believed.experiment(home_of(path), made=(loaded.name, loaded.meta))
    made = (loaded.meta.text("algorithm"), loaded.meta.text("environment"))
    said = (experiment.algorithm_name, experiment.environment.name)
    if made != said:
        raise CheckpointError(
            f"{path}: made by {made[0]} on {made[1]}, but {config} says {said[0]} on {said[1]}; one was replaced"
        )
    return experiment, edited


def policy_of(experiment: Experiment, loaded: Loaded, device: str | None, threads: int) -> Policy:
    """The policy in a checkpoint, for observations as its environments give them. CheckpointError."""
    found = learned(experiment, loaded, device, threads)
    return normalizing(found, loaded.state.part("world")) if "world" in loaded.state else found


def learned(experiment: Experiment, loaded: Loaded, device: str | None, threads: int) -> Policy:
    """The policy in a checkpoint, for observations as the algorithm was shown them. CheckpointError.

    A plugin's `load_policy` builds it alone; without one, the algorithm is restored.
    """
    name = experiment.algorithm_name
    load_policy = registry.plugin(name).load_policy
    hardware = Hardware(device or experiment.run.device, threads)
    if load_policy is not None:
        spec = envs.describe(experiment.environment, task=experiment.task)
        with loading(loaded.name):
            state = loaded.state.part("algorithm")
            policy = load_policy(experiment.algorithm, build.seen_by(name, spec), state, hardware)
            return build.in_the_world(name, spec, policy)
    rng = Streams(experiment.run.seed)
    env = build.world(experiment)
    try:
        algorithm = build.algorithm(experiment, experiment.algorithm, env, rng, hardware)
        with loading(loaded.name):
            algorithm.load(loaded.state.part("algorithm"))
            rng.load(loaded.state.part("rng"))
        return build.in_the_world(name, env.spec, algorithm.policy())
    finally:
        env.close()


class LoadedPolicy:
    """A saved policy that is ready to act on observations as its run saw them."""

    def __init__(self, saved: SavedRun, device: str | None = None) -> None:
        experiment = saved.experiment
        spec = envs.describe(experiment.environment, task=experiment.task)
        self.checkpoint = saved.path
        self.algorithm, self.environment = experiment.algorithm_name, experiment.environment.name
        self.actions: tuple[str, ...] | str = spec.action_names or str(spec.actions)
        self._space, self._parts, self._num_states = spec.actions, spec.parts, spec.num_states
        self.obs_shape, self.obs_dtype = spec.obs_shape, spec.obs_dtype  # of one observation
        self.warnings = saved.warnings
        self._own = envs.own_form(experiment.environment, experiment.task)
        self._policy = policy_of(experiment, saved.loaded, device, experiment.run.threads or machine.cores())

    def act(self, obs: Any, mask: Any = None) -> Any:
        """The action for one observation, or those for a batch [N, *obs_shape].

        One observation is what the environment itself gives, such as a dict or a picture, or it is [*obs_shape]; its
        action is what the environment's `step` takes. Of a batch the actions are int64 [N]; several choices are int64
        [N, K], numbers float32 [N, K], as `rltrain.spaces` numbers them; those of a table are combinations, int64 [N].
        `mask`, [width] or [N, width], says what can be done, the masks of several choices side by side; None:
        everything. Policies that draw their actions draw anew at each call. InputError for another shape, for what is
        the number of no state, for NaN and infinity, and for a mask that is all false.
        """
        batch, single = self._batch(obs)
        actions = chosen(self._policy, batch, None if mask is None else self._mask(mask, len(batch)))
        if not single:
            return actions
        action = plain(actions)
        return action if self._own is None else self._own.back(action)

    def scores(self, obs: Any, mask: Any = None) -> Array:
        """What the policy thinks of each action, Q or a probability: float [A] or [N, A], NaN: no opinion.

        With a `mask` as `act` takes it, probabilities are of what can be done. InputError for a policy that does not
        say, and for an observation of another shape.
        """
        if not isinstance(self._policy, Scoring):
            raise InputError(f"{self.checkpoint}: a policy of {self.algorithm} has no scores")
        batch, single = self._batch(obs)
        scores = thought(self._policy, batch, None if mask is None else self._mask(mask, len(batch)))
        return scores[0] if single else scores

    def _batch(self, obs: Any) -> tuple[Array, bool]:
        """[N, *obs_shape], and whether it was one observation. InputError for what is neither, and for NaN."""
        batch, single = self._shaped(obs)
        refuse_not_finite(batch, self._parts)
        return batch, single

    def _shaped(self, obs: Any) -> tuple[Array, bool]:
        """[N, *obs_shape], and whether it was one observation. InputError for what is neither."""
        own = None if self._own is None else _read(self._own, obs)
        if own is not None and isinstance(obs, int | np.integer):  # of a state: its first number may be another
            return own[None], True
        try:
            return self._numbers(obs)
        except InputError:
            if own is None:
                raise
            return own[None], True

    def _numbers(self, obs: Any) -> tuple[Array, bool]:
        """What is seen as learners see it: [N, *obs_shape], and whether it was one observation."""
        try:
            if self._num_states is not None:
                refuse_no_states(np.asarray(obs), self._num_states, self.environment)
            given = np.asarray(obs, self.obs_dtype)
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:  # torch: RuntimeError
            raise InputError(f"obs: no array of {self.obs_dtype}: {error}") from error
        if self.obs_shape == (1,) and given.ndim == 0:  # the number of a state
            given = given[None]
        if given.shape == self.obs_shape:
            return given[None], True
        if given.shape[1:] != self.obs_shape:
            rule = f"one of {self.environment} is {list(self.obs_shape)}, a batch is [N, ...]"
            raise InputError(f"obs: an array of {list(given.shape)}; {rule}")
        return given, False

    def _mask(self, mask: Any, count: int) -> Array:
        """[N, width] bool. InputError for another shape, and for a row that leaves nothing."""
        choices = None if self._own is None else self._own.choices
        width = (choices or self._space).mask_width
        given = np.atleast_2d(np.asarray(mask))
        if given.shape != (count, width) or given.dtype.kind not in "biu":
            raise InputError(f"mask: an array of {list(given.shape)}; of {count} observations it is {[count, width]}")
        able = mask_values(given)
        return able if choices is None else mask_of_combinations(able, choices)

    def __repr__(self) -> str:
        return f"<policy of {self.algorithm} on {self.environment}, {self._space}, {self.checkpoint}>"


def _read(own: OwnForm, obs: Any) -> Array | None:
    """What a learner sees of an observation in the environment's own form; None if it is none."""
    try:
        return own.read(obs)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
        return None
