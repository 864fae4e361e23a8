"""The types that every part of rltrain speaks. Nothing here depends on anything but numpy.

Everything that can be trained is one kind of thing: it can be made a little better (`step`), it can act (`policy`), and
it can say all that it needs to go on (`save`, `load`). Between two steps nothing is in flight: `save` is all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from numpy.typing import NDArray

from rltrain.spaces import Actions, Discrete, Form, OwnForm, Part

if TYPE_CHECKING:
    from pydantic import BaseModel

Array = NDArray[Any]
Metrics = Mapping[str, float]  # flat, "loss/td", "return/mean"; the same keys at every step, NaN where not yet known
State = Mapping[str, Any]  # nested; keys are str; leaves: int float str bool None list ndarray Blob
Settings = TypeVar("Settings")  # the `environment` block of a config, as a kind of environment types it


@dataclass(frozen=True)
class Blob:
    """A large piece of state that never changes once it exists, such as 4,096 replay frames.

    A checkpoint writes a blob only if no earlier checkpoint of the run has. `name` is unique within the run and is
    given to one content only. `read` returns the arrays: from memory when the algorithm made the blob, from the disk
    after a load. Then `size` is known, so that nobody has to read what cannot fit.
    """

    name: str  # [a-z0-9-]+
    read: Callable[[], dict[str, Array]]
    size: int | None = None  # bytes of the arrays and of what says their names and shapes


class Stateful(Protocol):
    """A thing with a state. `load(save())` on a fresh object of the same configuration restores it to the bit."""

    def save(self) -> State: ...
    def load(self, state: State) -> None: ...


class Step(NamedTuple):
    """What N environments say. After `last`, the next step ignores that environment's action and returns a `first`."""

    obs: Array  # [N, *obs]
    reward: Array  # [N] float32, raw: clipping and scaling belong to the learner
    discount: Array  # [N] float32, 0 where the task ended, 1 otherwise: a time limit keeps 1
    first: Array  # [N] bool, obs opens an episode: no transition leads here
    last: Array  # [N] bool, the episode stops here, for either reason
    mask: Array | None = None  # [N, spec.actions.mask_width] bool, what can be done at obs; None: everything
    scaled: Array | None = None  # [N] float32, rewards for the learner: `steps.reward_to_learn`; None: the raw ones


@dataclass(frozen=True)
class EnvSpec:
    """What an algorithm may know of its environments before the first step."""

    id: str
    obs_shape: tuple[int, ...]  # of one observation, without N: (4, 84, 84), (4,)
    obs_dtype: str  # "uint8" or "float32"
    frame_stack: int  # k > 1: obs is k frames [k, H, W], oldest first, zeros before the episode; 1: no stack
    actions: Actions
    num_envs: int
    frames_per_step: int  # emulator frames that one agent step spans
    max_episode_steps: int | None  # in agent steps
    reward_threshold: float | None  # the score at which the task counts as solved
    num_states: int | None = None  # where obs [N, 1] are the numbers of states
    obs_high: int = 255  # of uint8 observations: the greatest value, which networks see as 1
    discount: float | None = None  # that a known model states; it is the default of every algorithm's `gamma`
    endless: bool = False  # no episode ever ends: a known model without terminal states, and no limit of steps
    warnings: tuple[str, ...] = ()  # of how a known model was read from its file: costs minimised, sums divided
    planes: tuple[tuple[int, ...], ...] = ()  # what networks see of each value of a uint8 picture: P bytes; (): itself
    parts: tuple[Part, ...] = ()  # of obs [N, width], where the environment names several
    masked: bool = False  # every Step has a mask
    longest: int | None = None  # steps after which training cuts off an episode, whatever its limit; None: never
    scaled: bool = False  # in training every Step has rewards for the learner besides: `Step.scaled`

    @property
    def is_image(self) -> bool:
        """Whether obs is a picture, [C, H, W]: uint8, or float32 from 0 to 1."""
        return len(self.obs_shape) == 3

    @property
    def has_image(self) -> bool:
        """Whether obs is a picture, or has one among its parts."""
        return self.is_image or any(part.is_image for part in self.parts)

    @property
    def num_actions(self) -> int:
        """Of a `Discrete` space. An algorithm that takes no other declares so in its plugin, and is given no other."""
        assert isinstance(self.actions, Discrete)
        return self.actions.n

    @property
    def action_names(self) -> tuple[str, ...]:
        """Of a `Discrete` space, whose names may be numbers; of others nothing."""
        own = self.actions
        return (own.names or tuple(map(str, range(own.n)))) if isinstance(own, Discrete) else ()


