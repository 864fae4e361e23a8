"""A person brings an environment, by --import, by trust or from a program; an installed package says which it has."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest
from in_process import command
from own_world import CONFIG, WALK, fresh, package_in

import rltrain
from rltrain import envs, imports, trust
from rltrain.errors import EnvironmentFault, InputError, MissingError, NotBroughtError
from rltrain.experiment.config import loads
from rltrain.experiment.settings import EnvironmentConfig

SMALL = {"algorithm": "basic", "run": {"budget": {"episodes": 6}}}
MANY = 'import gymnasium\ngymnasium.register("{}-v0", "gymnasium.envs.classic_control:CartPoleEnv")\n'
REGISTER = """
import gymnasium
print("noise")


def register():
    gymnasium.register("{}", "gymnasium.envs.classic_control:CartPoleEnv")
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to work in, with an environment of one's own and settings in which nothing is trusted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    (tmp_path / "my_env.py").write_text(WALK)
    (tmp_path / "c.yaml").write_text(CONFIG)
    with fresh():
        yield tmp_path


@pytest.fixture
def verb(place, capsys):
    """Runs a verb as if in a process of its own; returns the exit code, stdout and stderr."""

    def run(*words):
        with fresh():
            return command(capsys)(*words)

    return run


def on_path(folder):
    """Let Python find what is in this folder, until the test's `fresh` ends."""
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


def state_of(run):
    """The bytes of the newest checkpoint's state and of the numbers."""
    last = max((run / "checkpoints").glob("ckpt-*"))
    return [(last / "state.json").read_bytes(), (last / "arrays.safetensors").read_bytes(), metrics(run)]


def metrics(run):
    return (run / "metrics.jsonl").read_bytes()


def test_a_config_that_init_writes_says_what_was_imported(verb, place):
    flag = ("--import", "./my_env.py")
    code, out, _ = verb("init", "mine", "--env", "my_env/Walk", "--algo", "basic", *flag)
    assert (code, out.splitlines()[-1]) == (0, "next: rltrain train mine.yaml --import ./my_env.py")
    text = (place / "mine.yaml").read_text()
    assert "needs:" in text and "./my_env.py" in text and "rltrain train mine.yaml --import ./my_env.py" in text
    code, _, err = verb("train", "mine.yaml")
    assert code == 4 and "--import ./my_env.py" in err
    assert verb("check", "mine.yaml", *flag)[0] == 0


def test_one_file_trains_resumes_to_the_byte_evaluates_and_is_listed(verb, place):
    flag = ("--import", "./my_env.py")
    assert verb("train", "c.yaml", "--name", "whole", "-q", *flag)[0] == 0
    assert verb("train", "c.yaml", "--name", "half", "-q", "run.budget.episodes=3", *flag)[0] == 0
    assert verb("resume", "half", "-q", "run.budget.episodes=6", *flag)[0] == 0
    whole, half = (place / "runs" / name for name in ("whole", "half"))
    assert state_of(whole) == state_of(half)
    facts = json.loads((whole / "run.json").read_text())
    assert facts["imports"]["my_env.py"] == {
        "file": str(place / "my_env.py"),
        "sha256": imports.source_files.hash_of("my_env.py"),
    }
    assert facts["exact"] is True
    code, out, _ = verb("eval", "whole", "-n", "2", "--json", "--import", "my_env.py")
    assert code == 0 and json.loads(out)["environment"] == "my_env/Walk"
    assert "my_env/Walk" in verb("list", "environments", "--json", *flag)[1]
    assert verb("check", "c.yaml", "--probe", "0", *flag)[0] == 0
    assert verb("plot", "whole", *flag)[0] == 0


@pytest.mark.parametrize("words", [["resume", "whole"], ["eval", "whole"], ["watch", "whole", "-o", "a.gif"]])
def test_a_run_without_its_file_says_what_to_type(verb, place, words, monkeypatch):
    assert verb("train", "c.yaml", "--name", "whole", "-q", "--import", "my_env.py")[0] == 0
    monkeypatch.setattr(sys, "argv", ["rltrain", *words])
    code, _, err = verb(*words)
    assert code == 4 and "whole: this run was trained with" in err
    assert f"then type: rltrain {' '.join(words)} --import {place / 'my_env.py'}" in err
    code, _, err = verb(*words, "--import", "my_env.py")
    assert code != 4, err


