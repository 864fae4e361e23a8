"""`rltrain eval` of the runs of several seeds: each as alone, on the same games, and all together.

The interval over seeds says how far training runs differ. That of one run's games does not.
"""

from __future__ import annotations

from typing import Any

from rltrain.cli import words
from rltrain.cli.evaluate import evaluate_checkpoint
from rltrain.cli.output import complain, say
from rltrain.cli.seeds.result import across_lines
from rltrain.errors import CheckpointError, InputError, RltrainError
from rltrain.run.across_seeds import across
from rltrain.run.group import Group
from rltrain.spelling import brief, shown


def evaluate_seeds(
    group: Group,
    episodes: int = 30,
    protocol: str | None = None,
    epsilon: float | None = None,
    seed: int = 0,
    *,
    last: bool = False,
    device: str | None = None,
) -> dict[str, Any]:
    """Play `episodes` games with each seed's policy. Returns what `--json` prints; a seed without one is left out."""
    runs: list[dict[str, Any]] = []
    fault: RltrainError | None = None
    for own in group.seeds:
        if not group.begun(own):
            complain(f"warning: seed {own} has not begun, so it is left out")
            continue
        try:
            result = evaluate_checkpoint(
                group.member(own).name, episodes, protocol, epsilon, seed, last=last, device=device,
                runs_dir=group.folder, beside=not runs,
            )  # fmt: skip
        except (CheckpointError, InputError) as error:
            fault = fault or error
            complain(f"warning: seed {own} is left out: {error}")
            continue
        runs.append({"training_seed": own, **result})
    found = across([run["mean"] for run in runs])
    if found is None and isinstance(fault, InputError):  # what was asked for fits none of them
        raise fault
    if found is None:
        raise CheckpointError(f"{group.folder}: none of its seeds has a checkpoint; rltrain resume {group.folder}")
    for run in runs[1:]:  # the same games, so the same baselines
        run["baselines"] = runs[0]["baselines"]
    return {"group": str(group.folder), "left_out": len(group.seeds) - len(runs), **found.json(), "seeds": runs}


def show_seeds(result: dict[str, Any]) -> None:
    """The same for a person."""
    runs = result["seeds"]
    first = runs[0]
    say(shown(f"{first['algorithm']} on {first['environment']} · {result['group']}"))
    say(f"{'seed':>6} {'mean':>9} {'sd':>9} {'min':>9} {'max':>9}  checkpoint")
    for run in runs:
        scores = " ".join(f"{words.score(run[name]):>9}" for name in ("mean", "sd", "min", "max"))
        say(f"{run['training_seed']:>6} {scores}  {shown(run['checkpoint'].rsplit('/', 1)[-1])}")
    found = across([run["mean"] for run in runs])
    assert found is not None
    left = f"; {result['left_out']} without a checkpoint not counted" if result["left_out"] else ""
    for line in across_lines(f"mean score of {first['episodes']} games", found, words.score, left):
        say(line)
    if first["note"]:
        say(f"  {first['note']}")
    for name, mean in first["baselines"].items():
        say(f"  baseline {brief(name, 40)}: {words.score(mean)}")
    if first["reward_threshold"] is not None:
        reached = sum(run["mean"] >= first["reward_threshold"] for run in runs)
        say(f"  counts as solved at {words.score(first['reward_threshold'])}: {reached} of {len(runs)} seeds")
