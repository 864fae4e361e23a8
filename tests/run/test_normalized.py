"""Runs whose observations and rewards are normalised: resumed to the byte, evaluated frozen, by each checkpoint's own
statistics; scores stay raw."""

import json
from pathlib import Path

import numpy as np
import pytest

import rltrain
from rltrain import envs
from rltrain.algos import reinforce
from rltrain.core import Array, Hardware, Scoring, State
from rltrain.errors import InputError
from rltrain.experiment import config
from rltrain.run import begin, build
from rltrain.run.fork import fork
from rltrain.run.loop import Run
from rltrain.run.reading import load_path
from rltrain.run.scores import games_at
from rltrain.verbs import saved_policy

BOTH = "environment.wrappers=[{name: NormalizeObservation, clip: 10}, {name: NormalizeReward, gamma: 0.9}]"
GAME = "environment={id: ALE/Pong-v5, num_envs: 3, max_episode_steps: 60, wrappers: [NormalizeReward, ClipReward]}"
SIGHT = "environment.wrappers=[NormalizeObservation]"
HEADS = {
    "dqn": "{name: dqn, learning_starts: 60, buffer_size: 100, batch_size: 8, hidden: [8]}",
    "pqn": "{name: pqn, rollout_steps: 8, batch_size: 8, hidden: [8]}",
    "ppo": "{name: ppo, n_steps: 10, batch_size: 16, n_epochs: 1, convolutions: [[4, 8, 8]], hidden: [8]}",
    "reinforce": "{name: reinforce, games_per_update: 4, hidden: [8]}",
    "genetic": "{name: genetic, population: 4, survivors: 2, games: 1, recheck: 1, same_starts: true}",
}
COUNTERS = {
    "dqn": ("env_steps", 240),
    "pqn": ("env_steps", 240),
    "ppo": ("env_steps", 120),
    "reinforce": ("updates", 12),
    "genetic": ("generations", 4),
}


def create(folder: Path, algorithm: str, num_envs: int, wrappers: str, name: str, *overrides: str) -> Run:
    counter, limit = COUNTERS[algorithm]
    text = f"""
algorithm: {HEADS[algorithm]}
environment: {{id: CartPole-v1, num_envs: {num_envs}, max_episode_steps: 60}}
run:
  budget: {{{counter}: {limit}}}
  evaluate: {{every: {{{counter}: {limit // 3}}}, episodes: 2, protocol: training}}
  save: {{every: {{{counter}: {limit // 4}}}, keep: 100}}
  threads: 1
"""
    return begin.create(config.loads(text, "test.yaml", [wrappers, *overrides]), folder, name, "a test")


def finish(run: Run) -> dict[str, bytes]:
    """Play it to its end; what its folder then says of what was learned."""
    list(run.advance())
    run.close()
    newest = max((run.folder / "checkpoints").iterdir())
    files = [*sorted(newest.glob("*.safetensors")), run.folder / "metrics.jsonl", run.folder / "eval.jsonl"]
    found = {path.name: path.read_bytes() for path in files}
    assert len(found) == 3
    return {**found, "world": repr(load_path(newest).state["world"]).encode()}


