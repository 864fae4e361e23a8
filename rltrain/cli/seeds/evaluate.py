"""`rltrain eval` of the runs of several seeds: each as alone, on the same games, and all together.

The interval over seeds says how far training runs differ. That of one run's games does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rltrain import words
from rltrain.cli import columns
from rltrain.cli.columns import Column
from rltrain.cli.evaluate import evaluate_checkpoint, partial_text
from rltrain.cli.output import complain, out, say
from rltrain.cli.seeds.result import across_lines
from rltrain.core import Progress
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
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Play `episodes` games with each seed's policy. Returns what `--json` prints; a seed without one is left out.

    Ctrl-C ends it with what was measured, which is then said to be `partial`; KeyboardInterrupt if that is nothing.
    """
    runs: list[dict[str, Any]] = []
    fault: RltrainError | None = None
    left_out = 0
    stopped = False
    for own in group.seeds:
        if not group.begun(own):
            complain(f"warning: seed {own} has not begun, so it is left out")
            left_out += 1
            continue
        try:
            result = evaluate_checkpoint(
                group.member(own).name, episodes, protocol, epsilon, seed, last=last, device=device,
                runs_dir=group.folder, beside=not runs, progress=progress,
            )  # fmt: skip
        except KeyboardInterrupt:
            if not runs:
                raise
            stopped = True
            break
        except (CheckpointError, InputError) as error:
            fault = fault or error
            complain(f"warning: seed {own} is left out: {error}")
            left_out += 1
            continue
        runs.append({"training_seed": own, **result})
        stopped = result["partial"]
        if stopped:
            break
    found = across(_means(runs))
    if found is None and isinstance(fault, InputError):  # what was asked for fits none of them
        raise fault
    if found is None:
        raise CheckpointError(f"{group.folder}: none of its seeds has a checkpoint; rltrain resume {group.folder}")
    for run in runs[1:]:  # the same games, so the same baselines
        run["baselines"] = runs[0]["baselines"]
    return {
        "group": str(group.folder),
        "partial": stopped,
        "left_out": left_out,
        "not_reached": len(group.seeds) - left_out - len(runs),
        **found.json(),
        "seeds": runs,
    }


def _means(runs: Sequence[Mapping[str, Any]]) -> list[float]:
    """Of each seed. One that was stopped among its games, the short ones, counts only if it is all there is."""
    return [run["mean"] for run in runs if not run["partial"]] or [run["mean"] for run in runs]


def show_seeds(result: dict[str, Any]) -> None:
    """Print the evaluation of several seeds for a person."""
    runs = result["seeds"]
    first = runs[0]
    say(shown(f"{first['algorithm']} on {first['environment']} · {result['group']}"))
    made = [Column("seed", [str(run["training_seed"]) for run in runs])]
    for need, name in enumerate(("mean", "sd", "min", "max"), start=1):
        made.append(Column(name, [words.score(run[name]) for run in runs], need, least=9))
    made.append(Column("checkpoint", [run["checkpoint"].rsplit("/", 1)[-1] for run in runs], 5, words=True))
    columns.show(out(), made)
    if result["partial"]:
        many = f"; {result['not_reached']} more seeds were not reached" if result["not_reached"] else ""
        say(f"partial: of seed {runs[-1]['training_seed']} {partial_text(runs[-1])}{many}")
    found = across(_means(runs))
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
