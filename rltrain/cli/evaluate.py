"""`rltrain eval`: play whole games with a saved policy and say how good it is, beside the baselines."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from rltrain.cli.output import complain, say, say_json
from rltrain.cli.progress import STOPPED, line
from rltrain.cli.train import RunsDir
from rltrain.errors import CheckpointError, InputError
from rltrain.spelling import brief, shown

if TYPE_CHECKING:
    from rltrain.core import Policy, Progress
    from rltrain.experiment.config import Experiment
    from rltrain.run.evaluation import Playing
    from rltrain.run.reading import Loaded


def eval_command(
    given: Annotated[str | None, typer.Argument(metavar="[RUN]", help="The same as --checkpoint RUN.")] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option("-c", "--checkpoint", metavar="PATH|RUN", help="A checkpoint folder, or a run: its best one."),
    ] = None,
    episodes: Annotated[int, typer.Option("-n", "--episodes", metavar="N", min=1, help="Games to play.")] = 30,
    protocol: Annotated[
        str | None, typer.Option(metavar="NAME", help="nature, sticky or training; else what the run's config says.")
    ] = None,
    epsilon: Annotated[
        float | None, typer.Option(metavar="X", min=0, max=1, help="Share of random actions; else the protocol's.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the games; independent of the training's.")] = 0,
    last: Annotated[bool, typer.Option("--last", help="Of a run, the newest checkpoint rather than the best.")] = False,
    device: Annotated[str | None, typer.Option(metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")] = None,
    runs_dir: RunsDir = Path("runs"),
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")] = False,
) -> None:
    """Measure a trained policy: mean, spread and 95 % interval of raw scores, beside the baselines."""
    # Before torch is imported. Between two products its threads would wait by turning round, on the cores that the
    # emulators need: on a busy machine an evaluation then takes three times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    checkpoint = checkpoint or given
    if checkpoint is None:
        raise InputError("which run or checkpoint? For example: rltrain eval --checkpoint runs/dqn-CartPole-v1-1")
    from rltrain.run import group

    several = group.find(runs_dir, checkpoint)
    if several is not None:
        from rltrain.cli.seeds.evaluate import evaluate_seeds, show_seeds

        result = evaluate_seeds(several, episodes, protocol, epsilon, seed, last=last, device=device, progress=line)
        write = show_seeds
    else:
        result = evaluate_checkpoint(
            checkpoint, episodes, protocol, epsilon, seed, last=last, device=device, runs_dir=runs_dir, progress=line
        )
        write = show
    if json:
        say_json(result)
    else:
        write(result)
    if result["partial"]:
        line.said()
        complain(f"{STOPPED}: what was measured is partial")
        raise typer.Exit(130)


BEST = "the best of the run by the evaluations made while it trained; --last takes the newest"


def evaluate_checkpoint(
    checkpoint: str | Path,
    episodes: int = 30,
    protocol: str | None = None,
    epsilon: float | None = None,
    seed: int = 0,
    *,
    last: bool = False,
    device: str | None = None,
    runs_dir: Path = Path("runs"),
    beside: bool = True,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Play `episodes` games, and those of the baselines unless not `beside` them. Returns what `--json` prints.

    Ctrl-C ends it with what was measured: then `partial` is true, and the games are those that were over.
    KeyboardInterrupt if none was.
    """
    from rltrain import envs, words
    from rltrain.core import Silent
    from rltrain.run import baselines, machine
    from rltrain.run.evaluation import Playing
    from rltrain.verbs.truth import against_truth, discounts_apart

    path, chosen, loaded, experiment = saved(str(checkpoint), runs_dir, last)
    threads = experiment.run.threads or machine.cores()
    wanted = protocol or experiment.run.evaluate.protocol
    policy = policy_of(experiment, loaded, device, threads)
    progress = progress or Silent()
    about = (experiment.environment, wanted, episodes, seed)
    told = words.many(episodes, "game"), f"{experiment.algorithm_name} on {experiment.environment.name}"
    with progress.phase(*told), closing(Playing(policy, *about, epsilon, threads, experiment.task)) as playing:
        stopped = played_out(playing, progress)
        if stopped and not playing.played:
            raise KeyboardInterrupt
        result = playing.result()
    means: dict[str, float] = {}
    if beside and not stopped:
        try:
            means = baselines.means(*about, threads, experiment.task, progress)
        except KeyboardInterrupt:
            stopped = True
    spec = envs.describe(experiment.environment, task=experiment.task)
    return {
        "algorithm": experiment.algorithm_name,
        "environment": experiment.environment.name,
        "checkpoint": str(path),
        "chosen": chosen,
        "counters": loaded.counters,
        "partial": stopped,
        **result.json(),
        "baselines": means,
        "reward_threshold": spec.reward_threshold,
        "model_discount": spec.discount,
        "note": discounts_apart(experiment, spec),
        "exact": None if stopped else against_truth(experiment, policy),
    }


