"""`rltrain mdp`: known models, solved exactly. One file a verb, as in the folder above; each is light to import."""

from __future__ import annotations

import importlib
import importlib.util
import os

import typer

from rltrain.cli.mdp.convert import convert_command
from rltrain.cli.mdp.discounts import discounts_command
from rltrain.cli.mdp.evaluate import evaluate_command
from rltrain.cli.mdp.generate import generate_command
from rltrain.cli.mdp.info import info_command
from rltrain.cli.mdp.solve import solve_command
from rltrain.cli.mdp.verify import verify_command

app = typer.Typer(
    name="mdp",
    add_completion=False,
    help="Known models (Markov decision processes): exact answers, with proof.",
    epilog="Start with: rltrain mdp solve",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("solve")(solve_command)
app.command("evaluate")(evaluate_command)
app.command("verify")(verify_command)
app.command("discounts")(discounts_command)
app.command("info")(info_command)
app.command("convert")(convert_command)
app.command("generate")(generate_command)
for _verb in ("simulate", "graph"):  # being written: to become plain imports
    if importlib.util.find_spec(f"rltrain.cli.mdp.{_verb}"):
        _module = importlib.import_module(f"rltrain.cli.mdp.{_verb}")
        app.command(_verb)(vars(_module)[f"{_verb}_command"])


@app.callback()
def _options() -> None:
    # Before numpy is imported. The matrices are small, and on a busy machine the threads of OpenBLAS wait for each
    # other by turning round: 100 equations then take 0.8 s, and 0.4 ms with one thread.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
