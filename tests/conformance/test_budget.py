"""A budget ends at the next step of the environments, and to go on from there comes to the same as never to have ended.

Every algorithm in the registry, found by discovery. What a generation, a batch or an update of whole games is, is not
cut: `reinforce`, the evolution strategies and `search` end with it, and sweeps are counted one by one.
"""

import json
from pathlib import Path

import pytest
from out_of_tree import PLUGINS

from rltrain.core import Pausing
from rltrain.experiment import config
from rltrain.run import begin, build
from rltrain.run.loop import Run

BOOK = str(Path(__file__).parents[2] / "configs/mdp/book.yaml")
SMALL = {
    "population": "12",
    "survivors": "3",
    "batch": "10",
    "games": "1",
    "recheck": "2",
    "games_per_update": "3",
    "epsilon": "null",
    "learning_starts": "40",
    "buffer_size": "400",
    "batch_size": "8",
    "rollout_steps": "8",
}
IMAGES = "convolutions: [[4, 4, 4]], hidden: [8]"
ATARI = "{id: ALE/Pong-v5, num_envs: 2, max_episode_steps: 40}"
CASES = {  # algorithm, environment: what each is made of, beyond its defaults
    "dqn, rounds of several steps": ("dqn", "train_freq: 40, prioritized: true, double: true", "CartPole-v1"),
    "dqn, overlapping": ("dqn", "overlap: true, collect_steps: 7, double: true, n_step: 3", "CartPole-v1"),
    "dqn, masked": ("dqn", "overlap: true, collect_steps: 7, munchausen: true", "{id: Taxi-v4, num_envs: 4}"),
    "pqn, masked": ("pqn", "", "{id: Taxi-v4, num_envs: 4, max_episode_steps: 30}"),
    "dqn, images": ("dqn", f"{IMAGES}, collect_steps: 9, reward_scale: auto, reset_every: 100", ATARI),
    "pqn, images": ("pqn", IMAGES, ATARI),
    "qlearn, sarsa with traces": ("qlearn", "method: sarsa, trace_decay: 0.8, learners: 2", BOOK),
    "qlearn, double": ("qlearn", "method: double, exploration: softmax", BOOK),
    "qlearn, sampled": ("qlearn", "learners: 2", "Blackjack-v1"),
    "td, traces": ("td", "trace_decay: 0.5, learning_rate_schedule: count", BOOK),
    "td, sampled": ("td", "", "Blackjack-v1"),
    "basic, vectorised": ("basic", "policy: angle", "{id: CartPole-v1, num_envs: 16}"),
    "basic, an end is far": ("basic", "", "{id: Acrobot-v1, num_envs: 2}"),
}
PARTS = CASES | {name: (name, "", "CartPole-v1" if PLUGINS[name].task == "env" else BOOK) for name in PLUGINS}
SLOW = (
    "dqn, images",
    "dqn, masked",
    "pqn, images",
    "basic, an end is far",
    "basic, vectorised",
    "qlearn, double",
    "td, sampled",
)
BUDGETS = {"trials": 8, "env_steps": 313, "episodes": 7, "updates": 5, "sweeps": 5, "generations": 2, "policies": 15}


def text_of(name: str, settings: str, environment: str) -> str:
    fields = PLUGINS[name].config.model_fields
    small = [f"{key}: {value}" for key, value in SMALL.items() if key in fields and f"{key}:" not in settings]
    own = ", ".join([f"name: {name}", *small, *([settings] if settings else [])])
    if not environment.startswith("{"):
        environment = f"{{id: {environment}, num_envs: 3, max_episode_steps: 30}}"
    return f"algorithm: {{{own}}}\nenvironment: {environment}\n"


def run_to(folder: Path, text: str, budget: dict[str, int], *overrides: str) -> Run:
    budget_of = [f"run.budget={{{', '.join(f'{name}: {limit}' for name, limit in budget.items())}}}"]
    experiment = config.loads(text, "test.yaml", [*budget_of, *overrides])
    run = begin.create(experiment, folder.parent, folder.name, "a test")
    list(run.advance())
    run.close()
    return run


