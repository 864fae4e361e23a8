"""A run that came to its end and goes on with a larger budget equals one that was given all of it at once.

So what is paused on the disk, such as the losers of a sweep, has lost nothing. Every algorithm in the registry, found
by discovery; evaluations on; every sink. Compared is whatever lies in the run's folder: logs and tables to the byte,
the newest checkpoint and the best, what TensorBoard shows. Only times and the budget itself may differ.

A budget is no multiple of what the algorithm does at once, of the evaluations' interval or of the saves'; or an
evaluation is due exactly at it.
"""

from pathlib import Path

import pytest
from out_of_tree import PLUGINS, visible
from run_outcome import differences
from small_runs import BUDGETS, CASES, PARTS, SLOW, counters_of, resume_to, run_to, text_of

from rltrain.experiment import config
from rltrain.run import begin, unverified
from rltrain.run.loop import Run
from rltrain.yaml_subset import flow

LEGS = 3
CARTPOLE = text_of("pqn", "", "CartPole-v1")


def settings_of(every: dict[str, int], saves: dict[str, int], *others: str) -> list[str]:
    return [
        f"run.evaluate.every={flow(every)}",
        "run.evaluate.episodes=2",
        f"run.save={{every: {flow(saves)}, keep: 1}}",
        "run.sinks=[tally]",
        *others,
    ]


def assert_alike(folder: Path) -> None:
    assert differences(folder / "whole", folder / "legs") == []


