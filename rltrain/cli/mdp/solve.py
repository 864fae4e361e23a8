"""`rltrain mdp solve`: the best values and the best policy of a known model, and how far from the truth they can be."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rltrain import ranks
from rltrain.cli.mdp import options
from rltrain.cli.progress import line
from rltrain.errors import InputError

if TYPE_CHECKING:
    from rltrain.mdp.model import Model


class Method(StrEnum):
    """Ways to solve, which differ in time but not in what they prove."""

    auto = "auto"
    vi = "vi"
    qvi = "qvi"
    pi = "pi"
    mpi = "mpi"
    gs = "gs"
    lp = "lp"


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


def solve_command(
    context: typer.Context,
    model: options.ModelName = None,
    settings: options.Settings = None,
    imports: options.Imports = None,
    discount: options.Discount = None,
    minimize: options.Minimize = False,
    strict: options.Strict = False,
    method: Annotated[
        Method, typer.Option(help="Value, Q-value, policy, modified policy iteration, Gauss-Seidel, linear program.")
    ] = Method.auto,
    epsilon: Annotated[
        float | None,
        typer.Option(metavar="X", help=f"Stop when every number is proven to be as near; else {options.EPSILON:g}."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(metavar="H", min=1, help="The best H steps: a policy for each time to go.")
    ] = None,
    average: Annotated[bool, typer.Option("--average", help="The best average reward of a step, without end.")] = False,
    exact: options.ExactNumbers = False,
    max_sweeps: Annotated[int | None, typer.Option(metavar="N", min=1, help="Stop after as many.")] = None,
    max_seconds: Annotated[float | None, typer.Option(metavar="S", help="Stop after as long.")] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="Else all cores, for large models.")] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The policy and its values: .json, .npz, .csv or .yaml.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Let --save replace a file.")] = False,
    limit: options.Limit = None,
    json: options.Json = False,
) -> None:
    """Solve a known model: V, Q, the best policy and the proven bound on every number."""
    options.refuse(context, EXCLUDES)
    if overwrite and save is None:
        raise InputError("--overwrite is for --save FILE")
    near = options.positive("--epsilon", epsilon, options.EPSILON)
    if max_seconds is not None:
        max_seconds = options.positive("--max-seconds", max_seconds, 1.0)
    from rltrain.cli.mdp.answer import show
    from rltrain.verbs.mdp import solve as verb

    if (together := ranks.here()) is not None:
        if horizon is not None or average or exact:
            raise InputError("ranks share the sweeps of a discounted sum alone; leave mpirun out")
        from rltrain.verbs.mdp.over_ranks import prepared

        def load() -> Model:
            if save is not None and together.rank == 0:
                verb.check_save(save, overwrite)
            return options.loading(model, settings, minimize, strict)

        loaded = prepared(together, load, discount, str(method))
    else:
        if save is not None:
            verb.check_save(save, overwrite)
        loaded = options.loading(model, settings, minimize, strict)
    solved: verb.Solved
    if horizon is not None:
        from rltrain.cli.mdp.answers.horizon import of_horizon

        return show(of_horizon(verb.solve_horizon(loaded, horizon, discount), limit), json)
    if average:
        from rltrain.cli.mdp.answers.average import of_average, of_exact_average

        if exact:
            solved = verb.solve_average_exact(loaded)
            answer = of_exact_average(solved, limit)
        else:
            solved = verb.solve_average(loaded, near, max_sweeps, max_seconds)
            answer = of_average(solved, near, limit)
    else:
        from rltrain.cli.mdp.answers.solution import of_exact, of_solution

        if exact:
            solved = verb.solve_exact(loaded, discount)
            answer = of_exact(solved, limit)
        else:
            ends = (max_sweeps, max_seconds)
            solved = verb.solve(
                loaded, discount, str(method), near, *ends, threads=threads, progress=line, ranks=together
            )
            if together is not None and together.rank > 0:
                return None
            answer = of_solution(solved, near, ends != (None, None), limit)
    if save is not None:
        verb.save(save, solved, overwrite)
    floats = ", in floats" if exact and not average else ""
    show(answer, json, "" if save is None else f"{save}{floats}")
