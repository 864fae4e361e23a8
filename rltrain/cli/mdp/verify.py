"""`rltrain mdp verify`: whether a policy is as good as the best, and if not, where it first goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from rltrain.cli.mdp.evaluate import AverageGoal, HorizonGoal, policy_of
from rltrain.cli.mdp.solve import Discount, Json, Limit, Minimize, ModelName, Settings, Strict, loading, positive
from rltrain.errors import InputError, UncertifiedError

if TYPE_CHECKING:
    from rltrain.core import Array
    from rltrain.mdp.losses import Losses
    from rltrain.mdp.model import Model

TOLERANCE = 1e-6


class Verdict(NamedTuple):
    """What is known of a policy."""

    passed: bool | None  # None: the bound cannot tell
    losses: Losses
    step: Array  # [S] what the policy's own choice loses at once: V* - sum_a pi(a) Q*(s, a)
    wrong: Array  # the states in which that is proven to be something, in order


def verify_command(
    policy: Annotated[
        str, typer.Argument(metavar="POLICY", help="A file of `solve --save`, random, optimal, or an action's name.")
    ],
    model: ModelName = None,
    settings: Settings = None,
    tolerance: Annotated[
        float | None, typer.Option(metavar="X", help=f"What may be lost in a state; else {TOLERANCE:g}.")
    ] = None,
    discount: Discount = None,
    minimize: Minimize = False,
    strict: Strict = False,
    average: AverageGoal = False,
    horizon: HorizonGoal = None,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Check that a policy is optimal: its loss in each state; exit 9 if it loses more than --tolerance anywhere."""
    from rltrain.cli.mdp import evaluate_goals, show
    from rltrain.mdp.files import json_stream
    from rltrain.verbs.mdp import models

    if limit is not None and json:
        raise InputError("--json goes without --limit: the JSON has every state")
    allowed = positive("--tolerance", tolerance, TOLERANCE)
    loaded = loading(model, settings, minimize, strict)
    goal = evaluate_goals.goal_of(loaded, average, horizon, discount)
    if goal is not None:
        return evaluate_goals.verify(loaded, policy, goal, allowed, limit, json)
    gamma = models.discount_of(loaded, discount)
    given = policy_of(loaded, policy, gamma)
    verdict = verify(loaded, given, gamma, allowed)
    if json:
        show.say_pieces(json_stream.of_object(report(loaded, policy, given, gamma, allowed, verdict)))
    else:
        show_verdict(loaded, policy, given, gamma, allowed, verdict, limit)
    if verdict.passed is not True:
        raise UncertifiedError(failure(loaded, given, allowed, verdict))


def verify(model: Model, policy: Array, discount: float, tolerance: float = TOLERANCE) -> Verdict:
    """Passed: no state can lose more than the tolerance. Failed: one surely does."""
    import numpy as np

    from rltrain.mdp.losses import losses

    found = losses(model, policy, discount, tolerance / 10)
    best, q = found.optimal.value, found.optimal.q
    taken = policy > 0
    chosen = np.bincount(model.pair_state[taken], weights=policy[taken] * q[taken], minlength=model.num_states)
    step = np.zeros(model.num_states)
    np.subtract(best, chosen, out=step, where=~(model.terminal | found.optimal.lost))
    wrong = np.flatnonzero(step > 2 * found.optimal.bound + 1e-15 * np.abs(best))
    worst = float(found.loss.max(initial=0.0))
    passed = True if worst + found.bound <= tolerance else False if worst - found.bound > tolerance else None
    return Verdict(passed, found, step, wrong)


def failure(model: Model, policy: Array, tolerance: float, verdict: Verdict) -> str:
    """Why the exit code is 9."""
    from rltrain.cli.mdp import show

    loss, bound = verdict.losses.loss, verdict.losses.bound
    worst = int(loss.argmax())
    if verdict.passed is None:
        return (
            f"cannot tell: state {show.name(model.states[worst])} loses {max(loss[worst], 0.0):.6g}, known to within "
            f"{show.upwards(bound)}, and {tolerance:g} is allowed; take a larger --tolerance"
        )
    text = f"not optimal: state {show.name(model.states[worst])} loses {amount(loss[worst])}, {tolerance:g} is allowed"
    if len(verdict.wrong):
        state = int(verdict.wrong[0])
        text += (
            f"\nfirst wrong in state {show.name(model.states[state])}: {said(model, policy, state)} loses "
            f"{amount(verdict.step[state])} at once; better: {better(model, verdict, state)}"
        )
    return text


