"""A saved policy at play, for whoever wants to look: under the rules of an evaluation, moment by moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from rltrain import envs
from rltrain.core import Scoring
from rltrain.policies.asking import Planning
from rltrain.run import protocols
from rltrain.run.play import Moment, play
from rltrain.spaces import Actions, Continuous, MultiDiscrete
from rltrain.verbs.saved_policy import SavedRun, policy_of


@dataclass(frozen=True)
class AtPlay:
    """The games of a policy that are about to be played: `moments` plays them."""

    title: str
    protocol: str
    epsilon: float  # share of random actions
    fps: float  # moments a second, as the game is meant to be seen
    actions: tuple[str, ...]  # the names of what one is chosen of; of several choices or numbers, their places
    bounds: tuple[tuple[float, float], ...]  # of several choices or numbers: of each, its least and greatest value
    score_name: str  # of what the policy thinks of each action: Q or probability; "": it does not say
    moments: Iterator[Moment]


@contextmanager
def at_play(
    saved: SavedRun,
    games: int = 1,
    protocol: str | None = None,
    epsilon: float | None = None,
    seed: int = 0,
    device: str | None = None,
) -> Iterator[AtPlay]:
    """While open, `games` games can be watched. `protocol` None is the run's, `epsilon` None the protocol's.

    InputError for what does not fit, MissingError where a picture needs a package that is not installed.
    """
    experiment = saved.experiment
    settings = experiment.environment
    protocol, world, epsilon = protocols.conditions(
        settings, protocol or experiment.run.evaluate.protocol, epsilon, experiment.task
    )
    with ExitStack() as opened:
        env = opened.enter_context(closing(envs.film(world, experiment.task)))
        policy = policy_of(experiment, saved.loaded, device, 1)  # one observation at a time needs no more
        twin = None
        if isinstance(policy, Planning):
            twin = opened.enter_context(closing(envs.make(world, task=experiment.task, num_envs=1, training=False)))
        bounds = bounds_of(env.spec.actions)
        yield AtPlay(
            title=f"{experiment.algorithm_name} on {settings.name}",
            protocol=protocol,
            epsilon=epsilon,
            fps=env.fps,
            actions=env.spec.action_names or tuple(map(str, range(len(bounds)))),
            bounds=bounds,
            score_name=policy.score_name if isinstance(policy, Scoring) else "",
            moments=play(policy, env, games, epsilon, seed, twin),
        )


def bounds_of(actions: Actions) -> tuple[tuple[float, float], ...]:
    """Of several choices or numbers, the least and greatest value of each; () where one of some is chosen."""
    match actions:
        case MultiDiscrete():
            return tuple((0, size - 1) for size in actions.sizes)
        case Continuous():
            return tuple(zip(actions.low, actions.high, strict=True))
    return ()
