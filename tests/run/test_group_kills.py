"""A group of runs whose processes are killed at any moment: `rltrain resume` brings it to its end, and nothing differs.

A moment is the time before a call of the disk. The processes are forks of this one, in which the runs of a group go one
after the other; the group's own process and its runs' are one, so whatever is under way dies at once.
"""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from here import Here, killed_at, resume_group, work
from out_of_tree import visible
from run_outcome import differences

from rltrain.errors import CheckpointError, InputError
from rltrain.experiment import config
from rltrain.run import begin as beginnings
from rltrain.run import folder as folders
from rltrain.run import group as groups
from rltrain.verbs.seeds.train import SeedsTraining

SEEDS = (0, 1)
CONFIG = """\
algorithm: {name: basic, policy: angle}
environment: {id: CartPole-v1, num_envs: 2, max_episode_steps: 20}
run: {budget: {episodes: 3}, evaluate: {every: {episodes: 3}, episodes: 1}, sinks: [tally]}
"""
LONGER = "run.budget.episodes=7"


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    with visible():
        yield


def begin(runs: Path, *overrides: str) -> Path:
    """A group to its end."""
    experiment = config.loads(CONFIG, "c.yaml", overrides)
    group = groups.create(experiment, SEEDS, runs, "g", "rltrain train c.yaml --seeds 2")
    assert work(SeedsTraining(group, experiment, SEEDS, 2, Here())) == dict.fromkeys(SEEDS, 0)
    return group.folder


def go_on(runs: Path) -> Path:
    """What is typed after a kill: `rltrain resume`, or `rltrain train` where there was no group yet."""
    folder = runs / "g"
    if not (folder / folders.GROUP_MARKER).is_file():
        return begin(runs)
    assert set(resume_group(folder).values()) <= {0}
    return folder


def assert_alike(whole: Path, group: Path) -> None:
    for seed in SEEDS:
        assert differences(whole / f"s{seed}", group / f"s{seed}") == []


def moments(place: Path, doing: Callable[[Path], object], before: Path | None, every: int) -> Iterator[Path]:
    """A folder of runs that was left by a kill at each `every`th moment; `before`: what it was when it was begun."""
    for call in range(0, 10_000, every):
        runs = place / f"at-{call}"
        if before is not None:
            shutil.copytree(before, runs)
        if not killed_at(call, partial(doing, runs)):
            assert call > 3 * every
            return
        yield runs
        shutil.rmtree(runs)


EVERY = [pytest.param(5, marks=pytest.mark.slow), 61]  # calls between two kills


@pytest.mark.parametrize("every", EVERY)
def test_a_group_that_is_killed_in_its_first_session(every, tmp_path):
    whole = begin(tmp_path / "whole")
    for runs in moments(tmp_path, begin, None, every):
        assert_alike(whole, go_on(runs))


@pytest.mark.parametrize("every", EVERY)
def test_a_group_that_is_killed_while_it_goes_on_with_a_larger_budget(every, tmp_path):
    short, long = begin(tmp_path / "short"), begin(tmp_path / "long", LONGER)
    for runs in moments(tmp_path, lambda runs: resume_group(runs / "g", LONGER), tmp_path / "short", every):
        group = go_on(runs)
        taken = config.load(group / groups.CONFIG).run.budget == config.load(long / groups.CONFIG).run.budget
        assert_alike(long if taken else short, group)


def test_a_seed_that_was_given_more_is_not_finished_before_its_first_step(tmp_path):
    group = groups.read(begin(tmp_path))
    beginnings.resume(group.member(0), [LONGER]).close()  # as a kill before the first step leaves it
    longer = group.experiment([LONGER])
    assert [group.finished(seed, longer) for seed in SEEDS] == [False, False]
    assert resume_group(group.folder) == {0: 0, 1: 0}
    assert all(group.finished(seed, longer) for seed in SEEDS)


