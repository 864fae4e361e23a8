"""`rltrain init`: what it writes is complete, right, and equal to the defaults; nothing is overwritten."""

from pathlib import Path

import pytest
from in_process import command

from rltrain import registry
from rltrain.errors import InputError
from rltrain.experiment import catalog, config, template
from rltrain.experiment.faults import fields_at
from rltrain.experiment.settings import RunConfig
from rltrain.verbs import init
from rltrain.verbs.check import check_config

ROOT = Path(__file__).parents[2]
WORLDS = {  # a world of each kind, and the algorithms that can do something in it with their defaults
    "CartPole-v1": ["basic", "cmaes", "dqn", "genetic", "openai_es", "ppo", "pqn", "reinforce", "search", "uct"],
    "RobotVacuum-v0": ["basic", "cmaes", "dqn", "genetic", "openai_es", "ppo", "pqn", "reinforce", "search"],
    "FrozenLake-v1": ["qlearn", "td", "uct"],
    "mdp/book.yaml": ["qiter", "viter", "qlearn", "td", "uct"],
}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def rltrain(capsys):
    return command(capsys)


def values(experiment):
    """All that it is, but for what the file was called."""
    return vars(experiment) | {"source": ""}


@pytest.mark.parametrize("algorithm", registry.names())
def test_what_is_written_for_an_algorithm_is_equal_to_its_defaults_and_passes_the_check(algorithm):
    made = init.fresh(algorithm, None)
    world = init.WORLDS[registry.plugin(algorithm).task]
    written = config.loads(made.text("x.yaml"), "x.yaml")
    assert values(written) == values(config.named(algorithm, world))
    assert check_config(written, Path("runs")).ok


PAIRS = [(world, name) for world in WORLDS for name in WORLDS[world]]
GAMES = [pytest.param("ALE/Pong-v5", name, marks=pytest.mark.slow) for name in ("dqn", "ppo", "pqn")]


@pytest.mark.parametrize(("world", "algorithm"), [*PAIRS, *GAMES])
def test_what_is_written_for_an_environment_passes_the_check(world, algorithm):
    made = init.fresh(algorithm, world)
    written = config.loads(made.text("x.yaml"), "x.yaml")
    assert values(written) == values(config.named(algorithm, world))
    assert check_config(written, Path("runs")).ok


def test_every_algorithm_is_tried():
    assert {name for names in WORLDS.values() for name in names} == set(registry.names())


@pytest.mark.parametrize(
    ("world", "algorithm"),
    [
        ("CartPole-v1", "dqn"),
        ("FrozenLake-v1", "qlearn"),
        pytest.param("ALE/Pong-v5", "dqn", marks=pytest.mark.slow),
        ("RobotVacuum-v0", "dqn"),
        ("mdp/book.yaml", "viter"),
        (str(ROOT / "configs/mdp/robot.yaml"), "viter"),
    ],
)
def test_the_algorithm_that_is_left_out_suits_the_environment(world, algorithm):
    assert config.loads(init.fresh(None, world).text("x.yaml"), "x").algorithm_name == algorithm


def test_every_setting_stands_there_with_its_description_above_it():
    text = template.written(config.named("dqn", "ALE/Pong-v5"), ["About it."])
    lines = [line.strip() for line in text.splitlines()]
    settings = registry.plugin("dqn").config
    for model, path in ((settings, ()), (RunConfig, ()), (RunConfig, ("evaluate",)), (RunConfig, ("save",))):
        for key, description in fields_at(model, path).items():
            number = next(number for number, line in enumerate(lines) if line.startswith(f"{key}:"))
            assert lines[number - 1].startswith("# "), key
            first = description.replace("None", "null").split()[:3]
            assert " ".join(first) in text, key
    assert "  # huber: quadratic" in text and "One of: huber, mse, hl_gauss, c51, quantile, iqn." in text
    assert max(map(len, text.splitlines())) <= 100


def test_settings_that_are_given_go_before_the_defaults(rltrain):
    code, out, _ = rltrain("init", "lake", "--algo", "viter", "--env", "FrozenLake-v1", "algorithm.gamma=0.95")
    assert (code, out.splitlines()[-1]) == (0, "next: rltrain train lake.yaml")
    assert config.load("lake").algorithm.gamma == 0.95
    code, _, err = rltrain("init", "--algo", "viter", "--env", "FrozenLake-v1")
    assert (code, err) == (2, "algorithm.gamma: this model has no discount of its own; give one, such as 0.95\n")


def test_a_file_that_is_there_is_never_overwritten(rltrain, place):
    (place / "mine.yaml").write_text("precious")
    for words in (
        ["mine", "--algo", "basic"],
        ["dqn_pacman", "-o", "mine.yaml"],
        ["mine.yaml", "--env", "CartPole-v1"],
    ):
        code, _, err = rltrain("init", *words)
        assert (code, err) == (2, "mine.yaml: is there already, and is not overwritten; -o FILE writes another\n")
    assert (place / "mine.yaml").read_text() == "precious"
    code, _, err = rltrain("init", "-o", "no/such/folder.yaml")
    assert (code, err) == (2, "no/such/folder.yaml: there is no folder no/such; make it, or write elsewhere\n")


@pytest.mark.parametrize("name", catalog.names())
def test_a_config_that_comes_with_rltrain_is_copied_to_the_byte_and_loads_as_it_does(name, rltrain, place):
    code, out, _ = rltrain("init", name)
    file = place / f"{name.split('/')[-1]}.yaml"
    assert code == 0 and out.startswith(f"{file.name}: a copy of {name}: {catalog.entry(name).summary}\n")
    original = ROOT / "configs" / f"{name}.yaml"
    assert file.read_bytes() == original.read_bytes()
    one, other = config.load(file), config.load(original)
    assert one.algorithm == other.algorithm and one.run == other.run
    assert Path(one.environment.id).name == Path(other.environment.id).name


