"""A new run that starts from what another has learned: what it takes, that it is exact, and that it needs no other."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from out_of_tree import PLUGINS

from rltrain.core import Hardware
from rltrain.errors import CheckpointError, InputError
from rltrain.experiment import config
from rltrain.experiment.config import Experiment
from rltrain.rng import Streams
from rltrain.run import build, facts, folder, starting_point
from rltrain.run import group as groups
from rltrain.run.loop import Run
from rltrain.run.scores import games_at
from rltrain.saved import Saved
from rltrain.verbs import saved_policy, train
from rltrain.warm_start import WarmSource, fitting

BOOK = Path(__file__).parents[2] / "configs" / "mdp" / "book.yaml"
SEARCH = "games: 1, recheck: 2"
DEEP = "hidden: [8], learning_starts: 64, train_freq: 32, buffer_size: 400, batch_size: 16"
ALGORITHMS = {  # every algorithm that has the hook
    "dqn": f"{{name: dqn, {DEEP}}}",
    "pqn": "{name: pqn, hidden: [8], rollout_steps: 8, layer_norm: false}",
    "ppo": "{name: ppo, hidden: [4], n_steps: 8, n_epochs: 2}",
    "reinforce": "{name: reinforce, hidden: [4], games_per_update: 2, baseline: value}",
    "genetic": f"{{name: genetic, population: 6, survivors: 2, {SEARCH}}}",
    "cmaes": f"{{name: cmaes, population: 6, {SEARCH}}}",
    "openai_es": f"{{name: openai_es, population: 6, {SEARCH}}}",
    "search": f"{{name: search, batch: 6, {SEARCH}}}",
    "qlearn": "{name: qlearn, report_every: 50}",
    "td": "{name: td, report_every: 50}",
}
BUDGETS = {"generations": 3, "policies": 18, "updates": 4}


def experiment_of(name: str, *overrides: str) -> Experiment:
    """A short run: a few steps, a checkpoint at each."""
    world = "CartPole-v1" if PLUGINS[name].task == "env" else str(BOOK)
    envs = ", num_envs: 8" if PLUGINS[name].on_gpu else ""
    counter = "updates" if name == "reinforce" else next(iter(PLUGINS[name].budget))
    budget = BUDGETS.get(counter, 600)
    text = (
        f"algorithm: {ALGORITHMS[name]}\nenvironment: {{id: {world}{envs}}}\n"
        f"run: {{budget: {{{counter}: {budget}}}, save: {{every: {{{counter}: {budget // 3}}}}}, device: cpu}}"
    )
    return config.loads(text, "test.yaml", overrides)


def begun(runs: Path, name: str, run: str, start: str | Path | None = None, *overrides: str) -> Run:
    saved = None if start is None else saved_policy.read(start, runs)
    return train.begin(experiment_of(name, *overrides), runs, run, "a test", saved)


def finished(run: Run, steps: int | None = None) -> Path:
    """Advance a run to its end, or stop it after some steps."""
    for event in run.advance():
        steps = None if steps is None else steps - (event.kind == "step")
        if steps == 0:
            run.request_stop("SIGINT")
    run.close()
    return run.folder


def newest(run: Path) -> dict[str, bytes]:
    """The bytes of the newest checkpoint and of the numbers of a run."""
    place = sorted((run / "checkpoints").iterdir())[-1]
    return {
        "name": place.name.encode(),
        "state": (place / "state.json").read_bytes(),
        "arrays": (place / "arrays.safetensors").read_bytes(),
        "metrics": (run / "metrics.jsonl").read_bytes(),
    }


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run of every algorithm that has the hook, called after it."""
    runs = tmp_path_factory.mktemp("sources")
    for name in ALGORITHMS:
        finished(begun(runs, name, name))
    return runs


def test_these_are_all_the_algorithms_of_ours_that_start_from_others() -> None:
    assert set(ALGORITHMS) == {name for name, plugin in PLUGINS.items() if plugin.warm_start is not None}


