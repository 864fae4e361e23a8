"""An explained game in the terminal: a table of its steps, and of some of them all that is known."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rltrain import words
from rltrain.cli import columns
from rltrain.cli.columns import Column
from rltrain.cli.output import Output, out, say
from rltrain.cli.show import cells
from rltrain.cli.show.terminal import depth_of, length
from rltrain.film.caption import Bar
from rltrain.spelling import brief, shown
from rltrain.verbs.explain.telling import ENDS, bar_shares, facts_of, number, signed, thinned

if TYPE_CHECKING:
    from rltrain.core import Array
    from rltrain.verbs.explain.explain import Explanation, StepDetail
    from rltrain.verbs.explain.game import ExplainedGame
    from rltrain.verbs.explain.inputs import Contributions

ROWS = 20  # of a game of which nothing was asked, evenly over it
MOST_ROWS = 60  # of steps that were asked for
MOST_SCORES = 6  # actions that have a column each
MOST_INPUTS = 10
NAME = 18  # characters
PICTURE_ROWS = 28  # of the terminal


def show(found: Explanation, whole: bool, closely: bool = True) -> None:
    """Print it. `whole`: nothing was asked, so all of the game is told. `closely`: and some steps in full."""
    game = found.game
    say(shown(f"{game.algorithm} on {game.environment}"))
    say(shown(f"{game.checkpoint} ({game.chosen_because})"))
    say(f"protocol {game.protocol}, epsilon {game.epsilon:g}, game {game.seed}, discount {game.gamma:g}")
    about = f"value: {game.value_name}" if game.value_name else ""
    if game.rewards_learned:
        about += f"; TD errors count rewards as they were learned, {game.rewards_learned}"
    for text in (about, *game.notes):
        if text:
            say(text)
    length = words.many(len(game), "step")
    say(f"return {words.score(game.total_return)} in {length}{ENDS[game.end]}")
    if found.table is not None and whole:
        from rltrain.cli.show import explained_table

        explained_table.show(found.table)
    alone = len(found.picked) == 1 and len(found.details) == 1
    if whole or (found.asked and not alone):
        say()
        steps(game, found.picked, found.asked)
    for detail in found.details if closely else ():
        say()
        closer(found, detail)
    if found.why is not None:
        say()
        outcomes(found)


def steps(game: ExplainedGame, picked: Sequence[int], asked: str) -> None:
    """A table of these steps; of a whole game some, at equal distances."""
    if asked:
        say(f"{words.many(len(picked), 'step')} of {len(game):,}: {brief(asked, 80)}")
        rows = list(picked[:MOST_ROWS])
    else:
        rows = thinned(picked, ROWS)
    if not rows:
        return
    made = [
        Column("step", [words.count(step) for step in rows]),
        Column(
            "chosen", [brief(game.named(step), NAME) + "*" * bool(game.explored[step]) for step in rows], words=True
        ),
    ]
    if game.state:
        made.insert(1, Column("state", [brief(game.state[step], NAME) for step in rows], need=1, words=True))
    if 0 < game.scores.shape[1] <= MOST_SCORES:
        made += [
            Column(brief(name, NAME), [number(value) for value in game.scores[rows, place].tolist()], need=6)
            for place, name in enumerate(game.actions)
        ]
    for need, heading, column in (
        (2, "gap", game.gap),
        (1, "value", game.value),
        (1, "TD error", game.td),
        (3, "reward", game.reward),
        (2, "return", game.returns),
    ):
        values = column[rows].tolist()
        if any(math.isfinite(value) for value in column.tolist()):
            made.append(Column(heading, [(signed if heading == "TD error" else number)(each) for each in values], need))
    columns.show(out(), made)
    if len(rows) < len(picked):
        rest = "and --step N shows one in full"
        said = f"{len(rows)} of {len(picked):,} steps" if not asked else f"the first {len(rows)} of {len(picked):,}"
        say(f"{said}; --json has all of them, {rest}")
    if game.explored[rows].any():
        say("* drawn at random, whatever the policy wanted")


def closer(found: Explanation, detail: StepDetail) -> None:
    """All that is known of a step."""
    game, step = found.game, detail.step
    explored = ", drawn at random" if game.explored[step] else ""
    say(shown(f"step {step}: {game.named(step)}{explored}" + (f", in {game.state[step]}" if game.state else "")))
    depth = depth_of(Output(sys.stdout))
    for bar in bars(game, step):
        mark = ">" if bar.chosen else " "
        say(f"  {mark} {bar.name:<{NAME}} {bar.value:>9}  {length(bar, depth)}".rstrip())
    say("  " + ", ".join(facts_of(game, step)))
    if detail.inputs is not None:
        inputs(detail.inputs)
    if detail.saliency is not None:
        picture(found, detail.saliency, step, depth)


def bars(game: ExplainedGame, step: int) -> list[Bar]:
    """A bar for each action, number or choice of a step."""
    return [Bar(brief(bar.name, NAME), bar.value, bar.share, bar.chosen) for bar in bar_shares(game, step)]


def inputs(given: Contributions) -> None:
    """What each input contributes, the greatest first."""
    say(f"  {shown(given.what)} is {number(given.measure)}; without an input, its mean of the game in its place:")
    rows = given.order[:MOST_INPUTS].tolist()
    made = [
        Column("input", [brief(given.names[n], 30) for n in rows], words=True),
        Column("sees", [words.number(float(given.inputs[n])) for n in rows], need=1),
        Column("mean", [words.number(float(given.means[n])) for n in rows], need=2),
        Column("contributes", [signed(float(given.contribution[n])) for n in rows]),
    ]
    columns.show(out(), made, indent=2)
    if len(rows) < len(given.names):
        say(f"  and {len(given.names) - len(rows):,} inputs that contribute less")


def picture(found: Explanation, saliency: Array, step: int, depth: cells.Depth) -> None:
    """Where it looks, in half blocks: green speaks for what was done, magenta against it."""
    from rltrain.verbs.explain.pictures import looked_at

    strongest = float(abs(saliency).max())
    say(f"  green speaks for it, magenta against it; the strongest patch changes it by {number(strongest)}")
    if depth == "grey" and not sys.stdout.isatty():
        return  # nobody would see it
    frame = looked_at(found.recording, step, saliency, strongest)
    height, width = cells.fit(frame.shape[0], frame.shape[1], PICTURE_ROWS, max(1, columns.room(out()) - 1))
    painted = cells.cells(cells.resized(frame, height, width), depth)
    stream = Output(sys.stdout).drawing()
    for row in painted.tolist():
        stream.write(cells.blocks(row, depth) + "\n")
    stream.flush()


def outcomes(found: Explanation) -> None:
    """What each action led to."""
    game, step = found.game, found.why
    assert step is not None
    say(f"step {step}: what each action leads to, when the policy goes on from there")
    best = max((one.returns for one in found.outcomes), default=math.nan)
    rows = found.outcomes
    made = [
        Column("", [">" if one.taken else "" for one in rows]),
        Column("action", [brief(one.name, NAME) for one in rows], words=True),
    ]
    if game.score_name:
        made.append(Column(game.score_name, [number(one.score) for one in rows], need=1))
    made += [
        Column("return", [number(one.returns) for one in rows]),
        Column("loses", [number(best - one.returns) if one.returns < best else "0" for one in rows], need=2),
        Column("score", [words.score(one.total) for one in rows], need=3),
        Column("steps", [words.count(one.length) for one in rows], need=3),
    ]
    ends = [{"over": "", "cut": "time limit", "left": "goes on"}[one.end] for one in rows]
    if any(ends):
        made.append(Column("", ends, need=4, words=True))
    columns.show(out(), made)
    if rows and rows[0].action < 0:
        say("each number at its bounds and at 0, the others as chosen")
    say(f"> is what was done; return: rewards from step {step} on, discounted; one game each, with the same luck")
