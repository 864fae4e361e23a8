"""`rltrain mdp`: known models, solved exactly. One file a verb, as in the folder above; each is light to import."""

from __future__ import annotations

import typer

from rltrain.cli.mdp.convert import convert_command
from rltrain.cli.mdp.discounts import discounts_command
from rltrain.cli.mdp.evaluate import evaluate_command
from rltrain.cli.mdp.generate import generate_command
from rltrain.cli.mdp.graph import graph_command
from rltrain.cli.mdp.info import info_command
from rltrain.cli.mdp.simulate import simulate_command
from rltrain.cli.mdp.solve import solve_command
from rltrain.cli.mdp.verify import verify_command
from rltrain.cli.progress import line

app = typer.Typer(
    name="mdp",
    add_completion=False,
    help="Known models (Markov decision processes): exact answers, with proof.",
    epilog="Start with: rltrain mdp solve",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _verb(context: typer.Context) -> None:
    line.rename(f"rltrain mdp {context.invoked_subcommand}")


app.command("solve")(solve_command)
app.command("evaluate")(evaluate_command)
app.command("verify")(verify_command)
app.command("discounts")(discounts_command)
app.command("simulate")(simulate_command)
app.command("info")(info_command)
app.command("graph")(graph_command)
app.command("convert")(convert_command)
app.command("generate")(generate_command)
