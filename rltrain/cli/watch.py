"""`rltrain watch`: see a saved policy play, in a window, in the terminal, or in a video file."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rltrain import words
from rltrain.cli import complete, progress
from rltrain.cli.options import Device, Epsilon, GamesSeed, Imports, Protocol, RunsDir
from rltrain.cli.output import Output, complain, say
from rltrain.errors import InputError
from rltrain.spelling import shown

if TYPE_CHECKING:
    from rltrain.cli.show.pace import Pace, Viewer
    from rltrain.experiment.settings import EnvironmentConfig
    from rltrain.film.caption import Subject
    from rltrain.film.film import Film
    from rltrain.run.play import Moment

Way = Literal["words", "window", "terminal", "file"]


def watch_command(
    given: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="A run or a checkpoint folder.",
            autocompletion=complete.runs,
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "-c",
            "--checkpoint",
            metavar="PATH|RUN",
            help="The same as RUN.",
            autocompletion=complete.runs,
        ),
    ] = None,
    record: Annotated[
        Path | None, typer.Option("-o", "--record", metavar="FILE", help="Write a video: FILE.mp4 or FILE.gif.")
    ] = None,
    terminal: Annotated[
        bool, typer.Option("--terminal", help="The picture in the terminal itself, even where there is a screen.")
    ] = False,
    episodes: Annotated[int, typer.Option("-n", "--episodes", metavar="N", min=1, help="Games to play.")] = 1,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", min=1, help="Stop after this many steps in all.")
    ] = None,
    protocol: Protocol = None,
    epsilon: Epsilon = None,
    seed: GamesSeed = 0,
    last: Annotated[
        bool, typer.Option("--last/--best", help="Of a run, the newest checkpoint or the best (the default).")
    ] = False,
    speed: Annotated[float, typer.Option(metavar="X", min=0.01, max=1000, help="2 is twice as fast.")] = 1.0,
    scale: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=16, help="Of a window or video: enlarge N times.")
    ] = None,
    bars: Annotated[
        bool | None,
        typer.Option("--bars/--no-bars", help="Scores of the actions beside it. In a video only if asked for."),
    ] = None,
    device: Device = None,
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
) -> None:
    """See a saved policy play. Keys: space pauses, + and - change the speed, q ends it."""
    checkpoint = checkpoint or given
    if checkpoint is None:
        raise InputError("which run or checkpoint? For example: rltrain watch runs/dqn-CartPole-v1-1")
    wish = Wish(episodes, steps, protocol, epsilon, seed, record, terminal, speed, scale, bars)
    code = watch(checkpoint, wish, last=last, device=device, runs_dir=runs_dir)
    if code:
        raise typer.Exit(code)


@dataclass(frozen=True)
class Wish:
    """What is to be played, and how it is to be shown."""

    episodes: int = 1
    steps: int | None = None
    protocol: str | None = None
    epsilon: float | None = None
    seed: int = 0
    record: Path | None = None
    terminal: bool = False
    speed: float = 1.0
    scale: int | None = None
    bars: bool | None = None


@dataclass(frozen=True)
class WatchedGame:
    """One game, over or left."""

    total: float
    length: int
    end: str  # "over", "cut", "left"


def watch(
    checkpoint: str | Path, wish: Wish, *, last: bool = False, device: str | None = None, runs_dir: Path = Path("runs")
) -> int:
    """Play, show, and say how each game ended. Returns the exit code: 0, or that of a signal."""
    from rltrain.cli import signals
    from rltrain.film import recording
    from rltrain.film.caption import Subject
    from rltrain.verbs import saved_policy
    from rltrain.verbs.watch import at_play

    if wish.record is not None:
        recording.check(wish.record)  # before anything is read
    saved = saved_policy.read(checkpoint, runs_dir, last)
    for warning in saved.warnings:
        complain(f"warning: {warning}")
    way = way_of(wish, saved.experiment.environment)
    with (
        signals.stopping(lambda reason: None) as asked,
        at_play(saved, wish.episodes, wish.protocol, wish.epsilon, wish.seed, device) as playing,
    ):
        say(shown(playing.title))
        say(shown(f"{saved.path} ({saved.chosen})"))
        say(f"protocol {playing.protocol}, epsilon {playing.epsilon:g}, seed {wish.seed}")
        subject = Subject(playing.title, playing.actions, playing.score_name, wish.episodes, playing.bounds)
        games = show(playing.moments, wish, subject, playing.fps, way, lambda: asked.reason is not None)
    if len(games) > 1:
        say(f"mean of {len(games)} games: {words.score(sum(game.total for game in games) / len(games))}")
    return asked.exit_code


def way_of(wish: Wish, settings: EnvironmentConfig) -> Way:
    """How it is shown. InputError where it cannot be."""
    from rltrain.envs import screen

    terminal = sys.stdout.isatty()
    if settings.is_model:
        if wish.record is not None:
            raise InputError(
                f"--record: {settings.name} is a known model and has no picture; without it the steps are told in words"
            )
        return "words"
    if wish.terminal and not terminal:
        raise InputError("--terminal draws on a terminal, and standard output is none; --record FILE.mp4 needs none")
    if wish.terminal:
        return "terminal"
    if wish.record is not None:
        return "file"
    if screen.has_screen():
        return "window"
    if not terminal:
        raise InputError("there is neither a screen nor a terminal to show it on; --record FILE.mp4 writes a video")
    return "terminal"


def show(
    moments: Iterator[Moment], wish: Wish, subject: Subject, fps: float, way: Way, stopped: Callable[[], bool]
) -> list[WatchedGame]:
    """Show every moment in the ways that were wished for; returns the games as they ended."""
    from rltrain.cli.show.pace import Pace
    from rltrain.film.film import Film

    film = None
    if wish.record is not None:
        film = Film(wish.record, subject, fps * wish.speed, wish.scale, bool(wish.bars))
    person = way != "words" or sys.stdout.isatty()
    pace = Pace(fps, wish.speed if person else math.inf)
    games: list[WatchedGame] = []
    try:
        viewer = viewer_of(way, wish, subject)
        covers = viewer is not None and viewer.covers
        try:
            with live(wish, way):
                for game in watched(moments, wish.steps, viewer, pace, film, stopped):
                    games.append(game)
                    progress.line.at(len(games), wish.episodes)
                    if not covers:
                        say(line(len(games), game))
        finally:
            if viewer is not None:
                viewer.close()
    except BaseException:
        if film is not None:
            film.discard()
        raise
    for number, game in enumerate(games if covers else [], start=1):
        say(line(number, game))
    if film is not None:
        with progress.line.over(f"writing {wish.record}"):
            done = film.close()
        say(done)
    return games


def live(wish: Wish, way: Way) -> AbstractContextManager[None]:
    """The live line, where nobody sees the games."""
    return progress.line.over(f"recording {wish.record}") if way == "file" else nullcontext()


def watched(
    moments: Iterator[Moment],
    steps: int | None,
    viewer: Viewer | None,
    pace: Pace,
    film: Film | None,
    stopped: Callable[[], bool],
) -> Iterator[WatchedGame]:
    """Hand every moment on, at a person's pace if there is one; yields each game when it is over or left."""
    played = 0
    for moment in moments:
        played += moment.step > 0
        if film is not None:
            film.show(moment)
        if viewer is not None:
            viewer.show(moment)
        more = not stopped() and (viewer is None or pace.wait(viewer, moment.last, stopped))
        more &= steps is None or played < steps
        if moment.last or not more:
            yield WatchedGame(moment.total, moment.step, "cut" if moment.cut else "over" if moment.last else "left")
        if not more:
            return


def viewer_of(way: Way, wish: Wish, subject: Subject) -> Viewer | None:
    """Who shows it to a person; None where only a file is written."""
    from rltrain.cli.show.story import Story
    from rltrain.cli.show.terminal import Terminal, depth_of
    from rltrain.cli.show.window import Window

    if way == "words":
        return Story(subject)
    if way == "window":
        return Window(subject, wish.scale, wish.bars is not False)
    if way == "terminal":
        stream = Output(sys.stdout)
        return Terminal(subject, stream, depth_of(stream))
    return None


def line(number: int, game: WatchedGame) -> str:
    """What is said of a game."""
    ends = {"over": "", "cut": ", cut off by the time limit", "left": ", left before its end"}
    return f"game {number}: return {words.score(game.total)} in {words.count(game.length)} steps{ends[game.end]}"
