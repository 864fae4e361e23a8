"""A kind of environment that another package brings by entry point, `fixtures/corridor`, is as good as one of ours."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from rltrain import envs, kinds
from rltrain.cli.environments import show_environments
from rltrain.core import Env
from rltrain.errors import EnvironmentFault, InputError, MissingError
from rltrain.experiment import schema
from rltrain.experiment.config import loads
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.run import protocols
from rltrain.verbs.environments import environments

PACKAGE = Path(__file__).parents[1] / "fixtures" / "corridor"
CONFIG = """
algorithm: {name: reinforce, games_per_update: 8, hidden: [16]}
environment: {id: corridor/Short-v0, num_envs: 8, length: 6}
run:
  budget: {updates: 40}
  save: {every: {updates: 5}}
  evaluate: {every: {updates: 20}, episodes: 4}
"""
COMPARED = ("metrics.jsonl", "metrics.csv", "eval.jsonl", "eval.csv")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PACKAGE))


def kind_in(folder: Path, name: str, text: str) -> None:
    """Another package in this folder, whose kind `name` is what `text` defines as KIND."""
    (folder / f"{name}.py").write_text(text)
    information = folder / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[rltrain.environments]\n{name} = {name}:KIND\n")


def config(environment: str) -> EnvironmentConfig:
    return loads(f"algorithm: basic\nenvironment: {environment}\n", "x.yaml").environment


@pytest.mark.usefixtures("installed")
def test_its_keys_stand_in_the_environment_block_and_survive_the_round_trip() -> None:
    experiment = loads(CONFIG, "x.yaml")
    written = experiment.to_dict()["environment"]
    assert written == {"id": "corridor/Short-v0", "num_envs": 8, "max_episode_steps": None, "length": 6, "slip": 0.1}
    assert loads(experiment.to_yaml(), "x.yaml") == experiment
    assert experiment.run.evaluate.protocol == "training"
    assert "length" in schema.schema()["$defs"]["EnvironmentConfig"]["properties"]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("environment", "rule"),
    [
        ("{id: corridor/Short-v0, length: 0}", "environment.length: must be at least 1, got 0"),
        ("{id: corridor/Short-v0, lenght: 7}", "environment.lenght: unknown key; did you mean 'length'?"),
        (
            "{id: corridor/Short-v0, kwargs: {a: 1}}",
            "environment.kwargs: for robot vacuum ids (RobotVacuum-v0) and Gymnasium ids (such as CartPole-v1) only, "
            "and the id is 'corridor/Short-v0'; corridor ids take id, num_envs, max_episode_steps, length, slip",
        ),
        (
            "{id: CartPole-v1, length: 7}",
            "environment.length: for corridor ids (corridor/…) only, and the id is 'CartPole-v1'; "
            "Gymnasium ids take id, num_envs, max_episode_steps, kwargs",
        ),
        (
            "{id: ALE/Pong-v5, kwargs: {}}",
            "environment.kwargs: for robot vacuum ids (RobotVacuum-v0) and Gymnasium ids (such as CartPole-v1) only, "
            "and the id is 'ALE/Pong-v5'; Atari ids take id, num_envs, max_episode_steps, reseed_every, wrappers",
        ),
    ],
)
def test_a_key_of_another_kind_is_refused_with_the_keys_of_this_one(environment: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        config(environment)
    assert str(caught.value).startswith(f"x.yaml:2: {rule}")


@pytest.mark.usefixtures("installed")
def test_it_is_listed_described_and_its_wrong_names_are_told_the_nearest() -> None:
    assert {"corridor/Long-v0", "corridor/Short-v0", "CartPole-v1", "ALE/Pong-v5"} <= set(kinds.ids())
    settings = config("corridor/Short-v0")
    assert envs.describe(settings, num_envs=3) == envs.make(settings, num_envs=3).spec
    with pytest.raises(MissingError, match=r"did you mean corridor/Short-v0\?"):
        envs.describe(config("corridor/Shrt-v0"))
    with pytest.raises(InputError, match=r"corridor/Short-v0 have no numbers.*take `dqn`"):
        envs.make(settings, task="tabular")
    with pytest.raises(InputError, match="qlearn solves a known model, and corridor/Short-v0 can only be sampled"):
        envs.known_model(settings, "qlearn")
    with pytest.raises(InputError, match="corridor/Short-v0 cannot be shown: corridor environments have no picture"):
        envs.film(settings)
    with pytest.raises(InputError, match=r"'nature' is for Atari ids \(ALE/…\) only; write training"):
        loads(CONFIG, "x.yaml", ["run.evaluate.protocol=nature"])


@pytest.mark.usefixtures("installed")
def test_it_goes_on_exactly_where_it_was_saved() -> None:
    settings = config("{id: corridor/Long-v0, length: 3, slip: 0.3, max_episode_steps: 9}")
    env, other = (envs.make(settings, num_envs=4) for _ in range(2))
    stream = np.random.default_rng(0)

    def play(*played: Env) -> None:
        action = stream.integers(2, size=4)
        one, *rest = (each.step(action) for each in played)
        assert all(np.array_equal(a, b) for step in rest for a, b in zip(one, step, strict=True))

    env.reset(3)
    for _ in range(40):
        play(env)
    other.load(env.save())
    for _ in range(40):
        play(env, other)


def rltrain(*words: str, cwd: Path) -> subprocess.Popen[str]:
    """The command as a process that finds the package beside rltrain."""
    path = os.pathsep.join([str(PACKAGE), str(Path(envs.__file__).parents[2])])
    command = [sys.executable, "-m", "rltrain", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=cwd, env={**os.environ, "PYTHONPATH": path}, text=True, **pipes)


def finish(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    out, err = process.communicate()
    assert process.returncode == code, err
    return out, err


@pytest.mark.slow
def test_a_run_on_it_is_killed_resumed_evaluated_and_refused_a_film(tmp_path: Path) -> None:
    (tmp_path / "corridor.yaml").write_text(CONFIG)
    finish(rltrain("train", "corridor.yaml", "--name", "whole", "-q", cwd=tmp_path))
    process = rltrain("train", "corridor.yaml", "--name", "killed", "-q", cwd=tmp_path)
    killed = tmp_path / "runs" / "killed"
    while process.poll() is None and not list(killed.glob("checkpoints/ckpt-*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was over before it could be killed"
    finish(rltrain("resume", "killed", "-q", cwd=tmp_path))
    whole, resumed = (tmp_path / "runs" / name for name in ("whole", "killed"))
    last, again = (max((run / "checkpoints").glob("ckpt-*")) for run in (whole, resumed))
    assert last.name == again.name
    files = [(last / file, again / file) for file in ("state.json", "arrays.safetensors")]
    for one, other in [*files, *((whole / file, resumed / file) for file in COMPARED)]:
        assert one.read_bytes() == other.read_bytes(), one.name
    result = json.loads(finish(rltrain("eval", "-c", "killed", "--episodes", "50", "--json", cwd=tmp_path))[0])
    assert (
        result["mean"] > 0.9 and np.mean(result["lengths"]) < 25
    )  # it has learned; at random: 42 steps or none at all
    assert (
        "corridor environments have no picture" in finish(rltrain("watch", "killed", "-o", "a.gif", cwd=tmp_path), 2)[1]
    )
    assert "2 corridor games, as corridor/NAME-v0: " in finish(rltrain("list", "environments", cwd=tmp_path))[0]


OF_CORRIDOR = "from corridor import KIND\nfrom dataclasses import replace\nKIND = replace(KIND, {}={})\n"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("kind_of_nothing", "KIND = 3\n", r"must name a rltrain\.core\.EnvironmentKind; it is a int"),
        ("kind_that_breaks", "1 / 0\n", "cannot be loaded: ZeroDivisionError: division by zero"),
        ("kind_in_need", "import a_package_that_nobody_has\n", "needs the module 'a_package_that_nobody_has'"),
        ("kind_cut_short", OF_CORRIDOR.format("make", "3"), "make must be a function, is 3"),
        ("kind_of_work", OF_CORRIDOR.format("tasks", "('env', 'game')"), "tasks must be some of env, tabular, mdp"),
        (
            "kind_of_ease",
            OF_CORRIDOR.format("settings", "int"),
            r"settings must extend experiment\.settings",
        ),
    ],
)
@pytest.mark.usefixtures("installed")
def test_a_kind_that_is_none_stops_nobody_and_is_named_where_its_ids_are_missed(
    name: str, text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind_in(tmp_path, name, text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises((InputError, MissingError), match=f"environment kind '{name}'.*{words}"):
        kinds.load(name)
    assert envs.describe(config("CartPole-v1")).num_actions == 2
    with pytest.raises(
        MissingError, match=f"no environment is called 'mine/Own-v0'.*environment kind '{name}'.*{words}"
    ):
        envs.describe(config("mine/Own-v0"))


BARE = """
from collections.abc import Callable

