"""The kinds of environment: four of rltrain's own, and those that other packages bring by entry point.

A kind of ours is a folder of `rltrain/envs` whose `kind.py` holds `KIND`; another package registers its object with an
entry point of the group `rltrain.environments`: `name = "package.module:KIND"`. An id is of the first kind that handles
it: ours, then others by name, and last Gymnasium's, which takes every id. Nothing is imported before it is asked for.
An id that Gymnasium does not know may be one of a package that is installed, or trusted: see `origins`.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

from pydantic import BaseModel

from rltrain import distributions, imports, origins, registering, registry
from rltrain.core import EnvironmentKind, EnvSpec
from rltrain.errors import EnvironmentFault, InputError, MissingError
from rltrain.experiment.settings import EnvironmentConfig, colon_refused
from rltrain.guard import Guarded, Rule, entries, has, lines
from rltrain.spaces import OwnForm

FIRST = ("atari", "models", "vacuum")  # ours, told by the form of an id
LAST = "gym"  # every other id
ENV = ("spec", "reset", "step", "save", "load", "close")  # what an environment must have
FILM = ("spec", "fps", "reset", "step", "frame", "state", "close")
Kind = EnvironmentKind[Any]


def names() -> list[str]:
    """Every kind's name, in the order in which they are asked whether an id is theirs."""
    return [*FIRST, *sorted(_others()), LAST]


def load(name: str) -> Kind:
    """The kind of this name. InputError for an entry point that brings none, MissingError for a package."""
    if name in (*FIRST, LAST):
        found: Kind = importlib.import_module(f"rltrain.envs.{name}.kind").KIND
        return found
    what = f"environment kind '{name}' ({_others()[name].value})"
    return _guarded(_checked(_loaded(name), what), what)


def _loaded(name: str) -> object:
    """What the entry point of another package names: a kind, or a function that registers ids with Gymnasium."""
    found: object = registry.loaded(_others()[name], "environment kind")
    return found


def of(env_id: str) -> Kind:
    """The kind that this id is of. One of another package that cannot say is passed over."""
    return next(kind for kind in _readable() if _handles(kind, env_id))


def all_kinds() -> list[Kind]:
    """Every kind that can be loaded, in the order of `names`."""
    return list(_readable())


def typed(env_id: str, **keys: Any) -> EnvironmentConfig:
    """An `environment` block as its kind types it: `typed("ALE/Pong-v5", frame_skip=2)`.

    pydantic.ValidationError for a key or a value that the kind has not.
    """
    settings: EnvironmentConfig = of(env_id).settings(id=env_id, **keys)
    return settings


def own_keys(kind: Kind) -> list[str]:
    """The keys that may stand in the `environment` block of this kind's ids."""
    taken = {"kwargs": kind.takes_kwargs, "wrappers": kind.takes_wrappers, "action_masks": kind.may_mask}
    taken |= {"reseed_every": kind.replays, "needs": kind is load(LAST)}  # of others it is known where ids come from
    return [key for key in kind.settings.model_fields if taken.get(key, True)]


def ids() -> list[str]:
    """Every id that `rltrain list` shows, sorted. Some need a package that is not installed."""
    return sorted({name for kind in all_kinds() for name in listed(kind)})


def listed(kind: Kind) -> Sequence[str]:
    """The ids of a kind that can be listed: none of one that fails to say them, which must break no list."""
    try:
        return kind.ids()
    except EnvironmentFault:
        return ()


def broken(env_id: str) -> list[str]:
    """What is wrong with kinds of other packages that cannot be loaded, or cannot say whether this id is theirs."""
    found = []
    for name in _others():
        try:
            if not origins.registers(_loaded(name)):
                load(name).handles(env_id)
        except (InputError, MissingError, EnvironmentFault) as error:
            found.append(str(error))
    return found


