"""Configs: what is accepted, what is filled in, and that every mistake is named with its place, rule and right name."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rltrain import registry
from rltrain.errors import InputError
from rltrain.experiment import schema
from rltrain.experiment.config import Experiment, differences, is_safe, load, loads, parse_duration

TINY = '''"""A learner of no use, with a setting of every kind."""

from typing import Literal

from pydantic import BaseModel, Field, model_validator

from rltrain.core import AlgorithmPlugin
from rltrain.experiment.config import STRICT


class Line(BaseModel):
    model_config = STRICT
    start: float = Field(ge=0, alias="from", description="at the start")
    to: float = Field(ge=0, description="at the end")


class Config(BaseModel):
    """Settings."""

    model_config = STRICT
    learning_rate: float = Field(1e-3, gt=0, description="step size")
    gamma: float = Field(0.99, ge=0, le=1, description="discount")
    batch_size: int = Field(32, ge=1, le=4096, description="transitions of an update")
    hidden: tuple[int, ...] = Field((64, 64), max_length=4, description="widths")
    loss: Literal["mse", "huber"] = Field("mse", description="loss")
    double: bool = Field(False, description="double")
    epsilon: float | Line = Field(0.1, description="exploration")
    clip: Literal["none"] | float = Field("none", description="reward clip")

    @model_validator(mode="after")
    def _fits(self):
        if self.double and self.loss == "mse":
            raise ValueError("double needs loss: huber")
        return self


class Algorithm: ...


PLUGIN = AlgorithmPlugin(config=Config, make=Algorithm, budget={"env_steps": 5_000, "laps": 7}, num_envs=3)
'''
SMALL = "algorithm: tiny-for-test\nenvironment: CartPole-v1\n"
SAMPLE = """# every kind of line
algorithm:
  name: tiny-for-test
  learning_rate: 1e-3  # a number
  hidden: [32, 32]
  loss: "huber"
  epsilon: {from: 1, to: 0.05}
environment:
  id: ALE/MsPacman-v5
  num_envs: 8
  repeat_action_probability: 0.25
run:
  seed: 1
  budget:
    env_steps: 1_000_000
  evaluate:
    every: {env_steps: 1e5}
    protocol: sticky
  save: {keep: 3}
  device: cuda:0
  max_wall: 5h50m