class Env(Stateful, Protocol):
    """N >= 1 environments side by side."""

    spec: EnvSpec

    def reset(self, seed: int) -> Step: ...
    def step(self, action: Array) -> Step: ...  # action [N, *spec.actions.shape], as `spaces` says
    def close(self) -> None: ...


@runtime_checkable
class Retiring(Env, Protocol):
    """Environments that can be closed one by one, each of which goes its way whatever the others do."""

    def retire(self, which: Array) -> None:
        """These, [N] bool, play no more: of them `step` keeps the last obs, with reward 0, neither first nor last."""


@runtime_checkable
class Reopening(Env, Protocol):
    """Environments that may not repeat themselves: a `load` leaves behind what cannot be played again."""

    def go_on_from(self, step: Step) -> Step:
        """The saved `step` as it is after a `load`: `last` of an episode that is left behind, as at a time limit."""


class Filmed(Protocol):
    """A single environment, `spec.num_envs` 1, that shows itself."""

    spec: EnvSpec
    fps: float  # agent steps a second at the environment's own pace

    def reset(self, seed: int) -> Step: ...
    def step(self, action: Array) -> Step: ...
    def frame(self) -> Array | None: ...  # uint8 [H, W, 3], of the last Step; None: there is no picture of it
    def state(self) -> str: ...  # its name, where states have one; else ""
    def close(self) -> None: ...


class EnvOptions(NamedTuple):
    """How environments are to be made, beside their settings. A kind may leave out what it has no use for."""

    num_envs: int = 1
    task: str = "env"  # else its observations are to be the numbers of states: "tabular" or "mdp"
    threads: int = 1  # cores that may play
    in_parts: bool = False  # `Parted`, where there are enough of them
    training: bool = True  # else whole games are played, and what can be closed one by one is `Retiring`
    repeats: bool = True  # else no course of theirs can be played again, see `EnvironmentKind.varies`
    first_index: int | None = None  # they are some of more, of which this is the first: what all share is left out