BRED = ("cmaes", "openai_es", "search")  # they take what genetic takes, which other tests here tell apart


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in BRED else name for name in ALGORITHMS]
)
def test_it_starts_from_what_was_learned_and_is_exact_without_the_other_run(
    name: str, sources: Path, tmp_path: Path
) -> None:
    shutil.copytree(sources / name, tmp_path / "source")
    cold = newest(finished(begun(tmp_path, name, "cold")))
    first = begun(tmp_path, name, "first", "source")
    assert set(first.counters.values()) == {0}
    assert [path.name for path in (first.folder / "checkpoints").iterdir()] == ["ckpt-000000000000"]
    second = begun(tmp_path, name, "second", "source")
    killed = begun(tmp_path, name, "killed", "source")
    killed.close()
    shutil.rmtree(tmp_path / "source")
    whole = newest(finished(first))
    assert whole == newest(finished(second))
    assert whole["state"] + whole["arrays"] + whole["metrics"] != cold["state"] + cold["arrays"] + cold["metrics"]
    again = train.resume(killed.folder)
    assert not [warning for warning in again.warnings if "beginning" in warning]
    finished(again, steps=1)
    assert newest(finished(train.resume(killed.folder))) == whole
    assert facts.read(killed.folder)["exact"] is True


@pytest.mark.parametrize("name", ALGORITHMS)
def test_run_json_says_from_which_checkpoint_and_what_was_taken(name: str, sources: Path, tmp_path: Path) -> None:
    run = begun(tmp_path, name, "new", sources / name)
    run.close()
    said = facts.read(run.folder)["started_from"]
    place = sources / name / "checkpoints" / said["checkpoint"]
    assert (said["run"], said["algorithm"]) == (str(sources / name), name)
    assert said["sha256"] == starting_point.manifest_hash(place)
    assert said["taken"] and not said["not_taken"]


def weights_of(run: Path) -> Saved:
    part: Saved = saved_policy.read(run, run.parent, last=True).loaded.state.part("algorithm")
    return part


@pytest.mark.parametrize(("name", "other"), [("dqn", "pqn"), ("pqn", "dqn")])
def test_dqn_and_pqn_start_from_each_other_and_take_nothing_but_weights(
    name: str, other: str, sources: Path, tmp_path: Path
) -> None:
    run = begun(tmp_path, name, "new", sources / other)
    state, source = run.algorithm.save(), weights_of(sources / other)
    there = source.part("learner").part("weights")
    assert all(np.array_equal(values, there[key]) for key, values in state["learner"]["weights"].items())
    assert state["updates"] == state["env_steps"] == 0 and source["updates"] > 0
    if name == "dqn":
        assert all(np.array_equal(values, there[key]) for key, values in state["target"].items())
        assert run.algorithm.so_far()["epsilon"] == 1.0
    assert state["learner"]["wide"] == {} or not state["learner"]["wide"].get("steps")
    run.close()


@pytest.mark.parametrize("name", ["genetic", "cmaes", "openai_es", "search"])
@pytest.mark.parametrize("other", ["genetic", "search"])
def test_a_search_starts_around_the_champion_of_another(name: str, other: str, sources: Path, tmp_path: Path) -> None:
    champion = weights_of(sources / other)["champion"]["candidate"]
    run = begun(tmp_path, name, "new", sources / other)
    state = run.algorithm.save()
    assert np.array_equal(state["champion"]["candidate"], champion) and state["champion"]["played"] == 0
    if name == "genetic":
        assert np.array_equal(state["population"][0], champion) and np.unique(state["population"], axis=0).shape[0] == 6
    elif name != "search":
        centre = state["centre"] if name == "openai_es" else state["search"]["mean"]
        low, high = -1.0, 1.0  # the ranges of a linear policy
        assert np.allclose((low + high) / 2 + (high - low) / 2 * centre, champion)
    run.algorithm.step()
    assert run.algorithm.save()["champion"]["played"] >= 2  # it has proved itself here, or was beaten
    run.close()


def test_tables_go_row_by_row_to_as_many_learners_and_else_from_the_first_to_all(sources: Path, tmp_path: Path) -> None:
    there = weights_of(sources / "qlearn")["agent"]["q"]
    for learners in (1, 3):
        run = begun(tmp_path, "qlearn", f"l{learners}", sources / "qlearn", f"algorithm.learners={learners}")
        assert np.array_equal(run.algorithm.save()["agent"]["q"], np.repeat(there, learners, axis=0))
        assert not run.algorithm.save()["agent"]["visits"].any()
        run.close()
    run = begun(tmp_path, "qlearn", "double", sources / "qlearn", "algorithm.method=double")
    agent = run.algorithm.save()["agent"]
    assert np.array_equal(agent["q"], there) and np.array_equal(agent["second"], there)
    run.close()