def test_what_was_changed_since_is_said_and_the_run_is_no_longer_exact(verb, place):
    (place / "helper_of_walk.py").write_text("STEP = 1\n")
    (place / "my_env.py").write_text("import helper_of_walk\n" + WALK)
    flag = ("--import", "my_env.py")
    assert verb("train", "c.yaml", "--name", "a", "-q", *flag)[0] == 0
    (place / "helper_of_walk.py").write_text("STEP = 2\n")
    assert "a was trained with other code: helper_of_walk.py changed" in verb("eval", "a", "-n", "1", *flag)[2]
    (place / "my_env.py").write_text("import helper_of_walk\n# a remark\n" + WALK)
    code, out, _ = verb("resume", "a", "-q", "run.budget.episodes=9", *flag)
    assert code == 0 and "not exact to the bit: helper_of_walk.py changed, my_env.py changed" in out
    facts = json.loads((place / "runs" / "a" / "run.json").read_text())
    assert facts["exact"] is False and facts["why"] == "resumed with helper_of_walk.py changed, my_env.py changed"


def test_a_file_that_registers_itself_keeps_its_ids_and_a_wrapper_is_no_environment(place):
    (place / "named.py").write_text(WALK + 'gymnasium.register("Walk-v3", Walk, max_episode_steps=5)\n')
    (place / "many.py").write_text(
        WALK + "class Run(Walk):\n    pass\nclass _Base(Walk):\n    pass\nclass W(gymnasium.Wrapper):\n    pass\n"
    )
    before = set(gymnasium.registry)
    imports.bring("named.py")
    assert set(gymnasium.registry) - before == {"Walk-v3"}
    imports.bring("./many.py")
    assert set(gymnasium.registry) - before == {"Walk-v3", "many/Run", "many/Walk"}
    imports.bring(str(place / "many.py"))  # a second time it is the one that is known
    assert imports.flags() == ["--import", str(place / "named.py"), "--import", str(place / "many.py")]


def test_a_folder_is_a_package_and_a_module_may_have_a_function(place, monkeypatch):
    (place / "my_pkg").mkdir()
    (place / "my_pkg" / "__init__.py").write_text(
        "from my_pkg.walk import Walk\nimport gymnasium\ngymnasium.register('Two-v0', Walk)\n"
    )
    (place / "my_pkg" / "walk.py").write_text(WALK)
    assert imports.bring("./my_pkg").beside.keys() == {"my_pkg/walk.py"}
    assert "Two-v0" in gymnasium.registry
    (place / "my_own").mkdir()
    (place / "my_own" / "__init__.py").write_text(
        "from gymnasium.envs.toy_text import TaxiEnv\nfrom .walk import Walk\n"
    )
    (place / "my_own" / "walk.py").write_text(WALK)
    imports.bring("./my_own")
    assert [env_id for env_id in gymnasium.registry if env_id.startswith("my_own/")] == ["my_own/Walk"]
    on_path(place)
    (place / "slow_world.py").write_text("import gymnasium\ndef enter():\n    gymnasium.register('Slow-v0', 'x:Y')\n")
    imports.bring("slow_world:enter")
    assert "Slow-v0" in gymnasium.registry


@pytest.mark.parametrize(
    ("name", "text", "error", "words"),
    [
        (
            "breaks.py",
            "x = 1\nx / 0\n",
            EnvironmentFault,
            r"--import breaks.py: ZeroDivisionError: .* \(breaks.py, line 2\)",
        ),
        (
            "ends.py",
            "import sys\nsys.exit(3)\n",
            EnvironmentFault,
            r"wanted to end the process: sys.exit\(3\) \(ends.py, line 2\)",
        ),
        ("no_python.py", "def (\n", EnvironmentFault, r"SyntaxError: [^()]*\(no_python.py, line 1\)$"),
        ("in_need.py", "import a_package_nobody_has\n", MissingError, "needs the module 'a_package_nobody_has'"),
        ("hollow.py", "x = 1\n", InputError, "registers no environment with Gymnasium, and defines no class"),
        ("my-env.py", WALK, InputError, "'my-env' is no name of a module"),
        ("json.py", WALK, InputError, "another module that is called json; give this one another name"),
        ("absent.py", None, InputError, "no such file"),
        ("not_here", None, MissingError, "no module called not_here is installed; pip install not-here"),
        ("my_env", None, MissingError, "for the one that lies here: --import ./my_env.py"),
        ("a b", None, InputError, "expected a module, such as minigrid, or a file"),
        ("gymnasium.no_such_part", None, MissingError, "needs the module 'gymnasium.no_such_part'"),
    ],
)
def test_what_cannot_be_imported_is_one_error_and_leaves_nothing(place, name, text, error, words, monkeypatch):
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(place))])
    if text is not None:
        (place / name).write_text(text)
    with pytest.raises(error, match=words):
        imports.bring(name)
    assert imports.flags() == [] and Path(name).stem not in set(sys.modules) - {"json", "gymnasium"}


