"""Which of PPO's details matter: each is left out, or put in, alone, over seeds, on HalfCheetah and on LunarLander.

Runs of fixed length, evaluated as they go; what counts is the mean of all evaluations of a run, which tells fast from
slow too, and the last one by fresh games. Runs and results are kept as bench/curves.py keeps them.

    python bench/ppo_details.py --out bench/results/ppo_details    # an hour and a half on one core
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import curves

ROOT = Path(__file__).resolve().parent.parent
FIXED = ("run.evaluate.until=null", "run.evaluate.episodes=20")
TASKS = {  # name -> config, what makes a run of it
    "halfcheetah": ("worlds/halfcheetah_ppo", ("run.budget={env_steps: 300_000}", *FIXED)),
    "lunarlander": ("ppo_lunarlander", ("run.budget={env_steps: 200_000}", *FIXED)),
}
VARIANTS: dict[str, dict[str, tuple[str, ...]]] = {  # detail -> task -> overrides; a task that is not there has no such
    "as it is": {"halfcheetah": (), "lunarlander": ()},
    "observations as they are": {"halfcheetah": ("environment.wrappers=[{name: NormalizeReward, clip: 10}]",)},
    "rewards as they are": {
        "halfcheetah": ("environment.wrappers=[{name: NormalizeObservation, clip: 10}]",),
        "lunarlander": ("environment.wrappers=[]",),
    },
    **{
        name: dict.fromkeys(TASKS, words)
        for name, words in {
            "advantages as they are": ("algorithm.normalize_advantage=false",),
            "constant learning rate": ("algorithm.learning_rate_final=null",),
            "time limits as ends": ("algorithm.bootstrap_time_limits=false",),
            "values clipped": ("algorithm.clip_range_vf=0.2",),
            "no clipping": ("algorithm.clip_range=1000",),
            "one epoch": ("algorithm.n_epochs=1",),
            "gradients not clipped": ("algorithm.max_grad_norm=null",),
            "Adam's epsilon 1e-8": ("algorithm.optimizer_eps=1e-8",),
            "relu": ("algorithm.activation=relu",),
            "gae_lambda 1": ("algorithm.gae_lambda=1",),
        }.items()
    },
    "deviation 1 at first": {"halfcheetah": ("algorithm.log_std_init=0",)},
    "squashed": {"halfcheetah": ("algorithm.squash=true",)},
    "no entropy bonus": {"lunarlander": ("algorithm.ent_coef=0",)},
    "discount 0.99": {"halfcheetah": ("algorithm.gamma=0.99",), "lunarlander": ("algorithm.gamma=0.99",)},
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="PPO with one detail changed at a time")
    parser.add_argument("--seeds", type=int, default=3, help="of each variant [3]")
    parser.add_argument("--task", action="append", choices=list(TASKS), help="may be given again [all]")
    parser.add_argument("--out", required=True, type=Path, help="a folder, such as bench/results/ppo_details")
    parser.add_argument("--runs-dir", type=Path, default=ROOT / "runs", help="where the runs are kept [runs]")
    given = parser.parse_args(argv)
    for task in given.task or TASKS:
        config, fixed = TASKS[task]
        for detail, overrides in VARIANTS.items():
            if task not in overrides:
                continue
            words = [config, "--as", f"{task}: {detail}", "--seeds", str(given.seeds), "--quiet"]
            words += [f"--set={word}" for word in (*fixed, *overrides[task])]
            curves.main([*words, "--out", str(given.out / task), "--runs-dir", str(given.runs_dir)])
        show(given.out / task, task)


def show(folder: Path, task: str) -> None:
    """A table of one task, the best first."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    print(f"\n| {task} | Mean of all evaluations | Fresh games at the end | Worst seed |\n| --- | --- | --- | --- |")
    for one in sorted(found, key=lambda one: -one["summary"]["average"]):
        told = one["summary"]
        half = "" if told["half_width"] is None else f" ± {told['half_width']:,.4g}"
        name = one["name"].partition(": ")[2]
        print(f"| {name} | {told['average']:,.4g} | {told['mean']:,.4g}{half} | {told['worst']:,.4g} |")


if __name__ == "__main__":
    main()
