"""A game of a run's best policy as a film for a page: H.264 where PyAV is installed, else a GIF."""

from __future__ import annotations

import base64
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rltrain import words
from rltrain.errors import MissingError
from rltrain.film import recording
from rltrain.film.caption import Subject
from rltrain.film.film import Film
from rltrain.progress import Progress, Silent
from rltrain.verbs import saved_policy
from rltrain.verbs.watch import at_play

MOST_STEPS = 1_500  # of the game that is shown; a minute or less of most
MOST_OF_A_GIF = 300  # steps: a GIF is many times as large


@dataclass(frozen=True)
class EmbeddedFilm:
    """A film as a page holds it."""

    title: str
    text: str  # which game it is
    kind: str  # its media type
    data: str  # base64
    width: int  # pixels at which it is shown


def film_of(run: Path, seed: int = 0, progress: Progress | None = None) -> EmbeddedFilm:
    """Play a game with the best checkpoint of a run, and film it.

    InputError where the environment has no picture, MissingError where it needs a package, CheckpointError, DiskError.
    """
    progress = progress or Silent()
    saved = saved_policy.read(run, Path(), last=False)
    with tempfile.TemporaryDirectory() as place:
        path, most = Path(place) / "film.mp4", MOST_STEPS
        try:
            recording.check(path)
        except MissingError:
            path, most = path.with_suffix(".gif"), MOST_OF_A_GIF
        with at_play(saved, seed=seed) as playing, progress.phase("filming a game", playing.title):
            subject = Subject(playing.title, playing.actions, playing.score_name, 1, playing.bounds)
            film, last = Film(path, subject, playing.fps, None, bars=False), None
            try:
                for last in islice(playing.moments, most + 1):
                    film.show(last)
                    progress.at(last.step, most, last.step, "steps")
            except BaseException:
                film.discard()
                raise
            film.close()
            assert last is not None
            played = f"return {words.score(last.total)} in {words.many(last.step, 'step')}"
            cut = "" if last.last else f", its first {words.many(last.step, 'step')}"
            rules = f"protocol {playing.protocol}, epsilon {playing.epsilon:g}, seed {seed}"
        kind = "video/mp4" if path.suffix == ".mp4" else "image/gif"
        data = base64.b64encode(path.read_bytes()).decode()
    return EmbeddedFilm("A game", f"{saved.path.name}: {played}{cut}; {rules}", kind, data, film.width)