def test_what_a_file_prints_goes_to_standard_error(verb, place):
    (place / "my_env.py").write_text("print('hello')\n" + WALK)
    code, out, err = verb("check", "c.yaml", "--json", "--probe", "0", "--import", "my_env.py")
    assert code == 0 and json.loads(out)["environment"] == "my_env/Walk" and err == "hello\n"


def test_a_compiled_file_beside_it_is_not_run_and_no_installed_module_is_hidden(place):
    (place / "random.py").write_text("raise RuntimeError('not this one')\n")
    (place / "my_env.py").write_text("import random\nrandom.random()\n" + WALK)
    subprocess.run(
        [sys.executable, "-P", "-c", "import py_compile; py_compile.compile('my_env.py')"], check=True, cwd=place
    )
    assert list(place.glob("__pycache__/my_env*"))
    before = (place / "my_env.py").stat()
    text = (place / "my_env.py").read_text()
    (place / "my_env.py").write_text(text.replace("length=8", "length=9"))
    os.utime(place / "my_env.py", ns=(before.st_atime_ns, before.st_mtime_ns))  # so Python would take the compiled one
    imports.bring("my_env.py")
    assert gymnasium.make("my_env/Walk").unwrapped.length == 9


@pytest.mark.slow
def test_the_children_of_several_seeds_import_it_too_and_so_does_their_resume(place):
    def rltrain(*words):
        root = str(Path(envs.__file__).parents[2])
        command = [sys.executable, "-P", "-m", "rltrain", *words]
        done = subprocess.run(
            command, cwd=place, env={**os.environ, "PYTHONPATH": root}, text=True, capture_output=True
        )
        return done.returncode, done.stderr

    flag = ("--import", "./my_env.py")
    assert rltrain("train", "c.yaml", "--seeds", "2", "--name", "g", "-q", *flag) == (0, "")
    code, err = rltrain("resume", "g", "run.budget.episodes=9", "-q")
    assert code == 4 and f"rltrain resume g run.budget.episodes=9 -q --import {place / 'my_env.py'}" in err
    assert rltrain("resume", "g", "run.budget.episodes=9", "-q", *flag) == (0, "")
    assert (place / "runs" / "g" / "s1" / "metrics.jsonl").read_text().count("\n") == 9


# Needs, and trust


def test_a_config_may_name_what_it_needs_and_only_a_person_may_import_it(verb, place, monkeypatch):
    (place / "c.yaml").write_text(CONFIG.replace("my_env/Walk", "{id: my_env/Walk, needs: [./my_env.py]}"))
    monkeypatch.setattr(sys, "argv", ["rltrain", "train", "c.yaml"])
    code, _, err = verb("train", "c.yaml")
    assert code == 4 and "environment.needs: the config names ./my_env.py, and only you may import it" in err
    assert err.endswith("then type: rltrain train c.yaml --import ./my_env.py\n")
    assert not (place / "runs").exists()
    assert verb("train", "c.yaml", "-q", "--import", "./my_env.py")[0] == 0
    assert verb("trust", "./my_env.py")[0] == 0
    assert verb("train", "c.yaml", "-q")[0] == 0


