"""Explain one game of a saved policy: its columns, the steps that are asked for, and what is behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rltrain.core import Array
from rltrain.errors import InputError
from rltrain.progress import Progress, Silent
from rltrain.verbs import saved_policy
from rltrain.verbs.explain import why as branches
from rltrain.verbs.explain.arena import Arena, arena
from rltrain.verbs.explain.game import ExplainedGame
from rltrain.verbs.explain.inputs import Contributions, contributions
from rltrain.verbs.explain.measure import measured
from rltrain.verbs.explain.playing import PlayedGame, played
from rltrain.verbs.explain.saliency import picture_of, saliency, with_pictures
from rltrain.verbs.explain.table import ExplainedTable, table_of
from rltrain.verbs.explain.why import Outcome
from rltrain.verbs.saved_policy import SavedRun


@dataclass(frozen=True, eq=False)
class StepDetail:
    """What is behind one step."""

    step: int
    inputs: Contributions | None  # of observations that are numbers
    saliency: Array | None  # [H, W] float64 of what is seen: positive speaks for what was done; None: no picture

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it; of the map its greatest value and where it is."""
        found: dict[str, Any] = {"step": self.step, "inputs": None if self.inputs is None else self.inputs.json()}
        if self.saliency is not None:
            row, column = np.unravel_index(int(np.abs(self.saliency).argmax()), self.saliency.shape)
            strongest = {"row": int(row), "column": int(column), "drop": float(self.saliency[row, column])}
            found["saliency"] = {"shape": list(self.saliency.shape), "strongest": strongest}
        return found


@dataclass(frozen=True, eq=False)
class Explanation:
    """An explained game, and the answers to what was asked about it."""

    game: ExplainedGame
    asked: str  # which steps were asked for, in words; "": none, so all
    picked: tuple[int, ...]  # these steps, in the order of the answer
    details: tuple[StepDetail, ...]  # of some of them
    why: int | None  # the step whose other actions were tried
    outcomes: tuple[Outcome, ...]  # what they led to
    table: ExplainedTable | None  # of a policy that keeps a table over a known model
    partial: bool  # Ctrl-C ended it: the game, the details or the outcomes are not all
    warnings: tuple[str, ...]  # of the checkpoint
    recording: PlayedGame = field(repr=False)  # what was seen

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it: every step of the game, unless some were asked for."""
        about = self.game.json()
        if self.asked:
            about["steps"] = [self.game.row(step) for step in self.picked]
        return {
            **about,
            "partial": self.partial,
            "asked": self.asked,
            "details": [detail.json() for detail in self.details],
            "why": None if self.why is None else {"step": self.why, "outcomes": [one.json() for one in self.outcomes]},
            "table": None if self.table is None else self.table.json(),
        }


@dataclass(frozen=True)
class Question:
    """Which steps of a game are to be explained, and how."""

    step: int | None = None
    when: str | None = None
    worst: int | None = None
    why: int | None = None
    horizon: int | None = None  # steps after which what another action led to is left
    detailed: int = 0  # of how many steps, beside `step`, what is behind them is found


def explain(
    run: str | Path | SavedRun,
    question: Question | None = None,
    *,
    seed: int = 0,
    protocol: str | None = None,
    epsilon: float | None = None,
    last: bool = False,
    device: str | None = None,
    runs_dir: Path = Path("runs"),
    pictures: bool = False,
    progress: Progress | None = None,
) -> Explanation:
    """Play the game of this seed with a saved policy, and answer the question about it.

    `pictures`: the game's frames are kept, as an evaluation would see them. Ctrl-C ends it with what there is:
    `partial`; KeyboardInterrupt if that is nothing. InputError for a question that does not fit, CheckpointError.
    """
    question, progress = question or Question(), progress or Silent()
    saved = run if isinstance(run, SavedRun) else saved_policy.read(run, runs_dir, last)
    place = arena(saved, protocol, epsilon, device, pictures)
    with progress.phase("playing", f"{saved.experiment.algorithm_name} on {saved.experiment.environment.name}"):
        found = played(place, seed, progress)
    return answered(place, found, question, progress)


def answered(place: Arena, found: PlayedGame, question: Question, progress: Progress) -> Explanation:
    """The answer to a question about a game that was played. See `explain`."""
    game, partial = found.game, found.game.partial
    for name, step in (("step", question.step), ("why", question.why)):
        if step is not None and not 0 <= step < len(game):
            raise InputError(f"--{name} {step}: the game has {len(game):,} steps, 0 to {len(game) - 1}")
    asked, picked = _picked(game, question)
    outcomes: list[Outcome] = []
    details: list[StepDetail] = []
    wanted = [*([] if question.step is None else [question.step]), *picked[: question.detailed]]
    if not asked and question.detailed:
        wanted = striking(found, question.detailed)
    try:
        with progress.phase("looking closer"):
            for number, step in enumerate(dict.fromkeys(wanted)):
                progress.at(number, len(wanted))
                details.append(detail(found, step))
        if question.why is not None:
            with progress.phase(f"trying what else could be done at step {question.why}"):
                outcomes = branches.outcomes(place, found, question.why, question.horizon, progress)
                partial |= len(outcomes) < branches.count(found, question.why)
    except KeyboardInterrupt:
        partial = True
    return Explanation(
        game=game,
        asked=asked,
        picked=tuple(picked),
        details=tuple(details),
        why=question.why,
        outcomes=tuple(outcomes),
        table=table_of(place),
        partial=partial,
        warnings=place.saved.warnings,
        recording=found,
    )


def _picked(game: ExplainedGame, question: Question) -> tuple[str, Sequence[int]]:
    """Which steps are meant, in words, and their numbers."""
    steps, said = np.arange(len(game)), list[str]()
    if question.when is not None:
        steps = game.where(question.when)
        said.append(question.when)
    if question.worst is not None:
        among = set(steps.tolist())
        steps = np.array([step for step in game.worst(len(game)).tolist() if step in among][: question.worst], np.int64)
        said.append(f"the {question.worst} greatest TD errors")
    if question.step is not None and not said:
        steps = np.array([question.step])
        said.append(f"step {question.step}")
    return ", of these ".join(said), steps.tolist()


def striking(played: PlayedGame, count: int) -> list[int]:
    """At most so many steps that are worth a look, in their order: great TD errors, and small gaps; each seen once."""
    game = played.game
    errors = np.where(np.isfinite(game.td), -np.abs(game.td), np.inf)
    gaps = np.where(np.isfinite(game.gap) & ~game.explored, game.gap, np.inf)
    found: dict[bytes, int] = {}  # what is seen -> the first step of it that is taken
    for column, most in ((errors, -(-count // 2)), (gaps, count)):
        for step in np.argsort(column, kind="stable").tolist():
            if len(found) >= most or not np.isfinite(column[step]):
                break
            found.setdefault(played.seen[step].tobytes(), step)
    return sorted(found.values()) or list(range(min(count, len(game))))


def detail(found: PlayedGame, step: int) -> StepDetail:
    """What is behind a step: what its inputs contribute, or where it looks."""
    return StepDetail(step, contributions(found, step), saliency_at(found, step))


def saliency_at(found: PlayedGame, step: int) -> Array | None:
    """[H, W] where the policy looks at a step; None where it sees no picture, or nothing can be measured."""
    obs = found.seen[step]
    picture = picture_of(found.spec, obs)
    measure = None if picture is None else measured(found, step)
    if picture is None or measure is None:
        return None
    numbered = bool(found.spec.planes)
    return saliency(lambda pictures: measure.of(with_pictures(found.spec, obs, pictures)), picture, numbered)
