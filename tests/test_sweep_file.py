"""Sweep files: what is accepted and filled in; every mistake is named with its place, rule and right name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from in_process import command

from rltrain.errors import InputError
from rltrain.experiment import catalog, config, sweep
from rltrain.experiment.grid_syntax import grid_of, values_in
from rltrain.experiment.space import RangeConfig
from rltrain.experiment.sweep_settings import HalvingConfig, SweepConfig

ROOT = Path(__file__).parent.parent
SMALL = """algorithm: qlearn
environment: FrozenLake-v1
run: {seed: 7, budget: {env_steps: 9_000}, evaluate: {every: {env_steps: 1_000}, episodes: 5}}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the small config in it, where one stands."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(SMALL)
    return tmp_path


def loads(space, settings="", *overrides):
    return sweep.loads(f"sweep: {{config: small.yaml{settings}}}\nspace: {{{space}}}\n", "x.yaml", overrides)


def faults(space, settings="", *overrides):
    with pytest.raises(InputError) as caught:
        loads(space, settings, *overrides)
    return str(caught.value).splitlines()


# What is read


def test_what_is_left_out_is_filled_in_and_the_complete_file_reads_back_equal(place):
    found = loads("algorithm.gamma: [.9, .99]")
    assert (found.settings.search, found.trials, found.settings.at_once, found.seeds) == ("tpe", 64, 4, (7,))
    assert sweep.loads(found.to_yaml(), "x.yaml") == found
    (place / "base.yaml").write_text(found.base.to_yaml())
    moved = sweep.loads(found.to_yaml("base.yaml"), "y.yaml")
    assert (moved.base, moved.space, moved.trials) == (found.base, found.space, 64)


def test_a_config_is_looked_for_beside_the_sweep_file_then_by_its_name(place):
    (place / "far").mkdir()
    (place / "far/dqn_cartpole.yaml").write_text((place / "small.yaml").read_text())
    (place / "far/s.yaml").write_text("sweep: {config: dqn_cartpole.yaml}\nspace: {algorithm.gamma: [.9]}")
    assert sweep.load("far/s.yaml").base.algorithm_name == "qlearn"
    (place / "s.yaml").write_text("sweep: {config: dqn_cartpole}\nspace: {algorithm.gamma: [.9]}")
    assert sweep.load("s").base.algorithm_name == "dqn"


def test_overrides_of_sweep_and_space_go_before_the_file_and_all_others_before_the_config(place):
    found = loads(
        "algorithm.gamma: [.9], algorithm.learning_rate: {from: 1e-3, to: 1e-1}",
        "",
        "sweep.trials=128",
        "space.algorithm.gamma=[.5, .6]",
        "space.algorithm.learning_rate.log=true",
        "run.seed=3",
    )
    assert (found.trials, found.seeds, found.base.run.seed) == (128, (3,), 3)
    assert found.space == {
        "algorithm.gamma": sweep.OneOf((0.5, 0.6)),
        "algorithm.learning_rate": sweep.Range(1e-3, 1e-1, log=True),
    }


def test_a_range_holds_whole_numbers_where_both_ends_are_written_so(place):
    assert loads("environment.num_envs: {from: 1, to: 8}").space["environment.num_envs"].whole
    assert not loads("algorithm.gamma: {from: 0.0, to: 1}").space["algorithm.gamma"].whole


def test_a_stepped_range_has_the_numbers_that_its_digits_say():
    assert sweep.Range(0.1, 0.5, step=0.1).points == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert sweep.Range(1, 9, step=4).points == (1, 5, 9)


def test_the_points_of_a_grid_are_all_combinations_and_as_many_are_tried(place):
    found = loads("algorithm.gamma: [.9, .99], environment.num_envs: {from: 1, to: 3, step: 1}", ", search: grid")
    assert found.trials == 6
    assert [found.overrides(values) for values in found.points()][:4] == [
        ("algorithm.gamma=0.9", "environment.num_envs=1"),
        ("algorithm.gamma=0.9", "environment.num_envs=2"),
        ("algorithm.gamma=0.9", "environment.num_envs=3"),
        ("algorithm.gamma=0.99", "environment.num_envs=1"),
    ]


def test_rungs_multiply_and_end_where_the_last_is_asked_for(place):
    def rungs(low, high, factor):
        halving = f", halving: {{counter: env_steps, from: {low}, to: {high}, factor: {factor}}}"
        return loads("algorithm.gamma: [.9]", halving).rungs

    assert rungs(1000, 9000, 3) == (1000, 3000, 9000)
    assert rungs(1000, 12_000, 3) == (1000, 3000, 9000, 12_000)
    assert loads("algorithm.gamma: [.9]").rungs == ()