def test_needs_stand_in_the_written_config_only_where_there_are_any():
    one = loads("algorithm: basic\nenvironment: {id: CartPole-v1, needs: numpy}\n", "x.yaml")
    assert one.environment.needs == ("numpy",) and loads(one.to_yaml(), "x.yaml") == one
    envs.check(one.environment)  # numpy is imported
    assert "needs" not in loads("algorithm: basic\nenvironment: CartPole-v1\n", "x.yaml").to_dict()["environment"]
    for wrong in ("[3]", "['a b']", "['../x']", "[]: 3"):
        with pytest.raises(InputError):
            loads(f"algorithm: basic\nenvironment: {{id: CartPole-v1, needs: {wrong}}}\n", "x.yaml")
    with pytest.raises(InputError, match=r"environment\.needs: for Gymnasium ids"):
        loads("algorithm: basic\nenvironment: {id: ALE/Pong-v5, needs: [numpy]}\n", "x.yaml")


def test_a_trusted_file_is_imported_when_its_id_is_asked_for_and_not_once_it_changed(verb, place):
    assert verb("trust", "--list")[1].startswith("nothing is trusted, in ")
    assert verb("trust", "my_env.py")[0] == 0
    assert "my_env" not in sys.modules  # to trust imports nothing
    assert str(place / "my_env.py") in verb("trust", "--list")[1]
    assert verb("check", "c.yaml", "--probe", "0")[0] == 0
    (place / "my_env.py").write_text(WALK + "# changed\n")
    code, _, err = verb("check", "c.yaml", "--probe", "0")
    assert code == 4 and f"was changed since you trusted it; if you still trust it: rltrain trust {place}" in err
    assert verb("trust", "my_env.py")[0] == 0
    assert verb("check", "c.yaml", "--probe", "0")[0] == 0
    assert verb("trust", "--remove", "my_env.py")[0] == 0
    assert verb("check", "c.yaml", "--probe", "0")[0] == 4
    code, _, err = verb("trust", "--remove", "my_env.py")
    assert code == 2 and "is not trusted" in err


def test_a_trusted_file_elsewhere_is_not_taken_for_the_one_that_lies_here(verb, place):
    (place / "c.yaml").write_text(CONFIG.replace("my_env/Walk", "{id: my_env/Walk, needs: [./my_env.py]}"))
    (place / "other").mkdir()
    (place / "other" / "my_env.py").write_text(WALK)
    assert verb("trust", "other/my_env.py")[0] == 0
    assert verb("check", "c.yaml", "--probe", "0")[0] == 4
    (place / "my_env.py").unlink()
    assert verb("check", "c.yaml", "--probe", "0")[0] == 0


def test_a_trusted_module_is_the_last_resort_for_an_id_without_a_namespace(verb, place, monkeypatch):
    on_path(place)
    package_in(place, "far_world", MANY.format("Far"))
    package_in(place, "broken_world", "1 / 0\n")
    (place / "c.yaml").write_text(CONFIG.replace("my_env/Walk", "Far-v0"))
    assert verb("check", "c.yaml", "--probe", "0")[0] == 4
    assert verb("trust", "broken_world", "far_world")[0] == 0
    assert verb("check", "c.yaml", "--probe", "0")[0] == 0
    assert "broken_world: ZeroDivisionError" in verb("check", "c.yaml", "--probe", "0", "environment.id=No-v0")[2]
    assert verb("trust", "no_such_package")[0] == 4
    assert verb("trust")[0] == 2
    trusted = json.loads(verb("trust", "--list", "--json")[1])
    assert trusted["modules"] == ["broken_world", "far_world"] and trusted["files"] == {}


@pytest.mark.parametrize(
    "text",
    [
        "trusted: 3\n",
        "trusted: {modules: minigrid}\n",
        "a: [\n",
        "trusted: {files: {/x.py: abc}}\n",
        "[]\n",
        "x: 1\n",
        "\0",
    ],
)
def test_damaged_settings_are_one_error_and_stop_nobody_else(verb, place, text):
    settings = trust.place()
    settings.parent.mkdir(parents=True)
    settings.write_text(text)
    for words in (["trust", "--list"], ["trust", "my_env.py"]):
        code, _, err = verb(*words)
        assert code == 2 and f"{settings}" in err and "your settings cannot be used" in err
    assert settings.read_text() == text
    code, _, err = verb("check", "c.yaml", "--probe", "0")
    assert code == 4 and "your settings cannot be used" not in err.splitlines()[-1]
    assert verb("check", "c.yaml", "--probe", "0", "--import", "my_env.py")[::2] == (0, "")
    assert verb("check", "c.yaml", "--probe", "0", "environment=CartPole-v1")[0] == 0


