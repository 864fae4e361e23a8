"""What a person reads of an evaluation: of one saved policy, and of those of several seeds."""

from __future__ import annotations

from collections.abc import Callable

from rltrain import words
from rltrain.cli import columns
from rltrain.cli.columns import Column
from rltrain.cli.output import out, say
from rltrain.cli.seeds.result import across_lines
from rltrain.run.evaluation import Evaluation
from rltrain.spelling import brief, shown
from rltrain.verbs.evaluate import PolicyScore
from rltrain.verbs.seeds.evaluate import SeedsScore

MEASURES: dict[str, Callable[[Evaluation], float]] = {  # a heading, and what stands below it
    "mean": lambda games: games.mean,
    "sd": lambda games: games.sd,
    "min": lambda games: games.min,
    "max": lambda games: games.max,
}


def show(result: PolicyScore) -> None:
    """Print an evaluation for a person."""
    games, lengths = result.games, result.games.lengths
    low, high = (words.score(end) for end in games.ci95)
    trained = ", ".join(f"{words.count(value)} {words.counter(name)}" for name, value in result.counters.items())
    fields = {**games.protocol, "seed": games.seed}
    rules = ", ".join(f"{key} {value}" for key, value in fields.items() if key != "name" and value is not None)
    unused = ", ".join(key for key, value in fields.items() if value is None)
    rows = {
        "checkpoint": result.checkpoint,
        "": f"({result.chosen})",
        "trained for": trained,
        "mean score": f"{words.score(games.mean)}   (95 % interval {low} to {high})",
        "sd": words.score(games.sd),
        "median": words.score(games.median),
        "min, max": f"{words.score(games.min)}, {words.score(games.max)}",
        "episode length": f"{words.score(sum(lengths) / len(lengths))} steps, {min(lengths)} to {max(lengths)}",
        "cut off by time limit": words.percent(games.truncated_share),
        **{f"baseline: {name}": words.score(mean) for name, mean in result.baselines.items()},
    }
    if result.reward_threshold is not None:
        rows["counts as solved at"] = words.score(result.reward_threshold)
    exact = result.exact
    if exact is not None:
        value, best, loss = (
            words.number(each).replace("inf", "infinity") for each in (exact.value, exact.optimal, exact.loss)
        )
        what = f"{value} of {best} at discount {exact.discount:g}: loses {loss}"
        rows["exact value of start"] = f"{what} (within {exact.bound:.1g})"
        if exact.policy is not None:
            rows["policy"] = ", ".join(f"{state} {action}" for state, action in exact.policy.items())
    if result.note:
        rows["discount"] = result.note
    if result.partial:
        rows = {"partial": partial_text(games), **rows}
    rows["protocol"] = f"{fields['name']}: {rules}" + (f"; not for this environment: {unused}" if unused else "")
    say(shown(f"{result.algorithm} on {result.environment}"))
    for text in columns.named(((brief(name, 40), shown(text)) for name, text in rows.items()), 22, columns.reading()):
        say(text)


def partial_text(games: Evaluation) -> str:
    """What to make of an evaluation that Ctrl-C ended."""
    played, asked = len(games.returns), games.protocol["episodes"]
    if played == asked:
        return f"all {asked} games were played; what follows them was not done"
    return f"{played} of {asked} games. Short ones end first, so all numbers are those of games that are too short"


def show_seeds(result: SeedsScore) -> None:
    """Print the evaluation of several seeds for a person."""
    runs = [each.score for each in result.seeds]
    first = runs[0]
    say(shown(f"{first.algorithm} on {first.environment} · {result.group}"))
    made = [Column("seed", [str(each.seed) for each in result.seeds])]
    for need, (name, of) in enumerate(MEASURES.items(), start=1):
        made.append(Column(name, [words.score(of(run.games)) for run in runs], need, least=9))
    made.append(Column("checkpoint", [run.checkpoint.rsplit("/", 1)[-1] for run in runs], 5, words=True))
    columns.show(out(), made)
    if result.partial:
        many = f"; {result.not_reached} more seeds were not reached" if result.not_reached else ""
        say(f"partial: of seed {result.seeds[-1].seed} {partial_text(runs[-1].games)}{many}")
    left = f"; {result.left_out} without a checkpoint not counted" if result.left_out else ""
    for line in across_lines(f"mean score of {len(first.returns)} games", result.across, words.score, left):
        say(line)
    if first.note:
        say(f"  {first.note}")
    for name, mean in first.baselines.items():
        say(f"  baseline {brief(name, 40)}: {words.score(mean)}")
    if first.reward_threshold is not None:
        reached = sum(run.mean >= first.reward_threshold for run in runs)
        say(f"  counts as solved at {words.score(first.reward_threshold)}: {reached} of {len(runs)} seeds")