def check(settings: EnvironmentConfig) -> Kind:
    """The kind of this environment. MissingError or InputError, naming the nearest ids, if it cannot exist here.

    NotBroughtError for a module that only a person may import, and nobody has.
    """
    if ":" in settings.id:
        raise InputError(f"environment.id: {colon_refused(settings.id)}")
    imports.require(settings.needs, "environment.needs: the config names")
    kind = of(settings.id)
    if _exists(kind, settings):
        return kind
    if kind is not load(LAST):
        also = [f"an id of this form is taken by {kind.handles.what}"] if isinstance(kind.handles, Guarded) else []
        raise unknown(settings.id, kind.ids(), also)
    faults = []  # nothing in the id says of which kind it was meant to be
    for fault in origins.tried(settings.id):
        if _exists(kind, settings):
            return kind
        faults += [fault] if fault else []
    if (found := origins.of_package(settings.id, faults)) is not None:
        raise found
    raise MissingError(f"{unknown(settings.id, ids(), [*broken(settings.id), *faults])}\n{origins.HOW}")


def _exists(kind: Kind, settings: EnvironmentConfig) -> bool:
    return settings.id in kind.ids() if kind.exists is None else kind.exists(settings)


def default_protocol(settings: EnvironmentConfig) -> str:
    """The rules by which games of this environment are scored unless a person says others."""
    return of(settings.id).default_protocol(settings)


def protocols() -> list[str]:
    """The names of all rules that an evaluation may be played by, sorted."""
    return sorted({"training", *(protocol for kind in all_kinds() for protocol in kind.protocols)})


def with_protocol(protocol: str) -> list[Kind]:
    """The kinds whose games are scored by these rules."""
    return [kind for kind in all_kinds() if protocol in kind.protocols]


def with_key(key: str) -> list[Kind]:
    """The kinds that have this key in their `environment` block."""
    return [kind for kind in all_kinds() if key in own_keys(kind)]


def unknown(name: str, known: Iterable[str], also: Sequence[str] = ()) -> MissingError:
    """There is no environment of this name: with up to three of those `known` that are like it."""
    nearest = _nearest(name, known)
    hint = f"did you mean {' or '.join(nearest)}?" if nearest else "`rltrain list` shows them all"
    return MissingError("; ".join([f"environment.id: no environment is called {name!r}", hint, *also]))


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    """Up to three ids like this one: case, a namespace such as ALE/ and the version may be left out ("pong")."""
    forms: dict[str, str] = {}
    for full in known:
        bare = full.lower().rsplit("/", 1)[-1]
        for form in (full.lower(), bare, bare.rsplit("-", 1)[0]):
            forms.setdefault(form, full)
    found = difflib.get_close_matches(name.lower().rsplit("/", 1)[-1][:100], forms, n=6, cutoff=0.6)
    return list(dict.fromkeys(forms[form] for form in found))[:3]


def _readable() -> Iterator[Kind]:
    """The kinds, one by one; another package's broken one is passed over."""
    yield from (load(name) for name in FIRST)
    for name in sorted(_others()):
        with contextlib.suppress(InputError, MissingError):
            yield load(name)
    yield load(LAST)


def _handles(kind: Kind, env_id: str) -> bool:
    try:
        return kind.handles(env_id)
    except EnvironmentFault:
        return False


def _others() -> dict[str, EntryPoint]:
    """The entry points of other packages; none takes the name of a kind of ours."""
    points = distributions.entry_points(registering.GROUP)
    return {point.name: point for point in points if point.name not in (*FIRST, LAST)}


