"""`rltrain mdp solve`: the best values and the best policy of a known model, and how far from the truth they can be."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain.errors import InputError, UncertifiedError

if TYPE_CHECKING:
    from fractions import Fraction

    from rltrain.core import Array
    from rltrain.mdp.model import Model
    from rltrain.mdp.solution import Solution

ModelName = Annotated[
    str | None,
    typer.Argument(metavar="[MODEL]", help="A model file or a Gymnasium id that has its table; else the book's model."),
]
Settings = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Arguments of the environment, as map_name=8x8.")
]
Discount = Annotated[
    str | None, typer.Option("--discount", metavar="G", help="0 to 1, as 0.95 or 19/20; else the model's own.")
]
Minimize = Annotated[bool, typer.Option("--minimize", help="Its rewards are costs: the least is the best.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse probabilities that are off by rounding, and repeated rows.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="ROWS", min=0, help="States that the table shows.")]
EPSILON = 1e-6


class Method(StrEnum):
    """How to solve; the answer and its proof are the same."""

    auto = "auto"
    vi = "vi"
    qvi = "qvi"
    pi = "pi"
    mpi = "mpi"
    gs = "gs"
    lp = "lp"


def solve_command(
    model: ModelName = None,
    settings: Settings = None,
    discount: Discount = None,
    minimize: Minimize = False,
    strict: Strict = False,
    method: Annotated[
        Method, typer.Option(help="Value, Q-value, policy, modified policy iteration, Gauss-Seidel, linear program.")
    ] = Method.auto,
    epsilon: Annotated[
        float | None,
        typer.Option(metavar="X", help=f"Stop when every number is proven to be as near; else {EPSILON:g}."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(metavar="H", min=1, help="The best H steps: a policy for each time to go.")
    ] = None,
    average: Annotated[bool, typer.Option("--average", help="The best average reward of a step, without end.")] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Fractions in place of floating point, for small models.")
    ] = False,
    max_sweeps: Annotated[int | None, typer.Option(metavar="N", min=1, help="Stop after as many.")] = None,
    max_seconds: Annotated[float | None, typer.Option(metavar="S", help="Stop after as long.")] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="Else all cores, for large models.")] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The policy and its values: .json, .npz, .csv or .yaml.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Let --save replace a file.")] = False,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Solve a known model: V, Q, the best policy and the proven bound on every number."""
    asked = {
        "--discount": discount is not None,
        "--method": method is not Method.auto,
        "--epsilon": epsilon is not None,
        "--horizon": horizon is not None,
        "--average": average,
        "--exact": exact,
        "--max-sweeps": max_sweeps is not None,
        "--max-seconds": max_seconds is not None,
        "--threads": threads is not None,
        "--save": save is not None,
        "--overwrite": overwrite,
        "--limit": limit is not None,
        "--json": json,
    }
    refuse([option for option, is_given in asked.items() if is_given])
    epsilon = positive("--epsilon", epsilon, EPSILON)
    if max_seconds is not None:
        max_seconds = positive("--max-seconds", max_seconds, 1.0)
    if save is not None:
        from rltrain.mdp.files import policy_saving

        policy_saving.check_target(save, overwrite)
    from rltrain.verbs.mdp import models

    loaded = loading(model, settings, minimize, strict)
    if horizon is not None:
        from rltrain.cli.mdp import solve_horizon

        solve_horizon.run(loaded, models.discount_of(loaded, discount), horizon, limit, json)
    elif average:
        from rltrain.cli.mdp import solve_average

        if exact:
            solve_average.run_exact(loaded, save, overwrite, limit, json)
        else:
            solve_average.run(loaded, epsilon, max_sweeps, max_seconds, save, overwrite, limit, json)
    elif exact:
        from rltrain.cli.mdp import solve_exact

        solve_exact.run(loaded, fraction_of(loaded, discount), save, overwrite, limit, json)
    else:
        solution = solve_model(
            loaded, models.discount_of(loaded, discount), method, epsilon, max_sweeps, max_seconds, threads
        )
        _finish(solution, epsilon, save, overwrite, limit, json, max_sweeps is not None or max_seconds is not None)