@pytest.mark.parametrize(
    ("algorithm", "wrappers", "num_envs"),
    [
        ("dqn", BOTH, 3),
        ("reinforce", BOTH, 1),
        ("reinforce", BOTH, 3),
        ("genetic", SIGHT, 3),
        pytest.param("ppo", GAME, 3, marks=pytest.mark.slow),
        pytest.param("dqn", BOTH, 1, marks=pytest.mark.slow),
        pytest.param("pqn", BOTH, 1, marks=pytest.mark.slow),
        pytest.param("pqn", BOTH, 3, marks=pytest.mark.slow),
        pytest.param("genetic", SIGHT, 1, marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_cut_off_and_resumed_ends_as_one_that_never_was(
    tmp_path: Path, algorithm: str, wrappers: str, num_envs: int
) -> None:
    whole = finish(create(tmp_path, algorithm, num_envs, wrappers, "whole"))
    run, saves = create(tmp_path, algorithm, num_envs, wrappers, "cut"), 0
    for event in run.advance():  # it goes on after its second save, and is gone before the third
        saves += event.kind == "save"
        if saves == 2 and event.kind == "step":
            break
    run.close()
    assert finish(begin.resume(run.folder)) == whole


def test_a_reward_that_is_scaled_changes_what_is_learned_and_no_score(tmp_path: Path) -> None:
    rewards = "environment.wrappers=[{name: NormalizeReward, gamma: 0.5}]"
    own = ("algorithm.normalize_scores=false", "run.budget.updates=2", "algorithm.ent_coef=0.1")
    plain = create(tmp_path, "reinforce", 3, "environment.wrappers=[]", "plain", *own)
    scaled = create(tmp_path, "reinforce", 3, rewards, "scaled", *own)
    rows, learned = [], []
    for run in (plain, scaled):
        rows.append([event.metrics["return/batch"] for event in run.advance() if event.kind == "step"])
        learned.append(run.algorithm.save()["weights"][0])
        run.close()
    assert rows[0] == rows[1]  # in the first update nothing is known of rewards; the second plays the same games
    assert min(rows[1]) >= 8  # a step is worth 1
    assert not np.array_equal(*learned)


def test_every_checkpoint_is_played_by_its_own_statistics(tmp_path: Path) -> None:
    run = create(tmp_path, "reinforce", 3, SIGHT, "x")
    list(run.advance())
    run.close()
    rows = [json.loads(line) for line in (run.folder / "eval.jsonl").read_text().splitlines()]
    counts = set()
    for path in sorted((run.folder / "checkpoints").iterdir()):
        saved = saved_policy.read(path, tmp_path)
        counts.add(saved.loaded.state["world"]["obs"]["count"])
        row = next((row for row in rows if row["updates"] == saved.loaded.counters["updates"]), None)
        if row is None:
            continue
        policy = saved_policy.policy_of(saved.experiment, saved.loaded, None, 1)
        playing = games_at(row["updates"], saved.experiment, policy, 1)
        list(playing.steps())
        assert playing.result().mean == row["mean"]
        playing.close()
    assert len(counts) > 2


def test_a_loaded_policy_takes_observations_as_the_environment_gives_them(tmp_path: Path) -> None:
    run = create(tmp_path, "reinforce", 3, SIGHT, "x")
    list(run.advance())
    run.close()
    policy = rltrain.load(run.folder)
    obs = envs.make(run.experiment.environment, num_envs=8, training=False).reset(0).obs
    state = load_path(policy.checkpoint).state
    assert isinstance(run.experiment.algorithm, reinforce.ReinforceConfig)
    learned = reinforce.load_policy(run.experiment.algorithm, run.spec, state["algorithm"], Hardware())
    assert isinstance(learned, Scoring)
    np.testing.assert_allclose(policy.scores(obs), learned.scores(shown(state["world"]["obs"], obs)))
    assert not np.allclose(policy.scores(obs), learned.scores(obs))


def shown(statistics: State, obs: Array) -> Array:
    """Observations normalised by a checkpoint's statistics."""
    found = (obs - statistics["mean"]) / np.sqrt(statistics["variance"] + statistics["epsilon"])
    return np.asarray(found, np.float32)


@pytest.mark.parametrize("algorithm", ["genetic", "basic", "qlearn"])
@pytest.mark.parametrize("wrapper", ["NormalizeReward", "ClipReward"])
def test_rewards_for_a_learner_that_takes_the_raw_ones_are_refused(algorithm: str, wrapper: str) -> None:
    name = "Blackjack-v1" if algorithm == "qlearn" else "CartPole-v1"
    experiment = config.loads(f"algorithm: {algorithm}\nenvironment: {name}", "", [f"environment.wrappers=[{wrapper}]"])
    with pytest.raises(InputError, match=f"environment.wrappers: {wrapper} changes .* {algorithm} learns from the raw"):
        build.build(experiment)


@pytest.fixture
def begun(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A run with these wrappers that has been saved once."""
    run = create(tmp_path, "reinforce", 3, f"environment.wrappers=[{request.param}]", "x")
    next(event for event in run.advance() if event.kind == "save")
    run.close()
    return run.folder


@pytest.mark.parametrize(
    ("begun", "other", "said"),
    [
        ("", "NormalizeObservation", "none -> NormalizeObservation"),
        ("NormalizeObservation", "", "NormalizeObservation -> none"),
        ("NormalizeReward", "ClipReward", "NormalizeReward -> ClipReward"),
    ],
    indirect=["begun"],
)
def test_a_fork_or_an_edit_neither_adds_nor_takes_away_what_changes_all_that_is_seen(
    begun: Path, other: str, said: str
) -> None:
    with pytest.raises(InputError, match=f"environment.wrappers: {said}: .* rltrain train CONFIG --from"):
        fork(begun, [f"environment.wrappers=[{other}]"], begun.parent, "other", "a test")
    assert [path.name for path in begun.parent.iterdir()] == ["x"]
    edited = config.load(begun / "config.yaml", [f"environment.wrappers=[{other}]"]).to_yaml()
    (begun / "config.yaml").write_text(edited)
    with pytest.raises(InputError, match=r"edited since the checkpoint[^$]*environment.wrappers: "):
        begin.resume(begun)


@pytest.mark.parametrize("begun", ["NormalizeObservation"], indirect=True)
def test_a_fork_may_normalise_with_other_settings(begun: Path) -> None:
    sharper = ["environment.wrappers=[{name: NormalizeObservation, clip: 3}]"]
    run = begin.resume(fork(begun, sharper, begun.parent, "other", "a test"))
    assert run.save()["world"]["obs"]["clip"] == 3 and run.counters["updates"] > 0
    run.close()