SIGHT, PAY = "NormalizeObservation", "NormalizeReward"


def wrapped(*names: str) -> str:
    return f"environment.wrappers=[{', '.join(names)}]"


def mean_of_first_evaluation(run: Path) -> float:
    """Of the newest policy of a run, in the games of one evaluation."""
    saved = saved_policy.read(run, run.parent, last=True)
    policy = saved_policy.policy_of(saved.experiment, saved.loaded, "cpu", 1)
    playing = games_at(0, experiment_of("dqn", "run.evaluate.episodes=20"), policy, 1)
    list(playing.steps())
    playing.close()
    return float(playing.result().mean)


@pytest.mark.parametrize("name", [pytest.param("pqn", marks=pytest.mark.slow), "dqn", "reinforce"])
def test_statistics_go_along_and_the_first_evaluation_is_that_of_the_source(name: str, tmp_path: Path) -> None:
    source = finished(begun(tmp_path, name, "source", None, wrapped(SIGHT, PAY)))
    there = saved_policy.read(source, tmp_path, last=True).loaded.state["world"]
    runs = [begun(tmp_path, name, f"new{number}", source, wrapped(SIGHT, PAY)) for number in (0, 1)]
    said = facts.read(runs[0].folder)["started_from"]
    assert said["taken"][-2:] == [
        f"the statistics of {round(there[part]['count']):,} {what}"
        for part, what in (("obs", "observations"), ("returns", "rewards"))
    ]
    assert not said["not_taken"]
    assert mean_of_first_evaluation(runs[0].folder) == mean_of_first_evaluation(source)
    here = saved_policy.read(runs[0].folder, tmp_path).loaded.state["world"]
    assert repr(here["obs"]) == repr(there["obs"])
    whole = newest(finished(runs[0]))
    finished(runs[1], steps=1)
    assert newest(finished(train.resume(runs[1].folder))) == whole


@pytest.mark.parametrize(
    ("there", "here", "said"),
    [
        ((), (SIGHT,), ["observations were not normalised there, so NormalizeObservation begins anew"]),
        (
            (SIGHT,),
            (),
            ["the statistics of observations: there NormalizeObservation normalised them, here nothing does"],
        ),
        ((SIGHT,), (SIGHT, PAY), ["rewards were not normalised there, so NormalizeReward begins anew"]),
        (("ClipReward",), (), []),
    ],
)
def test_where_only_one_run_normalises_that_is_said(
    there: tuple[str, ...], here: tuple[str, ...], said: list[str], tmp_path: Path
) -> None:
    source = finished(begun(tmp_path, "reinforce", "source", None, wrapped(*there)), steps=1)
    run = begun(tmp_path, "reinforce", "new", source, wrapped(*here))
    assert run.started_from is not None and run.started_from["not_taken"] == said
    assert [text for text in run.warnings if text.startswith("not taken")] == [f"not taken over: {x}" for x in said]
    run.close()


def test_statistics_of_another_shape_are_not_taken_and_forged_ones_are_an_error(tmp_path: Path) -> None:
    source = finished(begun(tmp_path, "dqn", "source", None, wrapped(SIGHT)), steps=1)
    saved = saved_policy.read(source, tmp_path, last=True)
    more = build.world(experiment_of("dqn", "environment.wrappers=[TimeAwareObservation, NormalizeObservation]"))
    point = starting_point.StartingPoint(saved.path, saved.loaded, saved.experiment)
    assert point.give_statistics(more).left == ["the statistics of observations: of 4 numbers there, of 5 here"]
    more.close()
    world, refused = saved.loaded.state["world"], 0
    env = build.world(experiment_of("dqn", wrapped(SIGHT)))
    for changed in forged(world):
        state = Saved({**saved.loaded.state, "world": changed})
        try:
            replace(point, loaded=replace(saved.loaded, state=state)).give_statistics(env)
        except CheckpointError:
            refused += 1
    env.close()
    assert refused >= 8


PENDULUM = (
    "environment={id: Pendulum-v1, max_episode_steps: 20}",
    "run.budget={updates: 3}",
    "run.save.every.updates=1",
)


