"""The home of runs of several seeds: what is in it, how it is found, and what is not believed."""

import json

import pytest

from rltrain.errors import CheckpointError, InputError
from rltrain.experiment import config
from rltrain.run import folder as folders
from rltrain.run import group as groups
from rltrain.run.lock import Lock

EXPERIMENT = config.loads("algorithm: basic\nenvironment: CartPole-v1\nrun: {budget: {episodes: 9}}\n", "c.yaml")


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def begin(group, seed, budget=9, state=None):
    """What a run's beginning leaves, and its end."""
    member = folders.create(group.folder, group.member(seed).name, "x")
    (member / folders.MARKER).write_text(
        EXPERIMENT.replace(f"run.seed={seed}", f"run.budget.episodes={budget}").to_yaml()
    )
    if state:
        (member / "status.json").write_text(json.dumps({"state": state}))
    return member


def test_a_group_is_found_by_name_and_path_and_a_run_is_none(runs):
    made = groups.create(EXPERIMENT, [3, 5], runs, None, "rltrain train c.yaml")
    assert made.folder == runs / "basic-CartPole-v1-1"
    member = begin(made, 3)
    assert groups.find(runs, made.folder.name) == groups.find(runs / "elsewhere", made.folder) == made
    assert groups.find(runs, f"{made.folder.name}/s3") is None and groups.find(runs, "nothing") is None
    assert folders.find(runs, f"{made.folder.name}/s3") == folders.find(runs, member) == member
    assert folders.names(runs) == ["basic-CartPole-v1-1/s3"]
    with pytest.raises(InputError, match=r"home of runs of several seeds; name one of them, such as .*-1/s3"):
        folders.find(runs, made.folder)
    with pytest.raises(InputError, match=r"did you mean basic-CartPole-v1-1/s3\?"):
        folders.find(runs, "basic-CartPole-v1-1/s4")


def test_a_run_that_lost_its_config_is_named_with_the_way_out_and_never_begun_again(runs):
    made = groups.create(EXPERIMENT, [3, 5], runs, "g", "")
    member = begin(made, 3)
    (member / "checkpoints" / "ckpt-000000000009").mkdir(parents=True)
    (member / folders.MARKER).unlink()
    for find in (groups.read, lambda _: folders.find(runs, "g/s3")):
        with pytest.raises(
            (CheckpointError, InputError), match=r"holds no config\.yaml; its checkpoints .* put .* back"
        ):
            find(made.folder)


def test_seeds_are_listed_as_a_person_counts(runs):
    made = groups.create(EXPERIMENT, [10, 9], runs, "g", "")
    for seed in made.seeds:
        begin(made, seed)
    assert folders.names(runs) == ["g/s9", "g/s10"]


def test_the_copied_config_is_the_experiment(runs):
    made = groups.create(EXPERIMENT, [0], runs, "g", "")
    assert made.experiment() == EXPERIMENT
    assert made.experiment(["run.budget.episodes=20"]).run.budget == {"episodes": 20}
    assert made.experiment().run.budget == {"episodes": 20}
    with pytest.raises(InputError, match="keeps its settings"):
        made.experiment(["algorithm.policy=angle"])


def test_a_run_is_finished_when_it_has_come_to_the_end_that_the_group_sets(runs):
    made = groups.create(EXPERIMENT, [0, 1, 2], runs, "g", "")
    begin(made, 0, state="finished")
    begin(made, 1, state="interrupted")
    assert [made.finished(seed, EXPERIMENT) for seed in made.seeds] == [True, False, False]
    longer = made.experiment(["run.budget.episodes=20"])
    assert not made.finished(0, longer)
    assert made.changes(0, longer) == ['run.budget={"episodes": 20}'] and made.changes(0, EXPERIMENT) == []
    config.load(made.member(0) / folders.MARKER, made.changes(0, longer))


def test_what_a_killed_beginning_left_is_removed_and_nothing_else(runs):
    made = groups.create(EXPERIMENT, [0, 1, 2, 3], runs, "g", "")
    begin(made, 0)
    for seed, file in ((1, "run.json"), (2, "my notes")):
        made.member(seed).mkdir()
        (made.member(seed) / file).write_text("")
        (made.member(seed) / ".lock").touch()
    assert [made.begun(seed) for seed in made.seeds] == [True, False, False, False]
    assert all(made.member(seed).exists() for seed in (0, 1, 2))  # to ask removes nothing
    for seed in made.seeds:
        made.clear(seed)
    assert [made.member(seed).exists() for seed in made.seeds] == [True, False, True, False]
    made.member(3).mkdir()
    with Lock(made.member(3)):
        made.clear(3)
        assert not made.begun(3) and made.member(3).exists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"seeds": []}', '{"seeds": [1, 1]}', '{"seeds": [-1]}', '{"seeds": [true]}', '{"seeds": 3}'],
)
def test_seeds_that_were_tampered_with_are_refused(runs, text):
    made = groups.create(EXPERIMENT, [0], runs, "g", "")
    (made.folder / folders.GROUP_MARKER).write_text(text)
    with pytest.raises(CheckpointError, match=r"seeds\.json: "):
        groups.find(runs, "g")


def test_results_are_kept(runs):
    made = groups.create(EXPERIMENT, [0], runs, "g", "rltrain train c.yaml --seeds 1")
    assert groups.results(made.folder) is None
    made.write_results({"measure": "evaluation"})
    assert groups.results(made.folder) == {"measure": "evaluation"}
    assert groups.read(made.folder) == made