def _checked(found: object, what: str) -> Kind:
    """Refuse what breaks the contract, now rather than in the middle of a run."""
    if not isinstance(found, EnvironmentKind):
        raise InputError(f"{what}: must name a rltrain.core.EnvironmentKind; it is a {type(found).__name__}")
    settings: object = found.settings
    strict = isinstance(settings, type) and issubclass(settings, EnvironmentConfig) and _is_strict(settings)
    if not strict:
        raise InputError(f"{what}: settings must extend experiment.settings.EnvironmentConfig, with its model_config")
    if not isinstance(found.tasks, tuple) or not found.tasks or not set(found.tasks) <= set(registry.TASKS):
        raise InputError(f"{what}: tasks must be some of {', '.join(registry.TASKS)}, are {found.tasks!r}")
    if type(found.title) is not str or type(found.form) is not str:
        raise InputError(f"{what}: title and form must be texts, are {found.title!r} and {found.form!r}")
    if not isinstance(found.protocols, Mapping) or not all(type(protocol) is str for protocol in found.protocols):
        raise InputError(f"{what}: protocols must be a dict of names and functions, is {found.protocols!r}")
    hooks: dict[str, object] = {
        "handles": found.handles,
        "ids": found.ids,
        "describe": found.describe,
        "make": found.make,
        "model": found.model,
        "side_by_side": found.side_by_side,
        "default_protocol": found.default_protocol,
        "conditions": found.conditions,
        "decided_by": found.decided_by,
        "varies": found.varies,
        "undivided": found.undivided,
        "own_form": found.own_form,
        **{member: hook for member, hook in (("exists", found.exists), ("film", found.film)) if hook is not None},
        **{f"protocols['{protocol}']": rules for protocol, rules in found.protocols.items()},
    }
    registry.check_functions(what, hooks)
    return found


def _guarded(found: Kind, what: str) -> Kind:
    """The kind of another package with its functions guarded: what they raise is an EnvironmentFault that names it."""

    def of(member: str, hook: Callable[..., Any], wanted: str = "", fits: Rule = lambda _: True) -> Any:
        return Guarded(what, member, hook, EnvironmentFault, wanted, fits)

    known = ("training", *found.protocols)
    flag: tuple[str, Rule] = ("True or False", _is_flag)
    return replace(
        found,
        handles=of("handles", found.handles, *flag),
        ids=of("ids", found.ids, "a list of ids", lines),
        exists=None if found.exists is None else of("exists", found.exists, *flag),
        describe=of("describe", found.describe, "a core.EnvSpec", _is_spec),
        make=of("make", found.make, f"an object with {', '.join(ENV)}, see core.Env", has(*ENV)),
        film=None
        if found.film is None
        else of("film", found.film, f"an object with {', '.join(FILM)}, see core.Filmed", has(*FILM)),
        model=of("model", found.model),
        side_by_side=of("side_by_side", found.side_by_side, "a whole number from 1", _is_count),
        protocols={
            protocol: of(f"protocols['{protocol}']", rules, "settings and epsilon", _are_rules)
            for protocol, rules in found.protocols.items()
        },
        default_protocol=of(
            "default_protocol", found.default_protocol, f"one of {', '.join(known)}", lambda answer: answer in known
        ),
        conditions=of("conditions", found.conditions, "a dict", entries(object)),
        decided_by=of(
            "decided_by",
            found.decided_by,
            "a tuple of packages or None",
            lambda answer: answer is None or lines(answer),
        ),
        own_form=of("own_form", found.own_form, "a spaces.OwnForm or None", _is_own_form),
        varies=of("varies", found.varies, "a text or None", _is_text_or_none),
        undivided=of("undivided", found.undivided, "a text or None", _is_text_or_none),
    )


def _is_flag(answer: Any) -> bool:
    return type(answer) is bool


def _is_text_or_none(answer: Any) -> bool:
    return answer is None or type(answer) is str


def _is_count(answer: Any) -> bool:
    return type(answer) is int and answer >= 1


def _is_spec(answer: Any) -> bool:
    return isinstance(answer, EnvSpec)


def _is_own_form(answer: Any) -> bool:
    return answer is None or isinstance(answer, OwnForm)


def _are_rules(answer: Any) -> bool:
    return isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], EnvironmentConfig)


def _is_strict(settings: type[BaseModel]) -> bool:
    return settings.model_config.get("extra") == "forbid" and settings.model_config.get("frozen") is True