@pytest.mark.parametrize("name", catalog.sweeps())
def test_every_sweep_that_comes_with_rltrain_loads_and_says_what_it_is(name):
    found, entry = sweep.load(name), catalog.entry(name)
    assert sweep.loads(found.to_yaml(), found.source) == found
    assert (entry.algorithm, entry.environment) == (found.base.algorithm_name, found.base.environment.id)
    assert 10 < len(entry.summary) <= 75 and 0 < len(entry.time) <= 12
    assert name not in catalog.names()


# What is refused


def test_every_value_of_a_list_and_both_ends_of_a_range_are_tried_on_the_config(place):
    assert faults("algorithm.gamma: [.9, 2], environment.num_envs: {from: 0, to: 2000}, environment.id: [A-v0, 3]") == [
        "x.yaml:2: space.algorithm.gamma[1]: must be at most 1, got 2",
        "x.yaml:2: space.environment.num_envs.from: must be at least 1, got 0",
        "x.yaml:2: space.environment.num_envs.to: must be at most 1024, got 2000",
        "x.yaml:2: space.environment.id[1]: expected text, got 3",
    ]


def test_a_misspelt_setting_is_said_once_with_the_nearest(place):
    assert faults("algorithm.gama: [.9, .99, .999]") == [
        "x.yaml:2: space.algorithm.gama: unknown key; did you mean 'gamma'?"
    ]


def test_values_that_do_not_go_together_are_found_in_a_grid(place):
    text = SMALL.replace("qlearn", "{name: dqn, double: false}")
    (place / "small.yaml").write_text(text.replace("FrozenLake-v1", "CartPole-v1"))
    said = "munchausen has targets of its own: it cannot be combined with double"
    assert faults("algorithm.munchausen: [false, true], algorithm.double: [false, true]", ", search: grid") == [
        f"x.yaml:2: space: algorithm.munchausen=true algorithm.double=true: algorithm: {said}"
    ]
    typed = ["algorithm.n_step=1,3", "algorithm.gamma=.9,2"]
    with pytest.raises(InputError, match=r"^command line: algorithm.gamma=.9,2: .*must be at most 1, got 2$"):
        sweep.grid(config.load("small.yaml"), typed)


