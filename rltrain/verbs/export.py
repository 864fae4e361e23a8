"""A saved policy as a file for programs without rltrain, if it does there what it does here.

The policy plays, explores a little so that observations differ, and what it sees is recorded. The file is written aside
and asked about every one of them, in onnxruntime or in a fresh Python; only then does it get its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rltrain import envs
from rltrain.computation import Computation, Seen, Value, inputs_of, is_packed
from rltrain.core import Array, EnvSpec, Policy, Scoring
from rltrain.errors import InputError
from rltrain.experiment.config import Experiment
from rltrain.outputs import check_output
from rltrain.policies.as_computation import normalised
from rltrain.policies.asking import Drawing, chosen, thought
from rltrain.policies.normalizing import Normalization, of_saved
from rltrain.portable import about as facts
from rltrain.portable import calls, onnx_file, python_file, replay
from rltrain.portable.replay import CheckpointAnswers
from rltrain.progress import Progress, Silent
from rltrain.rng import derive
from rltrain.run import build, protocols
from rltrain.run.disk import disk_errors
from rltrain.saved import loading
from rltrain.spaces import possible
from rltrain.verbs import saved_policy
from rltrain.verbs.saved_policy import SavedRun
from rltrain.version import __version__
from rltrain.whole_files import replacing

SUFFIXES = (".onnx", ".py")
OBSERVATIONS = 1_000
LANES = 16  # games side by side
EXPLORED = 0.1  # share of actions that are drawn at random while observations are recorded
MOST_NAMES = 1_000  # states whose names a file has
MOST_STATES = 10_000  # of a table that is asked about every state besides
ASKED = 250  # observations that the checkpoint is asked about at once
EXAMPLES, PICTURES = 20, 4  # observations that a policy.py carries for its own test


@dataclass(frozen=True)
class Exported:
    """The file of an exported policy, and how it was held against its checkpoint."""

    file: str
    bytes: int
    algorithm: str
    environment: str
    checkpoint: str  # its folder
    chosen: str  # why this checkpoint
    checkpoint_sha256: str  # of its MANIFEST.json, which has those of all the rest
    inputs: Mapping[str, str]  # name -> "float32 [N, 4]"; of a file that takes one at a time "float32 [4]"
    outputs: Mapping[str, str]
    actions: str  # what an action is: "0 left, 1 right"
    scores: str  # what the scores are, "Q" or "probability"; "": there are none
    drawn: str  # how an evaluation draws its actions; "": it takes the action that is given
    run_by: str  # what it was replayed in: "onnxruntime 1.23.2"
    observations: int  # that were replayed
    equal: int  # of them the same action
    ties: int  # another one, which rounding alone decides
    furthest: float | None  # of scores, or of actions that are numbers: largest difference, of the greatest
    warnings: tuple[str, ...] = ()  # of the checkpoint

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return asdict(self)


def export(
    run: str | Path | SavedRun,
    output: Path,
    *,
    last: bool = False,
    runs_dir: Path = Path("runs"),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write the policy of a run, of its best checkpoint or the `last`, or of a checkpoint's folder, to .onnx or .py.

    InputError for another ending, a file that exists, an algorithm whose policy cannot be written down, and where the
    file would act otherwise than the checkpoint; then there is none. MissingError without onnx, DiskError,
    CheckpointError.
    """
    check(output, overwrite)
    if output.suffix.lower() == ".onnx":
        onnx_file.onnx_module()
        replay.onnxruntime_module()
    saved = run if isinstance(run, SavedRun) else saved_policy.read(run, runs_dir, last)
    experiment, progress = saved.experiment, progress or Silent()
    spec = envs.describe(experiment.environment, task=experiment.task)
    normalization = of_saved(saved.loaded.state.part("world")) if "world" in saved.loaded.state else None
    seen = inputs_of(spec)
    inputs, computation = seen.inputs, _computation(saved, spec, seen, normalization)
    policy = saved_policy.policy_of(experiment, saved.loaded, "cpu", 1)
    title = f"{experiment.algorithm_name} on {experiment.environment.name}"
    with progress.phase(f"recording {OBSERVATIONS:,} observations", title):
        obs, mask = recorded_observations(policy, experiment, progress)
    with progress.phase("asking the checkpoint", title):
        recorded = _answers(policy, saved, spec, normalization, computation, obs, mask)
    with disk_errors(f"cannot read {saved.path}"):
        sha256 = hashlib.sha256((saved.path / "MANIFEST.json").read_bytes()).hexdigest()
    score_name = policy.score_name if computation.scores is not None and isinstance(policy, Scoring) else ""
    source = (saved.loaded.name, sha256, saved.loaded.counters, _states(experiment, spec))
    told = facts.about(experiment, spec, computation, score_name, normalization, *source)
    outputs = outputs_of(computation)
    choices = build.combined_choices(experiment.algorithm_name, spec)
    words = facts.actions_in_words(spec)
    results = _results(outputs, recorded.inputs)
    plain = output.suffix.lower() == ".py" and python_file.is_plain(inputs, outputs)
    with replacing(output) as file:
        if output.suffix.lower() == ".onnx":
            data = onnx_file.written(inputs, outputs, results, title, __version__, facts.as_texts(told))
        else:
            examples = _examples(recorded, computation)
            data = python_file.written(
                inputs,
                outputs,
                title,
                told,
                words,
                {name: own[examples] for name, own in recorded.inputs.items()},
                recorded.action[examples],
            )
        file.write(data)
        file.flush()
        with progress.phase("replaying", title):
            if output.suffix.lower() == ".onnx":
                ran = replay.of_onnx(data, recorded.inputs)
            else:
                ran = replay.of_python(file.name, list(outputs), recorded.inputs, plain)
            compared = replay.compared(recorded, ran, computation, () if choices is None else choices.sizes)
    return Exported(
        file=str(output),
        bytes=len(data),
        algorithm=experiment.algorithm_name,
        environment=experiment.environment.name,
        checkpoint=str(saved.path),
        chosen=saved.chosen,
        checkpoint_sha256=sha256,
        inputs={own.name: _form(own.dtype, own.shape, plain) for own in inputs},
        outputs={
            name: _form("float32" if own.dtype.kind == "f" else own.dtype.name, own.shape[1:], plain)
            for name, own in results.items()
        },
        actions=words,
        scores=score_name,
        drawn=computation.drawn,
        run_by=ran.by,
        observations=len(recorded),
        equal=compared.equal,
        ties=compared.ties,
        furthest=compared.furthest,
        warnings=saved.warnings,
    )