def played_out(playing: Playing, progress: Progress) -> bool:
    """Play all games. Returns whether Ctrl-C came between."""
    try:
        for played in playing.steps():
            progress.at(played, playing.episodes, playing.env_steps, "steps")
    except KeyboardInterrupt:
        return True
    return False


class Saved(NamedTuple):
    """A checkpoint, read, and the experiment that made it."""

    path: Path
    chosen: str  # why this one
    loaded: Loaded
    experiment: Experiment


def saved(checkpoint: str, runs_dir: Path, last: bool) -> Saved:
    """The checkpoint that is meant, and its experiment. Warnings are said on standard error."""
    from rltrain.run import edits
    from rltrain.run.reading import load_path

    path, chosen = locate(checkpoint, runs_dir, last)
    try:
        loaded = load_path(path)
    except CheckpointError as error:
        if chosen != BEST:
            raise
        complain(f"warning: {error}")
        path, chosen = path.parent.parent, "the newest, since the best of the run is damaged"
        loaded = load_path(path)
    for warning in loaded.warnings:
        complain(f"warning: {warning}")
    experiment = experiment_of(path, loaded)
    for edit in edits.since(loaded.meta, experiment):
        complain(f"warning: config.yaml was edited since {loaded.name}: {edit}")
    return Saved(path if path.name == loaded.name else path / "checkpoints" / loaded.name, chosen, loaded, experiment)


def locate(checkpoint: str, runs_dir: Path, last: bool) -> tuple[Path, str]:
    """The checkpoint folder that is meant, and why; the run's own folder stands for its newest whole checkpoint."""
    from rltrain.run import folder, told

    path = Path(checkpoint)
    if path.is_dir() and not (path / folder.MARKER).exists():
        if (path / "MANIFEST.json").exists():
            return path, "as asked for"
        raise InputError(f"{path} is neither a run (no {folder.MARKER}) nor a checkpoint (no MANIFEST.json)")
    run = folder.find(runs_dir, checkpoint)
    if last:
        return run, "the newest, as asked for with --last"
    step = told.status(run).best_step
    if step is None:
        return run, "the newest: never evaluated while it trained"
    found = run / "checkpoints" / f"ckpt-{step:012d}"
    if not found.is_dir():
        return run, "the newest, since the best of the run is gone"
    return found, BEST


def experiment_of(path: Path, loaded: Loaded) -> Experiment:
    """The configuration that a checkpoint was made with, which lies beside it in its run folder."""
    from rltrain.experiment.config import load

    folder = path.resolve()
    config = (folder.parent.parent if folder.name == loaded.name else folder) / "config.yaml"
    if not config.is_file():
        raise CheckpointError(f"{path}: its run's {config} is missing; copy the whole run folder")
    experiment = load(config)
    made = (loaded.meta.text("algorithm"), loaded.meta.text("environment"))
    said = (experiment.algorithm_name, experiment.environment.name)
    if made != said:
        raise CheckpointError(
            f"{path}: made by {made[0]} on {made[1]}, but {config} says {said[0]} on {said[1]}; one was replaced"
        )
    return experiment