@dataclass(frozen=True, kw_only=True)
class EnvironmentKind(Generic[Settings]):
    """One kind of environment: which ids it has, what may be set of them, and how they are made, described and filmed.

    A package names it by an entry point of the group `rltrain.environments`. Its module is imported whenever a config
    names an id that is neither Atari's nor a model's file, so what takes long to import is imported within the
    functions. They are called with `settings` whose id is one that `handles` accepts. `rltrain.kinds` checks it.
    """

    title: str  # what a person calls it: "Atari"
    form: str  # what its ids look like: "ALE/…"; where it ends so, they have a paragraph of `rltrain list`
    settings: type[Settings]  # extends `experiment.settings.EnvironmentConfig` by keys of the `environment` block
    takes_kwargs: bool = True  # `environment.kwargs` is for its ids
    replays: bool = False  # a resume plays its episodes again, and `environment.reseed_every` is for its ids
    may_mask: bool = False  # `environment.action_masks` is for its ids: some of them say what can be done
    takes_wrappers: bool = False  # `environment.wrappers` is for its ids
    tasks: tuple[str, ...] = ("env",)  # those that `describe` and `make` know
    handles: Callable[[str], bool]  # whether an id is of this kind, by its form; there may be no such environment
    ids: Callable[[], Sequence[str]]  # that can be listed
    exists: Callable[[Settings], bool] | None = None  # None: what is among `ids`. MissingError or InputError say more
    describe: Callable[[Settings, EnvOptions], EnvSpec]  # what an algorithm may know before the first step
    make: Callable[[Settings, EnvOptions], Env]
    film: Callable[[Settings, str], Filmed] | None = None  # of settings and a task; None: it has no picture
    model: Callable[[Settings], Any] = lambda _: None  # the known `mdp.model.Model` behind them; None: there is none
    own_form: Callable[[Settings, str], OwnForm | None] = lambda *_: None  # of settings and a task; None: there is none
    # Why games from one seed with the same actions differ, in a clause; None: they are equal, or nothing needs a test.
    varies: Callable[[Settings, EnvOptions], str | None] = lambda *_: None
    # Why so many cannot be made in parts, by `first_index`, in a clause; None: their states are cut by the first axis.
    undivided: Callable[[Settings, EnvOptions], str | None] = lambda *_: "their kind knows no parts"

    # Of an evaluation: how many games are played at once; the rules that it may be played by, beside or instead of
    # `training`, each as the settings of its games and epsilon; the rules that are taken where a config names none;
    # what is reported of the settings, "noop_max", "repeat_action_probability" or "lives"; the packages whose versions,
    # with rltrain's and the settings, decide every game (None: they may change without).
    side_by_side: Callable[[Settings], int] = lambda _: 32
    protocols: Mapping[str, Callable[[Settings], tuple[Settings, float]]] = field(default_factory=dict)
    default_protocol: Callable[[Settings], str] = lambda _: "training"
    conditions: Callable[[Settings], Mapping[str, Any]] = lambda *_: {}
    decided_by: Callable[[Settings], tuple[str, ...] | None] = lambda _: None


class Policy(Protocol):
    """Frozen behaviour, for evaluation, video and export."""

    def act(self, obs: Array, mask: Array | None = None) -> Array: ...  # [N, *obs] -> [N, *spec.actions.shape]


@runtime_checkable
class Scoring(Policy, Protocol):
    """A policy that can say what it thinks of every action. Asking changes nothing that `act` does."""

    score_name: str  # "Q" or "probability"

    # [N, *obs] -> [N, num_actions], NaN where it has no opinion. A mask [N, num_actions] says what can be done; what it
    # says of the rest is not looked at. A probability is that of `act` with this mask.
    def scores(self, obs: Array, mask: Array | None = None) -> Array: ...


@runtime_checkable
class RowByRow(Policy, Protocol):
    """A policy whose action for a row of obs is a function of that row, to the bit in batches of the right size.

    Rounding may differ between the rows of a batch. It is the same for a row among the first `row_block * k`, whatever
    k >= 1 is, and for one of the less than `row_block` rows after them, if their number stays the same.
    """

    @property
    def row_block(self) -> int: ...


@dataclass(frozen=True)
class Hardware:
    """What an algorithm may compute on."""

    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:0"
    threads: int = 2  # cores to keep busy


class Algorithm(Stateful, Protocol):
    """A thing that gets better. It may be `Pausing` besides; all else that it may offer is a hook of its plugin."""

    @property
    def counters(self) -> Mapping[str, int]: ...  # env_steps, episodes, updates, sweeps: budgets and cadences name one

    @property
    def done(self) -> bool: ...  # nothing is left to improve; most learners stay False

    def step(self) -> Metrics: ...  # one unit of improvement, about a second at most
    def policy(self) -> Policy: ...


@runtime_checkable
class Pausing(Protocol):
    """An algorithm whose `step` may end early: at the environments' next step once a counter reaches its limit.

    Budgets and cadences need not wait for its end. The next one goes on as if there was no pause, after a `load` too.
    """

    @property
    def paused(self) -> bool: ...  # the last `step` was not all of its unit

    def pause_at(self, limits: Mapping[str, int]) -> None: ...  # of counters; {}: never
    def so_far(self) -> Metrics: ...  # what `step` returned, of what the unit has come to