"""


@pytest.fixture(scope="module", autouse=True)
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The algorithm `tiny-for-test`, registered as another package would."""
    folder = tmp_path_factory.mktemp("package")
    (folder / "tiny_for_test.py").write_text(TINY)
    (folder / "tiny-1.0.dist-info").mkdir()
    (folder / "tiny-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    (folder / "tiny-1.0.dist-info" / "entry_points.txt").write_text(
        "[rltrain.algorithms]\ntiny-for-test = tiny_for_test:PLUGIN\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield


def refused(text: str, *overrides: str) -> list[str]:
    """The lines of the error."""
    with pytest.raises(InputError) as caught:
        loads(text, "x.yaml", overrides)
    return str(caught.value).splitlines()


def algorithm(experiment: Experiment) -> dict[str, Any]:
    return experiment.algorithm.model_dump()


def test_two_lines_are_a_config_and_the_rest_is_filled_in() -> None:
    experiment = loads(SMALL, "x.yaml")
    assert experiment.algorithm_name == "tiny-for-test"
    assert algorithm(experiment)["hidden"] == (64, 64)
    assert (experiment.environment.id, experiment.environment.num_envs) == ("CartPole-v1", 3)
    assert experiment.run.budget == {"env_steps": 5000, "laps": 7}
    assert (experiment.run.seed, experiment.run.evaluate.every, experiment.run.evaluate.protocol) == (
        0,
        None,
        "training",
    )


def test_every_setting_arrives() -> None:
    experiment = loads(SAMPLE, "x.yaml")
    assert algorithm(experiment)["learning_rate"] == 0.001
    assert algorithm(experiment)["epsilon"] == {"start": 1.0, "to": 0.05}
    assert experiment.environment.repeat_action_probability == 0.25
    assert experiment.run.evaluate.every == {"env_steps": 100_000}
    assert (experiment.run.budget, experiment.run.save.keep) == ({"env_steps": 1_000_000}, 3)
    assert (experiment.run.evaluate.protocol, experiment.run.device) == ("sticky", "cuda:0")


def test_atari_is_evaluated_by_the_nature_protocol_unless_told_otherwise() -> None:
    assert loads(SMALL, "x", ["environment=ALE/Pong-v5"]).run.evaluate.protocol == "nature"
    book = loads(SMALL, "x", ["environment.id=ALE/Pong-v5", "environment.preprocessing=book"])
    assert book.run.evaluate.protocol == "training"  # the only one that goes with it


@pytest.mark.parametrize("text", [SMALL, SAMPLE])
def test_the_resolved_yaml_is_the_same_experiment(text: str) -> None:
    experiment = loads(text, "x.yaml")
    again = loads(experiment.to_yaml(), "runs/x/config.yaml")
    assert again == experiment
    assert again.to_yaml() == experiment.to_yaml()


def test_strings_that_look_like_numbers_survive_the_round_trip() -> None:
    experiment = loads(SMALL, "x", ['environment.kwargs={a: "1e-3", b: 1.0, c: 1, d: true, e: "no", "f g": "é\\n"}'])
    assert experiment.environment.kwargs == {"a": "1e-3", "b": 1.0, "c": 1, "d": True, "e": "no", "f g": "é\n"}
    again = loads(experiment.to_yaml(), "x")
    assert repr(again.environment.kwargs) == repr(experiment.environment.kwargs)


ARGUMENTS = """{
  desc: [SFFF, FHFH, FFFH, HFFG], nothing: null, deep: {list: [1, 1.0, true, [a, {b: .inf}]], empty: {}, none: []},
  text: "no", big: 1e30, less: -.inf, odd: .nan
}"""


def test_arguments_of_an_environment_are_any_yaml() -> None:
    overrides = ["environment.kwargs.desc=[SG]", "environment.kwargs.deep.more=[null]"]
    experiment = loads(SMALL.replace("kwargs: {}", ""), "x", [f"environment.kwargs={ARGUMENTS}", *overrides])
    kwargs = experiment.environment.kwargs
    assert kwargs["desc"] == ["SG"] and kwargs["nothing"] is None
    assert kwargs["deep"] == {
        "list": [1, 1.0, True, ["a", {"b": float("inf")}]],
        "empty": {},
        "none": [],
        "more": [None],
    }
    again = loads(experiment.to_yaml(), "x")
    assert repr(again.environment.kwargs) == repr(kwargs)
    assert again.to_yaml() == experiment.to_yaml()
    assert differences(experiment, again) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{a: [1]}", "{a: [1, 2]}", [("environment.kwargs.a", [1], [1, 2])]),
        ("{a: 1}", "{a: true}", [("environment.kwargs.a", 1, True)]),
        ("{a: 1}", "{a: 1.0}", [("environment.kwargs.a", 1, 1.0)]),
        ("{b: 1, a: null}", "{b: 1}", [("environment.kwargs.a", "null", None)]),
        ("{a: {b: 1, c: 2}}", "{a: {b: 1, c: [x]}}", [("environment.kwargs.a.c", 2, ["x"])]),
    ],
)
def test_differences_tell_arguments_apart(old: str, new: str, told: list[tuple[str, object, object]]) -> None:
    before, after = (loads(SMALL, "x", [f"environment.kwargs={kwargs}"]) for kwargs in (old, new))
    assert repr(differences(before, after)) == repr(told)


def test_all_errors_are_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
algorithm: {name: tiny-for-test, learning_rte: 1e-3, gamma: 2}
environment:
  id: CartPole-v1
  num_envs: 0
  frame_skip: 3
run:
  sed: 3
  seed: abc
  seed: 4
  budget: {env_stps: 1_000_000}
  max_wall: 30
  evaluate: {episodes: 0}
  save: !!int 3
