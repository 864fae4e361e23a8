"""What greys leave out of Ms. Pac-Man: her colours, how bright each is, and a picture of both.

Plays at random, from fixed seeds, and counts the pixels of the maze by colour. The picture is of two moments, one that
shows the red ghost and one that shows edible ones: the screen, and what a policy sees in grey and in colour. At last:
how many of the tiles that `dqn_pacman`'s first layer looks at are different, in stacks drawn from the games.

    python bench/pacman_colours.py
    python bench/pacman_colours.py --out docs/colours.png
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from rltrain import envs
from rltrain.core import Array, Env
from rltrain.deep.fast import distinct, tiling
from rltrain.envs.atari.colours import RGB
from rltrain.envs.atari.settings import AtariConfig

EVERY, STACKS, TILE = 25, 64, 4  # steps between stacks that may be drawn, how many are, a tile's side
GAMES, STEPS, MAZE = 8, 1500, 0.81  # the maze's share of the picture's height, from above
LUMA = (0.2989, 0.5870, 0.1140)
EDIBLE, RED = (66, 114, 194), (200, 72, 72)
NAMED = {RED: "the red ghost", EDIBLE: "an edible ghost"}


def play(color: Literal["grey", "rgb"], size: int) -> Env:
    settings = AtariConfig(id="ALE/MsPacman-v5", color=color, screen_size=size)
    return envs.make(settings, num_envs=GAMES, threads=1, training=False)


def luma(colour: Array) -> int:
    return round(float(colour @ np.array(LUMA)))


def main() -> None:
    parser = argparse.ArgumentParser(description="The colours of Ms. Pac-Man, and their greys")
    parser.add_argument("--out", type=Path, help="write the picture there")
    given = parser.parse_args()
    games = {"grey": play("grey", 84), "colour": play("rgb", 84), "screen": play("rgb", 210)}
    actions = np.random.default_rng(0).integers(0, games["grey"].spec.num_actions, (STEPS, GAMES))
    for env in games.values():
        env.reset(0)
    pixels: Counter[int] = Counter()
    moments: dict[tuple[int, int, int], dict[str, Array]] = {}
    most = dict.fromkeys(NAMED, 0)
    stacks: list[Array] = []
    for at, action in enumerate(actions):
        seen = {name: env.step(action).obs for name, env in games.items()}
        now = {name: obs[:, -1] for name, obs in seen.items()}
        if at % EVERY == 0:
            stacks.extend(seen["colour"])
        maze = now["screen"][:, : int(210 * MAZE)]
        pixels.update(dict(zip(*(one.tolist() for one in np.unique(maze, return_counts=True)), strict=True)))
        for i in range(GAMES):
            for ghost in NAMED:
                count = int((RGB[now["screen"][i][: int(210 * MAZE)]] == ghost).all(2).sum())
                if count > most[ghost]:
                    most[ghost] = count
                    moments[ghost] = {name: picture[i].copy() for name, picture in now.items()}
    for env in games.values():
        env.close()
    Console().print(table(pixels))
    chosen = np.random.default_rng(1).choice(len(stacks), STACKS, replace=False)
    tiles = tiling.pixel_tiles(torch.from_numpy(np.stack([stacks[i] for i in chosen])), TILE)
    found = distinct.distinct(tiles, tiles.shape[3] // TILE**2)
    print(f"{len(found.tiles):,} different tiles among {found.number.numel():,} of {STACKS} stacks")
    if given.out:
        draw(moments, given.out)
        print(f"wrote {given.out}")


def table(pixels: Counter[int]) -> Table:
    """Colours that are more than one pixel in 100,000, the commonest first, each with the nearest other grey."""
    whole = sum(pixels.values())
    colours = [number for number, count in pixels.most_common() if count > whole / 100_000]
    greys = {number: luma(RGB[number]) for number in colours}
    drawn = Table(title=f"{whole / 210 / int(210 * MAZE):,.0f} screens")
    for column in ("red, green, blue", "share", "grey", "nearest other grey", ""):
        drawn.add_column(column, justify="left" if not column else "right")
    for number in colours:
        nearest = min(
            (other for other in colours if other != number), key=lambda other: abs(greys[other] - greys[number])
        )
        name = ", ".join(map(str, RGB[number]))
        away = abs(greys[nearest] - greys[number])
        of = ", ".join(map(str, RGB[nearest]))
        told = NAMED.get(tuple(int(part) for part in RGB[number]), "")
        drawn.add_row(name, f"{pixels[number] / whole:.3%}", str(greys[number]), f"{away} away: {of}", told)
    return drawn


def draw(moments: dict[tuple[int, int, int], dict[str, Array]], out: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    titles = {"screen": "the screen", "grey": "what a policy sees in grey", "colour": "with environment.color"}
    look: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255, "interpolation": "nearest", "aspect": "auto"}
    figure, axes = pyplot.subplots(2, 3, figsize=(9, 7.6), dpi=110)
    for line, ghost in zip(axes, (RED, EDIBLE), strict=True):
        for axis, (name, title) in zip(line, titles.items(), strict=True):
            picture = moments[ghost][name][: int(len(moments[ghost][name]) * MAZE)]
            axis.imshow(picture if name == "grey" else RGB[picture], **look)
            axis.set_title(title if ghost == RED else "", fontsize=10)
            axis.axis("off")
    figure.tight_layout()
    figure.savefig(out)


if __name__ == "__main__":
    main()
