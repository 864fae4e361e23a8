"""An explained game as a film: where the policy looks over the game's own colours, and beside it what it thinks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rltrain import words
from rltrain.cli.show.explained import bars
from rltrain.errors import InputError
from rltrain.film import picture
from rltrain.film.caption import Caption
from rltrain.film.recording import Recording
from rltrain.progress import Progress
from rltrain.verbs.explain.explain import saliency_at
from rltrain.verbs.explain.pictures import beside, frame_at, looked_at
from rltrain.verbs.explain.playing import Packed
from rltrain.verbs.explain.saliency import picture_of
from rltrain.verbs.explain.telling import number, signed

if TYPE_CHECKING:
    from rltrain.core import Array
    from rltrain.verbs.explain.explain import Explanation
    from rltrain.verbs.explain.game import ExplainedGame

HOLD_SECONDS = 0.75  # the last picture stays this long
MOST_MAPS = 60  # of a film: each takes as long as hundreds of steps, and in between the last one stays
LEAST_SHARE = 0.995  # of the strongest places of all steps: what is drawn in full


def check(found: Explanation) -> None:
    """InputError for a game that nobody can see."""
    if not len(found.recording.frames):
        raise InputError(f"--output: {found.game.environment} has no picture, so there is no film")


def record(found: Explanation, path: Path, progress: Progress) -> tuple[str, bool]:
    """Write the film. Returns a line about it, and whether Ctrl-C left it shorter. MissingError, DiskError."""
    check(found)
    played, game = found.recording, found.game
    maps, stopped = _maps(found, progress)
    count = len(maps) * every(len(game)) if stopped and maps is not None else len(game)
    count = min(count, len(game))
    strongest = _strongest(maps) if maps is not None else 0.0
    recording = Recording(path, played.fps)
    try:
        with progress.phase(f"writing {path}"):
            for step in range(count):
                progress.at(step, count, step, "pictures")
                frame = picture.checked(frame_at(played, step))
                if maps is not None:
                    own = maps[step // every(len(game))].astype(np.float64)
                    looked = looked_at(played, step, own, strongest)
                    frame = looked if played.window is not None else beside(frame, looked)
                shown = _shown(frame, _caption(game, step))
                for _ in range(max(1, round(HOLD_SECONDS * played.fps)) if step == count - 1 else 1):
                    recording.add(shown)
        recording.close()
    except BaseException:
        recording.discard()
        raise
    if not count:
        return f"nothing was played: there is no {path}", stopped
    size = words.size(path.stat().st_size)
    seconds = recording.frames / played.fps
    return f"film: {path}, {words.count(recording.frames)} pictures, {seconds:.1f} s, {size}", stopped


def _maps(found: Explanation, progress: Progress) -> tuple[Packed | None, bool]:
    """Where it looks, once in `every` so many steps; None where it sees no picture. And whether Ctrl-C ended it."""
    played, game = found.recording, found.game
    if not len(game) or picture_of(played.spec, played.seen[0]) is None or saliency_at(played, 0) is None:
        return None, False
    maps = Packed()
    with progress.phase("finding where it looks"):
        try:
            for step in range(0, len(game), every(len(game))):
                progress.at(step, len(game), step, "steps")
                own = saliency_at(played, step)
                assert own is not None
                maps.add(own.astype(np.float32))
        except KeyboardInterrupt:
            return maps, True
    return maps, False


def every(steps: int) -> int:
    """Of how many steps one map is made, in a film of so many."""
    return max(1, -(-steps // MOST_MAPS))


def _strongest(maps: Packed) -> float:
    """What is drawn in full: nearly the greatest of all steps."""
    each = [float(np.abs(maps[step]).max()) for step in range(len(maps))]
    return float(np.quantile(each, LEAST_SHARE)) if each else 0.0


def _caption(game: ExplainedGame, step: int) -> Caption:
    facts = [("step", words.count(step)), ("return", words.score(float(game.total[step])))]
    for name, column in (("value", game.value), ("TD", game.td), ("gap", game.gap), ("to go", game.returns)):
        if math.isfinite(column[step]):
            facts.append((name, (signed if name == "TD" else number)(float(column[step]))))
    note = "random action" if game.explored[step] else ""
    if step == len(game) - 1:
        note = {"over": "last step", "cut": "last step before the time limit", "left": note}[game.end]
    title = f"{game.algorithm} on {game.environment}"
    return Caption(title, tuple(facts), game.score_name or "action", tuple(bars(game, step)), note)


def _shown(frame: Array, caption: Caption) -> Array:
    """Enlarged, with the words beside it, and of even sides."""
    large = picture.enlarged(frame, picture.enlargement(len(frame)))
    return picture.even(picture.beside(large, caption))