seed: 4
"""
    assert refused(text, "algorithm.batch_size=1.5", "foo") == [
        "x.yaml:1: algorithm.gamma: must be at most 1, got 2",
        "x.yaml:1: algorithm.learning_rte: unknown key; did you mean 'learning_rate'?",
        "x.yaml:4: environment.num_envs: must be at least 1, got 0",
        "x.yaml:5: environment.frame_skip: for Atari ids (ALE/…) only, and the id is 'CartPole-v1'; "
        "Gymnasium ids take id, num_envs, max_episode_steps, kwargs, action_masks, reseed_every, needs, wrappers",
        "x.yaml:7: run.sed: unknown key; did you mean 'seed'?",
        "x.yaml:9: run.seed: duplicate key; first given in line 8",
        "x.yaml:10: run.budget.env_stps: unknown counter; did you mean 'env_steps'?",
        "x.yaml:11: run.max_wall: expected a duration such as 50m, 5h50m or 90s, got 30",
        "x.yaml:12: run.evaluate.episodes: must be at least 1, got 0",
        "x.yaml:13: run.save: the tag 'tag:yaml.org,2002:int' is refused; write the plain value",
        "x.yaml:14: seed: unknown key; did you mean 'run.seed'?",
        "command line: algorithm.batch_size=1.5: expected a whole number, got 1.5",
        "command line: foo: expected key.sub=value",
    ]


@pytest.mark.parametrize(
    ("override", "rule"),
    [
        ("algorithm.learning_rate=0", "must be more than 0, got 0"),
        ("algorithm.learning_rate=.inf", "must be finite, got inf"),
        ("algorithm.learning_rate=.nan", "must be finite, got nan"),
        ("algorithm.learning_rate=true", "expected a number, got true"),
        ("algorithm.learning_rate=", "expected a number, got nothing"),
        ("algorithm.batch_size=true", "expected a whole number, got true"),
        ("algorithm.batch_size='32'", "expected a whole number, got '32'"),
        ("algorithm.batch_size=" + "9" * 30, "must be at most 4096, got " + "9" * 30),
        ("algorithm.double=yes", "expected true or false, got 'yes'; write true"),
        ("algorithm.loss=hubr", "expected 'mse' or 'huber', got 'hubr'; did you mean 'huber'?"),
        ("algorithm.hidden=64", "expected a list, got 64"),
        ("algorithm.hidden=[1, 2, 3, 4, 5]", "takes 4 entries at most, got a list"),
        ("algorithm.hidden=[1, a]", "algorithm.hidden[1]: expected a whole number, got 'a'"),
        ("algorithm.clip=nonne", "expected 'none' or a number, got 'nonne'; did you mean 'none'?"),
        ("algorithm.epsilon={from: 1}", "algorithm.epsilon.to: missing (at the end)"),
        ("algorithm.epsilon={from: -1, to: 0}", "algorithm.epsilon.from: must be at least 0, got -1"),
        ("algorithm.epsilon=[]", "expected a number or a block of settings, got a list"),
        ("algorithm=tiny-for-tst", "algorithm.name: unknown algorithm 'tiny-for-tst'; did you mean 'tiny-for-test'?"),
        ("algorithm.name=3", "unknown algorithm '3'"),
        ("algorithm.seed=1", "unknown key; did you mean 'run.seed'?"),
        ("environment=gym_x:Env-v0", "environment.id: an id with a colon is refused"),
        ("environment.id=../x y", "an id has only letters, digits and _ / . -, got '../x y'"),
        ("environment.id=3", "expected text, got 3"),
        ("environment.n_envs=2", "unknown key; did you mean 'environment.num_envs'?"),
        ("environment.kwargs=[1]", "expected a block of settings, got a list"),
        ("environment.kwargs.max_episode_steps=5", "environment.kwargs: max_episode_steps is no argument"),
        ("environment.kwargs.render_mode=human", "environment.kwargs: render_mode is not for a config"),
        ("run=3", "expected a block of settings, got 3"),
        ("run.seed=-1", "must be at least 0, got -1"),
        ("run.seed=1e-3", "expected a whole number, got 0.001"),
        ("run.budget={}", "needs 1 or more entries, got a block of settings"),
        ("run.budget=5", "expected a block of settings, got 5"),
        ("run.budget.steps=5", "unknown counter; did you mean 'env_steps'?"),
        ("run.budget.laps=0", "must be at least 1, got 0"),
        ("run.save.every.frames=5", "unknown counter; one of env_steps, episodes, laps, sweeps, updates"),
        ("run.evaluate.protocol=nature", "'nature' is for Atari ids (ALE/…) only; write training"),
        ("run.device=gpu", "expected auto, cpu, cuda or cuda:N, got 'gpu'"),
        ("run.max_wall=5 h", "expected a duration such as 50m, 5h50m or 90s, got '5 h'"),
        ("run.evalute.every.env_steps=5", "run.evalute: unknown key; did you mean 'evaluate'?"),
        ("n_timesteps=5", "unknown key; did you mean 'run.budget.env_steps'?"),
        ("learning_rate=5", "unknown key; did you mean 'algorithm.learning_rate'?"),
        ("rum.seed=5", "rum: unknown key; did you mean 'run'?"),
        ("environment.id.x=1", "environment.id is a value, not a block of settings"),
        ("run..seed=1", "expected key.sub=value"),
        ("=1", "expected key.sub=value"),
        (".".join("a" * 60) + "=1", "expected key.sub=value"),
        ("run.seed=[1", "not YAML"),
        ("run.seed=&a 1", "the anchor '&a' is refused"),
        ("run.device=\udcff", "not text: the character U+DCFF"),
    ],
)
def test_an_override_goes_through_the_same_check(override: str, rule: str) -> None:
    lines = refused(SMALL, override)
    assert len(lines) == 1
    assert lines[0].startswith(f"command line: {override}: {rule}".replace("\udcff", "\\udcff"))


def test_a_block_among_other_choices_is_judged_as_the_block_that_it_is() -> None:
    assert refused(SMALL + "run: {seed: 1}", "algorithm.epsilon={from: 1, too: 0}") == [
        "command line: algorithm.epsilon={from: 1, too: 0}: algorithm.epsilon.to: missing (at the end)",
        "command line: algorithm.epsilon={from: 1, too: 0}: algorithm.epsilon.too: unknown key; did you mean 'to'?",
    ]


def test_a_rule_between_settings_speaks_of_their_block() -> None:
    assert refused(SMALL, "algorithm.double=true") == ["x.yaml:1: algorithm: double needs loss: huber"]


def test_a_choice_is_named_with_the_nearest() -> None:
    assert refused(SMALL, "run.evaluate.protocol=natur") == [
        "command line: run.evaluate.protocol=natur: "
        "expected 'nature', 'sticky' or 'training', got 'natur'; did you mean 'nature'?"
    ]
    assert refused(SMALL, "run.evaluate.protocol=3") == [
        "command line: run.evaluate.protocol=3: expected 'nature', 'sticky' or 'training', got 3"
    ]


def test_the_file_and_an_override_get_the_same_rule() -> None:
    assert refused(SMALL + "run: {seed: x}\n") == ["x.yaml:3: run.seed: expected a whole number, got 'x'"]
    assert refused(SMALL, "run.seed=x") == ["command line: run.seed=x: expected a whole number, got 'x'"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "x.yaml:1: empty"),
        ("# nothing\n", "x.yaml:1: empty"),
        ("- algorithm", "x.yaml:1: expected the blocks algorithm, environment, run"),
        ("algorithm: {", "x.yaml:1: not YAML: "),
        ("environment: CartPole-v1", f"x.yaml:1: algorithm.name: missing; one of {', '.join(registry.names()[:1])}"),
        ("algorithm: tiny-for-test", "x.yaml:1: environment.id: missing (Gymnasium id, such as "),
        (SMALL + "environment: &e x", "x.yaml:3: environment: duplicate key; first given in line 2"),
    ],
)
def test_an_unusable_text_is_one_clear_line(text: str, line: str) -> None:
    assert refused(text)[0].startswith(line)


def test_a_hopeless_text_is_given_up_soon() -> None:
    unknown = "".join(f"key{i}: 1\n" for i in range(2_000))
    assert len(refused(f"{SMALL}run:\n  {unknown.replace(chr(10), chr(10) + '  ')}")) == 50


def test_overrides_add_to_blocks_and_the_last_one_wins() -> None:
    experiment = loads(SAMPLE, "x", ["run.budget.episodes=9", "run.seed=4", "run.seed=5", "algorithm.hidden=[]"])
    assert experiment.run.budget == {"env_steps": 1_000_000, "episodes": 9}
    assert (experiment.run.seed, algorithm(experiment)["hidden"]) == (5, ())
    assert loads(SMALL, "x", ["run.budget.env_steps=9", "environment.num_envs=1"]).run.budget == {"env_steps": 9}


def test_a_bare_word_for_a_block_keeps_the_settings_beside_it() -> None:
    experiment = loads(SAMPLE, "x", ["environment=ALE/Pong-v5", "algorithm=tiny-for-test"])
    assert (experiment.environment.id, experiment.environment.num_envs) == ("ALE/Pong-v5", 8)
    assert algorithm(experiment)["hidden"] == (32, 32)


def test_replace_is_an_override() -> None:
    experiment = loads(SAMPLE, "x.yaml")
    changed = experiment.replace("run.seed=9", "algorithm.loss=mse")
    assert differences(experiment, changed) == [("algorithm.loss", "huber", "mse"), ("run.seed", 1, 9)]
    assert differences(experiment, experiment) == []
    with pytest.raises(InputError, match="must be at least 0"):
        experiment.replace("run.seed=-1")


def test_differences_name_what_only_one_side_has() -> None:
    old = loads(SMALL, "x", ["run.budget.env_steps=5"])
    assert differences(old, old.replace("run.budget={episodes: 3}", "environment.kwargs.slippery=true")) == [
        ("environment.kwargs", {}, None),
        ("run.budget.env_steps", 5, None),
        ("environment.kwargs.slippery", None, True),
        ("run.budget.episodes", None, 3),
    ]


def test_only_what_does_not_touch_learning_may_change_on_resume() -> None:
    for key in (
        "run.budget.env_steps",
        "run.save.keep",
        "run.evaluate.every",
        "run.max_wall",
        "run.budget",
        "run.distribute.actors",
    ):
        assert is_safe(key)
    for key in ("run.seed", "algorithm.gamma", "environment.num_envs", "run.budgets", "run.device", "run.threads"):
        assert not is_safe(key)


@pytest.mark.parametrize(
    ("text", "seconds"), [("50m", 3000), ("5h50m", 21000), ("90s", 90), ("2h", 7200), ("1h1m1s", 3661)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "50 m", "1m1h", "-5m", "0s", "1.5h", "٥m", "5M"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert load(tmp_path / "a.yaml") == loads(SMALL, "x")
    assert load(str(tmp_path / "a.yaml"), ["run.seed=3"]).run.seed == 3


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "dqn_pacman.yaml").write_bytes(b"a: 1\nb: \xff")
    (tmp_path / "large.yaml").write_bytes(b"#" * 1_000_001)
    os.mkfifo(tmp_path / "fifo.yaml")
    cases = {
        "dqn_pacman.yaml": ":2: not UTF-8 text: the byte 0xff",
        "large.yaml": ": larger than 1,000,000 bytes",
        "fifo.yaml": ": a folder or device; a config is a file",
        ".": ": a folder or device; a config is a file",
        "dqn_pacmn.yml": f": no such file; did you mean '{tmp_path}/dqn_pacman.yaml'?",
        "dqn_pacman": f": no such file; did you mean '{tmp_path}/dqn_pacman.yaml'?",
        "x" * 300: ": cannot be read: File name too long",
        "zzzz\0": ": no such file",
        "\ud800": ": no such file",
    }
    for name, message in cases.items():
        with pytest.raises(InputError) as caught:
            load(tmp_path / name)
        assert str(caught.value).endswith(message)
        print(caught.value)  # never fails


def test_a_near_config_is_found_in_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs" / "book").mkdir(parents=True)
    (tmp_path / "configs" / "book" / "basic_cartpole.yaml").write_text(SMALL)
    with pytest.raises(InputError, match=r"did you mean 'configs/book/basic_cartpole\.yaml'"):
        load("basic_cartpol.yaml")


def test_the_schema_covers_every_block_and_setting() -> None:
    described = schema.schema()
    json.dumps(described, allow_nan=False)
    named, *choices = described["properties"]["algorithm"]["oneOf"]
    assert named["enum"] == registry.names()
    assert [choice["properties"]["name"]["const"] for choice in choices] == registry.names()
    tiny = choices[registry.names().index("tiny-for-test")]["properties"]
    assert tiny["gamma"] == {
        "type": "number", "minimum": 0, "maximum": 1, "default": 0.99, "description": "discount", "title": "Gamma"
    }  # fmt: skip
    assert tiny["name"]["description"] == "A learner of no use, with a setting of every kind."
    for block in ("EnvironmentConfig", "RunConfig", "EvaluateConfig", "SaveConfig"):
        definition = described["$defs"][block]
        assert definition["additionalProperties"] is False
        assert [key for key, setting in definition["properties"].items() if "description" not in setting] == []
    text = json.dumps(described)
    assert all(f'"{name}"' in text for name in ("environment", "run", "every", "frame_skip", "max_wall"))


def test_every_reference_in_the_schema_leads_somewhere() -> None:
    described = schema.schema()

    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
            node = list(node.values())
        if isinstance(node, list):
            for item in node:
                yield from references(item)

    found = {reference.removeprefix("#/$defs/") for reference in references(described)}
    assert "RunConfig" in found
    assert found <= set(described["$defs"])


PIECES = [
    "\t",
    "\x00",
    "\ud800",
    "\u2028",
    ": ",
    "- ",
    "? ",
    "&a ",
    "*a",
    "!!int ",
    "<<: ",
    "[",
    "{",
    "}",
    "'",
    '"',
    "|\n",
    "#",
    "%",
]
PIECES += [
    "---\n",
    "...\n",
    "~",
    "true",
    "1e400",
    "-1",
    "9" * 5000,
    ".nan",
    '"\\ud800"',
    '"\\UFFFFFFFF"',
    "\n",
    "  ",
    "[[[[" * 20,
]
PIECES += ["environment", "budget: ", "{env_steps: 1}", "every: {}", "null: null", "x:y", "é", "🎮", "\r", "\x85"]


def mutated(seed: int) -> str:
    """The sample after a few edits: pieces put in, lines dropped, doubled or moved sideways, characters changed."""
    draw = random.Random(seed)
    text = SAMPLE
    for _ in range(draw.randint(1, 6)):
        lines = text.splitlines(keepends=True) or [""]
        i, j = draw.randrange(len(lines)), draw.randrange(len(lines))
        at = draw.randrange(len(text) + 1)
        match draw.randrange(7):
            case 0:
                text = text[:at] + draw.choice(PIECES) + text[at:]
            case 1:
                text = text[:at] + text[at + draw.randint(1, 12) :]
            case 2:
                text = "".join(lines[:i] + lines[i + 1 :])
            case 3:
                text = "".join([*lines[:i], lines[j], *lines[i:]])
            case 4:
                lines[i] = draw.choice(
                    [" " + lines[i], lines[i].lstrip(), lines[i].replace(":", ": " + draw.choice(PIECES), 1)]
                )
                text = "".join(lines)
            case 5:
                key, colon, _ = lines[i].partition(":")
                lines[i] = f"{key}{colon} {draw.choice(PIECES)}\n"
                text = "".join(lines)
            case 6:
                text = text[:at] + chr(draw.choice([draw.randrange(128), draw.randrange(0x3000)])) + text[at + 1 :]
    return text


@given(st.integers(0, 2**32), st.lists(st.sampled_from([f"run.seed={piece}" for piece in PIECES] + PIECES), max_size=1))
@example(0, ["run=run"])
@settings(max_examples=examples(400), deadline=None)
def test_no_mutation_of_a_config_brings_out_anything_but_an_experiment_or_an_input_error(
    seed: int, overrides: list[str]
) -> None:
    try:
        experiment = loads(mutated(seed), "x.yaml", overrides)
    except InputError as error:
        assert str(error).encode()  # always printable
        assert all(line.startswith(("x.yaml:", "command line: ")) for line in str(error).split("\n"))
        assert "Input should" not in str(error)
    else:
        assert loads(experiment.to_yaml(), "x.yaml") == experiment


def test_the_mutations_bring_out_both() -> None:
    outcomes = set()
    for seed in range(60):
        try:
            outcomes.add(type(loads(mutated(seed), "x.yaml")))
        except InputError:
            outcomes.add(InputError)
    assert outcomes == {Experiment, InputError}


HALF = "discount: 0.5\nstates:\n  s: {stay: s reward 1, leave: t reward 3}\n  t: {back: s}\n"
DISCOUNTED = [name for name in registry.names() if "gamma" in registry.plugin(name).config.model_fields]


@pytest.mark.parametrize("name", DISCOUNTED)
def test_a_models_own_discount_is_the_default_of_every_algorithm(name: str, tmp_path: Path) -> None:
    from rltrain import envs
    from rltrain.core import Hardware
    from rltrain.rng import Streams
    from rltrain.run import build

    (tmp_path / "half.yaml").write_text(HALF)
    source = str(tmp_path / "c.yaml")
    text = f"algorithm: {name}\nenvironment: {{id: half.yaml, max_episode_steps: 9}}\n"
    found = loads(text, source)
    assert loads(found.to_yaml(), source) == found
    env = build.world(found)
    assert env.spec.discount == envs.describe(found.environment, task=found.task).discount == 0.5
    algorithm: Any = build.algorithm(found, found.algorithm, env, Streams(0), Hardware("cpu", 1))
    learned = algorithm.table.discount if found.task == "mdp" else found.to_dict()["algorithm"]["gamma"]
    assert learned == 0.5
    assert loads(text, source, ["algorithm.gamma=0.9"]).to_dict()["algorithm"]["gamma"] == 0.9
    (tmp_path / "half.yaml").write_text(HALF.replace("discount: 0.5", "name: none"))
    assert loads(text, source).to_dict()["algorithm"]["gamma"] in (0.99, None)  # the algorithm's own default


def test_a_discount_of_the_model_that_does_not_fit_the_settings_is_said(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("discount: 1\nstates:\n  s: {go: t reward 1}\n  t: terminal\n")
    with pytest.raises(InputError, match=r"gamma: left out, so it is the model's own discount, 1: gamma_final needs"):
        loads("algorithm: {name: dqn, gamma_final: 0.9}\nenvironment: one.yaml", str(tmp_path / "c.yaml"))


def test_a_run_that_was_made_before_a_setting_came_keeps_what_held_then(tmp_path: Path) -> None:
    """Masks were not looked at before `environment.action_masks`; who writes a config without it wants them."""
    written = tmp_path / "config.yaml"
    written.write_text(loads("algorithm: qlearn\nenvironment: Taxi-v4\n", "x.yaml").to_yaml())
    old = written.read_text().replace("  action_masks: true\n", "")
    assert old != written.read_text()
    assert load(written).environment.action_masks
    written.write_text(old)
    assert load(written).environment.action_masks  # no run's
    (tmp_path / "run.json").write_text("{}")
    assert not load(written).environment.action_masks
    assert load(written, ["environment.action_masks=true"]).environment.action_masks
    assert "action_masks" not in loads("algorithm: dqn\nenvironment: ALE/Pong-v5\n", "x.yaml").to_yaml()