def given_more(case: str, counter: str, every: int, folder: Path) -> None:
    """In as many parts, and at once."""
    text, limit = text_of(*PARTS[case]), BUDGETS[counter]
    evaluated = {counter: every}
    run_to(folder / "whole", text, {counter: LEGS * limit}, *settings_of(evaluated, {counter: 10**9}))
    run_to(folder / "legs", text, {counter: limit}, *settings_of(evaluated, {counter: max(1, limit // 5)}))
    for leg in range(2, LEGS + 1):
        resume_to(folder / "legs", f"run.budget.{counter}={leg * limit}")
    assert_alike(folder)


# What these save shows in others: masks in test_actions.py, statistics in run/test_normalized.py.
ALIKE = {"annealing", "cmaes", "dqn, rounds of several steps", "openai_es", "pqn, masked", "pqn, normalised"}
ALIKE |= {"qlearn, sampled", "uct, games set back"}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow) if case in {*SLOW, *ALIKE} else case for case in PARTS]
)
def test_a_run_that_is_given_more_equals_one_that_had_it_at_once(case: str, tmp_path: Path) -> None:
    """An evaluation is due at a budget's end, but not in the cases with names of their own."""
    counter = counters_of(case)[0]
    limit = BUDGETS[counter]
    given_more(case, counter, 2 * limit // 3 if case in CASES else limit, tmp_path)


@pytest.mark.parametrize(
    "name",  # what each does at a limit of every counter: test_budget.py
    ["reinforce", *(pytest.param(name, marks=pytest.mark.slow) for name in PLUGINS if name != "reinforce")],
)
def test_a_run_is_given_more_by_any_counter(name: str, tmp_path: Path) -> None:
    for counter in counters_of(name)[1:]:
        (tmp_path / counter).mkdir()
        given_more(name, counter, 2 * BUDGETS[counter] // 3, tmp_path / counter)


@pytest.mark.parametrize(
    ("case", "interval"),
    [
        *(("dqn", 313), ("pqn", 100), ("basic", 313)),
        *(pytest.param(*other, marks=pytest.mark.slow) for other in (("dqn", 100), ("pqn", 313), ("basic", 100))),
    ],
)
def test_to_resume_a_run_at_its_end_changes_nothing(case: str, interval: int, tmp_path: Path) -> None:
    settings = settings_of({"env_steps": interval}, {"env_steps": 60})
    run_to(tmp_path / "whole", text_of(*PARTS[case]), {"env_steps": 313}, *settings)
    run_to(tmp_path / "legs", text_of(*PARTS[case]), {"env_steps": 313}, *settings)
    for _ in range(2):
        resume_to(tmp_path / "legs")
        assert_alike(tmp_path)


def test_the_best_checkpoint_is_found_where_the_counter_that_names_them_stands_still(tmp_path: Path) -> None:
    """They are named by episodes; evaluations, each better than the one before, and the pause come between two ends."""
    one = "{id: CartPole-v1, num_envs: 1, max_episode_steps: 500}"
    text = text_of("pqn", "learning_rate: 0.01, rollout_steps: 2, batch_size: 2", one)
    settings = [*settings_of({"env_steps": 4}, {"env_steps": 10**9}), "run.evaluate.episodes=3"]
    run_to(tmp_path / "whole", text, {"episodes": 10**6, "env_steps": 86}, *settings)
    run_to(tmp_path / "legs", text, {"episodes": 10**6, "env_steps": 74}, *settings)
    resume_to(tmp_path / "legs", "run.budget.env_steps=86")
    assert list((tmp_path / "whole/checkpoints").glob("ckpt-000000000003-*"))  # not the first of its name
    assert_alike(tmp_path)


def test_a_score_that_ends_a_run_at_its_budget_ends_the_longer_one_there_too_until_it_is_taken_away(
    tmp_path: Path,
) -> None:
    settings = settings_of({"env_steps": 150}, {"env_steps": 10**9})
    run_to(tmp_path / "whole", CARTPOLE, {"env_steps": 450}, *settings)
    run_to(tmp_path / "legs", CARTPOLE, {"env_steps": 150}, *settings, "run.evaluate.until=1")
    assert resume_to(tmp_path / "legs", "run.budget.env_steps=300").counters["env_steps"] < 153
    resume_to(tmp_path / "legs", "run.budget.env_steps=450", "run.evaluate.until=null")
    assert_alike(tmp_path)


def stopped_at(run: Run, kind: str, number: int) -> None:
    """To the end of a run that is asked to stop at an event of this kind."""
    for event in run.advance():
        number -= event.kind == kind
        if number == 0:
            run.request_stop("SIGTERM")
    run.close()


STOPPED = settings_of({"env_steps": 155}, {"env_steps": 70})


@pytest.fixture(scope="module")
def never_stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody stops, for who compares another with it."""
    with visible():
        folder = tmp_path_factory.mktemp("whole") / "whole"
        run_to(folder, CARTPOLE, {"env_steps": 620}, *STOPPED)
    return folder


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (kind, number) if number == 1 + at % 2 else pytest.param(kind, number, marks=pytest.mark.slow)
        for at, kind in enumerate(("step", "busy", "eval", "save"))
        for number in (1, 2, 3)
    ],
)
def test_a_run_that_is_stopped_at_any_event_and_then_given_more(
    kind: str, number: int, tmp_path: Path, never_stopped: Path
) -> None:
    settings = STOPPED
    budget = "run.budget={env_steps: 310}"
    run = begin.create(config.loads(CARTPOLE, "test.yaml", [budget, *settings]), tmp_path, "legs", "a test")
    stopped_at(run, kind, number)
    stopped_at(begin.resume(tmp_path / "legs"), kind, number)
    resume_to(tmp_path / "legs", "run.budget.env_steps=620")
    assert differences(never_stopped, tmp_path / "legs") == []


def test_the_checkpoint_of_an_evaluation_that_was_given_up_is_written_when_it_is_made(tmp_path: Path) -> None:
    settings = settings_of({"env_steps": 155}, {"env_steps": 10**9})
    run_to(tmp_path / "whole", CARTPOLE, {"env_steps": 300}, *settings)
    budget = "run.budget={env_steps: 155}"
    run = begin.create(config.loads(CARTPOLE, "test.yaml", [budget, *settings]), tmp_path, "legs", "a test")
    stopped_at(run, "busy", 1)
    resume_to(tmp_path / "legs", "run.budget.env_steps=300")
    assert_alike(tmp_path)


def test_a_run_is_not_finished_before_the_evaluation_at_its_end_was_made(tmp_path: Path) -> None:
    settings = settings_of({"env_steps": 155}, {"env_steps": 10**9})
    budget = "run.budget={env_steps: 155}"
    run = begin.create(config.loads(CARTPOLE, "test.yaml", [budget, *settings]), tmp_path, "legs", "a test")
    stopped_at(run, "busy", 1)
    assert not run.finished and unverified.status(tmp_path / "legs").state == "interrupted"
    resume_to(tmp_path / "legs")
    assert unverified.status(tmp_path / "legs").state == "finished"
    run_to(tmp_path / "whole", CARTPOLE, {"env_steps": 155}, *settings)
    assert_alike(tmp_path)