def policy_of(experiment: Experiment, loaded: Loaded, device: str | None, threads: int) -> Policy:
    """The saved policy. A plugin's `load_policy` builds it alone; without one, the whole algorithm is restored."""
    from rltrain import envs, registry
    from rltrain.core import Hardware
    from rltrain.rng import Streams
    from rltrain.run import build
    from rltrain.saved import loading

    load_policy = registry.plugin(experiment.algorithm_name).load_policy
    hardware = Hardware(device or experiment.run.device, threads)
    if load_policy is not None:
        spec = envs.describe(experiment.environment, task=experiment.task)
        with loading(loaded.name):
            return load_policy(experiment.algorithm, spec, loaded.state.part("algorithm"), hardware)
    rng = Streams(experiment.run.seed)
    env = build.world(experiment)
    try:
        algorithm = build.algorithm(experiment, experiment.algorithm, env, rng, hardware)
        with loading(loaded.name):
            algorithm.load(loaded.state.part("algorithm"))
            rng.load(loaded.state.part("rng"))
        return algorithm.policy()
    finally:
        env.close()


def show(result: dict[str, Any]) -> None:
    """Print an evaluation for a person."""
    from rltrain import words
    from rltrain.cli import columns

    lengths = result["lengths"]
    low, high = (words.score(end) for end in result["ci95"])
    trained = ", ".join(f"{words.count(value)} {words.counter(name)}" for name, value in result["counters"].items())
    fields = {**result["protocol"], "seed": result["seed"]}
    rules = ", ".join(f"{key} {value}" for key, value in fields.items() if key != "name" and value is not None)
    unused = ", ".join(key for key, value in fields.items() if value is None)
    rows = {
        "checkpoint": result["checkpoint"],
        "": f"({result['chosen']})",
        "trained for": trained,
        "mean score": f"{words.score(result['mean'])}   (95 % interval {low} to {high})",
        "sd": words.score(result["sd"]),
        "median": words.score(result["median"]),
        "min, max": f"{words.score(result['min'])}, {words.score(result['max'])}",
        "episode length": f"{words.score(sum(lengths) / len(lengths))} steps, {min(lengths)} to {max(lengths)}",
        "cut off by time limit": words.percent(result["truncated_share"]),
        **{f"baseline: {name}": words.score(mean) for name, mean in result["baselines"].items()},
    }
    if result["reward_threshold"] is not None:
        rows["counts as solved at"] = words.score(result["reward_threshold"])
    exact = result["exact"]
    if exact is not None:
        value, best, loss = (
            words.number(exact[key]).replace("inf", "infinity") for key in ("value", "optimal", "loss")
        )
        what = f"{value} of {best} at discount {exact['discount']:g}: loses {loss}"
        rows["exact value of start"] = f"{what} (within {exact['bound']:.1g})"
        if exact["policy"] is not None:
            rows["policy"] = ", ".join(f"{state} {action}" for state, action in exact["policy"].items())
    if result["note"]:
        rows["discount"] = result["note"]
    if result["partial"]:
        rows = {"partial": partial_text(result), **rows}
    rows["protocol"] = f"{fields['name']}: {rules}" + (f"; not for this environment: {unused}" if unused else "")
    say(shown(f"{result['algorithm']} on {result['environment']}"))
    for text in columns.named(((brief(name, 40), shown(text)) for name, text in rows.items()), 22, columns.reading()):
        say(text)


def partial_text(result: dict[str, Any]) -> str:
    """What to make of an evaluation that Ctrl-C ended."""
    played, asked = result["episodes"], result["protocol"]["episodes"]
    if played == asked:
        return f"all {asked} games were played; what follows them was not done"
    return f"{played} of {asked} games. Short ones end first, so all numbers are those of games that are too short"