def check(output: Path, overwrite: bool = False) -> None:
    """Raise before any work, see `rltrain.outputs`: InputError or DiskError where no policy can be written."""
    check_output(output, "an exported policy", SUFFIXES, overwrite)


def outputs_of(computation: Computation) -> dict[str, Value]:
    """The outputs of an exported policy by name. Where an evaluation draws, the action is not called one."""
    found = {"most_probable_action" if computation.drawn else "action": computation.action}
    if computation.scores is not None:
        found["scores"] = computation.scores
    return {**found, **computation.parameters}


def recorded_observations(policy: Policy, experiment: Experiment, progress: Progress) -> tuple[Array, Array | None]:
    """What a policy sees under the evaluation's rules, [n, *obs], and what could be done, if some is masked.

    Some of its actions are random, so that games differ. Of a table each state comes besides.
    """
    settings = experiment.environment
    _, played, _ = protocols.conditions(settings, experiment.run.evaluate.protocol, None, experiment.task)
    lanes = min(LANES, envs.side_by_side(played))
    stream = np.random.default_rng(derive(0, "export"))
    seen: list[Array] = []
    masks: list[Array] = []
    count = 0
    with closing(envs.make(played, task=experiment.task, num_envs=lanes, training=False)) as env:
        spec, step = env.spec, env.reset(derive(0, "games"))
        while count < OBSERVATIONS:
            rows = np.flatnonzero(~step.last)
            seen.append(step.obs[rows].copy())
            count += len(rows)
            if step.mask is not None:
                masks.append(possible(step.mask[rows]))  # where everything is masked nothing is
            action = chosen(policy, step.obs, step.mask)
            random = (stream.random(lanes) < EXPLORED).reshape(lanes, *(1 for _ in spec.actions.shape))
            step = env.step(np.where(random, spec.actions.sample(stream, lanes, step.mask), action))
            progress.at(min(count, OBSERVATIONS), OBSERVATIONS)
    obs = np.concatenate(seen)[:OBSERVATIONS]
    if spec.num_states is not None and spec.num_states <= MOST_STATES and not masks:
        obs = np.concatenate([obs, np.arange(spec.num_states)[:, None].astype(obs.dtype)])
    return obs, np.concatenate(masks)[:OBSERVATIONS] if masks else None


