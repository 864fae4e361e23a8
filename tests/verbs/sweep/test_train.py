"""A sweep is the same study whoever ends first, however many run at once, and whenever it is killed."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from paper_launcher import Killed, PaperLauncher

from rltrain.errors import CheckpointError, DiskError, InputError
from rltrain.experiment import sweep as sweeps
from rltrain.run.disk import RealDisk
from rltrain.run.lock import Lock, hold
from rltrain.verbs.sweep import folder as folders
from rltrain.verbs.sweep import room, train
from rltrain.verbs.sweep.journal import read
from rltrain.verbs.sweep.train import SweepTraining

BASE = """algorithm: qlearn
environment: FrozenLake-v1
run: {seed: 5, budget: {env_steps: 4_000}, evaluate: {every: {env_steps: 1_000}, episodes: 2}}
"""
HALVING = "sweep.halving={counter: env_steps, from: 1000, to: 9000, factor: 3}"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(train, "TICK_SECONDS", 0.0)


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """A new sweep in a folder of this name."""
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(BASE)

    def made(name, *overrides, search="tpe", trials=9, exact=True):
        space = "algorithm.learning_rate: {from: 1e-3, to: 1.0, log: true}, algorithm.gamma: [0.5, 0.9, 0.99]"
        text = f"sweep: {{config: small.yaml, search: {search}, trials: {trials}, at_once: 3}}\nspace: {{{space}}}"
        return folders.create(sweeps.loads(text, "s.yaml", overrides), Path("runs"), name, "rltrain sweep", exact)

    return made


def advance(home, launcher=None, jobs=2, stop_after=None, **more):
    """Bring a sweep to its end, or as far as it goes."""
    with Lock(home.folder):
        training = SweepTraining(home, launcher or PaperLauncher(), jobs, **more)
        try:
            for number, moment in enumerate(training.moments()):
                assert moment.told <= moment.trials and 0 <= moment.share <= 1
                if number == stop_after:
                    training.request_stop("SIGINT")
        finally:
            training.close()
    return training


def left(home):
    """All that a sweep leaves which is to be equal."""
    found = {"journal": (home.folder / "study.journal").read_bytes(), "table": (home.folder / "trials.csv").read_text()}
    return found | {
        str(path.relative_to(home.folder)): path.read_bytes() for path in home.folder.glob("t*/s*/eval.jsonl")
    }


def killed_and_resumed(home, **how):
    """A sweep that is killed at every poll of a run, one after another, until it comes to its end."""
    polls, ran = 1, []
    while True:
        launcher = PaperLauncher(lot=polls, killed_at=polls, **how)
        try:
            training = advance(folders.read(home.folder), launcher)
        except Killed:
            polls = polls % 5 + 1
            ran += launcher.ran
            continue
        assert training.finished
        return ran + launcher.ran


@pytest.mark.parametrize(
    ("search", "settings"),
    [("tpe", ()), ("tpe", (HALVING,)), ("random", ("sweep.seeds=2",))],
    ids=["plain", "halving", "seeds"],
)
def test_the_study_does_not_depend_on_who_ends_first_or_on_how_many_run_at_once(begin, search, settings):
    found = []
    for number, jobs in enumerate((1, 2, 4)):
        home = begin(f"a{number}", *settings, search=search)
        assert advance(home, PaperLauncher(lot=number), jobs).finished
        found.append(left(home))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    "settings",
    [pytest.param((), marks=pytest.mark.slow), (HALVING,), ("sweep.seeds=2",)],
    ids=["plain", "halving", "seeds"],
)
def test_a_sweep_that_is_killed_again_and_again_is_the_same_study_and_no_run_is_run_twice(begin, settings):
    whole, other = begin("whole", *settings), begin("other", *settings)
    launcher = PaperLauncher(diverges=_steep)
    advance(whole, launcher)
    ran = killed_and_resumed(other, diverges=_steep)
    assert left(other) == left(whole)
    assert sorted(ran) == sorted(launcher.ran)


@pytest.mark.parametrize(
    "settings", [(), pytest.param(("sweep.seeds=2",), marks=pytest.mark.slow)], ids=["plain", "seeds"]
)
def test_a_journal_that_was_cut_anywhere_is_completed_to_the_byte_and_nothing_runs(begin, settings):
    home = begin("a", *settings, trials=6)
    advance(home, PaperLauncher(diverges=_steep))
    whole = left(home)
    lines = whole["journal"].splitlines(keepends=True)
    for count in range(len(lines)):
        (home.folder / "study.journal").write_bytes(b"".join(lines[:count]) + lines[count][: len(lines[count]) // 2])
        launcher = PaperLauncher()
        advance(home, launcher)
        assert (launcher.ran, left(home)) == ([], whole), count


def test_more_trials_leave_the_first_ones_alone_and_equal_a_sweep_that_had_them_from_the_start(begin):
    short, long = begin("short", trials=9), begin("long", trials=15)
    advance(short)
    advance(long)
    before = left(short)
    launcher = PaperLauncher(3)
    advance(folders.gone_on_with(folders.read(short.folder), ["sweep.trials=15"]), launcher)
    assert left(short) == left(long)
    assert left(short)["journal"].startswith(before["journal"])
    assert not [line for line in launcher.ran if line < "t0009"]


def test_trials_that_come_after_a_halving_are_a_bracket_of_their_own(begin):
    home = begin("a", HALVING, trials=9)
    advance(home)
    before = left(home)["journal"]
    advance(folders.gone_on_with(folders.read(home.folder), ["sweep.trials=18"]))
    assert left(home)["journal"].startswith(before)
    study, _ = read(home.folder / "study.journal", home.sweep.space)
    assert [sum(len(trial.tells) > rung for trial in study.trials) for rung in range(3)] == [18, 6, 2]
    assert [trial.state for trial in study.trials].count("complete") == 2


def test_of_a_halving_the_best_third_goes_on_each_time_and_losers_stay_where_they_are(begin):
    home = begin("a", HALVING, trials=9)
    launcher = PaperLauncher()
    advance(home, launcher)
    study, _ = read(home.folder / "study.journal", home.sweep.space)
    by_score = sorted(study.trials, key=lambda trial: -trial.tells[0].score)
    assert {trial.number for trial in by_score[:3]} == {t.number for t in study.trials if len(t.tells) >= 2}
    assert [len(trial.tells) for trial in study.trials].count(3) == 1
    steps = {
        trial.number: (home.trial(trial.number) / "s5/eval.jsonl").read_text().count("\n") for trial in study.trials
    }
    assert all(steps[trial.number] == (1, 3, 9)[len(trial.tells) - 1] for trial in study.trials)
    assert sum("resume" in line for line in launcher.ran) == 4


def _steep(experiment):
    return experiment.algorithm.model_dump()["learning_rate"] > 0.3


def test_a_trial_that_diverges_is_told_as_the_worst_so_far_and_is_not_run_again(begin):
    home = begin("a", search="random", trials=12)
    advance(home, PaperLauncher(diverges=_steep))
    study, _ = read(home.folder / "study.journal", home.sweep.space)
    assert 1 <= sum(trial.tells[0].diverged for trial in study.trials) < 12
    for trial in study.trials:
        if trial.tells[0].diverged:
            batch = trial.number // 3 * 3 + 3
            known = [t.score for t in study.trials[:batch] if not t.tells[0].diverged]
            assert trial.score == (min(known) if known else None)
            assert trial.state == ("complete" if known else "fail")
    assert "diverged" in left(home)["table"]


def test_another_fault_stops_after_the_batch_and_the_sweep_goes_on_when_it_is_mended(begin):
    home, whole = begin("a", trials=12), begin("whole", trials=12)
    advance(whole)
    launcher = PaperLauncher(fails=lambda job: 8 if job.group.folder.name == "t0004" else 0)
    training = advance(home, launcher)
    assert (training.fault.run, training.fault.code) == ("t0004/s5", 8)
    assert not training.finished
    assert sorted(line[:5] for line in launcher.ran) == [f"t000{n}" for n in range(6)]
    again = PaperLauncher(1)
    assert advance(folders.read(home.folder), again).finished
    assert sorted(line[:5] for line in again.ran) == ["t0004", *(f"t{n:04d}" for n in range(6, 12))]
    assert left(home) == left(whole)


def test_a_stop_leaves_a_sweep_that_goes_on(begin):
    home, whole = begin("a", trials=12), begin("whole", trials=12)
    advance(whole)
    training = advance(home, stop_after=7)
    assert training.stop == "SIGINT" and not training.finished
    advance(folders.read(home.folder))
    assert left(home) == left(whole)


def test_async_trials_are_asked_as_others_end_and_the_order_is_kept(begin):
    home = begin("a", trials=12, exact=False)
    launcher = PaperLauncher(2)
    assert advance(home, launcher, jobs=3).finished
    study, _ = read(home.folder / "study.journal", home.sweep.space)
    assert sorted(study.order) == list(range(12))
    assert [trial.state for trial in study.trials] == ["complete"] * 12
    other = begin("b", trials=12, exact=False)
    ran = killed_and_resumed(other)
    assert len(ran) == 12
    assert '"exact": false' in (home.folder / "sweep.json").read_text()


def test_async_halving_comes_to_its_end(begin):
    home = begin("a", HALVING, trials=9, exact=False)
    assert advance(home, jobs=3).finished


@pytest.mark.parametrize("settings", [pytest.param((), marks=pytest.mark.slow), (HALVING,)], ids=["plain", "halving"])
def test_whenever_the_disk_is_full_it_is_one_error_and_the_sweep_goes_on_to_the_byte(begin, monkeypatch, settings):
    whole = begin("whole", *settings)
    launcher = PaperLauncher()
    advance(whole, launcher)
    write, room, ran = RealDisk.write, [0], []

    def filling(disk, descriptor, data):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(disk, descriptor, data[: max(1, len(data) // 2)] if room[0] == 0 else data)  # the last half of it

    home, fulls = begin("full", *settings), 0
    monkeypatch.setattr(RealDisk, "write", filling)
    while True:
        room[0] = fulls % 7 + 2
        again = PaperLauncher(fulls)
        try:
            assert advance(folders.read(home.folder), again).finished
            break
        except DiskError as error:
            assert "No space left on device; free some space" in str(error) and "\n" not in str(error)
        finally:
            ran += again.ran
        fulls += 1
    assert fulls > 9
    assert left(home) == left(whole) and sorted(ran) == sorted(launcher.ran)


def test_a_sweep_that_finds_no_room_to_begin_leaves_its_name_free(begin, monkeypatch):
    write, room = RealDisk.write, [0]

    def filling(disk, descriptor, data):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(disk, descriptor, data)

    monkeypatch.setattr(RealDisk, "write", filling)
    for count in range(3):  # base.yaml, sweep.yaml, sweep.json
        room[0] = count
        with pytest.raises(DiskError, match="No space left on device"):
            begin("a")
        assert not Path("runs/a").exists()
    room[0] = 3
    assert begin("a").folder == Path("runs/a")


def test_what_a_sweep_is_cannot_change_and_what_would_is_named(begin):
    home = begin("a", trials=12)
    for override, named in [
        ("sweep.search=gp", "sweep.search: 'tpe' -> 'gp'"),
        ("sweep.at_once=2", "sweep.at_once: 3 -> 2"),
        ("sweep.trials=11", "sweep.trials: 12 -> 11"),
        ("space.algorithm.gamma=[0.5]", "space.algorithm.gamma"),
        ("run.budget.env_steps=9000", "run.budget.env_steps: 4000 -> 9000"),
    ]:
        with pytest.raises(InputError) as caught:
            folders.gone_on_with(home, [override])
        assert named in str(caught.value)
    assert folders.gone_on_with(home, ["sweep.trials=12"]) is home


def test_a_trial_whose_folder_says_something_else_is_refused(begin):
    home = begin("a")
    advance(home, stop_after=2)
    path = home.folder / "t0001/experiment.yaml"
    path.write_text(path.read_text().replace("learning_rate: ", "learning_rate: 0.5 #"))
    (home.folder / "study.journal").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"t0001/experiment\.yaml: algorithm\.learning_rate is 0\.5"):
        advance(folders.read(home.folder))


def test_a_trial_whose_folder_is_gone_runs_anew(begin):
    home, whole = begin("a"), begin("whole")
    advance(whole)
    advance(home, stop_after=6)
    for path in home.folder.glob("t0*"):
        if path.name in ("t0001", "t0002"):
            shutil.rmtree(path)
    advance(folders.read(home.folder))
    assert left(home)["journal"] == left(whole)["journal"]


def test_a_name_that_is_taken_is_refused_with_how_to_go_on(begin):
    begin("lr")
    with pytest.raises(InputError, match="rltrain sweep resume runs/lr"):
        begin("lr")


def test_the_largest_setting_that_is_tried_says_how_many_runs_find_room(begin, monkeypatch):
    asked = []

    def jobs_for(experiment, runs, jobs, resumed):
        asked.append((experiment.environment.num_envs, runs))
        return 4 // experiment.environment.num_envs

    monkeypatch.setattr(room.asked, "jobs_for", jobs_for)
    sweep = begin("a", "space={environment.num_envs: [1, 2, 4], run.threads: [1, 2]}", "sweep.seeds=2").sweep
    assert room.jobs_for(sweep, None) == 1
    assert asked == [(1, 6), (1, 6), (2, 6), (4, 6)]


def test_a_folder_in_which_a_sweep_was_about_to_begin_is_taken_over(begin):
    folder = begin("lr").folder
    (folder / "sweep.json").unlink()
    assert begin("lr").folder == folder
    assert advance(folders.read(folder)).finished


def test_of_runs_that_outlive_their_sweep_a_stop_leaves_all_at_work(begin):
    home, launcher = begin("a"), PaperLauncher()
    launcher.outlives = True
    training = advance(home, launcher, stop_after=1)
    assert training.stop == "SIGINT"
    assert all(run.poll() != 143 for run in launcher.started)


def test_what_a_killed_sweep_left_is_waited_for_even_before_it_has_made_its_run(begin):
    home = begin("s", trials=1)
    trial = home.trial(0)
    advance(home, stop_after=0)
    trial.mkdir(exist_ok=True)
    (trial / "s5.log").touch()
    assert not (trial / "s5").exists()
    orphan = hold(trial / "s5.log")
    with Lock(home.folder):
        training = SweepTraining(home, launcher := PaperLauncher(), 1)
        with closing(training):
            moments = training.moments()
            assert next(moments).note == f"waiting for the process that works in {trial / 's5'}"
            assert not launcher.started
            os.close(orphan)
            for _ in moments:
                pass
    assert training.finished and launcher.ran == ["t0000/s5 train"]


@pytest.mark.parametrize("halving", [[], [HALVING]])
def test_a_run_that_its_user_resumed_further_before_it_was_scored_changes_no_score(begin, halving):
    whole, touched = begin("whole", *halving), begin("touched", *halving)
    advance(whole)
    advance(touched)
    lines = (touched.folder / "study.journal").read_bytes().splitlines(keepends=True)
    (touched.folder / "study.journal").write_bytes(b"".join(lines[:5]))  # asked, and told nothing
    for rows in touched.folder.glob("t*/s5/eval.jsonl"):
        with rows.open("a") as file:
            file.write('{"env_steps": 50000, "mean": 77.0}\n')
    assert advance(touched).finished
    assert (touched.folder / "study.journal").read_bytes() == (whole.folder / "study.journal").read_bytes()


def test_a_link_in_place_of_a_trial_is_refused_and_nothing_is_run_where_it_leads(begin, tmp_path):
    home = begin("s", trials=2)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    home.trial(1).symlink_to(elsewhere)
    launcher = PaperLauncher()
    with pytest.raises(CheckpointError, match="t0001 is a symbolic link"):
        advance(home, launcher)
    assert not launcher.ran and not list(elsewhere.iterdir())