def resume_to(folder: Path, *overrides: str) -> Run:
    run = begin.resume(folder, overrides)
    list(run.advance())
    run.close()
    return run


def outcome(run: Run) -> dict[str, bytes]:
    """All that must be equal to the byte."""
    last = max((run.folder / "checkpoints").glob("ckpt-*"))
    files = {file: last / file for file in ("state.json", "arrays.safetensors")}
    files |= {path.name: path for path in run.folder.glob("*.jsonl") if path.name != "timings.jsonl"}
    files |= {path.name: path for path in run.folder.glob("*.csv")}
    return {"last": last.name.encode()} | {name: path.read_bytes() for name, path in files.items()}


def counters_of(case: str) -> list[str]:
    """Those that its budget may name; of what cannot be cut, or takes long, one."""
    name, settings, environment = PARTS[case]
    made = build.build(config.loads(text_of(name, settings, environment), "test.yaml")).algorithm
    found = [counter for counter in made.counters if counter in BUDGETS]
    return found if isinstance(made, Pausing) and environment != ATARI else found[:1]


@pytest.mark.parametrize("case", PARTS)
def test_a_unit_ends_at_the_step_that_reaches_a_limit(case: str) -> None:
    for counter in counters_of(case):
        parts = build.build(config.loads(text_of(*PARTS[case]), "test.yaml"))
        algorithm = parts.algorithm
        for limit in (1, BUDGETS[counter] // 2, BUDGETS[counter]):
            while algorithm.counters[counter] < limit:
                if isinstance(algorithm, Pausing):
                    algorithm.pause_at({counter: limit, "no such counter": 1})
                algorithm.step()
            over = algorithm.counters[counter] - limit
            if isinstance(algorithm, Pausing) and counter != "updates":
                assert over < parts.env.spec.num_envs  # those that were stepped together
            elif counter in ("sweeps", "generations"):
                assert over == 0
        parts.env.close()


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow) if case in SLOW else case for case in PARTS]
)
def test_to_go_on_after_a_budget_is_as_if_it_had_not_ended(case: str, tmp_path: Path) -> None:
    """To the byte, and wherever it is saved on the way."""
    text = text_of(*PARTS[case])
    for counter in counters_of(case):
        limit, folder = BUDGETS[counter], tmp_path / counter
        folder.mkdir()
        measured = []
        if "CartPole" in text:
            measured = [f"run.evaluate={{every: {{{counter}: {2 * limit // 3}}}, episodes: 2}}"]
        never, often = (f"run.save.every.{counter}={every}" for every in (10**6, max(1, limit // 5)))
        whole = run_to(folder / "whole", text, {counter: 2 * limit}, never, *measured)
        run_to(folder / "parts", text, {counter: limit}, often, *measured)
        rows = (folder / "parts/metrics.jsonl").read_bytes()
        resume_to(folder / "parts")  # there is nothing to do, and nothing is lost
        assert (folder / "parts/metrics.jsonl").read_bytes() == rows
        parts = resume_to(folder / "parts", f"run.budget.{counter}={2 * limit}")
        ours, theirs = outcome(parts), outcome(whole)
        assert ours.keys() == theirs.keys()
        for file in ours:
            assert ours[file] == theirs[file], (counter, file)


def test_an_evaluation_comes_at_the_next_step_after_its_interval(tmp_path: Path) -> None:
    text = text_of("dqn", "", "CartPole-v1")
    run = run_to(tmp_path / "r", text, {"env_steps": 900}, "run.evaluate={every: {env_steps: 100}, episodes: 1}")
    rows = [json.loads(line)["env_steps"] for line in (run.folder / "eval.jsonl").read_text().splitlines()]
    assert [row // 100 for row in rows] == list(range(1, 10))
    assert all(row % 100 < 3 for row in rows)
