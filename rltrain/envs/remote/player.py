"""What a process that plays for another one does: it makes environments, and does with them what it is called to.

Calls are data, so that a list of them is both a message and a journal from which environments can be made again.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from rltrain import imports, kinds
from rltrain.core import Array, Env, EnvOptions, EnvSpec, Reopening, Retiring, State, Step
from rltrain.errors import InputError, MissingError, NotBroughtError, RltrainError
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.version import __version__, installed

if TYPE_CHECKING:
    from rltrain.deep.networks import NetworkShape
    from rltrain.deep.roaming import Roaming

PACKAGES = ("numpy", "numba", "gymnasium", "ale-py")  # what decides a game's course, beside rltrain


@runtime_checkable
class Replayed(Env, Protocol):
    """Environments whose `load` plays them again; of a part of more, whoever has them all checks what is seen then."""

    @property
    def obs(self) -> Array: ...  # [N, *obs], what is seen now
    def replay(self, state: State) -> None: ...  # `load`, but for its check of what is seen


class Make(NamedTuple):
    """Make environments of these settings. The answer: `Made`."""

    settings: EnvironmentConfig
    options: EnvOptions


class Begin(NamedTuple):
    """Reset them with a seed. The answer: a Step, of a stack of frames the newest."""

    seed: int


class Play(NamedTuple):
    """Step them with actions [n, *action]. The answer: a Step, of a stack of frames the newest."""

    action: Array


class Load(NamedTuple):
    """Load a state. The answer: what is seen then [n, *obs], or None where they do not say."""

    state: State


class GoOn(NamedTuple):
    """After a load, see `core.Reopening`. The answer: a Step."""

    step: Step


class Save(NamedTuple):
    """The answer: their state."""


class Retire(NamedTuple):
    """Close those of `which`, [n] bool, where they can be closed one by one. No answer."""

    which: Array


class Close(NamedTuple):
    """Close them all and forget them. No answer."""


class Explore(NamedTuple):
    """After `Begin`: from now on a network of this shape decides for them, random this often, [n]. No answer."""

    shape: NetworkShape
    epsilon: Array
    seed: int  # of what is random


class Roam(NamedTuple):
    """After `Explore`: play so many steps, by these weights from now on, if any are named. The answer: a `Segment`."""

    steps: int
    weights: Mapping[str, Array] | None


Call = Make | Begin | Play | Load | GoOn | Save | Retire | Close | Explore | Roam


class Made(NamedTuple):
    """What is known of environments that were made."""

    spec: EnvSpec
    reopens: bool  # a `left_behind.all_left` can be loaded


class Raised(NamedTuple):
    """An error that a person can act on, in place of an answer: its class and what it says."""

    kind: type[RltrainError]
    message: str


class Home(NamedTuple):
    """What a player needs to be like the process that it plays for."""

    folder: str  # where that process stands: paths are found from there
    brought: tuple[str, ...]  # modules and files that a person imported there, by --import or trust
    files: dict[str, str]  # the sha256 of those and of what they imported from their own folders
    versions: dict[str, str]


def home() -> Home:
    """Of this process."""
    facts = imports.brought()
    files = {name: each["sha256"] for name, each in facts.items() if "sha256" in each}
    return Home(os.getcwd(), tuple(imports.flags()[1::2]), files, _versions())


def _versions() -> dict[str, str]:
    return {"rltrain": __version__} | {name: installed(name) or "-" for name in PACKAGES}


class Player:
    """Environments by key, and the calls that are made on them."""

    def __init__(self) -> None:
        self._envs: dict[str, Env] = {}
        self._begun: dict[str, Step] = {}  # what was said at their reset
        self._roaming: dict[str, Roaming] = {}

    def settle(self, like: Home) -> Raised | None:
        """Stand where another process stands, with what was imported there. Returns why that cannot be, if so.

        What is played must not depend on the machine: another version of what decides it is refused.
        """
        try:
            self._settle(like)
        except RltrainError as error:
            return _raised(error)
        return None

    def _settle(self, like: Home) -> None:
        here = socket.gethostname()
        other = [f"{name} {like.versions[name]} -> {now}" for name, now in _versions().items()]
        other = [each for each in other if each.split()[1] != each.split()[3]]
        if other:
            raise InputError(f"run.distribute: {here} has other versions than this process: {', '.join(other)}")
        try:
            os.chdir(like.folder)
        except OSError as error:
            raise InputError(
                f"run.distribute: {here} has no folder {like.folder}: an actor needs the files of this process at the"
                " same paths; share the disk, or start where every machine has the folder"
            ) from error
        for given in like.brought:
            imports.bring(given)
        found = imports.brought()
        for name, sha256 in like.files.items():
            if found.get(name, {}).get("sha256") != sha256:
                raise InputError(
                    f"run.distribute: {name} on {here} is another file than the one that was imported here"
                )

    def do(self, key: str, calls: Sequence[Call]) -> Any:
        """Make these calls on the environments of this key. Returns the answer to the last, or `Raised`."""
        found: Any = None
        try:
            for call in calls:
                found = self._made(key, call) if isinstance(call, Make) else self._done(key, call)
        except RltrainError as error:
            return _raised(error)
        return found

    def _made(self, key: str, call: Make) -> Made:
        if key in self._envs:
            self._envs.pop(key).close()
        env = self._envs[key] = kinds.check(call.settings).make(call.settings, call.options)
        return Made(env.spec, isinstance(env, Reopening) and isinstance(env, Replayed))

    def _done(self, key: str, call: Call) -> Any:
        if isinstance(call, Close):
            self._begun.pop(key, None), self._roaming.pop(key, None)
            return self._envs.pop(key).close() if key in self._envs else None
        env = self._envs[key]
        match call:
            case Play(action):
                return newest(env.spec, env.step(action))
            case Begin(seed):
                self._begun[key] = env.reset(seed)
                return newest(env.spec, self._begun[key])
            case GoOn(step):
                return env.go_on_from(step) if isinstance(env, Reopening) else step
            case Load(state):
                return _loaded(env, state)
            case Save():
                return env.save()
            case Retire(which):
                return env.retire(which) if isinstance(env, Retiring) else None
            case Explore(shape, epsilon, seed):
                from rltrain.deep.roaming import Roaming

                self._roaming[key] = Roaming(env, self._begun[key], shape, epsilon, seed)
                return None
            case Roam(steps, weights):
                return self._roaming[key].segment(steps, weights)


def _raised(error: RltrainError) -> Raised:
    return Raised(MissingError if isinstance(error, NotBroughtError) else type(error), str(error))


def newest(spec: EnvSpec, step: Step) -> Step:
    """A step whose stacks of frames are the newest frame alone: the others were sent before."""
    return step._replace(obs=step.obs[:, -1:]) if spec.frame_stack > 1 else step


def _loaded(env: Env, state: State) -> Array | None:
    if not isinstance(env, Replayed):
        env.load(state)
        return None
    env.replay(state)
    return env.obs