def test_settings_that_were_written_for_the_group_reach_every_run_that_goes_on(tmp_path):
    """A process that is killed when it has changed experiment.yaml has told no run yet."""
    group = groups.read(begin(tmp_path))
    changed = group.experiment([LONGER, "run.sinks=[]", "run.evaluate.episodes=2", "run.max_wall=1h"])
    assert resume_group(group.folder) == {0: 0, 1: 0}
    for seed in SEEDS:
        assert config.load(group.member(seed) / folders.MARKER).run == changed.replace(f"run.seed={seed}").run


def test_a_sink_that_is_not_there_is_refused_before_the_group_is_changed(tmp_path):
    group = groups.read(begin(tmp_path))
    with pytest.raises(InputError, match=r"run\.sinks: "):
        resume_group(group.folder, "run.sinks=[nobody]", LONGER)
    assert group.experiment() == config.loads(CONFIG, "c.yaml")


@pytest.mark.parametrize("what", ["notes", "a run without its config", "a file"])
def test_what_is_in_the_way_of_a_seed_is_named_with_the_way_out(what, tmp_path):
    whole = begin(tmp_path / "whole")
    group = groups.read(begin(tmp_path / "g"))
    member = group.member(1)
    if what == "a run without its config":
        (member / folders.MARKER).unlink()
        shutil.rmtree(member / "checkpoints")
    else:
        shutil.rmtree(member)
        if what == "notes":
            member.mkdir()
        (member / "notes" if what == "notes" else member).touch()
    with pytest.raises(CheckpointError, match=r"s1 is in the way of seed 1: .* move it away: rltrain resume .*/g"):
        resume_group(group.folder)
    member.rename(tmp_path / "away")
    assert resume_group(group.folder) == {1: 0}
    assert_alike(whole, group.folder)


def test_a_seed_without_a_whole_checkpoint_begins_anew_once_it_is_moved_away(tmp_path):
    whole = begin(tmp_path / "whole", LONGER)
    group = groups.read(begin(tmp_path / "g"))
    for manifest in group.member(1).glob("checkpoints/*/MANIFEST.json"):
        manifest.write_text("{}")
    assert resume_group(group.folder, LONGER) == {0: 0, 1: CheckpointError.exit_code}
    group.member(1).rename(tmp_path / "away")
    assert resume_group(group.folder) == {1: 0}
    assert_alike(whole, group.folder)


@pytest.mark.parametrize("replace", [Path.mkdir, lambda log: log.symlink_to("elsewhere")])
def test_a_log_that_is_no_file_is_named_and_one_that_is_gone_is_written_anew(replace, tmp_path):
    group = groups.read(begin(tmp_path))
    group.log(0).unlink(missing_ok=True)
    replace(group.log(0))
    with pytest.raises(CheckpointError, match=r"s0\.log is .*; remove it, or put a copy"):
        resume_group(group.folder, LONGER)
    group.log(0).rename(tmp_path / "away")
    assert resume_group(group.folder, LONGER) == {0: 0, 1: 0}


def test_a_lost_config_of_a_group_is_copied_from_a_run_as_it_is_told(tmp_path):
    group = groups.read(begin(tmp_path))
    group.config.unlink()
    with pytest.raises(CheckpointError, match=r"experiment\.yaml is gone.*: cp (\S+) (\S+)$") as told:
        resume_group(group.folder, LONGER)
    shutil.copy(*str(told.value).split()[-2:])
    assert resume_group(group.folder, LONGER) == {0: 0, 1: 0}


def test_a_lost_list_of_seeds_is_told_as_it_must_be_written(tmp_path):
    folder = begin(tmp_path)
    (folder / folders.GROUP_MARKER).unlink()
    with pytest.raises(InputError, match=r"write it anew: (\{.*\})$") as told:
        folders.find(tmp_path, "g")
    (folder / folders.GROUP_MARKER).write_text(str(told.value).split("anew: ")[1])
    assert resume_group(folder, LONGER) == {0: 0, 1: 0}


def test_a_group_of_which_nothing_began_is_removed_but_nothing_of_anybody_else(tmp_path):
    group = groups.create(config.loads(CONFIG, "c.yaml"), SEEDS, tmp_path, "g", "")
    group.log(0).touch()
    (group.folder / "notes").touch()
    assert not group.remove() and group.log(0).exists()
    (group.folder / "notes").unlink()
    assert group.remove() and not group.folder.exists()
