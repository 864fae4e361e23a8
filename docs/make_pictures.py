"""docs/table.svg: the live table as it stands for a run, drawn by the code that draws it while the run trains.

Reads config.yaml, metrics.jsonl, eval.jsonl, timings.jsonl and checkpoints/ of a run folder; changes nothing there.

    rltrain train configs/dqn_pacman.yaml --max-wall 10m
    python docs/make_pictures.py runs/dqn-MsPacman-v5-1
"""

from __future__ import annotations

import argparse
import io
import json
import re
from pathlib import Path

from rich.console import Console

from rltrain import envs
from rltrain.cli.run_display import RunDisplay, RunFacts
from rltrain.experiment import config
from rltrain.run.loop import Event
from rltrain.verbs.history import recall
from rltrain.verbs.metrics import measure

HERE = Path(__file__).parent
HEIGHT = 36  # lines of the terminal


def display_of(run: Path) -> RunDisplay:
    """The live table of a run, with all of its past."""
    experiment = config.load(run / "config.yaml")
    budget = dict(experiment.run.budget or {})
    timings = [json.loads(line) for line in (run / "timings.jsonl").read_text(encoding="utf-8").splitlines()]
    progress = {key: timings[-1][key] for key in ("share", "elapsed_seconds", "steps_per_second")}
    facts = RunFacts(
        title=f"{experiment.algorithm_name} on {experiment.environment.id}",
        folder=f"runs/{run.resolve().name}",
        budget=budget,
        frames_per_step=envs.describe(experiment.environment).frames_per_step,
        progress=lambda: progress,
        past=recall(run, ("env_steps", "episodes", "updates"), measure(budget)),
    )
    display = RunDisplay(facts)
    saved = sorted(path.name for path in (run / "checkpoints").glob("ckpt-*"))
    if saved:
        display.take(Event("save", {}, {}, saved[-1]))
    return display


def draw(run: Path, out: Path) -> None:
    """Write the picture."""
    console = Console(file=io.StringIO(), width=80, height=HEIGHT, record=True, force_terminal=True)
    console.print(display_of(run).picture(80, HEIGHT))
    svg = console.export_svg(title="rltrain", unique_id="table")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # they would be fetched from the network
    svg = svg.replace("Fira Code", "DejaVu Sans Mono").replace("<svg ", '<svg xml:space="preserve" ', 1)
    out.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw docs/table.svg from a run.")
    parser.add_argument("run", type=Path, help="a run folder")
    parser.add_argument("--out", type=Path, default=HERE / "table.svg")
    arguments = parser.parse_args()
    draw(arguments.run, arguments.out)


if __name__ == "__main__":
    main()
