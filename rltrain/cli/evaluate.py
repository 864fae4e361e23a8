"""`rltrain eval`: play whole games with a saved policy and say how good it is, beside the baselines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rltrain.cli.output import Output, complain, say, say_json
from rltrain.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from rltrain.config import Experiment
    from rltrain.core import Policy
    from rltrain.run.reading import Loaded


def eval_command(
    checkpoint: Annotated[
        str, typer.Option("-c", "--checkpoint", metavar="PATH|RUN", help="A run or a checkpoint folder.")
    ],
    episodes: Annotated[int, typer.Option("-n", "--episodes", min=1, help="Games to play.")] = 30,
    protocol: Annotated[
        str | None, typer.Option(help="nature, sticky or training; else what the run's config says.")
    ] = None,
    epsilon: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of random actions; else the protocol's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the games; independent of the training seed.")] = 0,
    last: Annotated[bool, typer.Option("--last", help="Of a run, the newest checkpoint rather than the best.")] = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
    runs_dir: Annotated[Path, typer.Option(help="Where run folders are.")] = Path("runs"),
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")] = False,
) -> None:
    """Measure a trained policy: mean, spread and 95 % interval of raw scores, beside the baselines."""
    result = evaluate_checkpoint(
        checkpoint, episodes, protocol, epsilon, seed, last=last, device=device, runs_dir=runs_dir
    )
    if json:
        say_json(result)
    else:
        show(result)


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
) -> dict[str, Any]:
    """Play `episodes` games. Returns what `--json` prints."""
    from rltrain.run import evaluation, machine
    from rltrain.run.reading import load_path

    path = locate(str(checkpoint), runs_dir, last)
    loaded = load_path(path)
    for warning in loaded.warnings:
        complain(f"warning: {warning}")
    experiment = experiment_of(path, loaded)
    threads = experiment.run.threads or machine.cores()
    wanted = protocol or experiment.run.evaluate.protocol
    policy = policy_of(experiment, loaded, device, threads)
    result = evaluation.evaluate(policy, experiment.environment, wanted, episodes, seed, epsilon, threads)
    assert result is not None  # nothing asks it to stop
    return {
        "algorithm": experiment.algorithm_name,
        "environment": experiment.environment.id,
        "checkpoint": str(path if path.name == loaded.name else path / "checkpoints" / loaded.name),
        "counters": dict(loaded.meta.get("counters", {})),
        **result.json(),
        "baselines": evaluation.baselines(experiment.environment, wanted, episodes, seed, threads=threads),
        "reward_threshold": _threshold(experiment),
    }


def locate(checkpoint: str, runs_dir: Path, last: bool) -> Path:
    """The checkpoint folder that is meant; the run folder itself where the newest whole checkpoint of a run is."""
    import json

    from rltrain.run import folder

    path = Path(checkpoint)
    if path.is_dir() and not (path / folder.MARKER).exists():
        if (path / "MANIFEST.json").exists():
            return path
        raise InputError(f"{path} is neither a run (no {folder.MARKER}) nor a checkpoint (no MANIFEST.json)")
    run = folder.find(runs_dir, checkpoint)
    if not last:
        try:
            best = json.loads((run / "status.json").read_text())["best"]
            found = run / "checkpoints" / f"ckpt-{best['step']:012d}"
            if found.is_dir():
                return found
        except (OSError, ValueError, KeyError, TypeError):
            pass  # never evaluated, or its status was lost: the newest is as good a guess as any
    return run


def experiment_of(path: Path, loaded: Loaded) -> Experiment:
    """The configuration that a checkpoint was made with, which lies beside it in its run folder."""
    from rltrain.config import load

    folder = path.resolve()
    config = (folder.parent.parent if folder.name == loaded.name else folder) / "config.yaml"
    if not config.is_file():
        raise CheckpointError(f"{path}: its run's {config} is missing; copy the whole run folder")
    experiment = load(config)
    made = (loaded.meta.get("algorithm"), loaded.meta.get("environment"))
    said = (experiment.algorithm_name, experiment.environment.id)
    if made != said:
        raise CheckpointError(
            f"{path}: made by {made[0]} on {made[1]}, but {config} says {said[0]} on {said[1]}; one was replaced"
        )
    return experiment


def policy_of(experiment: Experiment, loaded: Loaded, device: str | None, threads: int) -> Policy:
    """The saved policy. A module's `load_policy` builds it alone; without one, the whole algorithm is restored."""
    from rltrain import envs, registry
    from rltrain.core import Hardware
    from rltrain.rng import Streams

    module = registry.load(experiment.algorithm_name)
    hardware = Hardware(device or experiment.run.device, threads)
    load_policy = vars(module).get("load_policy")
    if load_policy is not None:
        spec = envs.describe(experiment.environment)
        policy: Policy = load_policy(experiment.algorithm, spec, loaded.state["algorithm"], hardware)
        return policy
    rng = Streams(experiment.run.seed)
    env = envs.make(experiment.environment)
    try:
        algorithm = module.Algorithm(experiment.algorithm, env, rng, hardware)
        algorithm.load(loaded.state["algorithm"])
        rng.load(loaded.state["rng"])
        whole: Policy = algorithm.policy()
        return whole
    finally:
        env.close()


def show(result: dict[str, Any]) -> None:
    """The same for a person."""
    import sys

    from rich.console import Console
    from rich.table import Table

    from rltrain.cli import words

    lengths = result["lengths"]
    low, high = result["ci95"]
    trained = ", ".join(f"{words.count(value)} {name.replace('_', ' ')}" for name, value in result["counters"].items())
    say(f"{result['algorithm']} on {result['environment']}, {result['checkpoint']}")
    say(f"trained for {trained}")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    interval = f"(95 % interval {words.score(low)} to {words.score(high)})"
    table.add_row("mean score", f"{words.score(result['mean'])}   {interval}")
    table.add_row("sd", words.score(result["sd"]))
    table.add_row("median", words.score(result["median"]))
    table.add_row("min, max", f"{words.score(result['min'])}, {words.score(result['max'])}")
    table.add_row(
        "episode length", f"{words.score(sum(lengths) / len(lengths))} steps, {min(lengths)} to {max(lengths)}"
    )
    table.add_row("cut off by the time limit", words.percent(result["truncated_share"]))
    for name, mean in result["baselines"].items():
        table.add_row(f"baseline: {name}", words.score(mean))
    if result["reward_threshold"] is not None:
        table.add_row("counts as solved at", words.score(result["reward_threshold"]))
    fields = {**result["protocol"], "seed": result["seed"]}
    table.add_row("protocol", ", ".join(f"{key} {'-' if value is None else value}" for key, value in fields.items()))
    Console(file=Output(sys.stdout), highlight=False).print(table)  # type: ignore[arg-type]


def _threshold(experiment: Experiment) -> float | None:
    from rltrain import envs

    return envs.describe(experiment.environment).reward_threshold
