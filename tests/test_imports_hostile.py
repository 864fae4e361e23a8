"""Files of a stranger that name code, in every place where a name could stand: none of it is ever executed."""

import importlib
import json
import shutil
import sys

import pytest
from in_process import command
from own_world import CONFIG, WALK, fresh, package_in

TRAP = "from pathlib import Path\nPath({!r}).write_text('executed')\n"
VERBS = (["resume", "sent"], ["eval", "sent"], ["watch", "sent", "-o", "a.gif"], ["resume", "sent", "--fork", "new"])


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A project's folder as it was sent, with code that would tell if it were run; and the same as a package."""
    home = tmp_path / "project"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    trap = TRAP.format(str(tmp_path / "canary"))
    (tmp_path / "trap_module").mkdir()
    package_in(tmp_path / "trap_module", "trap_module", trap + WALK)
    for name in ("my_env.py", "sitecustomize.py", "conftest.py"):
        (home / name).write_text(trap + WALK)
    (home / "c.yaml").write_text(CONFIG)
    with fresh():
        sys.path.insert(0, str(tmp_path / "trap_module"))
        importlib.invalidate_caches()
        yield home
    assert not (tmp_path / "canary").exists(), "it was executed"


@pytest.fixture
def verb(place, capsys):
    def run(*words):
        with fresh():
            code, out, err = command(capsys)(*words)
        return code, out + err

    return run


@pytest.fixture
def sent(verb, place, tmp_path):
    """A run folder that somebody sent; what its run.json says of imports is to be written."""
    (tmp_path / "harmless").mkdir()
    (tmp_path / "harmless" / "my_env.py").write_text(WALK)
    assert verb("train", "c.yaml", "--name", "sent", "-q", "--import", str(tmp_path / "harmless" / "my_env.py"))[0] == 0
    shutil.rmtree(tmp_path / "harmless")
    shutil.copy(place / "my_env.py", place / "runs" / "sent" / "my_env.py")

    def write(imports):
        file = place / "runs" / "sent" / "run.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"imports": imports}))

    return write


@pytest.mark.parametrize("words", VERBS)
def test_a_run_folder_that_names_a_package_or_a_file_imports_nothing(sent, verb, place, words):
    inside = str(place / "runs" / "sent" / "my_env.py")
    for imports in (
        {"trap_module": {"version": "1.0"}},
        {"trap_module:run": {}},
        {"my_env.py": {"file": inside, "sha256": "0" * 64}},
        {"my_env.py": {"file": "/nowhere/my_env.py"}, "trap_module": {"beside": "my_env.py"}},
        {inside: {}},
        {"python/Walk": {}},
        {},
    ):
        sent(imports)
        code, said = verb(*words)
        assert code == 4 and "crashed" not in said
    assert not (place / "runs" / "new").exists()


@pytest.mark.parametrize("words", VERBS)
@pytest.mark.parametrize(
    "imports", [3, "trap_module", ["trap_module"], {"trap_module": 3}, {"a": {"file": 3}}, {"a": {"version": None}}]
)
def test_imports_of_another_form_are_as_good_as_none(sent, verb, imports, words):
    sent(imports)
    code, said = verb(*words)
    assert code == 4 and "my_env/Walk" in said


def test_names_in_a_run_folder_are_printed_without_control_sequences(sent, verb):
    sent({"\x1b]0;owned\x07": {"version": "\x1b[2J"}, "a\x1b.py": {"file": "/\x1b[31m/a\x1b.py"}})
    assert "\x1b" not in verb("eval", "sent")[1]


@pytest.mark.parametrize("name", ["trap_module", "trap_module:register_all", "./my_env.py", "my_env.py"])
def test_a_config_that_names_what_it_needs_imports_nothing(verb, place, name):
    (place / "c.yaml").write_text(CONFIG.replace("my_env/Walk", f"{{id: CartPole-v1, needs: ['{name}']}}"))
    for words in (["train", "c.yaml"], ["check", "c.yaml"], ["train", "c.yaml", "--seeds", "2"]):
        code, said = verb(*words)
        assert code == 4 and f"--import {name}" in said
    assert verb("train", "c.yaml", "--dry-run")[0] == 0
    assert verb("list", "--json")[0] == 0


@pytest.mark.parametrize(
    "env_id",
    [
        "my_env/Walk",
        "trap_module/Walk",
        "./my_env.py",
        "my_env.py",
        "../project/my_env",
        "trap_module",
        "trap_module.Walk",
        "python/Walk",
        "/etc/passwd",
        "__root__/Walk",
        "rltrain.environments/Walk",
    ],
)
def test_an_id_that_is_called_like_a_module_or_a_file_imports_nothing(verb, env_id):
    for words in (["train", "c.yaml", "--env", env_id], ["check", "c.yaml", f"environment.id={env_id}"]):
        code, said = verb(*words)
        assert code == 4 and "crashed" not in said
    assert verb("mdp", "solve", env_id)[0] in (2, 4)


@pytest.mark.parametrize("env_id", ["trap_module:Walk-v0", "my_env:Walk-v0", ":Walk-v0", "a:b:c"])
def test_an_id_with_a_colon_imports_nothing(verb, env_id):
    code, said = verb("train", "c.yaml", "--env", env_id)
    assert code == 2 and "it would import and run the module before the colon" in said


def test_settings_in_a_projects_folder_are_nobodys(verb, place):
    text = f"trusted: {{modules: [trap_module], files: {{{place / 'my_env.py'}: '{'0' * 64}'}}}}\n"
    for name in (
        "settings.yaml",
        "rltrain.yaml",
        ".rltrain.yaml",
        "rltrain/settings.yaml",
        ".config/rltrain/settings.yaml",
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    for env_id in ("my_env/Walk", "trap_module/Walk", "Nobody-v0"):
        assert verb("train", "c.yaml", "--env", env_id)[0] == 4
    assert verb("trust", "--list")[1].startswith("nothing is trusted")


def test_a_changed_trusted_file_is_not_run_as_a_last_resort_either(verb, place, tmp_path):
    (tmp_path / "good.py").write_text(WALK)
    assert verb("trust", str(tmp_path / "good.py"))[0] == 0
    shutil.copy(place / "my_env.py", tmp_path / "good.py")
    code, said = verb("check", "c.yaml", "environment.id=Nobody-v0")
    assert code == 4 and "was changed since you trusted it" in said
    code, said = verb("check", "c.yaml", "environment={id: CartPole-v1, needs: [good.py]}")
    assert code == 4 and "was changed since you trusted it" in said
