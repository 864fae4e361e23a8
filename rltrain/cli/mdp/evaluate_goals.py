"""`rltrain mdp evaluate` and `verify` with --average or --horizon H: a policy beside the best by that measure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from rltrain.errors import InputError, UncertifiedError

if TYPE_CHECKING:
    from rltrain.core import Array
    from rltrain.mdp.losses import Compared
    from rltrain.mdp.model import Model


class Goal(NamedTuple):
    """By what a policy is measured: H steps at a discount; without H, the average reward of a step."""

    steps: int | None
    discount: Fraction | float = 1

    @property
    def title(self) -> tuple[str, ...]:
        if self.steps is None:
            return ("average reward of a step",)
        return f"discount {float(self.discount):.12g}", f"{self.steps:,} step{'s' * (self.steps != 1)}"

    @property
    def headings(self) -> tuple[str, str]:
        """Of a policy's numbers and the best's."""
        return ("gain", "best") if self.steps is None else ("V", "V*")

    def json(self, exact: bool = False) -> dict[str, Any]:
        if self.steps is None:
            return {"goal": "average"}
        return {"discount": str(self.discount) if exact else float(self.discount), "horizon": self.steps}

    def keys(self) -> tuple[str, str]:
        return ("gain", "gain_optimal") if self.steps is None else ("V", "V_optimal")


def goal_of(model: Model, average: bool, horizon: int | None, discount: str | None, exact: bool = False) -> Goal | None:
    """What the options ask for; None: the discounted sum. InputError for options that make no sense together."""
    if average and horizon is not None:
        raise InputError("--average goes without --horizon: the one is for ever, the other ends after H steps")
    if average and discount is not None:
        raise InputError("--average goes without --discount: the average reward has no discount")
    if average:
        return Goal(None)
    if horizon is None:
        return None
    from rltrain.cli.mdp.solve import fraction_of
    from rltrain.verbs.mdp import models

    return Goal(horizon, fraction_of(model, discount) if exact else models.discount_of(model, discount))


def compare(model: Model, name: str, goal: Goal, epsilon: float) -> tuple[Array | None, Compared]:
    """The policy [P], None: the best that there is for each time to go, or in the long run; and what it is worth."""
    from rltrain.cli.mdp.evaluate import policy_of
    from rltrain.mdp import losses

    given = None if name == "optimal" else policy_of(model, name, 0.0)
    if goal.steps is None:
        return given, losses.by_average(model, given, epsilon)
    return given, losses.by_horizon(model, given, float(goal.discount), goal.steps)


# evaluate


def evaluate(model: Model, name: str, goal: Goal, epsilon: float, limit: int | None, json: bool) -> None:
    """Evaluate and print. UncertifiedError where less than epsilon is proven."""
    from rltrain.cli.mdp import show
    from rltrain.mdp.files import json_stream

    _, found = compare(model, name, goal, epsilon)
    if json:
        show.say_pieces(json_stream.of_object(report(model, name, goal, found)))
    else:
        show_values(model, name, goal, found, limit)
    if found.bound > epsilon:
        raise UncertifiedError(
            f"not proven: the numbers are within {show.upwards(found.bound)} of the truth, and {epsilon:g} was asked "
            "for; raise --epsilon, or take --exact, which is for small models"
        )


def report(model: Model, name: str, goal: Goal, found: Compared) -> dict[str, Any]:
    """What `evaluate --json` prints; `bound` is for every number in it."""
    from rltrain.mdp.files import json_stream

    own, best = goal.keys()
    start, worst = model.start_distribution(), int(found.loss.argmax())
    return {
        "model": model.name,
        "policy": name,
        **goal.json(),
        "states": json_stream.of_names(model.states),
        own: json_stream.of_numbers(found.value),
        best: json_stream.of_numbers(found.best),
        "loss": json_stream.of_numbers(found.loss),
        "start_value": float(start @ found.value),
        "start_value_optimal": float(start @ found.best),
        "worst_loss": float(found.loss[worst]),
        "worst_state": model.states[worst],
        "bound": json_stream.finite(found.bound),
    }


def show_values(model: Model, name: str, goal: Goal, found: Compared, limit: int | None) -> None:
    """The table of `evaluate` for a person: the policy's number, the best and the loss of each state."""
    from rltrain.cli.mdp import show
    from rltrain.cli.output import say
    from rltrain.spelling import shown

    columns = (found.value, found.best, found.loss)
    written = show.form(found.bound, max(float(abs(column).max(initial=0.0)) for column in columns))
    count = show.rows_shown(model, limit)
    say(show.title(model, *goal.title))
    say(f"policy {shown(name)}")
    say()
    rows: list[Sequence[str]] = [("state", *goal.headings, "loss")]
    rows += [(show.name(model.states[s]), *(written(column[s]) for column in columns)) for s in range(count)]
    show.table(rows, left=("state",))
    show.rest_of_rows(model, count)
    say()
    start = model.start_distribution()
    mean = f"{written(float(start @ found.value))}, the mean {goal.headings[0]} of where it starts"
    show.facts(
        [
            ("start", f"{mean}; best {written(float(start @ found.best))}"),
            ("worst", worst_line(model, found, written)),
            ("proven", show.proof(found.bound, written)),
        ]
    )