EXCLUDES = {  # an option -> those that make no sense with it, and why
    "--horizon": (
        ("--average", "--exact", "--method", "--epsilon", "--max-sweeps", "--max-seconds", "--threads", "--save"),
        "backward induction is exact after H steps, and its policy is one for each time to go",
    ),
    "--average": (("--discount", "--method", "--threads"), "the average reward has no discount, and one way"),
    "--exact": (
        ("--method", "--epsilon", "--max-sweeps", "--max-seconds", "--threads"),
        "rational policy iteration ends by itself, without error",
    ),
    "--json": (("--limit",), "the JSON has every state"),
}


def refuse(given: list[str]) -> None:
    """Options that make no sense together."""
    for option, (others, why) in EXCLUDES.items():
        if option in given:
            wrong = [other for other in others if other in given]
            if wrong:
                raise InputError(f"{option} goes without {', '.join(wrong)}: {why}")
    if "--overwrite" in given and "--save" not in given:
        raise InputError("--overwrite is for --save FILE")


def positive(option: str, value: float | None, default: float) -> float:
    """A number above 0."""
    import math

    if value is None:
        return default
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{option} {value:g}: a number above 0, such as {default:g}")
    return value


def loading(argument: str | None, settings: list[str] | None, minimize: bool = False, strict: bool = False) -> Model:
    """The model that is meant; what its reader should be told goes to standard error."""
    from rltrain.cli.output import complain
    from rltrain.cli.progress import line
    from rltrain.verbs.mdp import models

    with line.phase(f"reading {argument or 'the model'}"):
        loaded = models.load(argument, settings or [], minimize=minimize, strict=strict)
    for warning in loaded.warnings:
        complain(f"warning: {warning}")
    return loaded.model


def fraction_of(model: Model, text: str | None) -> Fraction:
    """The discount as it was written: 0.95 is 19/20."""
    from fractions import Fraction

    from rltrain.mdp.files.numerals import fraction
    from rltrain.verbs.mdp import models

    value = models.discount_of(model, text)  # refuses what is no discount
    written = None if text is None else fraction(text)
    if written is None and text is None and model.exact is not None:
        written = model.exact.discount
    return Fraction(repr(value)) if written is None else written


def solve_model(
    model: Model,
    discount: float,
    method: str = "auto",
    epsilon: float = EPSILON,
    max_sweeps: int | None = None,
    max_seconds: float | None = None,
    threads: int | None = None,
) -> Solution:
    """Solved to half of epsilon: a gap is the difference of two numbers, and must be within epsilon too."""
    from rltrain.cli.mdp.show import Sweeps

    if discount == 1:
        from rltrain.mdp.undiscounted import total_reward

        if method in ("auto", "pi"):
            if max_sweeps is not None:
                raise InputError("--max-sweeps: at discount 1 for --method vi, qvi, mpi or gs; policy iteration ends")
            return total_reward.solve(model, epsilon / 2, max_seconds)
        from rltrain.mdp.undiscounted import sweeps

        return sweeps.solve(
            model, str(method), epsilon / 2, max_sweeps=max_sweeps, max_seconds=max_seconds, threads=threads,
            progress=Sweeps(epsilon / 2),
        )  # fmt: skip
    from rltrain.mdp.solvers.solve import solve

    return solve(
        model,
        discount,
        str(method),
        epsilon / 2,
        max_sweeps=max_sweeps,
        max_seconds=max_seconds,
        threads=threads,
        progress=Sweeps(epsilon / 2),
    )


def _finish(
    solution: Solution,
    epsilon: float,
    save: Path | None,
    overwrite: bool,
    limit: int | None,
    json: bool,
    stopped: bool,  # a limit was given that may have ended it early
) -> None:
    from rltrain.cli.mdp import show
    from rltrain.mdp.files import json_stream

    if save is not None:
        from rltrain.mdp.files import policy_saving

        policy_saving.write_solution(save, solution, overwrite=overwrite)
    if json:
        show.say_pieces(json_stream.of_object(json_stream.of_solution(solution)))
    else:
        show_solution(solution, limit, save)
    if not solution.converged:
        said = show.upwards(json_stream.proven(solution))
        advice = "raise --max-sweeps or --max-seconds, or --epsilon"
        if not stopped:
            advice = "floating point can prove no more; raise --epsilon, or take --exact, which is for small models"
        raise UncertifiedError(
            f"not converged after {solution.sweeps:,} sweeps: the numbers are within {said} of the truth, and "
            f"{epsilon:g} was asked for; {advice}"
        )


