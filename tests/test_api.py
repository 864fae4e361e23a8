"""`import rltrain`: what its functions return, that they do what the commands do to the byte, and how a run is left."""

import _thread
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import short_runs
from built import app

import rltrain
from rltrain import api
from rltrain.errors import InputError
from rltrain.experiment.config import load
from rltrain.mdp import files
from rltrain.mdp.solvers.solve import solve
from rltrain.run import blas, facts
from rltrain.run.lock import is_locked

ROOT = Path(__file__).parent.parent
SHORT = {"run.budget": {"env_steps": 600}, "algorithm.learning_starts": 200, "environment.num_envs": 2}
REINFORCE = "algorithm: reinforce\nenvironment: CartPole-v1\nrun: {budget: {updates: 4}, seed: 5}\n"
ON_MANY_THREADS = {  # of the first the bits depend on the number, so the test can fail
    "reinforce": "algorithm: {name: reinforce, hidden: [64, 64], games_per_update: 50}\n"
    "environment: CartPole-v1\nrun: {budget: {updates: 4}, seed: 5}\n",
    "dqn": "algorithm: dqn\nenvironment: CartPole-v1\nrun: {budget: {env_steps: 1200}, seed: 5}\n",
}
TABLE = {"algorithm": {"name": "qlearn", "learners": 2}, "environment": "CliffWalking-v1", "run": {"seed": 2}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("trained")
    return rltrain.train("dqn_cartpole", SHORT, seed=3, runs_dir=place, name="run", picture=False)


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it, to be changed."""
    return replace(trained, folder=Path(shutil.copytree(trained.folder, tmp_path / "run")))


def in_a_process(lines, folder, **variables):
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment |= {"PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run([sys.executable, *lines], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# The import


def test_the_import_loads_nothing_heavy_and_the_functions_are_listed(tmp_path):
    lines = "import sys, rltrain; print(dir(rltrain)); print(*sys.modules)"
    listed, modules = in_a_process(["-c", lines], tmp_path).splitlines()
    assert not {"numpy", "torch", "pydantic", "gymnasium", "yaml", "rltrain.api"} & set(modules.split())
    assert all(repr(name) in listed for name in rltrain.__all__)
    assert all(vars(api)[name].__doc__ for name in set(rltrain.__all__) - {"__version__", "errors"})
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        vars(rltrain)["__getattr__"]("trian")


# The same bytes as the command


@pytest.mark.parametrize("config", ["reinforce", pytest.param("dqn", marks=pytest.mark.slow)])
def test_a_run_from_python_leaves_what_the_command_leaves_though_numpy_was_loaded_before(tmp_path, config):
    (tmp_path / "c.yaml").write_text(ON_MANY_THREADS[config])
    in_a_process(["-m", "rltrain", "train", "c.yaml", "--name", "command", "-q"], tmp_path)
    lines = "import numpy as np; np.ones((300, 300)) @ np.ones((300, 300)); import rltrain\n"
    in_a_process(["-c", f"{lines}rltrain.train('c.yaml', name='python', picture=False)"], tmp_path)
    one, other = (short_runs.left_by(tmp_path / "runs" / name) for name in ("command", "python"))
    assert short_runs.differences(one, other, exact=True) == []
    assert facts.read(tmp_path / "runs" / "python")["exact"] is True


def test_products_take_one_thread_while_a_run_is_at_work_and_as_many_as_before_afterwards():
    (numpys, *_) = blas.loaded()
    before = numpys.get()
    try:
        numpys.set(2)
        with blas.one_thread() as sure:
            with blas.one_thread():
                assert numpys.get() == 1
            assert numpys.get() == 1 and sure and os.environ[blas.VARIABLE] == "1"
        assert numpys.get() == 2
    finally:
        numpys.set(before)


def test_a_run_whose_products_cannot_be_told_is_marked_as_not_exact(tmp_path, monkeypatch):
    monkeypatch.delenv(blas.VARIABLE)
    with blas.one_thread(names=["no_such_{}_setter"]) as sure:
        assert not sure
    experiment = api.experiment_of(REINFORCE)
    found = api.driven(api.training.begin(experiment, tmp_path, "run", "test"), sure, picture=False)
    told = facts.read(found.folder)
    assert (told["exact"], told["why"], found.finished) == (False, blas.WHY, True)


# What may be given


def test_a_config_is_a_file_a_name_a_text_a_mapping_or_an_experiment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = load(ROOT / "configs" / "dqn_cartpole.yaml", ["run.seed=7"])
    (tmp_path / "mine.yaml").write_text(expected.to_yaml())
    for given in (tmp_path / "mine.yaml", "mine.yaml", expected.to_yaml(), expected.to_dict(), expected):
        assert api.experiment_of(given) == expected
    assert api.experiment_of("dqn_cartpole", seed=7) == expected
    assert api.experiment_of("book/reinforce_cartpole").algorithm_name == "reinforce"


def test_overrides_are_a_mapping_or_texts_and_go_through_the_command_lines_checks():
    wanted = api.experiment_of("dqn_cartpole", ["algorithm.gamma=0.9", "run.budget={updates: 9}"])
    assert api.experiment_of("dqn_cartpole", {"algorithm": {"gamma": 0.9}, "run.budget": {"updates": 9}}) == wanted
    assert api.experiment_of("dqn_cartpole", max_wall=90).run.max_wall == "90s"
    for bad, rule in (
        ({"algorithm.gama": 0.9}, "algorithm.gama=0.9: unknown key; did you mean 'gamma'"),
        ({"algorithm.gamma": np.arange(2)}, "algorithm.gamma: ndarray has no YAML form"),
        ("algorithm.gamma=0.9", "is one text; write a list"),
    ):
        with pytest.raises(rltrain.errors.InputError, match=rule):
            api.experiment_of("dqn_cartpole", bad)
    for wrong in (None, 5, [5], [("algorithm.gamma", 0.9)], b"algorithm.gamma=0.9"):
        with pytest.raises(rltrain.errors.InputError, match="overrides: expected a mapping, or texts such as"):
            api.experiment_of("dqn_cartpole", wrong)
    with pytest.raises(rltrain.errors.InputError, match="no such file; did you mean"):
        rltrain.train(ROOT / "configs" / "dqn_cartpol.yaml")


def test_numbers_of_numpy_and_paths_are_settings_as_pythons_are(tmp_path):
    wanted = api.experiment_of("dqn_cartpole", {"algorithm.gamma": 0.5, "run.budget": {"env_steps": 9}}, 3, 90)
    given = {"algorithm.gamma": np.float32(0.5), "run.budget": {"env_steps": np.int64(9)}}
    assert api.experiment_of("dqn_cartpole", given, np.arange(9)[3], np.int64(90)) == wanted
    assert api.experiment_of(wanted.to_dict() | {"run": {"seed": np.uint8(4)}}).run.seed == 4
    assert api.experiment_of("dqn_cartpole", {"algorithm.gamma": np.float64(0.1)}).algorithm.gamma == 0.1
    model = ROOT / "configs" / "mdp" / "book.yaml"
    assert api.experiment_of({"algorithm": "viter", "environment": model}).environment.id == str(model)
    lake = rltrain.solve("FrozenLake-v1", {"is_slippery": np.bool_(False)}, discount=1)
    assert lake.value["0,0"] == pytest.approx(1)


def test_a_config_in_one_line_is_a_text_however_long_and_what_is_none_is_refused():
    wanted = load(ROOT / "configs" / "dqn_cartpole.yaml")
    for separators in ((", ", ": "), (",", ":")):
        line = json.dumps(wanted.to_dict(), separators=separators)
        assert len(line) > 255 and api.experiment_of(line) == wanted and rltrain.check(line).ok
    endless = {"algorithm": "dqn", "environment": "CartPole-v1"}
    endless["run"] = endless
    for wrong in (None, 5, b"dqn_cartpole", [1], "a" * 5_000, "a: " * 5_000, endless):
        with pytest.raises(rltrain.errors.InputError):
            api.experiment_of(wrong)
    for function in (rltrain.evaluate, rltrain.load, rltrain.resume, rltrain.check, rltrain.read):
        for wrong in ("a" * 5_000, None, 5, b"run"):
            with pytest.raises(rltrain.errors.InputError):
                function(wrong)


# Runs


def test_a_run_says_how_it_ended_in_text_and_in_a_notebook(run):
    assert run.finished and run.stopped is None and run.counters["env_steps"] >= 600 and run.name == "run"
    assert repr(run).startswith("<dqn on CartPole-v1, finished: steps 6") and str(run.folder) in repr(run)
    assert list(run.training["env_steps"])[-1] == run.counters["env_steps"] and run.evaluations == {}
    shown = run._repr_html_()
    assert "dqn on CartPole-v1" in shown and "finished" in shown and str(run.folder) in shown
    assert "src='data:image/png;base64,iVBOR" in shown and (run.folder / "curve.png").is_file()


def test_nothing_is_printed_and_warnings_are_pythons(tmp_path, capfd):
    with pytest.warns(UserWarning, match="learning_starts"):
        found = rltrain.train(
            "dqn_cartpole", {**SHORT, "algorithm.learning_starts": 900}, runs_dir=tmp_path, picture=False
        )
    assert "learning_starts" in found.warnings[0]
    assert capfd.readouterr() == ("", "")


def test_a_stream_tells_what_happens_and_its_end(tmp_path):
    evaluated = {**SHORT, "run.evaluate": {"every": {"env_steps": 300}, "episodes": 2}}
    events = list(rltrain.stream("dqn_cartpole", evaluated, runs_dir=tmp_path, name="run", picture=False))
    kinds = [event.kind for event in events]
    assert kinds.count("eval") == 2 and "save" in kinds and kinds[-1] == "end"
    steps = [event.counters["env_steps"] for event in events if event.kind == "step"]
    assert steps == sorted(set(steps))  # each has the counters of its moment
    assert len(rltrain.read(tmp_path / "run", "evaluations")["mean"]) == 2


def test_a_stream_that_is_left_is_saved_and_closed_and_goes_on_to_the_same_bytes(tmp_path, run):
    for event in rltrain.stream("dqn_cartpole", SHORT, seed=3, runs_dir=tmp_path, name="left", picture=False):
        if event.kind == "step" and event.counters["env_steps"] > 100:
            break
    assert not is_locked(tmp_path / "left") and rltrain.check("left", runs_dir=tmp_path).checkpoints
    went_on = rltrain.resume("left", runs_dir=tmp_path, picture=False)
    assert went_on.finished
    assert short_runs.differences(short_runs.left_by(run.folder), short_runs.left_by(went_on.folder), exact=True) == []


def test_an_unstarted_stream_begins_nothing(tmp_path):
    rltrain.stream("dqn_cartpole", runs_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_saves_the_run_and_says_how_to_go_on(tmp_path):
    assert threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)

    def interrupt():
        while not (tmp_path / "run" / "metrics.jsonl").exists() and alive.is_set():
            time.sleep(0.01)
        _thread.interrupt_main()

    alive = threading.Event()
    alive.set()
    presser = threading.Thread(target=interrupt)
    presser.start()
    try:
        endless = {**SHORT, "run.budget": {"env_steps": 10_000_000}}
        with pytest.raises(KeyboardInterrupt, match=r"saved: go on with rltrain.resume\('.*run'\)"):
            rltrain.train("dqn_cartpole", endless, runs_dir=tmp_path, name="run")
    finally:
        alive.clear()
        presser.join()
    assert signal.getsignal(signal.SIGINT) is handler
    assert not is_locked(tmp_path / "run")
    (checkpoint,) = rltrain.check(tmp_path / "run").checkpoints[-1:]
    reached = int(checkpoint.name.removeprefix("ckpt-"))
    more = {"run.budget": {"env_steps": reached + 300}}
    assert rltrain.resume(tmp_path / "run", more, picture=False).counters["env_steps"] > reached


def test_a_run_stays_in_its_folder_though_the_working_folder_changes(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    for event in rltrain.stream("dqn_cartpole", SHORT, name="watched", picture=False):
        if event.kind == "step":
            monkeypatch.chdir(tmp_path / "other")
    assert rltrain.check(tmp_path / "runs" / "watched").checkpoints
    monkeypatch.chdir(tmp_path)
    found = rltrain.train("dqn_cartpole", SHORT, name="run", picture=False)
    assert repr(found).endswith(", runs/run>")
    monkeypatch.chdir(tmp_path / "other")
    assert rltrain.resume(found, picture=False).folder == found.folder == tmp_path / "runs" / "run"
    assert len(found.training["env_steps"]) and list((tmp_path / "other").iterdir()) == []


class OddGame(gymnasium.Env):
    """A game that says when it is played, and raises at a step."""

    played = threading.Event()
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, breaks_at=-1):
        self.steps, self.breaks_at = 0, breaks_at

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.steps += 1
        self.played.set()
        if self.steps == self.breaks_at:
            raise RuntimeError("broken")
        return np.zeros(2, np.float32), 0.0, False, False, {}


@pytest.fixture(autouse=True)
def odd_game():
    gymnasium.register("OddGame-v0", OddGame, max_episode_steps=20)
    yield
    del gymnasium.registry["OddGame-v0"]


ODD = {"algorithm": "basic", "environment": {"id": "OddGame-v0"}, "run": {"budget": {"env_steps": 500}}}


def test_an_error_of_a_run_is_ours_and_the_folder_is_free(tmp_path):
    with pytest.raises(rltrain.errors.EnvironmentFault, match="broken"):
        rltrain.train(ODD, {"environment.kwargs.breaks_at": 50}, runs_dir=tmp_path, name="run")
    assert not is_locked(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "environment failed"


def test_runs_in_two_threads_at_once_leave_what_one_after_the_other_leaves(tmp_path, run):
    found = {}

    def work(name):
        found[name] = rltrain.train("dqn_cartpole", SHORT, seed=3, runs_dir=tmp_path, name=name, picture=False)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = short_runs.left_by(run.folder)
    for name in ("one", "two"):
        assert short_runs.differences(wanted, short_runs.left_by(found[name].folder), exact=True) == []


def test_a_run_that_another_holds_is_busy(tmp_path, run):
    with contextlib.closing(
        rltrain.stream("dqn_cartpole", SHORT, runs_dir=tmp_path, name="held", picture=False)
    ) as events:
        next(events)
        with pytest.raises(rltrain.errors.BusyError):
            rltrain.resume("held", runs_dir=tmp_path)


def test_a_thread_that_outlives_the_main_thread_trains_to_the_end(tmp_path):
    lines = (
        "import threading, rltrain\n"
        f"given = dict(runs_dir={str(tmp_path)!r}, name='run', picture=False)\n"
        f"threading.Thread(target=rltrain.train, args=({REINFORCE!r},), kwargs=given).start()"
    )
    in_a_process(["-c", lines], tmp_path)
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "finished"
    assert rltrain.check(tmp_path / "run").checkpoints


@pytest.mark.parametrize(
    ("daemon", "config"), [pytest.param(True, "dqn_cartpole", marks=pytest.mark.slow), (False, "reinforce_cartpole")]
)
def test_a_run_that_is_at_work_when_the_process_ends_is_saved(tmp_path, daemon, config):
    endless = {**(SHORT if config == "dqn_cartpole" else {}), "run.budget": {"env_steps": 10_000_000}}
    lines = (
        "import sys, threading, rltrain\n"
        f"events = rltrain.stream('{config}', {endless}, runs_dir={str(tmp_path)!r}, name='run', picture=False)\n"
        "learnt = threading.Event()\n"
        "def work():\n    for event in events:\n        if event.kind == 'step': learnt.set()\n"
        + ("threading.Thread(target=work, daemon=True).start()\nlearnt.wait()\n" if daemon else "")
        + ("" if daemon else "for event in events:\n    if event.kind == 'step': sys.exit()\n")
    )
    in_a_process(["-W", "ignore", "-c", lines], tmp_path)
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "interrupted"
    assert rltrain.check(tmp_path / "run").checkpoints and not is_locked(tmp_path / "run")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_child_neither_holds_the_run_nor_ends_it(tmp_path):
    events = rltrain.stream("dqn_cartpole", SHORT, runs_dir=tmp_path, name="run", picture=False)
    next(event for event in events if event.kind == "step")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            events.close()
            os.close(writing)
            os.read(reading, 1)  # until its parent says so
        finally:
            os._exit(0)
    assert is_locked(tmp_path / "run")
    events.close()
    went_on = rltrain.resume("run", runs_dir=tmp_path, picture=False)  # it is free, though the child lives
    os.close(writing)
    assert os.waitpid(child, 0)[1] == 0 and went_on.finished


# Policies and numbers


def test_an_evaluation_is_the_commands(run, capsys):
    score = rltrain.evaluate(run, games=3, seed=4)
    with pytest.raises(SystemExit):
        app(["eval", str(run.folder), "-n", "3", "--seed", "4", "--json"])
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(score.json()))
    assert (score.mean, len(score.returns)) == (np.mean(score.returns), 3) and score.interval == score.games.ci95
    assert repr(score).startswith("<dqn on CartPole-v1: mean ")
    assert rltrain.evaluate(run, np.int64(3), seed=np.uint8(4)) == score
    for wrong in ({"games": 0}, {"games": 2.0}, {"games": "2"}, {"games": True}, {"seed": -1}, {"seed": None}):
        with pytest.raises(rltrain.errors.InputError, match="expected a whole number of at least"):
            rltrain.evaluate(run, **wrong)


def test_ctrl_c_ends_an_evaluation(tmp_path):
    found = rltrain.train(ODD, runs_dir=tmp_path, picture=False)
    OddGame.played.clear()

    def interrupt():
        OddGame.played.wait()
        _thread.interrupt_main()

    presser = threading.Thread(target=interrupt)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        rltrain.evaluate(found, games=100_000)
    presser.join()


def test_a_loaded_policy_acts_on_one_observation_and_on_many(run):
    policy = rltrain.load(run)
    seen = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    actions, scores = policy.act(seen), policy.scores(seen)
    assert actions.shape == (5,) and scores.shape == (5, 2)
    assert [policy.act(row) for row in seen] == list(actions) == list(scores.argmax(axis=1))
    with pytest.raises(rltrain.errors.InputError, match=r"an array of \[3\]; one of CartPole-v1 is \[4\]"):
        policy.act([1.0, 2.0, 3.0])


def test_a_table_acts_on_the_number_of_a_state(tmp_path):
    found = rltrain.train(TABLE, {"run.budget": {"env_steps": 500}}, runs_dir=tmp_path, picture=False)
    policy = rltrain.load(found)
    assert policy.act(36) == policy.act([36]) == policy.act([[36], [0]])[0]
    for wrong in (-1, 48, [48], [[0], [-1]], 0.5, [0.5], np.nan):
        with pytest.raises(rltrain.errors.InputError, match=r"^obs: .* is no state of CliffWalking-v1: .* 0 to 47"):
            policy.act(wrong)
    for mask, said in (
        [[False] * 4, "all false"],
        [[1, 2, 1, 1], "2 is neither"],
        [[True] * 3, r"an array of \[1, 3\]"],
    ):
        with pytest.raises(rltrain.errors.InputError, match=rf"^mask: .*{said}"):
            policy.act(0, mask)


def test_numbers_of_different_runs_are_columns_of_one_length(tmp_path, run):
    rltrain.train(REINFORCE, runs_dir=tmp_path, name="other", picture=False)
    columns = rltrain.read(tmp_path / "*")
    assert len({len(column) for column in columns.values()}) == 1
    other = columns["algorithm"] == "reinforce"
    assert set(columns["seed"][other]) == {5} and np.isnan(columns["loss/td"][other]).all()
    assert columns["updates"].dtype == np.int64 and other.sum() == 4
    assert len(rltrain.read([run, tmp_path / "other"])["run"]) == len(columns["run"])
    with pytest.raises(rltrain.errors.InputError, match="no run there"):
        rltrain.read(tmp_path / "none")
    with pytest.raises(
        rltrain.errors.InputError,
        match=r"table: expected one of training, .*, got 'train'; did you mean 'training'",
    ):
        rltrain.read(run, "train")


@pytest.mark.parametrize(
    "obs", ["left", [[0.0], [0.0, 1.0]], {"x": 1}, [10**400] * 4, [0, 0, np.nan, 0], [[np.inf] * 4] * 2]
)
def test_what_is_no_observation_is_an_input_error(run, obs):
    with pytest.raises(rltrain.errors.InputError, match=r"^obs: "):
        rltrain.load(run).act(obs)


def test_a_run_is_read_by_its_name_too(run):
    by_name = rltrain.read(run.folder.name, runs_dir=run.folder.parent)
    assert by_name["env_steps"].tolist() == rltrain.read(run.folder)["env_steps"].tolist()


def test_rows_that_lack_a_counter_and_odd_folders_are_read(tmp_path):
    odd = tmp_path / "run[1]"
    odd.mkdir()
    (odd / "config.yaml").write_text("algorithm: {name: mine}\n")
    (odd / "metrics.jsonl").write_text('{"updates": 1, "run": 7}\n{"loss": 0.5}\n{"updates": null}\n')
    for given in (odd, str(odd), tmp_path / "*"):
        columns = rltrain.read(given)
        assert list(columns["updates"]) == [1, -1, -1] and columns["updates"].dtype == np.int64
        assert set(columns["run"]) == {str(odd)}


def test_configs_and_runs_are_checked(run):
    report = rltrain.check("dqn_cartpole", {"environment.num_envs": 3})
    assert (report.num_envs, report.algorithm, report.ok) == (3, "dqn", True)
    assert rltrain.check(run).ok
    state = next(run.folder.glob("checkpoints/*/state.json"))
    state.write_text(state.read_text() + " ")
    assert not rltrain.check(run.folder).ok


# Known models


def test_a_solution_has_the_names_of_the_model_and_the_solvers_numbers():
    found, model = rltrain.solve(discount=0.9), files.read(files.BOOK).model
    plain = solve(model, 0.9)
    assert list(found.value.values()) == pytest.approx(plain.value) and list(found.policy.values()) == [
        "a0",
        "a0",
        "a1",
    ]
    assert found.q["s0"] == pytest.approx({"a0": 18.9189189, "a1": 17.027027, "a2": 13.6216216})
    assert found.bound < 1e-6 and rltrain.solve(model, discount="9/10").value == found.value
    assert "s0: a0 18.9189" in repr(found)


def test_fractions_averages_and_horizons_are_asked_for_by_a_word():
    assert str(rltrain.solve(discount=0.9, exact=True).value["s0"]) == "700/37"
    assert rltrain.solve(average=True).value["s0"] == pytest.approx(
        float(rltrain.solve(average=True, exact=True).value["s0"])
    )
    short = rltrain.solve("FrozenLake-v1", {"is_slippery": False}, discount=1, horizon=6)
    assert (
        short.value["0,0"] == 1
        and rltrain.solve("FrozenLake-v1", {"is_slippery": False}, discount=1, horizon=5).value["0,0"] == 0
    )
    for wrong in ({"average": True, "discount": 0.9}, {"horizon": 2, "exact": True}, {"exact": True, "method": "vi"}):
        with pytest.raises(rltrain.errors.InputError, match="goes without"):
            rltrain.solve(**wrong)


def test_a_run_starts_from_what_another_learned_and_equals_the_commands(tmp_path):
    config = {
        "algorithm": {"name": "search", "batch": 4, "games": 1, "recheck": 2},
        "environment": {"id": "CartPole-v1", "num_envs": 4},
        "run": {"budget": {"policies": 8}},
    }
    places = {"runs_dir": tmp_path, "picture": False}
    first = rltrain.train(config, name="a", **places)
    second = rltrain.train(config, name="b", start_from=first, seed=1, **places)
    assert second.warnings == ()
    assert json.loads((second.folder / "run.json").read_text())["started_from"]["run"] == str(first.folder)
    assert [event.kind for event in rltrain.stream(config, name="c", start_from="a", seed=1, **places)][-1] == "end"
    assert (tmp_path / "b/metrics.jsonl").read_bytes() == (tmp_path / "c/metrics.jsonl").read_bytes()
    cold = rltrain.train(config, name="cold", seed=1, **places)
    assert (cold.folder / "metrics.jsonl").read_bytes() != (tmp_path / "b/metrics.jsonl").read_bytes()
    with pytest.raises(InputError, match="no run 'nothing'"):
        rltrain.train(config, start_from="nothing", **places)
