"""Configs by name, the models that they name, and that an installed package has them all."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from in_process import command

from rltrain import api
from rltrain.errors import InputError
from rltrain.experiment import catalog, config
from rltrain.run import folder

ROOT = Path(__file__).parent.parent
CONFIGS = [path for path in sorted((ROOT / "configs").rglob("*.yaml")) if path.parent.name not in ("mdp", "sweeps")]
MODEL = "discount: 0.5\nstates:\n  a: {go: a reward 1}\n"
ON_MODEL = "algorithm: td\nenvironment: model.yaml\n"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder without configs, where one stands."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


# The configs by name


def test_every_config_has_its_name(elsewhere):
    assert catalog.names() == sorted(path.relative_to(ROOT / "configs").with_suffix("").as_posix() for path in CONFIGS)


@pytest.mark.parametrize("name", catalog.names())
def test_a_config_loads_by_its_name_from_any_folder_as_it_does_from_its_file(elsewhere, name):
    found, by_file = config.load(name), config.load(ROOT / "configs" / f"{name}.yaml")
    assert Path(found.environment.id).name == Path(by_file.environment.id).name
    assert not found.environment.is_model or Path(found.environment.id).samefile(by_file.environment.id)
    needs = [[Path(need).name for need in each.environment.needs] for each in (found, by_file)]
    assert needs[0] == needs[1]
    same = {"id": by_file.environment.id, "needs": by_file.environment.needs}
    same = {"environment": found.environment.model_copy(update=same)}
    assert vars(found) | same | {"source": ""} == vars(by_file) | {"source": ""}


def test_a_file_goes_before_a_name_here_then_one_in_configs_then_one_of_the_package(elsewhere):
    def seed():
        return config.load("dqn_cartpole").run.seed

    smallest = "algorithm: dqn\nenvironment: CartPole-v1\nrun: {seed: %d}\n"
    assert seed() == 0
    for number, place in enumerate(("configs/dqn_cartpole.yaml", "dqn_cartpole.yaml", "dqn_cartpole"), 1):
        Path(place).parent.mkdir(exist_ok=True)
        Path(place).write_text(smallest % number)
        assert seed() == number


def test_a_folder_of_the_name_is_no_config(elsewhere):
    Path("dqn_cartpole").mkdir()
    assert config.load("dqn_cartpole").algorithm_name == "dqn"


@pytest.mark.parametrize("path", ["dqn_cartpole.yaml", "configs/dqn_cartpole.yaml", "../configs/dqn_cartpole"])
def test_a_path_to_a_file_that_is_not_there_is_never_replaced_by_another(elsewhere, path):
    with pytest.raises(InputError, match=r"no such file.*did you mean 'dqn_cartpole'"):
        config.load(path)


def test_a_misspelt_name_gets_the_nearest_everywhere(elsewhere):
    like = {"dqn_cartpol": "dqn_cartpole", "book/qlearm": "book/qlearn", "TAXI": "uct_taxi"}
    like["reinforce_cartpol"] = "reinforce_cartpole"  # and not the book's, of the same name
    for name, near in like.items():
        with pytest.raises(InputError, match=f"{name}: no such file or config; did you mean '{near}'"):
            config.load(name)


def test_what_a_config_says_of_itself_is_one_short_line():
    for entry in catalog.entries():
        loaded = config.load(entry.name)
        assert (entry.algorithm, entry.environment.split("/")[-1]) == (
            loaded.algorithm_name,
            loaded.environment.id.split("/")[-1],
        )
        assert 10 < len(entry.summary) <= 75 and not entry.summary.endswith((",", ":", ".")), entry
        assert len(entry.time) <= 12


# The verbs


@pytest.fixture
def rltrain(elsewhere, capsys):
    return command(capsys)


def test_train_check_and_the_door_from_python_take_a_name(rltrain):
    code, out, _ = rltrain("train", "td_book", "-n", "200", "-q", "--name", "walk")
    assert (code, out.split(":")[0]) == (0, "finished")
    code, out, _ = rltrain("check", "basic_cartpole", "--probe", "0")
    assert code == 0 and out.splitlines()[0].endswith("configs/basic_cartpole.yaml: correct")
    assert api.check("basic_cartpole").algorithm == "basic"
    code, _, err = rltrain("train", "basic_cartpol")
    assert (code, err) == (2, "basic_cartpol: no such file or config; did you mean 'basic_cartpole'?\n")


def test_check_names_the_nearest_config_where_no_run_is_called_so(rltrain):
    code, _, err = rltrain("check", "dqn_cartpol")
    assert (code, err) == (
        2,
        "no run 'dqn_cartpol' in runs; there are none yet; or is it the config 'dqn_cartpole'?\n",
    )


def test_check_of_a_run_that_is_called_like_a_config_is_of_the_run(rltrain):
    rltrain("train", "td_book", "-n", "200", "-q", "--name", "td_book")
    code, out, _ = rltrain("check", "td_book")
    assert (code, out.splitlines()[0]) == (0, "runs/td_book: every hash holds")


def test_list_configs_says_what_each_is(rltrain):
    code, out, _ = rltrain("list", "configs", "--json")
    assert code == 0 and '"name": "dqn_cartpole", "summary": "CartPole from its four numbers, solved"' in out


# The models that configs name


def test_a_model_is_looked_for_beside_the_config_then_from_here(elsewhere):
    home = elsewhere.parent / "a folder, ünïcode"
    home.mkdir()
    (home / "c.yaml").write_text(ON_MODEL)
    Path("model.yaml").write_text(MODEL)
    assert config.load(home / "c.yaml").environment.id == "model.yaml"
    (home / "model.yaml").write_text(MODEL.replace("0.5", "0.25"))
    experiment = config.load(home / "c.yaml")
    assert (Path(experiment.environment.id), experiment.algorithm.gamma) == (home / "model.yaml", 0.25)
    typed = config.load(home / "c.yaml", ["environment=model.yaml"])
    assert (typed.environment.id, typed.algorithm.gamma) == ("model.yaml", 0.5)


def test_a_run_on_a_model_in_a_folder_of_any_name_goes_on_though_the_model_is_gone(rltrain, elsewhere):
    home = elsewhere.parent / "a folder, ünïcode"
    home.mkdir()
    (home / "c.yaml").write_text("algorithm: td\nenvironment: model.yaml\nrun: {budget: {env_steps: 100}}\n")
    (home / "model.yaml").write_text(MODEL)
    assert rltrain("train", str(home / "c.yaml"), "-q", "--name", "walk")[0] == 0
    (home / "model.yaml").unlink()
    code, _, err = rltrain("resume", "walk", "-n", "200", "-q")
    assert (code, err) == (0, "")
    assert Path(config.load("runs/walk/config.yaml").environment.id) == Path("runs/walk/model/model.yaml")
    assert folder.names(Path("runs")) == ["walk"]


def test_the_way_in_which_configs_named_their_models_before_goes_on_working(elsewhere):
    for written in ("configs/mdp/book.yaml", "mdp/book.yaml"):
        Path("old.yaml").write_text(f"algorithm: viter\nenvironment: {written}\n")
        assert Path(config.load("old.yaml").environment.id).samefile(ROOT / "configs/mdp/book.yaml")


def test_a_model_that_is_nowhere_is_said_with_both_places_and_the_nearest_name(elsewhere):
    (elsewhere.parent / "c.yaml").write_text("algorithm: viter\nenvironment: mdp/bok.yaml\n")
    with pytest.raises(InputError) as caught:
        config.load("../c.yaml")
    assert str(caught.value) == (
        "../c.yaml:2: environment.id: no such file: neither '../mdp/bok.yaml', beside the config, nor 'mdp/bok.yaml'"
        " from here; did you mean 'mdp/book.yaml'?"
    )
    Path("c.yaml").write_text(ON_MODEL)
    with pytest.raises(InputError, match=r"c.yaml:2: environment.id: no such file: 'model.yaml'$"):
        config.load("c.yaml")


def test_the_models_that_come_with_rltrain_are_solved_from_any_folder(rltrain, elsewhere):
    code, out, _ = rltrain("mdp", "solve", "mdp/robot.yaml", "--limit", "1")
    assert code == 0 and out.startswith("robot")
    Path("mdp").mkdir()
    Path("mdp/robot.yaml").write_text(f"name: mine\n{MODEL}")
    assert rltrain("mdp", "solve", "mdp/robot.yaml")[1].startswith("mine")


# The wheel


@pytest.mark.slow
def test_a_wheel_has_every_config_and_trains_by_name_from_an_empty_folder(elsewhere):
    """Built without a network by the setuptools that is here, and installed without dependencies beside those here."""
    Path("source").mkdir()  # apart from what an earlier build left
    for name in ("rltrain", "configs"):
        shutil.copytree(ROOT / name, f"source/{name}", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, "source")
    build = ["wheel", "--no-build-isolation", "--no-deps", "--no-index", "--quiet", "--wheel-dir", "dist", "./source"]
    install = ["install", "--no-deps", "--no-index", "--quiet", "--target", "site"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = Path("dist").glob("*.whl")
    held = {name.removeprefix("rltrain/") for name in zipfile.ZipFile(wheel).namelist()}
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "configs").rglob("*.*") if path.is_file()} <= held
    subprocess.run([*pip, *install, str(wheel)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(elsewhere / "site"), "PYTHONSAFEPATH": "1"}

    def said(*words):
        done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert said("-c", "import rltrain; print(rltrain.__file__)").strip() == str(elsewhere / "site/rltrain/__init__.py")
    assert "dqn_cartpole" in said("-m", "rltrain", "list", "configs")
    assert "finished: 200 steps" in said("-m", "rltrain", "train", "td_book", "-n", "200", "-q")
    assert "environment:\n  id: CartPole-v1" in said("-m", "rltrain", "train", "dqn_cartpole", "--dry-run")
