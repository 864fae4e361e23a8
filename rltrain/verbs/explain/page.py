"""An explained game as a page: one file without scripts, with the game's curves and the steps that matter in full."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rltrain import words
from rltrain.core import Array
from rltrain.report import game_curves, html_page
from rltrain.report.html_page import HtmlTable
from rltrain.verbs.explain.explain import Explanation, StepDetail
from rltrain.verbs.explain.game import ExplainedGame
from rltrain.verbs.explain.inputs import Contributions
from rltrain.verbs.explain.map import map_of
from rltrain.verbs.explain.pictures import frame_at, looked_at
from rltrain.verbs.explain.telling import ENDS, bar_shares, facts_of, number, signed, thinned

TEMPLATE = "explain.html"
ROWS = 60  # of the table of steps
MOST_SCORES = 6  # actions that have a column each
MOST_INPUTS = 12
SIDE = 320  # pixels that a picture is wide, at most, on the page


def write(found: Explanation, path: Path, command: str) -> Path:
    """Write the page, whole or not at all. MissingError without matplotlib or Jinja, DiskError."""
    return html_page.write(path, TEMPLATE, values(found, command))


def values(found: Explanation, command: str) -> dict[str, Any]:
    """What the template is filled with."""
    game = found.game
    shown = [detail.step for detail in found.details]
    rows = thinned(found.picked, ROWS)
    columns = game.step, game.returns, game.value, game.td, game.gap
    asked = f"{words.many(len(found.picked), 'step')}: {found.asked}" if found.asked else "Steps"
    if len(rows) < len(found.picked):
        asked += f" ({len(rows)} of {len(found.picked):,})"
    return {
        "title": f"{game.algorithm} on {game.environment}, game {game.seed}",
        "subtitle": [
            f"{game.checkpoint} ({game.chosen_because})",
            f"protocol {game.protocol}, epsilon {game.epsilon:g}, discount {game.gamma:g}",
        ],
        "verdict": f"Return {words.score(game.total_return)} in {words.many(len(game), 'step')}{ENDS[game.end]}"
        + (". Stopped by Ctrl-C: what is here is partial" if found.partial else ""),
        "notes": _notes(game),
        "curves": html_page.markup(game_curves.figure(*columns, shown, game.rewards_learned)),
        "map": None if found.table is None else map_of(found.table),
        "outcomes": _outcomes(found) if found.outcomes else None,
        "steps": [_step(found, detail) for detail in found.details],
        "table_title": asked,
        "table": _steps(game, rows),
        "command": command,
    }


def _notes(game: ExplainedGame) -> list[str]:
    notes = [f"Values are of the {game.value_name}."] if game.value_name else []
    if game.rewards_learned:
        notes.append(f"TD errors count rewards as they were learned: {game.rewards_learned}.")
    return [*notes, *(f"{note[:1].upper()}{note[1:]}." for note in game.notes)]


def _step(found: Explanation, detail: StepDetail) -> dict[str, Any]:
    game, step = found.game, detail.step
    title = f"Step {step}: {game.named(step)}"
    if game.explored[step]:
        title += ", drawn at random"
    if game.state:
        title += f", in {game.state[step]}"
    text = list[str]()
    frame = frame_at(found.recording, step)
    if detail.saliency is not None:
        strongest = float(np.abs(detail.saliency).max())
        frame = looked_at(found.recording, step, detail.saliency, strongest)
        text.append(
            f"Green speaks for it, magenta against it; the strongest patch changes it by {signed(strongest)[1:]}."
        )
    if detail.inputs is not None:
        text.append(
            f"{detail.inputs.what[:1].upper()}{detail.inputs.what[1:]} is {number(detail.inputs.measure)};"
            " without an input, its mean of the game in its place:"
        )
    return {
        "title": title,
        "facts": ", ".join(facts_of(game, step)),
        "picture": None if frame is None else _embedded(frame),
        "bars": _bars(game, step),
        "text": text,
        "inputs": None if detail.inputs is None else _inputs(detail.inputs),
    }


def _bars(game: ExplainedGame, step: int) -> list[dict[str, Any]]:
    return [
        {"name": name, "value": value, "width": round(100 * share, 1), "chosen": chosen}
        for name, value, share, chosen in bar_shares(game, step)
    ]


def _inputs(given: Contributions) -> HtmlTable:
    rows = [
        (
            given.names[place],
            words.number(float(given.inputs[place])),
            words.number(float(given.means[place])),
            signed(float(given.contribution[place])),
        )
        for place in given.order[:MOST_INPUTS].tolist()
    ]
    return HtmlTable(("input", "sees", "mean", "contributes"), rows, (False, True, True, True))


def _outcomes(found: Explanation) -> Mapping[str, Any]:
    rows = [
        (
            f"{one.name}{' (taken)' if one.taken else ''}",
            number(one.score),
            number(one.returns),
            words.score(one.total),
            words.count(one.length),
            {"over": "", "cut": "time limit", "left": "goes on"}[one.end],
        )
        for one in found.outcomes
    ]
    name = found.game.score_name or "said"
    head = ("action", name, "return", "score", "steps", "")
    return {
        "title": f"What each action at step {found.why} leads to",
        "table": HtmlTable(head, rows, (False, True, True, True, True, False)),
        "text": f"The policy plays on after it. Return: rewards from step {found.why} on, discounted."
        " One game each, with the same luck."
        + (" Each number at its bounds and at 0, the others as chosen." if found.outcomes[0].action < 0 else ""),
    }


def _steps(game: ExplainedGame, rows: Sequence[int]) -> HtmlTable:
    """The table of steps, with the columns that are known."""
    names = game.actions if 0 < game.scores.shape[1] <= MOST_SCORES else ()
    columns: list[tuple[str, Array]] = [(name, game.scores[:, place]) for place, name in enumerate(names)]
    columns += [("gap", game.gap), ("value", game.value), ("TD error", game.td)]
    columns += [("reward", game.reward), ("return", game.returns)]
    columns = [(name, column) for name, column in columns if np.isfinite(column).any()]
    head = ("step", *(("state",) if game.state else ()), "chosen", *(name for name, _ in columns))
    made = []
    for step in rows:
        chosen = game.named(step) + "*" * bool(game.explored[step])
        state = (game.state[step],) if game.state else ()
        numbers = [
            signed(float(column[step])) if name == "TD error" else number(float(column[step]))
            for name, column in columns
        ]
        made.append((str(step), *state, chosen, *numbers))
    words_first = (True, *((False,) if game.state else ()), False)
    return HtmlTable(head, made, (*words_first, *(True for _ in columns)))


def _embedded(frame: Array) -> dict[str, Any]:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "PNG", optimize=True)
    height, width = frame.shape[:2]
    return {"data": _text(stream.getvalue()), "width": min(SIDE, max(width, round(SIDE * min(1, width / height))))}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
