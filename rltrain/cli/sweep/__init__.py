"""`rltrain sweep`: many trials of one config, and what came of them. One file a verb; each is light to import.

`rltrain sweep FILE` is short for `rltrain sweep run FILE`.
"""

from __future__ import annotations

import os
from typing import Any

import typer
from typer.core import TyperGroup

from rltrain.cli.progress import line
from rltrain.cli.sweep.best import best_command
from rltrain.cli.sweep.plot import plot_command
from rltrain.cli.sweep.run import resume_command, run_command
from rltrain.cli.sweep.show import show_command
from rltrain.errors import InputError
from rltrain.spelling import nearest

OWN_VIEW = ("run", "resume")  # verbs that show themselves what goes on


class SweepVerbs(TyperGroup):
    """The verbs of `rltrain sweep`; what begins with none of them is for `run`. click knows no other way to say so."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The words after `rltrain sweep`, with the verb before them that was left out."""
        plain = not args or args[0] in self.commands or args[0] in ctx.help_option_names
        if not (plain or ctx.resilient_parsing) and args[0].isalpha() and not os.path.exists(args[0]):
            meant = nearest(args[0], self.commands)
            if meant is not None:
                raise InputError(f"{args[0]}: no sweep file and no verb; did you mean 'rltrain sweep {meant}'?")
        return super().parse_args(ctx, args if plain or "run" not in self.commands else ["run", *args])


app = typer.Typer(
    name="sweep",
    cls=SweepVerbs,
    add_completion=False,
    help="Many trials of one config: which settings are best.",
    epilog="Start with: rltrain sweep sweeps/cartpole",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _verb(context: typer.Context) -> None:
    verb = context.invoked_subcommand
    if verb not in OWN_VIEW:
        context.with_resource(line.over(f"rltrain sweep {verb}"))


app.command("run")(run_command)
app.command("resume")(resume_command)
app.command("show")(show_command)
app.command("best")(best_command)
app.command("plot")(plot_command)