@pytest.mark.parametrize(
    ("space", "settings", "said"),
    [
        ("algorithm.gamma: 3", "", "space.algorithm.gamma: expected a list of values, or {from: LOW, to: HIGH}, got 3"),
        ("algorithm.gamma: []", "", "space.algorithm.gamma: expected 1 to 1,000 values, got 0"),
        ("algorithm.gamma: [.9, .90]", "", "space.algorithm.gamma[1]: stands there twice; it is value [0] too"),
        (
            "algorithm: {gamma: [.9]}",
            "",
            "space.algorithm: expected a list of values, or {from: LOW, to: HIGH}; the keys of a space are dotted:"
            " write 'algorithm.gamma: ...'",
        ),
        ("algorithm.gamma: {from: 1}", "", "space.algorithm.gamma.to: missing (the greatest value)"),
        (
            "algorithm.gamma: {from: .9, to: .9}",
            "",
            "space.algorithm.gamma.to: must be more than from, 0.9, got 0.9; for",
        ),
        (
            "algorithm.gamma: {from: 0.0, to: .9, log: true}",
            "",
            "space.algorithm.gamma.from: must be more than 0 where log",
        ),
        (
            "algorithm.gamma: {from: .1, to: .9, log: true, step: .1}",
            "",
            "space.algorithm.gamma.step: a range with log has",
        ),
        (
            "algorithm.gamma: {from: .1, to: .95, step: .1}",
            "",
            "space.algorithm.gamma.to: must lie whole steps above from",
        ),
        (
            "algorithm.gamma: {from: .1, to: .9}",
            ", search: grid",
            "space.algorithm.gamma: a grid needs a step, as {from: 0.1",
        ),
        ("algorithm.gamma: [.1]", ", search: cmaes", "space.algorithm.gamma: cmaes moves numbers only"),
        ("algorithm.gamma: {from: .1, to: .9}", ", search: cmaes", "space: cmaes needs two settings or more"),
        ("algorithm.gamma: [.1, .9]", ", search: grid, trials: 3", "sweep.trials: the grid has 2 points, fewer than 3"),
        ("run.seed: [1, 2]", "", "space.run.seed: cannot be varied: every trial has the same seeds; say how many"),
        ("run: [{seed: 3}]", "", "space.run: a whole block"),
        ("run.sinks: [[]]", "", "space.run.sinks: cannot be varied"),
        (
            "environment.kwargs.is_slippery: [true], environment.kwargs: [{}]",
            "",
            "space.environment.kwargs.is_slippery: lies within environment.kwargs, which is varied too",
        ),
        ("algorithm.gamma: [.9]", ", at_once: 0", "sweep.at_once: must be at least 1, got 0"),
        ("algorithm.gamma: [.9]", ", trials: 100001", "sweep.trials: must be at most 100000, got 100001"),
        ("algorithm.gamma: [.9]", ", search: gird", "sweep.search: expected 'grid', 'random', 'sobol', 'tpe', 'gp' or"),
        ("algorithm.gamma: [.9]", ", sed: 3", "sweep.sed: unknown key; did you mean 'seed'?"),
        (
            "algorithm.gamma: [.9]",
            ", halving: {counter: env_step, from: 1000, to: 3000}",
            "sweep.halving.counter: unknown counter; did you mean 'env_steps'?",
        ),
        (
            "algorithm.gamma: [.9]",
            ", halving: {counter: env_steps, from: 500, to: 3000}",
            "sweep.halving.from: a trial comes to its first rung at 500 env_steps, before its first evaluation at"
            " 1,000; write run.evaluate.every={env_steps: 500}",
        ),
        (
            "run.budget.env_steps: [3000]",
            ", halving: {counter: env_steps, from: 1000, to: 3000}",
            "space.run.budget.env_steps: cannot be varied: halving says how long a trial runs",
        ),
    ],
)
def test_a_fault_is_one_line_with_place_and_rule(place, space, settings, said):
    (line,) = faults(space, settings)
    assert line.startswith(("x.yaml:1: ", "x.yaml:2: ")) and line.partition(": ")[2].startswith(said)


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("algorithm.gamma=.5", "algorithm.gamma; to try this value alone: space.algorithm.gamma=[.5]"),
        ("environment.kwargs.is_slippery=false", "environment.kwargs"),
    ],
)
def test_what_is_typed_for_the_config_and_varied_would_have_no_effect_and_is_refused(place, override, hint):
    (fault,) = faults("algorithm.gamma: [.9], environment.kwargs: [{}]", "", override)
    assert fault == f"command line: {override}: has no effect, as space varies {hint}"
    assert loads("algorithm.gamma: [.9]", "", "space.algorithm.gamma=[.5]").space["algorithm.gamma"].values == (0.5,)


def test_a_config_that_measures_nothing_is_told_what_to_set(place):
    assert faults("algorithm.gamma: [.9]", "", "run.evaluate.every=null") == [
        "x.yaml:1: sweep.config: small.yaml measures nothing: run.evaluate.every is null; write"
        " run.evaluate.every={env_steps: 900}"
    ]
    late = faults("algorithm.gamma: [.9]", "", "run.budget.env_steps=500")
    assert "is spent at 500 env_steps, before its first evaluation at 1,000" in late[0]


def test_an_end_by_score_is_refused_where_all_must_come_as_far(place):
    auc = faults("algorithm.gamma: [.9]", ", score: auc", "run.evaluate.until=0.5")
    assert auc[0].endswith("ends a trial before it has its whole curve; write run.evaluate.until=null")
    assert loads("algorithm.gamma: [.9]", "", "run.evaluate.until=0.5").base.run.evaluate.until == 0.5


def test_an_algorithm_that_plays_no_games_has_no_score(place):
    with pytest.raises(InputError, match=r"sweep.config: viter plays no games, so its runs have no score"):
        sweep.loads("sweep: {config: book/viter}\nspace: {algorithm.gamma: [.9]}", "x.yaml")


def test_faults_of_the_config_name_its_own_file_and_a_missing_one_the_nearest(place):
    (place / "small.yaml").write_text("algorithm: qlern\nenvironment: FrozenLake-v1\n")
    assert faults("algorithm.gamma: [.9]")[0].startswith("small.yaml:1: algorithm.name: ")
    with pytest.raises(
        InputError, match=r"^x.yaml:1: sweep.config: smal.yaml: no such file; did you mean 'small.yaml'"
    ):
        sweep.loads("sweep: {config: smal.yaml}\nspace: {algorithm.gamma: [.9]}", "x.yaml")


def test_sweeps_and_configs_that_are_taken_for_one_another_are_told_the_right_verb(place):
    with pytest.raises(InputError, match=r"small.yaml: one config, no sweep; type: rltrain train small.yaml"):
        sweep.load("small.yaml")
    (place / "s.yaml").write_text("sweep: {config: small.yaml}\nspace: {algorithm.gamma: [.9]}")
    with pytest.raises(InputError, match=r"^s.yaml: a sweep, of many configs; type: rltrain sweep s.yaml$"):
        config.load("s.yaml")
    with pytest.raises(InputError, match=r"x.yaml:1: trials: unknown key; did you mean 'sweep.trials'"):
        sweep.loads("{trials: 3, sweep: {config: small.yaml}, space: {algorithm.gamma: [.9]}}", "x.yaml")


