"""The tables of README.md and docs/ say what the code says: settings, defaults, configs, exit codes, protocols."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
import yaml
from pages import PAGES, ROOT, first_column, page, rows
from pydantic import BaseModel

from rltrain import errors, kinds, registry
from rltrain.cli import app
from rltrain.cli.signals import EXIT_CODES
from rltrain.core import EnvSpec
from rltrain.envs.products import combined
from rltrain.experiment import config
from rltrain.experiment.settings import (
    PROTOCOLS,
    DistributeConfig,
    EnvironmentConfig,
    EvaluateConfig,
    RunConfig,
    SaveConfig,
)
from rltrain.experiment.sweep_settings import HalvingConfig, SweepConfig
from rltrain.spaces import MultiDiscrete

COMMANDS, CONFIGS = page("docs/commands.md"), page("docs/configs.md")
ALGORITHMS, ENVIRONMENTS = page("docs/algorithms.md"), page("docs/environments.md")


def value(cell: str) -> Any:
    """What a cell such as `1,000`, `1e-4` or `[[32, 8, 4]]` says in Python, with tuples and None for none."""
    text = cell.strip("`")
    if text == "none":
        return None
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+", text):
        text = text.replace(",", "")
    return frozen(float(text) if re.fullmatch(r"-?[\d.]+e-?\d+", text) else yaml.safe_load(text))


def frozen(found: Any) -> Any:
    return tuple(map(frozen, found)) if isinstance(found, list | tuple) else found


def tables(owner: str) -> Iterator[list[str]]:
    """The rows of all tables under `<!-- settings: A, B -->` that name this owner."""
    for found in PAGES:
        for names, table in re.findall(r"^<!-- settings: (.*) -->\n((?:\|.*\n)+)", found.text, re.MULTILINE):
            if owner in names.split(", "):
                yield from rows(table)


def defaults(model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    return {f"{prefix}{key}": frozen(field.get_default()) for key, field in model.model_fields.items()}


def same(cell: str, default: Any) -> bool:
    return value(cell) == default or (cell == "none" and default == "none")


@pytest.mark.parametrize(
    "name", [name for name in registry.names() if registry.plugin(name).config.__module__[:7] == "rltrain"]
)
def test_every_setting_of_an_algorithm_is_in_a_table_with_its_default(name: str) -> None:
    found, known = list(tables(name)), defaults(registry.plugin(name).config)
    assert sorted(cells[0].strip("`") for cells in found) == sorted(known)
    for setting, default, _ in found:
        assert same(default, known[setting.strip("`")]), setting


def test_every_algorithm_is_in_the_table_with_its_budget_and_games() -> None:
    table = ALGORITHMS.text.split("\n\n")[1]
    found = {re.match(r"\[(\w+)\]", cells[0])[1]: cells[2:] for cells in rows(table)}  # type: ignore[index]
    for name in found:
        plugin = registry.plugin(name)
        ((counter, most),) = plugin.budget.items()
        assert found[name] == [f"{most:,} {counter}", str(plugin.num_envs)], name
    assert set(found) == set(registry.names())


def test_what_each_algorithm_can_learn_is_as_its_plugin_says() -> None:
    (table,) = re.findall(r"^<!-- what each can learn -->\n((?:\|.*\n)+)", ALGORITHMS.text, re.MULTILINE)
    found = {name: cells[1:] for cells in rows(table) for name in re.findall(r"`(\w+)`", cells[0])}
    pair = EnvSpec("Pair-v0", (2,), "float32", 1, MultiDiscrete((2, 3)), 1, 1, None, None)
    for name in registry.names():
        plugin = registry.plugin(name)
        pictures = "vectors, pictures" if plugin.images else "vectors"
        seen = {"mdp": "a known model", "tabular": "numbers of states"}.get(plugin.task, pictures)
        words = {"discrete": "one of some", "multi_discrete": "several choices", "continuous": "numbers"}
        acts = [words[form] for form in plugin.actions]
        if plugin.or_env:
            seen = "a known model, or what repeats itself"
        elif combined(plugin, pair) is not None or plugin.task == "tabular":  # `envs.gym.numbered` numbers them
            acts.append("several choices by combination")
        assert found[name] == [seen, ", ".join(acts)], name
    assert set(found) == set(registry.names())


def test_every_setting_of_an_environment_is_in_a_table_with_its_default() -> None:
    common = defaults(EnvironmentConfig, "environment.")
    del common["environment.id"]  # has none
    (atari,) = (kind for kind in kinds.all_kinds() if kind.title == "Atari")
    of_atari = defaults(atari.settings, "environment.")
    del of_atari["environment.id"]
    own = {key: default for key, default in of_atari.items() if key not in common or common[key] != default}
    for owner, known in (("environment", common), ("atari", own)):
        found = {cells[0].strip("`"): value(cells[1]) for cells in tables(owner)}
        assert found == known
    assert [kind for kind in kinds.all_kinds() if kind.settings not in (EnvironmentConfig, atari.settings)] == []


def test_every_setting_of_a_run_is_in_a_table_with_its_default() -> None:
    known = defaults(RunConfig, "run.") | defaults(EvaluateConfig, "run.evaluate.") | defaults(SaveConfig, "run.save.")
    known |= defaults(DistributeConfig, "run.distribute.") | {"run.distribute.actors": None}  # of null: none
    for block in ("run.evaluate", "run.save", "run.distribute"):
        del known[block]
    assert {cells[0].strip("`"): value(cells[1]) for cells in tables("run")} == known


def test_every_setting_of_a_sweep_is_in_a_table_with_its_default() -> None:
    fields = {
        f"{prefix}{field.alias or name}": field
        for prefix, model in (("sweep.", SweepConfig), ("sweep.halving.", HalvingConfig))
        for name, field in model.model_fields.items()
    }
    known = {name: "" if field.is_required() else field.default for name, field in fields.items()}
    found = {cells[0].strip("`"): cells[1] and value(cells[1]) for cells in tables("sweep")}
    assert found == known


def test_the_table_of_dqn_and_mnih_is_the_default_and_the_config() -> None:
    (table,) = re.findall(r"^<!-- dqn and (\S+) -->\n((?:\|.*\n)+)", ALGORITHMS.text, re.MULTILINE)
    written = yaml.safe_load((ROOT / table[0]).read_text(encoding="utf-8"))
    nature = config.load(ROOT / table[0]).to_dict()
    plain = config.loads("algorithm: dqn\nenvironment: ALE/MsPacman-v5", "").to_dict()
    known = {
        **defaults(registry.plugin("dqn").config, "algorithm."),
        **defaults(kinds.of("ALE/MsPacman-v5").settings, "environment."),
        **defaults(RunConfig, "run."),
    }
    for setting, default, in_config, _ in rows(table[1]):
        block, key = setting.strip("`").split(".")
        assert same(default, known[f"{block}.{key}"]), setting
        assert value(in_config) == frozen(nature[block][key]), setting
    different = {
        f"{block}.{key}"
        for block in written
        for key in written[block]
        if frozen(nature[block][key]) != frozen(plain[block][key]) and key != "evaluate"
    }
    assert {cells[0].strip("`") for cells in rows(table[1])} == different


def test_every_config_is_in_the_table() -> None:
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "configs").rglob("*.yaml")}
    assert set(first_column(CONFIGS.section("## The configs that are there"))) == files


def test_the_settings_that_may_change_on_a_resume_are_those_of_the_code() -> None:
    (sentence,) = re.findall(r"^Only (.*?) may change on a resume", COMMANDS.text, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`([a-z_.]+)`", sentence)) == set(config.SAFE_KEYS)


def test_the_exit_codes_are_those_of_the_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RltrainError)]
    codes = {0, 1, *EXIT_CODES.values(), *(kind.exit_code for kind in kinds)}
    assert [int(cell) for cell in first_column(COMMANDS.section("## Exit codes"))] == sorted(codes)
    of_mdp = [int(cell) for cell in first_column(page("docs/mdp.md").section("## Exit codes"))]
    assert of_mdp == sorted(of_mdp) and {0, 1, 2, 9} <= set(of_mdp) <= codes


def test_the_protocols_are_those_of_the_code() -> None:
    assert first_column(COMMANDS.section("## eval")) == list(PROTOCOLS)


def test_every_verb_has_a_section_with_an_example() -> None:
    verbs = {name for name, command in typer.main.get_command(app).commands.items() if not command.hidden}
    assert verbs == set(re.findall(r"^\| \[(\w+)\]\(#\w+\)", COMMANDS.text, re.MULTILINE))
    for verb in verbs:
        assert re.search(rf"^\$ rltrain {verb}\b", COMMANDS.section(f"## {verb}"), re.MULTILINE), verb


def test_the_number_of_games_is_right() -> None:
    said = {int(number) for found in PAGES for number in re.findall(r"\b(\d+) Atari games", found.text)}
    assert said == {sum(name.startswith("ALE/") for name in kinds.ids())}