@dataclass(frozen=True, kw_only=True)
class AlgorithmPlugin:
    """All that the program knows of an algorithm: what it must have, and what it may offer. `registry` checks it.

    A package names it by an entry point of the group `rltrain.algorithms`; its module is imported when a config names
    the algorithm. What takes long to import, such as torch, is imported within `make` and the hooks. They are called
    with the settings in `config`, an instance of that class; a `State` is what the algorithm's `save` returned.
    """

    config: type[BaseModel]  # its settings, each described; `model_config = rltrain.experiment.settings.STRICT`
    make: Callable[[Any, Any, Any, Hardware], Algorithm]  # of (settings, world, `rng.Streams`, hardware)
    budget: Mapping[str, int]  # where a config sets none: a counter and its limit
    num_envs: int = 1  # environments side by side, where a config does not say
    task: Literal["env", "tabular", "mdp"] = "env"  # the world: any `Env`, one of numbered states, a `mdp.model.Model`
    or_env: bool = False  # of task "tabular": where no model is known its world is any `Env`
    actions: tuple[Form, ...] = ("discrete",)  # spaces of actions that it can learn to choose from
    images: bool = True  # it learns from pictures too, not from vectors of numbers alone
    scaled_rewards: bool = False  # it learns from `steps.reward_to_learn`, and reports the raw rewards
    asynchronous: bool = False  # it learns from environments that are played apart: `run.distribute.mode` async
    on_gpu: bool = False  # it computes on `hardware.device`, by torch: "auto" is then a GPU where there is one

    # Before it is made: (settings, spec, budget) -> what makes nothing be learned, a line each with key and remedy;
    # (settings, spec) -> "parameters", "replay_bytes" or "rollout_bytes", "checkpoint_bytes", "cores", "frame_bytes".
    doubts: Callable[[Any, EnvSpec, Mapping[str, int]], Sequence[str]] = lambda *_: ()
    cost: Callable[[Any, EnvSpec], Mapping[str, int]] = lambda *_: {}
    # Of what was made, before its first step: what was left to the machine, name -> "choice: reason"; what to be told.
    chosen: Callable[[Any], Mapping[str, str]] = lambda *_: {}
    warnings: Callable[[Any], Sequence[str]] = lambda *_: ()
    # Of what was made, before its first step, and a `warm_start.WarmSource` to start from: the `Taken` of it.
    warm_start: Callable[[Any, Any], Any] | None = None
    # Of a saved state, without making the algorithm: its policy (None: the algorithm is made and loaded for that); CSV
    # tables beside the curves, table -> column -> [n]; lines for a person at the end of a run.
    load_policy: Callable[[Any, EnvSpec, State, Hardware], Policy] | None = None
    # What that policy computes of a `computation.Seen`, a `computation.Computation`; InputError says why it cannot be.
    computation: Callable[[Any, EnvSpec, State, Any], Any] | None = None
    tables: Callable[[Any, EnvSpec, State], Mapping[str, Mapping[str, Array]]] = lambda *_: {}
    summary_lines: Callable[[Any, EnvSpec, State], Sequence[str]] = lambda *_: ()


Table = Literal["train", "eval"]  # of rows: one a step, one an evaluation


@runtime_checkable
class Sink(Stateful, Protocol):
    """Takes the rows of numbers of a run and writes them below the run's folder, to files called after the sink.

    A package names a function from the folder's Path to a sink by an entry point of the group `rltrain.sinks`; a config
    asks for it by that name, in `run.sinks`. A sink is made as of a run's beginning: what a killed process left is
    written over. `save` says where it stands, such as the bytes that it has written (see `run.tail.Tail`); `load` goes
    back there, so that a resumed log equals that of a run which was never stopped. Values are floats; NaN is no number.
    """

    def write(self, table: Table, counters: Mapping[str, int], metrics: Metrics) -> None:
        """Add a row. DiskError if the disk refuses it; then it is kept, and written before the next."""

    def flush(self) -> None:
        """Bring all rows to the disk: a checkpoint that holds `save()` is written next. DiskError."""

    def close(self) -> None: ...
