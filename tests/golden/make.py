"""Small runs of every algorithm as one version of rltrain leaves them: checkpoints that later versions must load.

    python tests/golden/make.py tests/golden/VERSION    with the code of that version on the path

For each a run folder without what only this machine needs, and in states.json the digest of the state that its newest
checkpoint holds. Made once for a version and never again: who changes the format keeps the reader of the old one.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CARTPOLE = {"id": "CartPole-v1", "num_envs": 2}
BOOK = {"id": "book.yaml", "max_episode_steps": 50}
TINY = {"hidden": [8]}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {  # algorithm, environment, budget
    "basic": ({"name": "basic", "policy": "angle"}, CARTPOLE, {"episodes": 8}),
    "cmaes": ({"name": "cmaes", "population": 6, "games": 1, "recheck": 2}, CARTPOLE, {"generations": 3}),
    "dqn": (
        {"name": "dqn", "learning_starts": 300, "buffer_size": 400, "batch_size": 8, "n_step": 3, **TINY},
        CARTPOLE,
        {"env_steps": 1_000},
    ),
    "dqn_prioritized": (
        {
            "name": "dqn",
            "learning_starts": 300,
            "buffer_size": 5_000,  # more than one chunk of the memory, so that there is a blob
            "batch_size": 8,
            "train_freq": 64,
            "prioritized": True,
            "dueling": True,
            **TINY,
        },
        CARTPOLE,
        {"env_steps": 5_000},
    ),
    "genetic": ({"name": "genetic", "population": 6, "survivors": 2, "games": 1}, CARTPOLE, {"generations": 3}),
    "openai_es": ({"name": "openai_es", "population": 6, "games": 1}, CARTPOLE, {"generations": 3}),
    "ppo": ({"name": "ppo", "n_steps": 16, "n_epochs": 2, "batch_size": 16, **TINY}, CARTPOLE, {"updates": 80}),
    "pqn": ({"name": "pqn", "rollout_steps": 16, "epochs": 2, "batch_size": 16, **TINY}, CARTPOLE, {"env_steps": 640}),
    "qiter": ({"name": "qiter", "epsilon": None}, BOOK, {"sweeps": 30}),
    "qlearn": ({"name": "qlearn", "report_every": 1_000}, BOOK, {"env_steps": 4_000}),
    "qlearn_frozenlake": ({"name": "qlearn", "report_every": 1_000}, {"id": "FrozenLake-v1"}, {"env_steps": 4_000}),
    "reinforce": ({"name": "reinforce", "games_per_update": 2, **TINY}, CARTPOLE, {"episodes": 8}),
    "search": ({"name": "search", "batch": 6, "recheck": 2, "games": 1}, CARTPOLE, {"policies": 18}),
    "td": ({"name": "td", "report_every": 1_000, "trace_decay": 0.5}, BOOK, {"env_steps": 4_000}),
    "uct": ({"name": "uct", "simulations": 50, "depth": 20, "report_every": 51}, BOOK, {"simulations": 5_000}),
    "viter": ({"name": "viter", "epsilon": None}, BOOK, {"sweeps": 30}),
}
DROPPED = (".lock", ".ballast", "curve.png", "events", "timings.jsonl")


def digest(value: Any) -> str:
    """The sha256 of a state: of its keys in order, its arrays to the bit, and the arrays of its blobs."""
    found = hashlib.sha256()

    def add(leaf: Any) -> None:
        if isinstance(leaf, Mapping):
            for key in sorted(leaf):
                found.update(f"{{{key}:".encode())
                add(leaf[key])
        elif isinstance(leaf, list):
            found.update(f"[{len(leaf)}".encode())
            for item in leaf:
                add(item)
        elif type(leaf).__name__ == "ndarray":
            found.update(f"{leaf.dtype.str}{leaf.shape}".encode() + leaf.tobytes())
        elif type(leaf).__name__ == "Blob":
            found.update(leaf.name.encode())
            add(leaf.read())
        else:
            found.update(f"{type(leaf).__name__} {leaf!r};".encode())

    add(value)
    return found.hexdigest()


def make(name: str, place: Path) -> str:
    """Trains one of CASES into place/name. Returns the digest of the state that it ends with."""
    from rltrain.experiment import config
    from rltrain.run import begin
    from rltrain.run.checkpoint import Checkpoints

    algorithm, environment, budget = CASES[name]
    (counter, limit), *_ = budget.items()
    run = {
        "seed": 7,
        "threads": 1,
        "device": "cpu",
        "budget": budget,
        "evaluate": {"every": {counter: limit // 2}, "episodes": 2},
        "save": {"keep": 1},
    }
    text = json.dumps({"algorithm": algorithm, "environment": environment, "run": run})
    trained = begin.create(config.loads(text, "golden.yaml"), place, name, f"rltrain train {name}.yaml --name {name}")
    try:
        for _ in trained.advance():
            pass
    finally:
        trained.close()
    for path in (place / name / dropped for dropped in DROPPED):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return digest(Checkpoints(place / name).load().state)


def main() -> None:
    place = Path(sys.argv[1]).resolve()
    place.mkdir(parents=True)
    model = Path(__file__).resolve().parents[2] / "configs" / "mdp" / "book.yaml"
    shutil.copy(model, place / "book.yaml")
    os.chdir(place)  # a run names its model relative to where it was begun
    digests = {name: make(name, place) for name in CASES}
    (place / "book.yaml").unlink()
    (place / "states.json").write_text(json.dumps(digests, indent=1) + "\n")


if __name__ == "__main__":
    main()