def worst_line(model: Model, found: Compared, written: Any) -> str:
    """Where most is lost, if anywhere."""
    from rltrain.cli.mdp import show

    worst = int(found.loss.argmax())
    if found.loss[worst] <= found.bound:
        return "nothing is lost anywhere, as far as the bound can tell"
    return f"{written(found.loss[worst])} is lost from state {show.name(model.states[worst])}"


# verify


def verify(model: Model, name: str, goal: Goal, tolerance: float, limit: int | None, json: bool) -> None:
    """Check that no state loses more than the tolerance, and print. UncertifiedError if one does, or may."""
    from rltrain.cli.mdp import show
    from rltrain.mdp.files import json_stream

    given, found = compare(model, name, goal, tolerance / 10)
    passed = verdict(found, tolerance)
    if json:
        show.say_pieces(json_stream.of_object(verified(model, name, given, goal, tolerance, found)))
    else:
        show_verdict(model, name, given, goal, tolerance, found, limit)
    if passed is not True:
        raise UncertifiedError(failure(model, given, goal, tolerance, found))


def verdict(found: Compared, tolerance: float) -> bool | None:
    """True: no state can lose more than the tolerance; False: one surely does; None: the bound cannot tell."""
    worst = float(found.loss.max(initial=0.0))
    return True if worst + found.bound <= tolerance else False if worst - found.bound > tolerance else None


def failure(model: Model, policy: Array | None, goal: Goal, tolerance: float, found: Compared) -> str:
    """Why the exit code is 9."""
    from rltrain.cli.mdp import show

    worst = int(found.loss.argmax())
    where, each = show.name(model.states[worst]), " a step" * (goal.steps is None)
    if verdict(found, tolerance) is None:
        return (
            f"cannot tell: state {where} loses {max(found.loss[worst], 0.0):.6g}{each}, known to within "
            f"{show.upwards(found.bound)}, and {tolerance:g} is allowed; take a larger --tolerance"
        )
    text = f"not optimal: state {where} loses {found.loss[worst]:.6g}{each}, {tolerance:g} is allowed"
    return text if found.wrong is None else f"{text}\nfirst wrong {wrong_line(model, policy, found)}"


def wrong_line(model: Model, policy: Array | None, found: Compared) -> str:
    """Where the policy's own action is the wrong one, and what would be better."""
    from rltrain.cli.mdp import show
    from rltrain.cli.mdp.verify import said

    assert found.wrong is not None and policy is not None  # the best is never wrong
    state, to_go, loss, better = found.wrong
    left = f", with {to_go:,} step{'s' * (to_go != 1)} to go," if to_go else ""
    return (
        f"in state {show.name(model.states[state])}{left}: {said(model, policy, state)} loses {loss:.6g} at once; "
        f"better: {show.action(model, better)}"
    ).replace(",:", ":")


def verified(
    model: Model, name: str, policy: Array | None, goal: Goal, tolerance: float, found: Compared
) -> dict[str, Any]:
    """What `verify --json` prints. `passed` is null where the bound cannot tell."""
    from rltrain.cli.mdp.verify import said
    from rltrain.mdp.files import json_stream

    worst, first = int(found.loss.argmax()), None
    if found.wrong is not None and policy is not None:
        state, to_go, loss, better = found.wrong
        first = {
            "state": model.states[state],
            "to_go": to_go or None,
            "action": said(model, policy, state),
            "better": model.actions[int(model.action[better])],
            "loss_at_once": loss,
        }
    return {
        "model": model.name,
        "policy": name,
        **goal.json(),
        "tolerance": tolerance,
        "passed": verdict(found, tolerance),
        "worst_loss": float(found.loss[worst]),
        "worst_state": model.states[worst],
        "first_wrong": first,
        "states": json_stream.of_names(model.states),
        "loss": json_stream.of_numbers(found.loss),
        "bound": json_stream.finite(found.bound),
    }


def show_verdict(
    model: Model, name: str, policy: Array | None, goal: Goal, tolerance: float, found: Compared, limit: int | None
) -> None:
    """The verdict for a person: the states that lose, in order."""
    import numpy as np

    from rltrain.cli.mdp import show
    from rltrain.cli.mdp.verify import said
    from rltrain.cli.output import say
    from rltrain.spelling import shown

    written = show.form(found.bound, float(np.abs(found.best).max(initial=0.0)))
    lose = np.flatnonzero(found.loss > tolerance)
    count = min(len(lose), limit if limit is not None else show.PART)
    say(show.title(model, *goal.title))
    say(f"policy {shown(name)}")
    say()
    if count:
        rows: list[Sequence[str]] = [("state", "loss", *goal.headings, "policy", "better")]
        for state in lose[:count].tolist():
            numbers = (written(column[state]) for column in (found.loss, found.value, found.best))
            own = "" if policy is None else said(model, policy, state)
            rows.append((show.name(model.states[state]), *numbers, own, show.action(model, int(found.choice[state]))))
        show.table(rows, left=("state", "policy", "better"))
        if count < len(lose):
            say(f"… {count:,} of {len(lose):,} states that lose; --limit shows more, --json has all")
        say()
    verdicts = {True: "passed", False: "failed", None: "cannot tell"}
    lines = [
        ("verdict", f"{verdicts[verdict(found, tolerance)]} (a state may lose {tolerance:g})"),
        ("worst", worst_line(model, found, written)),
    ]
    if found.wrong is not None:
        lines.append(("wrong", f"first {wrong_line(model, policy, found)}"))
    if count:
        lines.append(("proven", show.proof(found.bound, written)))
    show.facts(lines)
