"""A run folder from a stranger, every hash of it right: no verb crashes, each says which file and key is at fault."""

import subprocess

import numpy as np
import pytest
from built import app
from forked import Forked

from rltrain.cli.errors import exit_code_of
from rltrain.mdp.files import BOOK
from rltrain.run import reading, state_codec
from rltrain.run.disk import REAL, entry
from rltrain.run.manifest import FILES

CONFIGS = {
    "table": f"""\
algorithm: {{name: qlearn, report_every: 1000}}
environment: {{id: {BOOK}, max_episode_steps: 50}}
run: {{budget: {{env_steps: 4000}}, evaluate: {{every: {{env_steps: 4000}}, episodes: 1}}}}
""",
    "rule": """\
algorithm: {name: basic, policy: angle}
environment: CartPole-v1
run: {budget: {episodes: 3}}
""",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run of each config."""
    place = tmp_path_factory.mktemp("trained")
    for name, text in CONFIGS.items():
        (place / f"{name}.yaml").write_text(text)
        train = ["train", str(place / f"{name}.yaml"), "--name", name, "--runs-dir", str(place / "runs"), "--quiet"]
        assert exit_code_of(lambda train=train: app(train)) == 0
    return place / "runs"


@pytest.fixture
def runs(trained, tmp_path):
    """A copy of it, to be changed."""
    subprocess.run(["cp", "-r", trained, tmp_path / "runs"], check=True)
    return tmp_path / "runs"


def forge(run, change_state=lambda state: None, change_meta=lambda meta: None, keep=None):
    """Changes the newest checkpoint of a run and makes its hashes right; `keep` replaces the whole state."""
    home = run / "checkpoints" / reading.checkpoint_names(run / "checkpoints")[-1]
    manifest, state = reading.read(REAL, home, run / "chunks")
    meta = dict(manifest.meta)
    change_state(state), change_meta(meta)
    text, arrays, _ = state_codec.split(state)
    contents = dict(zip(FILES, (text if keep is None else keep, arrays), strict=True))
    for file, data in contents.items():
        (home / file).write_bytes(data)
    files = {file: entry(data) for file, data in contents.items()}
    forged = type(manifest)(manifest.step, meta, manifest.versions, files, manifest.blobs)
    (home / "MANIFEST.json").write_bytes(forged.to_bytes())
    return home


def rltrain(capsys, runs, *arguments):
    code = exit_code_of(lambda: app([*arguments, "--runs-dir", str(runs)]))
    return code, capsys.readouterr().err


@pytest.mark.parametrize("number", [5, 2**40])
def test_a_state_that_the_model_lacks_never_reaches_compiled_code(runs, number, tmp_path):
    home = forge(runs / "table", lambda state: state["algorithm"]["world"]["state"].fill(number))
    command = ("resume", "table", "run.budget.env_steps=9000", "--runs-dir", str(runs))
    code, said = Forked(*command, cwd=tmp_path).end()  # in a process of its own: it would die
    assert code == 3, said
    assert f"{home.name}/arrays.safetensors: algorithm/world/state: {number} at [0]; must be from 0 to 2" in said


READERS = {  # verbs that load a state
    "resume": ("resume", "table", "run.budget.env_steps=9000", "--quiet"),
    "eval": ("eval", "table", "-n", "1", "--json", "--last"),
    "watch": ("watch", "table", "--last"),
}
STATES = {
    "no algorithm": lambda state: state.pop("algorithm"),
    "an algorithm that is a list": lambda state: state.update(algorithm=[1]),
    "an algorithm that is null": lambda state: state.update(algorithm=None),
    "a table that is a number": lambda state: state["algorithm"]["agent"].update(q=1.0),
    "a table of another shape": lambda state: state["algorithm"]["agent"].update(q=np.zeros((1, 3))),
    "a table of another dtype": lambda state: state["algorithm"]["agent"].update(q=np.zeros((1, 7), np.int8)),
    "a policy without its pairs": lambda state: (state["algorithm"]["policy"].pop("pairs"), state["rng"].clear()),
    "a policy of actions that are none": lambda state: (
        state["algorithm"]["policy"]["choice"].fill(9),
        state["algorithm"].update(env_steps=-1),
    ),
}


@pytest.mark.parametrize("verb", READERS)
@pytest.mark.parametrize("what", STATES)
def test_a_state_that_is_none_is_the_checkpoints_fault(runs, verb, what, capsys):
    home = forge(runs / "table", STATES[what])
    code, err = rltrain(capsys, runs, *READERS[verb])
    assert code == 3, err
    assert f"{home.name}/" in err and ("algorithm" in err or "rng/" in err)
    assert len(err.strip().splitlines()) == 1


METAS = {
    "eval": {
        "no counters": lambda meta: meta.pop("counters"),
        "counters that are a list": lambda meta: meta.update(counters=[1]),
        "a counter that is a text": lambda meta: meta.update(counters={"env_steps": "many"}),
        "no algorithm": lambda meta: meta.pop("algorithm"),
        "an algorithm that is a list": lambda meta: meta.update(algorithm=[]),
    },
    "resume": {
        "no time": lambda meta: meta.pop("elapsed_seconds"),
        "a time that is a text": lambda meta: meta.update(elapsed_seconds="long"),
        "saves that took no time": lambda meta: meta.update(save_seconds=None),
        "a time without end": lambda meta: meta.update(elapsed_seconds=float("inf")),
    },
}


@pytest.mark.parametrize(("verb", "what"), [(verb, what) for verb, metas in METAS.items() for what in metas])
def test_a_manifest_that_says_nonsense_is_the_checkpoints_fault(runs, verb, what, capsys):
    home = forge(runs / "table", change_meta=METAS[verb][what])
    code, err = rltrain(capsys, runs, *READERS[verb])
    assert code == 3, err
    assert f"{home.name}/MANIFEST.json: meta/" in err


def of_run(**changes):
    return lambda state: state.update(changes)


WHOLE = {
    "sinks": of_run(sinks=[]),
    "no sink": of_run(sinks={}),
    "a size that is a text": lambda state: state["sinks"]["jsonl"].update(train="x"),
    "a size below 0": lambda state: state["sinks"]["jsonl"].update(train=-1),
    "a size in a list": lambda state: state["sinks"]["jsonl"]["train"].update(size=[1]),
    "a hash that is a number": lambda state: state["sinks"]["csv"]["train"].update(sha256=7),
    "a size beyond all": lambda state: state["sinks"]["csv"]["train"].update(size=2**70),
    "columns that are numbers": lambda state: state["sinks"]["csv"]["train"].update(columns=[1]),
    "a step that is none": lambda state: state["sinks"]["tensorboard"].update(step=None),
    "a best that is a number": of_run(best=4),
    "a best without a score": of_run(best={"step": 1}),
    "a best of text": of_run(best={"score": "high", "step": 1}),
    "a best of the future": of_run(best={"score": 1.0, "step": 2**70}),
    "an evaluation that is a list": of_run(last_evaluation=[]),
    "an evaluation without a mean": of_run(last_evaluation={"sd": 1.0}),
    "an evaluation of text": of_run(last_evaluation={"mean": "x"}),
    "due or not": of_run(evaluation_due=1),
    "no streams": of_run(rng={}),
    "streams of another kind": lambda state: state["rng"].update(numpy=[]),
    "a seed below 0": lambda state: state["rng"].update(seed=-1),
}


@pytest.mark.parametrize("what", WHOLE)
def test_what_a_run_remembers_is_checked(runs, what, capsys):
    home = forge(runs / "rule", WHOLE[what])
    code, err = rltrain(capsys, runs, "resume", "rule", "run.budget.episodes=5", "--quiet")
    assert code == 3, err
    assert f"{home.name}/state.json: " in err or "metrics" in err


@pytest.mark.parametrize("text", [b"[]", b"5", b"null", b'"x"', b"[" * 100_000, b""])
def test_a_state_that_is_no_mapping_is_damage(runs, text, capsys):
    home = forge(runs / "table", keep=text)
    for earlier in (runs / "table" / "checkpoints").iterdir():
        if earlier != home:
            subprocess.run(["rm", "-r", earlier], check=True)
    for verb in (*READERS.values(), ("check", "table")):
        code, err = rltrain(capsys, runs, *verb)
        assert code == 3, err


def test_verbs_that_read_no_state_go_on(runs, capsys):
    forge(runs / "table", lambda state: state.clear(), lambda meta: meta.clear())
    for verb in (("list",), ("plot", "table")):
        code, err = rltrain(capsys, runs, *verb)
        assert code == 0, err
