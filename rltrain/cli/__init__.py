"""The command line: one file a verb. Each verb is a thin Typer command over a plain function that anyone may call."""

from __future__ import annotations

import os
import resource
import sys
from typing import Annotated

import typer

from rltrain.cli.check import check_command
from rltrain.cli.compare import compare_command
from rltrain.cli.diff import diff_command
from rltrain.cli.doctor import doctor_command
from rltrain.cli.errors import exit_code_of
from rltrain.cli.evaluate import eval_command
from rltrain.cli.explain import explain_command
from rltrain.cli.export import export_command
from rltrain.cli.init import init_command
from rltrain.cli.listing import list_command
from rltrain.cli.mdp import app as mdp_app
from rltrain.cli.output import open_missing_streams
from rltrain.cli.plot import plot_command
from rltrain.cli.progress import line
from rltrain.cli.report import report_command
from rltrain.cli.rerun import rerun_command
from rltrain.cli.resume import resume_command
from rltrain.cli.schema import schema_command
from rltrain.cli.sweep import app as sweep_app
from rltrain.cli.track import track_command
from rltrain.cli.train import train_command
from rltrain.cli.trust import trust_command
from rltrain.cli.warned import say_warnings_in_lines
from rltrain.cli.watch import watch_command
from rltrain.errors import OutOfMemoryError
from rltrain.ranks import launched
from rltrain.version import __version__

LEAST_SPACE = 600 << 20  # bytes of addresses: with less, a numerical library turns round for ever while it is loaded

app = typer.Typer(
    name="rltrain",
    help="Reinforcement-learning experiments from one YAML file, resumed to the bit.",
    epilog="Start with: rltrain train dqn_cartpole",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init_command)
app.command("train")(train_command)
app.command("resume")(resume_command)
app.command("eval")(eval_command)
app.command("watch")(watch_command)
app.command("enjoy", hidden=True)(watch_command)  # as RL Baselines3 Zoo calls it
app.command("explain")(explain_command)
app.command("plot")(plot_command)
app.command("compare")(compare_command)
app.command("diff")(diff_command)
app.command("rerun")(rerun_command)
app.command("export")(export_command)
app.command("report")(report_command)
app.command("track")(track_command)
app.command("check")(check_command)
app.command("list")(list_command)
app.command("trust")(trust_command)
app.command("schema")(schema_command)
app.command("doctor")(doctor_command)
app.add_typer(sweep_app)
app.add_typer(mdp_app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rltrain {__version__}")
        raise typer.Exit


OWN_VIEW = ("train", "resume", "rerun", "watch", "enjoy", "sweep")  # verbs that show themselves what goes on


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    # Before numpy is imported. Its matrices are small here, and on a busy machine the threads of OpenBLAS wait for each
    # other by turning round: a hundred equations then take 0.8 s, and 0.4 ms with one thread.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if space < LEAST_SPACE and space != resource.RLIM_INFINITY:
        limit = f"the address space is limited to {space >> 20:,} MB (ulimit -v)"
        raise OutOfMemoryError(f"{limit}: rltrain needs {LEAST_SPACE >> 20:,} MB, about 1,500 MB with torch")
    verb = context.invoked_subcommand
    if verb is not None and verb not in OWN_VIEW:
        context.with_resource(line.over(f"rltrain {verb}"))


def main() -> None:
    """The entry point: `rltrain` and `python -m rltrain`."""
    open_missing_streams()
    say_warnings_in_lines()
    place = launched()
    if place is None:
        sys.exit(exit_code_of(app))
    from rltrain.cli.over_ranks import exit_code

    sys.exit(exit_code(app, sys.argv[1:], place))