def test_a_gaussian_policy_is_taken_with_its_spread(tmp_path: Path) -> None:
    source = finished(begun(tmp_path, "reinforce", "source", None, *PENDULUM, "algorithm.log_std_init=-0.5"))
    there = weights_of(source)["weights"]
    assert there[-1].shape == (1,) and there[-1] != -0.5  # it has learned
    run = begun(tmp_path, "reinforce", "new", source, *PENDULUM)
    here = run.algorithm.save()["weights"]
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(here, there, strict=True))
    assert run.started_from is not None and not run.started_from["not_taken"]
    whole = newest(finished(run))
    cut = begun(tmp_path, "reinforce", "cut", source, *PENDULUM)
    finished(cut, steps=1)
    assert newest(finished(train.resume(cut.folder))) == whole


def test_what_cannot_be_taken_is_one_error_and_leaves_no_folder(sources: Path, tmp_path: Path) -> None:
    wrong = {
        ("dqn", "reinforce", ()): "it was made by reinforce; what fits here is of dqn or pqn",
        ("dqn", "dqn", ("algorithm.hidden=[9]",)): "no layer of its network fits; wide: weight 8x4",
        ("reinforce", "reinforce", ("algorithm.activation=relu",)): "algorithm.activation: relu",
        ("cmaes", "genetic", ("algorithm.policy=mlp",)): "a linear policy of 5 parameters, the policy here an mlp of 8",
        ("qlearn", "qlearn", ("environment.id=FrozenLake-v1",)): "table is of 3 states and 3 actions, and here are 16",
        ("td", "td", ("environment.id=FrozenLake-v1",)): "table is of 3 states, and here are 16",
        ("td", "qlearn", ()): "made by qlearn",
    }
    for (name, other, overrides), said in wrong.items():
        with pytest.raises(InputError, match=r"cannot start from .*ckpt-") as raised:
            begun(tmp_path, name, "new", sources / other, *overrides)
        assert said in str(raised.value), raised.value
        assert not (tmp_path / "new").exists()


def test_an_algorithm_that_starts_from_no_other_names_those_that_do(sources: Path, tmp_path: Path) -> None:
    experiment = config.loads("algorithm: basic\nenvironment: CartPole-v1", "test.yaml")
    saved = saved_policy.read(sources / "dqn", tmp_path)
    with pytest.raises(InputError, match=r"basic takes over nothing of another run; cmaes, dqn, .* do"):
        train.begin(experiment, tmp_path, "new", "", saved)


def test_of_another_head_the_trunk_is_taken_and_the_rest_is_said(sources: Path, tmp_path: Path) -> None:
    run = begun(tmp_path, "dqn", "new", sources / "dqn", "algorithm.dueling=true")
    assert run.started_from is not None
    assert run.started_from["taken"] == ["network: wide"]
    told = [warning for warning in run.warnings if warning.startswith("not taken over")]
    assert len(told) == 1 and "advantage: weight 2x8" in told[0] and "value: it has none" in told[0]
    run.close()


@pytest.mark.parametrize(
    ("there", "here", "taken"),
    [
        (("c51", 0, 50), ("c51", 0, 50), True),
        (("c51", 0, 50), ("c51", -10, 10), False),  # other bounds
        (("c51", -10, 10), ("hl_gauss", -10, 10), False),  # another kind of bins
        (("quantile", -10, 10), ("c51", -10, 10), False),  # as many numbers, which say something else
        (("huber", -10, 10), ("mse", -10, 10), True),
        (("iqn", -10, 10), ("huber", -10, 10), False),  # it read what a level made of the units
    ],
)
def test_a_head_that_says_something_else_is_not_taken(
    there: tuple[str, int, int], here: tuple[str, int, int], taken: bool, tmp_path: Path
) -> None:
    def settings(loss: str, low: int, high: int) -> list[str]:
        bounds = [f"algorithm.v_min={low}", f"algorithm.v_max={high}"]
        return [f"algorithm.loss={loss}", *bounds, "algorithm.num_bins=5", "algorithm.n_quantiles=5"]

    source = finished(begun(tmp_path, "dqn", "source", None, *settings(*there)), 64)
    run = begun(tmp_path, "dqn", "new", source, *settings(*here))
    assert run.started_from is not None
    assert run.started_from["taken"] == ["network: wide, advantage" if taken else "network: wide"]
    told = "".join(warning for warning in run.warnings if warning.startswith("not taken over"))
    assert ("advantage: a value is" in told) != taken
    run.close()