# Installed packages


def test_an_entry_point_registers_its_ids_when_one_of_them_is_asked_for(place, monkeypatch):
    on_path(place)
    made = REGISTER.format("ns_world/Near-v0")
    package_in(place, "ns_world", made, "[rltrain.environments]\nns_world = ns_world:register\n")
    old = REGISTER.format("Near-v0")
    package_in(place, "old_world", old, "[gymnasium.envs]\nold_world = old_world:register\n")
    package_in(
        place,
        "root_world",
        old.replace("Near", "Rooted"),
        "[gymnasium.envs.__root__]\nroot-world = root_world:register\n",
    )
    assert envs.describe(EnvironmentConfig(id="CartPole-v1")).num_actions == 2
    assert not {"old_world", "root_world"} & set(sys.modules)
    assert not [name for name in gymnasium.registry if "Near" in name]
    for name in ("ns_world/Near-v0", "old_world/Near-v0", "Rooted-v0"):
        assert envs.describe(EnvironmentConfig(id=name)).num_actions == 2
    assert "Near-v0" not in gymnasium.registry
    assert imports.used_by("old_world/Near-v0") == {}  # Gymnasium's own class
    assert imports.needed({"old_world": {"version": "1.0"}, "minigrid": {}}) == ["minigrid"]


@pytest.mark.parametrize(
    "wrong", ["1 / 0", "raise SystemExit(7)", "import a_package_nobody_has", "[].pop()", "print('x')"]
)
@pytest.mark.parametrize("group", ["rltrain.environments", "gymnasium.envs"])
def test_an_entry_point_that_fails_is_named_for_its_own_ids_and_stops_nobody(verb, place, monkeypatch, wrong, group):
    on_path(place)
    name = f"bad_{abs(hash((wrong, group)))}"
    package_in(place, name, f"def register():\n    {wrong}\n", f"[{group}]\n{name} = {name}:register\n")
    (place / "c.yaml").write_text(CONFIG.replace("my_env/Walk", "CartPole-v1"))
    code, out, _ = verb("check", "c.yaml", "--json", "--probe", "0")
    assert code == 0 and json.loads(out)["ok"]
    assert verb("list", "environments", "--json")[0] == 0
    code, _, err = verb("check", "c.yaml", "--probe", "0", f"environment.id={name}/Foo-v0")
    assert code == 4 and (f"the entry point '{name}' ({name}:register) of {group}" in err) == ("print" not in wrong)
    gymnasium.register("Alone-v0", "x:Y")  # no namespace was left behind
    assert "Alone-v0" in gymnasium.registry


@pytest.mark.parametrize(
    ("env_id", "words"),
    [
        ("MiniGrid-Empty-5x5-v0", "is of the package minigrid: pip install minigrid, then add --import minigrid"),
        ("FetchReach-v3", "pip install gymnasium-robotics, then add --import gymnasium_robotics"),
        (
            "json/Own-v0",
            "is of the package json, which is installed, and only you may import it; if you trust it: --import json",
        ),
        ("my_env/Walk", "is of ./my_env.py, and only you may import it; if you trust it: --import ./my_env.py"),
        ("python/Walk", "was handed over in a program; give `environment=Walk` there"),
        ("Nobody-v0", "--import ./my_env.py, or --import my_package"),
    ],
)
def test_an_unknown_id_says_how_it_is_brought(place, env_id, words):
    if env_id.startswith("MiniGrid") and imports.importlib.util.find_spec("minigrid"):
        pytest.skip("minigrid is installed")
    with pytest.raises(MissingError, match=words) as caught:
        envs.describe(EnvironmentConfig(id=env_id))
    assert isinstance(caught.value, NotBroughtError) == ("if you trust it" in words)
    assert not {"minigrid", "my_env"} & set(sys.modules)