from rltrain.core import EnvironmentKind
from rltrain.experiment.settings import EnvironmentConfig
from rltrain.run import protocols
from rltrain.verbs.environments import environments


class Settings(EnvironmentConfig):
    wind: float = 0.1


KIND = EnvironmentKind(
    title="bare",
    form="Bare/…",
    settings=Settings,
    handles=lambda env_id: env_id.startswith("Bare/"),
    ids=lambda: ("Bare/One-v0",),
    describe=lambda settings, options: None,
    make=lambda settings, options: None,
)
"""


def test_settings_without_a_docstring_are_in_the_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind_in(tmp_path, "bare", BARE)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "wind" in schema.schema()["$defs"]["EnvironmentConfig"]["properties"]


def test_settings_that_json_cannot_hold_are_left_out_of_the_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind_in(tmp_path, "calling", BARE.replace("wind: float = 0.1", "wind: Callable[[], float] = float"))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "wind" not in schema.schema()["$defs"]["EnvironmentConfig"]["properties"]


@pytest.mark.parametrize(
    ("own", "other", "message"),
    [
        ("lambda settings, options: None,\n    make", "3,\n    make", "describe must be a function"),
        ('title="bare"', "title=3", "title and form must be texts"),
        ('form="Bare/…"', 'form="Bare/…", tasks="env"', "tasks must be some of env, tabular, mdp"),
        ('form="Bare/…"', 'form="Bare/…", protocols=[]', "protocols must be a dict of names and functions"),
    ],
)
def test_a_kind_that_breaks_the_contract_is_named_where_its_keys_are_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, other: str, message: str
) -> None:
    assert own in BARE
    kind_in(tmp_path, "odd_kind", BARE.replace(own, other))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd_kind", raising=False)
    with pytest.raises(InputError) as error:
        loads("algorithm: basic\nenvironment: {id: Bare/One-v0, wind: 0.2}\n", "x.yaml")
    assert f"environment.id: environment kind 'odd_kind' (odd_kind:KIND): {message}" in str(error.value)


def test_a_kind_that_cannot_say_its_ids_breaks_no_list_and_no_other_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = BARE.replace('env_id.startswith("Bare/")', "[].pop()").replace('("Bare/One-v0",)', "None")
    kind_in(tmp_path, "mute", failing)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "CartPole-v1" in kinds.ids()
    assert kinds.of("CartPole-v1").title == "Gymnasium"
    show_environments(Console(), [asdict(summary) for summary in environments()], every=False)
    assert "bare" not in capsys.readouterr().out
    with pytest.raises(MissingError, match=r"mute.*handles failed: IndexError: pop from empty list \(mute.py, line"):
        kinds.check(EnvironmentConfig(id="Bare/One-v0"))


def test_what_a_function_of_a_kind_raises_is_the_fault_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind_in(tmp_path, "empty", BARE.replace("make=lambda settings, options: None", "make=lambda *_: {}['x']"))
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = config("Bare/One-v0")
    with pytest.raises(EnvironmentFault, match=r"'empty' \(empty:KIND\): make failed: KeyError: 'x' \(empty.py, line"):
        envs.make(settings)
    with pytest.raises(EnvironmentFault, match=r"describe must give a core\.EnvSpec, and gave None"):
        envs.describe(settings)
    assert kinds.of("Bare/One-v0") == kinds.of("Bare/One-v0")


def test_the_protocols_of_a_kind_are_taken_by_a_config_and_by_an_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is the kind's default: then it stands in the config of every run, which must be readable again."""
    calm = 'form="Bare/…", protocols={"calm": lambda settings: (settings, 0.25)}, default_protocol=lambda _: "calm"'
    kind_in(tmp_path, "calmed", BARE.replace('form="Bare/…"', calm))
    monkeypatch.syspath_prepend(str(tmp_path))
    experiment = loads("algorithm: basic\nenvironment: Bare/One-v0\n", "x.yaml")
    assert experiment.run.evaluate.protocol == "calm"
    assert loads(experiment.to_yaml(), "x.yaml") == experiment
    assert protocols.conditions(experiment.environment, "calm", None) == ("calm", experiment.environment, 0.25)
    with pytest.raises(InputError, match=r"'calm' is for bare ids \(Bare/…\) only; write training"):
        loads(experiment.to_yaml(), "x.yaml", ["environment.id=CartPole-v1", "environment.wind=null"])