def test_layers_fit_by_name_and_shape_up_to_the_first_that_does_not() -> None:
    here: dict[str, Mapping[str, tuple[int, ...]]] = {
        "conv": {"weight": (8, 1, 3, 3)},
        "wide": {"weight": (4, 9)},
        "rest": {"weight": (4, 4)},
        "head": {"weight": (2, 4)},
        "value": {"weight": (1, 4)},
    }
    heads = ("head", "value")
    assert fitting(here, here, heads) == (list(here), [])
    assert fitting(here, {**here, "head": {"weight": (3, 4)}}, heads).layers == ["conv", "wide", "rest", "value"]
    other = fitting(here, {**here, "wide": {"weight": (5, 9)}}, heads)
    assert other.layers == ["conv"] and other.left[0] == "wide: weight 5x9 there, weight 4x9 here"
    assert other.left[1:] == [f"{name}: it reads what wide gives, which is new" for name in ("rest", "head", "value")]
    more = fitting(here, {**here, **{f"x{number}": {} for number in range(6)}}, heads)
    assert more.left == ["x0, x1, x2, x3 and 2 more: there is none here"]
    with pytest.raises(InputError, match="no layer of its network fits; conv: it has none"):
        fitting(here, {}, heads).of("network")


def forged(tree: Any) -> Iterator[Any]:
    """Copies of a state with one value in it that can never stand there."""
    for key, value in tree.items():
        yield {name: item for name, item in tree.items() if name != key}
        yield {**tree, key: "x"}
        yield {**tree, key: [np.zeros(1)]}
        if isinstance(value, np.ndarray) and value.size:
            yield {**tree, key: np.zeros(value.shape, np.int8)}
            yield {**tree, key: np.full_like(value, 250) if value.dtype.kind in "iu" else np.full_like(value, np.inf)}
        if isinstance(value, Mapping):
            yield from ({**tree, key: changed} for changed in forged(value))
        if isinstance(value, list) and value:
            yield {**tree, key: value[1:]}
            yield {**tree, key: []}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_forged_checkpoint_is_one_clear_error_or_does_not_matter(name: str, sources: Path) -> None:
    experiment = experiment_of(name)
    state = {key: value for key, value in weights_of(sources / name).items() if key not in ("replay", "env")}
    env, refused = build.world(experiment), 0
    hardware = Hardware("cpu", 1)
    algorithm = build.algorithm(experiment, experiment.algorithm, env, Streams(0), hardware)
    for changed in forged(state):
        try:
            PLUGINS[name].warm_start(algorithm, WarmSource(name, experiment.algorithm, Saved(changed)))  # type: ignore[misc]
        except (CheckpointError, InputError):
            refused += 1
    assert refused >= 3
    env.close()


def test_a_folder_in_which_a_process_died_between_the_first_checkpoint_and_the_config_is_begun_anew(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(tmp_path, "td", "new", sources / "td")
    run.close()
    (run.folder / folder.MARKER).unlink()
    (run.folder / folder.FORKING).write_text("")
    assert folder.is_unbegun(run.folder)
    finished(begun(tmp_path, "td", "new", sources / "td"))


def test_every_seed_of_a_group_starts_from_the_same_checkpoint_or_not_at_all(sources: Path, tmp_path: Path) -> None:
    shutil.copytree(sources / "td", tmp_path / "source")
    start = saved_policy.read("source", tmp_path).path
    made = groups.create(experiment_of("td"), [0, 1], tmp_path, "g", "", start)
    assert made.start is not None and made.start.path == str(start.resolve())
    assert groups.read(made.folder) == made
    made.check_start()
    shutil.rmtree(start)
    with pytest.raises(CheckpointError, match=start.name):
        made.check_start()
    facts_of_group = json.loads((made.folder / folder.GROUP_MARKER).read_text())
    facts_of_group["started_from"]["path"] = "--import=evil"
    (made.folder / folder.GROUP_MARKER).write_text(json.dumps(facts_of_group))
    with pytest.raises(CheckpointError, match="the absolute path of a checkpoint and its sha256"):
        groups.read(made.folder)