def test_a_misspelt_name_is_not_taken_for_a_new_file(rltrain, place):
    code, _, err = rltrain("init", "dqn_pacmn")
    assert code == 2 and "did you mean 'dqn_pacman'?" in err and list(place.iterdir()) == []
    assert rltrain("init", "dqn_pacmn", "--env", "CartPole-v1")[0] == 0


def test_a_copy_takes_no_settings(rltrain, place):
    code, _, err = rltrain("init", "dqn_pacman", "run.seed=3")
    assert code == 2 and "is copied as it is: leave out run.seed=3" in err and list(place.iterdir()) == []


def test_tuned_settings_are_named(rltrain):
    _, out, _ = rltrain("init")
    assert "tuned settings for these come with rltrain: rltrain init dqn_cartpole\n" in out
    assert "tuned" not in rltrain("init", "--algo", "pqn", "--env", "RobotVacuum-v0")[1]


def test_the_file_on_the_screen_is_a_config(rltrain, place):
    code, out, err = rltrain("init", "-o", "-", "--algo", "basic")
    assert (code, err, list(place.iterdir())) == (0, "", [])
    assert config.loads(out, "x").algorithm_name == "basic"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--env", "CartPol-v1"], 4, "did you mean CartPole-v1"),
        (["--env", "os:CartPole-v1"], 2, "an id with a colon is refused"),
        (["--algo", "dqm"], 2, "unknown algorithm 'dqm'; did you mean 'dqn'?"),
        (["--algo", "reinforce", "--env", "mdp/book.yaml"], 2, "has no limit of its own, and reinforce learns from"),
        (["--env", "nowhere.yaml"], 2, "no such file: 'nowhere.yaml'"),
        (["--env", "PongNoFrameskip-v4"], 2, "environment: {id: ALE/Pong-v5, frame_skip: 4"),
        (["x", "--algo", "dqn", "algorithm.gama=1"], 2, "unknown key; did you mean 'gamma'?"),
        (["--from-zoo", "dqn.yml"], 2, "--from-zoo dqn.yml: for which environment? --env CartPole-v1"),
    ],
)
def test_what_cannot_be_learned_is_said_and_nothing_is_written(words, code, message, rltrain, place):
    found, out, err = rltrain("init", *words)
    assert (found, out) == (code, "") and message in err
    assert list(place.iterdir()) == []


# Training without a file


def test_an_algorithm_and_an_environment_are_enough_to_train(rltrain):
    code, out, err = rltrain("train", "--algo", "basic", "--env", "CartPole-v1", "-n", "300", "--name", "bare", "-q")
    assert (code, err) == (0, "") and out.startswith("finished:")
    saved = config.load("runs/bare/config.yaml")
    assert (saved.algorithm_name, saved.run.budget) == ("basic", {"env_steps": 300})
    assert rltrain("resume", "bare", "-n", "400", "-q")[0] == 0


def test_settings_seeds_and_a_dry_run_need_no_file_either(rltrain):
    words = ("train", "--algo", "basic", "--env", "CartPole-v1", "algorithm.policy=random", "-n", "300", "--seeds", "2")
    code, out, _ = rltrain(*words, "--dry-run")
    assert code == 0
    assert out.splitlines()[0] == "# 2 runs of this, with seeds 0, 1"
    dry = config.loads(out, "x")
    assert (dry.algorithm.policy, dry.run.budget) == ("random", {"env_steps": 300})


@pytest.mark.slow
def test_several_seeds_train_without_a_file(rltrain):
    words = ("train", "--algo", "basic", "--env", "CartPole-v1", "-n", "300", "--seeds", "2", "--name", "two", "-q")
    assert rltrain(*words)[0] == 0
    assert {path.name for path in Path("runs/two").glob("s*") if path.is_dir()} == {"s0", "s1"}


def test_tuned_settings_for_the_two_are_named_and_not_taken(rltrain):
    code, out, _ = rltrain("train", "--algo", "dqn", "--env", "CartPole-v1", "--dry-run")
    assert code == 0 and out.startswith(
        "# these are defaults; tuned settings: rltrain train dqn_cartpole or rainbow_cartpole\n"
    )
    assert values(config.loads(out, "x")) == values(config.named("dqn", "CartPole-v1"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--algo", "dqn"], "--algo dqn: in which environment? For example: --env CartPole-v1"),
        (["--env", "CartPole-v1"], "--env CartPole-v1: which config, or with --algo which algorithm?"),
        (["--algo", "dqn", "dqn_cartpole"], "--algo dqn: dqn_cartpole has its algorithm"),
        (["--algo", "dqm", "--env", "CartPole-v1"], "command line: algorithm.name=dqm: unknown algorithm 'dqm'"),
        (["--algo", "dqn", "--env", "CartPole-v1", "-n", "many"], "command line: run.budget.env_steps=many: expected"),
        (["--algo", "a: b", "--env", "CartPole-v1"], "unknown algorithm 'a: b'"),
        (["--algo", "dqn", "--resume", "old"], "--resume old: a run has its own configuration; leave out --algo"),
    ],
)
def test_what_is_missing_or_too_much_is_said(words, message, rltrain):
    code, out, err = rltrain("train", *words)
    assert (code, out) == (2, "") and message in err
    assert not Path("runs").exists()


def test_a_name_that_is_no_file_s_is_an_input_error():
    with pytest.raises(InputError, match="no name of a file"):
        init.write_all({Path("a\0b"): "x"})