def amount(lost: float) -> str:
    """1.17982, or infinitely much."""
    return f"{lost:.6g}" if lost < float("inf") else "infinitely much"


def better(model: Model, verdict: Verdict, state: int) -> str:
    """The best action there."""
    from rltrain.cli.mdp import show

    return show.action(model, int(verdict.losses.optimal.choice[state]))


def said(model: Model, policy: Array, state: int) -> str:
    """What the policy does there: an action, or shares of several."""
    from rltrain.cli.mdp import show

    shares = [(show.action(model, pair), policy[pair]) for pair in model.pairs(state) if policy[pair] > 0]
    if len(shares) <= 1:
        return shares[0][0] if shares else "(terminal)"
    if len({share for _, share in shares}) == 1:
        return f"any of {len(shares)}"
    return show.name(" ".join(f"{action}:{share:.3g}" for action, share in shares))


def report(
    model: Model, name: str, policy: Array, discount: float, tolerance: float, verdict: Verdict
) -> dict[str, Any]:
    """What --json prints. `passed` is null where the bound cannot tell."""
    import numpy as np

    from rltrain.mdp.files import json_stream

    loss = verdict.losses.loss
    worst = int(loss.argmax())
    first = None
    if len(verdict.wrong):
        state = int(verdict.wrong[0])
        chosen = int(verdict.losses.optimal.choice[state])
        first = {
            "state": model.states[state],
            "action": said(model, policy, state),
            "better": model.actions[int(model.action[chosen])],
            "loss_at_once": json_stream.finite(verdict.step[state]),
            "loss": json_stream.finite(loss[state]),
        }
    fields = {
        "model": model.name,
        "policy": name,
        "discount": float(discount),
        "tolerance": tolerance,
        "passed": verdict.passed,
        "worst_loss": json_stream.finite(loss[worst]),
        "worst_state": model.states[worst],
        "first_wrong": first,
        "wrong_states": len(verdict.wrong),
        "states": json_stream.of_names(model.states),
        "loss": json_stream.of_numbers(loss),
        "bound": json_stream.finite(verdict.losses.bound),
    }
    if np.isinf(loss).any():  # their loss is null
        fields["infinite_loss"] = json_stream.of_states(model, np.isinf(loss))
    return fields


def show_verdict(
    model: Model, name: str, policy: Array, discount: float, tolerance: float, verdict: Verdict, limit: int | None
) -> None:
    """Print the states that lose, in order, and the verdict."""
    import numpy as np

    from rltrain.cli.mdp import show
    from rltrain.cli.output import say
    from rltrain.mdp.solvers import bellman
    from rltrain.spelling import shown

    loss, bound = verdict.losses.loss, verdict.losses.bound
    say(show.title(model, f"discount {discount:.12g}"))
    say(f"policy {shown(name)}")
    say()
    written = show.form(bound, bellman.size(verdict.losses.optimal.value))
    is_wrong = np.zeros(model.num_states, dtype=bool)
    is_wrong[verdict.wrong] = True
    lose = np.flatnonzero(is_wrong | (loss > tolerance))
    count = min(len(lose), limit if limit is not None else show.PART)
    if count:
        rows = [["state", "loss", "policy", "better", "lost at once"]]
        for state in lose[:count].tolist():
            wrong = bool(is_wrong[state])
            rows.append(
                [
                    show.name(model.states[state]),
                    written(loss[state]),
                    said(model, policy, state),
                    better(model, verdict, state) if wrong else "",
                    written(verdict.step[state]) if wrong else "",
                ]
            )
        show.table(rows, left=("state", "policy", "better"))
        if count < len(lose):
            say(f"… {count:,} of {len(lose):,} states that lose; --limit shows more, --json has all")
        say()
    worst = int(loss.argmax())
    lost = f"state {show.name(model.states[worst])} loses {written(loss[worst])}, the most of all"
    if loss[worst] <= bound:
        lost = "nothing is lost anywhere, as far as the bound can tell"
    verdicts = {True: "passed", False: "failed", None: "cannot tell"}
    lines = [
        ("verdict", f"{verdicts[verdict.passed]} (a state may lose {tolerance:g})"),
        ("worst", lost),
        ("wrong", f"the action itself in {len(verdict.wrong):,} of {model.num_states:,} states"),
    ]
    if count:
        lines.append(("proven", show.proof(bound, written)))
    else:
        lines.append(("proven", f"the loss of every state is known to within {show.upwards(bound)}"))
    show.facts(lines)
