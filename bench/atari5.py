"""What a stated time buys in five games whose scores say what 57 would: one config, a seed after the other.

The games are Battle Zone, Double Dunk, Name This Game, Phoenix and Q*bert (Aitchison et al. 2022, "Atari-5: Distilling
the Arcade Learning Environment down to Five Games"). Each run is one of `pacman_hour.py`: all cores, then fresh games
of the newest weights under `nature`, `sticky`. An interrupted command goes on where it was; the file is written after
every run, and keeps those of earlier commands.

From human-normalised scores, in percent, the median over all 57 games is estimated as in the paper: the sum of each
game's weight times log10(1 + score), a score below random play counting as 0. The weights are least squares over the
44 published results in the paper's data that have all five games, whose medians it meets within 7 % (the median
error). All of these have medians above 40 %: below it, it is a guess.

    python bench/atari5.py --minutes 60 --seeds 0 1 --save
    python bench/atari5.py --show    # the table of what was measured
"""

from __future__ import annotations

import argparse
import copy
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pacman_hour
from rich.console import Console
from rich.table import Table

from rltrain.report import human

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "bench" / "results" / "atari5"
WEIGHTS = {"BattleZone": 0.3820, "DoubleDunk": 0.0679, "NameThisGame": 0.3108, "Phoenix": 0.1241, "Qbert": 0.0805}


def normalised(game: str, score: float) -> float:
    """In percent: 0 is random play, 100 the tester of Mnih et al. 2015."""
    random, tester = human.SCORES[game]
    return 100 * (score - random) / (tester - random)


def median_of_57(percent: Mapping[str, float]) -> float:
    """The estimate, in percent, from the five games' normalised scores."""
    logs = {game: math.log10(1 + max(0.0, percent[game])) for game in WEIGHTS}
    return float(10 ** sum(weight * logs[game] for game, weight in WEIGHTS.items()) - 1)


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    title = "Scores in five Atari games after a stated time, with one config"
    parser = pacman_hour.parser_of(title, "dqn_atari.yaml", [0, 1])
    parser.add_argument("--games", nargs="+", default=list(WEIGHTS), choices=sorted(human.SCORES), metavar="GAME")
    parser.add_argument("--name", default="hour", help="of the result [hour]")
    parser.add_argument("--save", action="store_true", help="write bench/results/atari5/NAME.json")
    parser.add_argument("--show", action="store_true", help="train nothing")
    return parser.parse_args(argv)


def of_game(given: argparse.Namespace, game: str) -> argparse.Namespace:
    """The arguments of `pacman_hour` for one of the games."""
    found = copy.copy(given)
    found.set = [*given.set, f"environment.id=ALE/{game}-v5"]
    found.name = f"{given.name}-{game}"
    return found


def table(games: Mapping[str, Any]) -> Table:
    """What was measured: a line a game, and the estimate under each protocol that has all five."""
    drawn = Table(
        title="mean raw scores over seeds, each the mean of its games; in brackets, of human-normalised percent"
    )
    for column in ("game", "seeds", "steps", "random", *pacman_hour.PROTOCOLS, "tester"):
        drawn.add_column(column, justify="left" if column == "game" else "right")
    for game, found in games.items():
        rows = found["seeds"]
        random, tester = human.SCORES[game]
        steps = f"{sum(row['env_steps'] for row in rows) / len(rows):,.0f}"
        scores = [
            f"{found[protocol]['mean']:,.1f} ({normalised(game, found[protocol]['mean']):.1f} %)"
            for protocol in pacman_hour.PROTOCOLS
        ]
        drawn.add_row(game, str(len(rows)), steps, f"{random:,.1f}", *scores, f"{tester:,.1f}")
    if all(game in games for game in WEIGHTS):
        medians = [
            median_of_57({game: normalised(game, games[game][protocol]["mean"]) for game in WEIGHTS})
            for protocol in pacman_hour.PROTOCOLS
        ]
        drawn.add_section()
        drawn.add_row("median of 57, estimated", "", "", "", *(f"{median:.1f} %" for median in medians), "100 %")
    return drawn


def main() -> None:
    given = arguments()
    path = RESULT / f"{given.name}.json"
    games: dict[str, Any] = (
        json.loads(path.read_text())["games"] if path.exists() and (given.save or given.show) else {}
    )
    for seed in [] if given.show else given.seeds:  # a seed of every game before the next
        for game in given.games:
            asked = of_game(given, game)
            fixed = pacman_hour.fixed_of(asked)
            before = games.get(game, {"seeds": [], **fixed})
            if any(before[name] != value for name, value in fixed.items()):
                raise SystemExit(f"{path} has {game} with other settings, time or games; use --name")
            if seed in {row["seed"] for row in before["seeds"]}:
                continue
            row = pacman_hour.measure(asked, seed)
            rows = sorted([*before["seeds"], row], key=lambda row: row["seed"])
            over = {protocol: pacman_hour.over_seeds(rows, protocol) for protocol in pacman_hour.PROTOCOLS}
            games[game] = {**over, "seeds": rows, **fixed}
            print(f"{game}, seed {seed}: {row['env_steps']:,} steps, nature {row['nature']['mean']:,.1f}", flush=True)
            if given.save:
                path.parent.mkdir(parents=True, exist_ok=True)
                beside = path.with_suffix(".tmp")
                beside.write_text(json.dumps({"games": games}, indent=1) + "\n")
                beside.replace(path)
    Console().print(table(games))


if __name__ == "__main__":
    main()