def show_solution(solution: Solution, limit: int | None, saved: Path | None = None) -> None:
    """Print V, Q and the policy as a table, what is tied or infinite, and how far it is proven."""
    from rltrain.cli.mdp import show
    from rltrain.cli.output import say
    from rltrain.mdp.files import json_stream
    from rltrain.mdp.solvers import bellman

    model, bound = solution.model, json_stream.proven(solution)
    say(show.title(model, f"discount {solution.discount:.12g}"))
    say()
    written = show.solution_table(solution, bound, limit)
    count = show.rows_shown(model, limit)
    show.rest_of_rows(model, count)
    say()
    lines = []
    if solution.lost.any():
        lines.append(("infinite", lost_line(model, solution.lost)))
    if count < model.num_states:
        lowest, highest = int(solution.value.argmin()), int(solution.value.argmax())
        lines.append(
            (
                "values",
                f"{written(solution.value[lowest])} ({show.name(model.states[lowest])}) to "
                f"{written(solution.value[highest])} ({show.name(model.states[highest])})",
            )
        )
    if model.start is not None:
        lines.append(("start", f"{written(bellman.mean(model.start, solution.value))}, the mean V of where it starts"))
    lines.append(("ties", tie_line(solution)))
    if solution.circle is not None:
        lines.append(("circle", circle_line(model, solution.circle)))
    lines.append(("proven", show.proof(bound, written)))
    lines.append(
        (
            "solved",
            f"by {METHODS.get(solution.method, solution.method)}, {solution.sweeps:,} "
            f"sweep{'s' * (solution.sweeps != 1)}, {show.elapsed(solution.seconds)}",
        )
    )
    if saved is not None:
        lines.append(("saved", str(saved)))
    show.facts(lines)


METHODS = {
    "vi": "value iteration",
    "qvi": "Q-value iteration",
    "pi": "policy iteration",
    "mpi": "modified policy iteration",
    "gs": "Gauss-Seidel sweeps",
    "lp": "a linear program",
    "pi, discount 1": "policy iteration",
    "exact": "policy iteration in fractions",
}


def lost_line(model: Model, lost: Array, why: str = "whatever is done, rewards are lost there for ever") -> str:
    """Which states are worth -infinity, and why that is."""
    from rltrain.cli.mdp import show

    states = lost.nonzero()[0]
    first = show.listed([model.states[int(state)] for state in states[:3]], len(states))
    worth = f"{'is' if len(states) == 1 else 'are'} worth -infinity"
    return f"{len(states):,} of {model.num_states:,} states ({first}) {worth}: {why}"


def circle_line(model: Model, state: int) -> str:
    """What the values mean where optimal actions form a circle."""
    from rltrain.cli.mdp import show

    return (
        f"through {show.name(model.states[state])} optimal actions form a circle that earns and loses in turn: going "
        "round for ever has no sum; these are the values of the best policy that ends"
    )


def tie_line(solution: Solution) -> str:
    """How many states have several best actions, as far as the bound can tell."""
    from rltrain.cli.mdp import show
    from rltrain.mdp.files import json_stream

    model = solution.model
    tied = json_stream.tied_states(solution).nonzero()[0]
    if not len(tied):
        return "none: one action is best in every state"
    first = show.listed([model.states[int(state)] for state in tied[:3]], len(tied))
    decides = "; --exact decides" if model.num_next <= 2_000 and solution.method != "exact" else ""
    takes = "one with which it ends" if solution.discount == 1 else "the first of them"
    return (
        f"in {len(tied):,} of {model.num_states:,} states ({first}) the best actions are nearer than the bound can "
        f"tell; the policy takes {takes}{decides}"
    )