def test_what_was_imported_and_has_no_such_id_is_not_told_to_be_imported_again(verb, place):
    code, _, err = verb("check", "--env", "my_env/Wlak", "--import", "./my_env.py")
    assert code == 4 and "no environment is called 'my_env/Wlak'; did you mean my_env/Walk" in err
    assert "you may import it" not in err


def test_an_id_with_a_colon_is_told_what_to_type():
    with pytest.raises(InputError, match="write Foo-v0, and on the command line --import my_pkg"):
        loads("algorithm: basic\nenvironment: my_pkg:Foo-v0\n", "x.yaml")


# From a program


def walk_of(place):
    """The class of the file, as a program imports it."""
    sys.path.append(str(place))
    import my_env

    return my_env.Walk


def test_a_class_of_the_same_name_that_was_handed_over_later_is_not_taken_for_the_runs(place):
    Walk = walk_of(place)
    run = rltrain.train(SMALL, environment=Walk, name="first", picture=False)
    other = type("Walk", (gymnasium.Env,), {"__module__": "elsewhere"})  # whose source is not known
    imports.hand_over(other)
    for use in (rltrain.resume, rltrain.evaluate, rltrain.load):
        with pytest.raises(NotBroughtError, match="first: the Walk that this program handed over is another"):
            use(run)
    assert rltrain.evaluate(run, 2, environment=Walk).environment == "python/Walk"


def test_a_program_hands_over_a_class_or_a_function_and_goes_on_to_the_byte(place):
    Walk = walk_of(place)
    whole = rltrain.train(SMALL, environment=Walk, name="whole", picture=False)
    half = rltrain.train(SMALL, {"run.budget": {"episodes": 3}}, environment=Walk, name="half", picture=False)
    assert half.title == "basic on python/Walk"
    rltrain.resume(half, {"run.budget": {"episodes": 6}}, environment=Walk, picture=False)
    assert state_of(whole.folder) == state_of(half.folder)
    assert rltrain.evaluate(whole, 2, environment=Walk).environment == "python/Walk"
    assert rltrain.load(whole, environment=Walk).act([0.0, 0.0]) in (0, 1)
    settings = {**SMALL, "environment": {"kwargs": {"length": 3}}}

    def short(**kwargs):
        return Walk(**kwargs)

    assert rltrain.check(settings, environment=short).environment == "python/short"
    events = list(rltrain.stream(settings, environment=short, picture=False))
    assert events[-1].counters["env_steps"] == 18


def test_a_run_of_a_class_says_that_it_needs_it_and_takes_it_from_a_file(verb, place):
    with fresh():
        rltrain.train(SMALL, environment=walk_of(place), name="own", picture=False)
    with fresh(), pytest.raises(MissingError, match="handed over in a program; give `environment=Walk` there"):
        rltrain.evaluate("own", 1)
    code, _, err = verb("resume", "own", "-q", "run.budget.episodes=9")
    assert code == 4 and "give `environment=Walk` there, or --import the file that defines the class Walk" in err
    assert verb("resume", "own", "-q", "run.budget.episodes=9", "--import", "my_env.py")[0] == 0
    assert json.loads((place / "runs" / "own" / "run.json").read_text())["exact"] is True


def test_what_is_no_environment_or_not_of_the_run_is_refused(place):
    for wrong in (3, "my_env:Walk", walk_of(place)()):
        with pytest.raises(InputError, match=r"extends gymnasium\.Env, or a function"):
            rltrain.check(SMALL, environment=wrong)
    run = rltrain.train({**SMALL, "environment": "CartPole-v1"}, name="cart", picture=False)
    with pytest.raises(InputError, match="the run is on CartPole-v1, not on a class that a program handed over"):
        rltrain.resume(run, environment=walk_of(place))


def test_a_program_that_imported_a_package_itself_needs_nothing_more(place, monkeypatch):
    on_path(place)
    package_in(place, "imported_world", WALK + "gymnasium.register('Imported-v0', Walk)\n")
    importlib.import_module("imported_world")
    settings = {**SMALL, "environment": {"id": "Imported-v0", "needs": ["imported_world"]}}
    run = rltrain.train(settings, picture=False)
    assert json.loads((run.folder / "run.json").read_text())["imports"] == {"imported_world": {"version": "1.0"}}
    assert rltrain.evaluate(run, 1).environment == "Imported-v0"