def test_the_schema_has_every_setting_of_a_sweep_file_described(place, capsys):
    code, out, _ = command(capsys)("schema", "--sweep")
    described = json.loads(out)
    assert code == 0 and set(described["properties"]) == {"sweep", "space"}
    for name, model in (("SweepConfig", SweepConfig), ("HalvingConfig", HalvingConfig), ("RangeConfig", RangeConfig)):
        properties = described["$defs"][name]["properties"]
        assert set(properties) == {field.alias or key for key, field in model.model_fields.items()}
        assert [key for key, setting in properties.items() if "description" not in setting] == []
        assert described["$defs"][name]["additionalProperties"] is False


# A grid on the command line


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (".9", [".9"]),
        (".9,.99", [".9", ".99"]),
        ("[64],[128,128]", ["[64]", "[128,128]"]),
        ("[64,64]", ["[64,64]"]),
        ("{a: 1, b: 2}", ["{a: 1, b: 2}"]),
        ("'a,b',\"c,d\"", ["'a,b'", '"c,d"']),
        ("it's,that's", ["it's", "that's"]),
        ("", [""]),
    ],
)
def test_a_comma_outside_brackets_and_quotes_parts_values(text, values):
    assert values_in(text) == values


def test_values_on_the_command_line_are_a_grid_in_one_batch(place):
    plain, varied = grid_of(["run.seed=3", "algorithm.gamma=.9,.99", "environment.kwargs={is_slippery: false, a: 1}"])
    assert varied == ["algorithm.gamma=.9,.99"] and len(plain) == 2
    found = sweep.grid(config.load("small.yaml"), varied, seeds=2)
    assert (found.settings.search, found.trials, found.settings.at_once, found.seeds) == ("grid", 2, 2, (7, 8))
    assert grid_of(["algorithm.gamma=.9,.99", "algorithm.gamma=.5"]) == (["algorithm.gamma=.5"], [])
    assert grid_of(["a.b=1,2", "a.b=3", "a.b=4,5"]) == (["a.b=3"], ["a.b=4,5"])
    with pytest.raises(InputError, match=r"command line: algorithm.gamma=.9,: an empty value beside a comma"):
        grid_of(["algorithm.gamma=.9,"])


def test_train_prints_every_point_of_a_grid_that_it_would_try(place, capsys):
    rltrain = command(capsys)
    words = ("small.yaml", "algorithm.gamma=.9,.99", "environment.num_envs=1,2", "--seeds", "3-5", "--dry-run")
    assert rltrain("train", *words) == (
        0,
        "# 4 trials, 12 runs, of small.yaml\n"
        "t0000  algorithm.gamma=0.9 environment.num_envs=1\n"
        "t0001  algorithm.gamma=0.9 environment.num_envs=2\n"
        "t0002  algorithm.gamma=0.99 environment.num_envs=1\n"
        "t0003  algorithm.gamma=0.99 environment.num_envs=2\n",
        "",
    )
    assert not (place / "runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["algorithm.gamma=.9,2"], "command line: algorithm.gamma=.9,2: space.algorithm.gamma[1]: must be at most 1"),
        (
            ["algorithm.name=qlearn,dqn"],
            "command line: algorithm.name=qlearn,dqn: cannot be varied: each algorithm has",
        ),
        (
            ["--jobs", "2"],
            "--jobs 2: says how many of several runs run at once; there is one: add --seeds N, or several",
        ),
        (["--launcher", "slurm"], "--launcher slurm: says where several runs run; there is one: add --seeds N, or"),
        (["algorithm.gamma=.9,.99", "--seeds", "1,3"], "--seeds 1,3: those of a grid follow one another"),
        (["algorithm.gamma=.9,.99", "--from", "x"], "algorithm.gamma=.9,.99: several values are a sweep, of new runs"),
        (
            ["algorithm.gamma=.9,.99", "run.evaluate.every=null"],
            "small.yaml measures nothing: run.evaluate.every is null; write",
        ),
    ],
)
def test_what_no_grid_can_do_is_said_before_anything_is_made(place, capsys, words, said):
    code, out, err = command(capsys)("train", "small.yaml", *words)
    assert (code, out, err.startswith(said)) == (2, "", True), err
    assert not (place / "runs").exists()