def _computation(saved: SavedRun, spec: EnvSpec, seen: Seen, normalization: Normalization | None) -> Computation:
    """What the saved policy computes of what its environment shows."""
    experiment = saved.experiment
    if normalization is not None:
        seen = normalised(seen, normalization)
    with loading(saved.loaded.name):
        state = saved.loaded.state.part("algorithm")
        return build.computation(experiment.algorithm_name, experiment.algorithm, spec, state, seen)


def _answers(
    policy: Policy,
    saved: SavedRun,
    spec: EnvSpec,
    normalization: Normalization | None,
    computation: Computation,
    obs: Array,
    mask: Array | None,
) -> CheckpointAnswers:
    """What the checkpoint makes of observations [n, *obs]; of one that draws, what is likeliest."""
    actions, scores = [], []
    drawing: Policy | None = None
    if computation.drawn and not isinstance(policy, Scoring):  # a normalisation around it would hide that it draws
        drawing = saved_policy.learned(saved.experiment, saved.loaded, "cpu", 1)
    for at in range(0, len(obs), ASKED):
        some, able = obs[at : at + ASKED], None if mask is None else mask[at : at + ASKED]
        if isinstance(policy, Scoring) and computation.scores is not None:
            scores.append(thought(policy, some, able))
        if not computation.drawn:
            actions.append(chosen(policy, some, able))
        elif isinstance(policy, Scoring):
            actions.append(np.where(np.isnan(scores[-1]), -np.inf, scores[-1]).argmax(axis=1))
        elif isinstance(drawing, Drawing):
            shown_as = some if normalization is None else normalization(some)
            actions.append(drawing.likeliest(shown_as) if able is None else drawing.likeliest(shown_as, able))
        else:
            name = saved.experiment.algorithm_name
            raise InputError(f"{name} cannot be exported: its policy draws its actions, and says no probabilities")
    return CheckpointAnswers(
        _given(spec, obs, mask), np.concatenate(actions), np.concatenate(scores) if scores else None
    )


def _states(experiment: Experiment, spec: EnvSpec) -> Sequence[str]:
    """What states are called that are seen by their numbers, where they are few and have names."""
    if spec.num_states is None or spec.num_states > MOST_NAMES:
        return ()
    model = envs.model_of(experiment.environment)
    return model.states[:] if model is not None and model.num_states == spec.num_states else ()


def _results(outputs: Mapping[str, Value], inputs: Mapping[str, Array]) -> dict[str, Array]:
    """What the outputs come to for one observation: their shapes and dtypes."""
    found = calls.carried_out(list(outputs.values()), {name: own[:1] for name, own in inputs.items()})
    return dict(zip(outputs, found, strict=True))


def _examples(recorded: CheckpointAnswers, computation: Computation) -> Array:
    """Which observations a file carries for its own test: some all over them, none of which is nearly a tie."""
    inputs = recorded.inputs
    clear = np.ones(len(recorded), np.bool_)
    if all(own.ndim == 2 for own in inputs.values()):
        for values in calls.carried_out(computation.ranked, inputs):
            best = np.sort(np.where(np.isfinite(values), values, -1e30), axis=1)[:, -2:]
            clear &= best[:, -1] - best[:, 0] > 100 * replay.ROUNDING * np.abs(best[:, -1])
    rows = np.flatnonzero(clear) if clear.any() else np.arange(len(recorded))
    many = EXAMPLES if all(own.ndim == 2 for own in inputs.values()) else PICTURES
    found: Array = rows[np.unique(np.linspace(0, len(rows) - 1, many).astype(np.int64))]
    return found


def _form(dtype: str, shape: tuple[int, ...], alone: bool) -> str:
    """The form of a batch; of what comes `alone` that of one."""
    return f"{dtype} {list(shape) if alone else ['N', *shape]}".replace("'", "").removesuffix(" []")


def _given(spec: EnvSpec, obs: Array, mask: Array | None) -> dict[str, Array]:
    """Observations [N, *obs_shape] and masks as `inputs_of` names them."""
    found = {f"obs.{part.name}": part.of(obs) for part in spec.parts} if is_packed(spec) else {"obs": obs}
    return found if mask is None or not spec.masked else {**found, "mask": mask}
