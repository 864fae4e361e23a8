"""Explain a saved policy's game, for a program: `rltrain.explain`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any, Literal

from rltrain.errors import InputError
from rltrain.run.blas import one_thread
from rltrain.spelling import described
from rltrain.verbs.explain import explain as verb
from rltrain.verbs.explain.explain import Explanation, Question
from rltrain.verbs.given import chance, path_of, text_of, text_or_none, whole, yes_or_no
from rltrain.verbs.saved_policy import hand_over, locate, read


def explain(
    run: str | os.PathLike[str],
    game: int = 0,
    *,
    step: int | None = None,
    when: str | None = None,
    worst: int | None = None,
    why: int | None = None,
    environment: Callable[..., Any] | None = None,
    protocol: Literal["nature", "sticky", "training"] | None = None,
    epsilon: float | None = None,
    last: bool = False,
    runs_dir: str | os.PathLike[str] = "runs",
) -> Explanation:
    """Play the game of seed `game` with a run's policy, and say why it did what it did.

    `.game` has a column of its T steps for each of `gap`, `value`, `td`, `returns`, `reward`, `chosen`, `explored`, and
    `scores` [T, A].
    `step` is looked at closer: `.details[0].inputs` or `.saliency`. `.picked` are the steps where `when` holds, such as
    "gap < 0.1 and not explored", or the `worst` so many TD errors. `.outcomes` says what each action at step `why` led
    to. The other arguments are those of `rltrain.evaluate`. After Ctrl-C `partial`
    is true. CheckpointError, InputError.
    """
    text_or_none("protocol", protocol)
    epsilon, last = chance("epsilon", epsilon), yes_or_no("last", last)
    with one_thread():
        given, folder = text_of("run", run), path_of("runs_dir", runs_dir)
        hand_over(locate(given, folder, last)[0], environment)
        saved = read(given, folder, last)
        for warning in saved.warnings:
            warnings.warn(warning, stacklevel=2)
        numbers = (("step", step, 0), ("worst", worst, 1), ("why", why, 0))
        step, worst, why = (None if value is None else whole(name, value, least) for name, value, least in numbers)
        if when is not None and not isinstance(when, str):
            raise InputError(f'when: expected a condition such as "gap < 0.1", got {described(when)}')
        question = Question(step, when, worst, why)
        return verb.explain(saved, question, seed=whole("game", game, 0), protocol=protocol, epsilon=epsilon)
