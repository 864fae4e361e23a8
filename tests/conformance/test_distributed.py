"""A run whose environments are played by actors, some of which are lost, equals one without: all algorithms that play.

Found by discovery; evaluations on; every sink. Compared is whatever lies in the run's folder, as `test_extended` does,
but for the setting that says so. The actors live in this process; `tests/run/test_actors.py` has those of Ray.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from crew_in_process import InProcess
from out_of_tree import PLUGINS
from run_outcome import differences
from small_runs import BUDGETS, CASES, PARTS, counters_of, resume_to, run_to, text_of

from rltrain.envs.remote.player import Call
from rltrain.run import build

UNDIVIDED = "basic, vectorised"  # one vector with one random stream
PLAYED = [case for case, (name, *_) in PARTS.items() if PLUGINS[name].task == "env" and case != UNDIVIDED]
ACTORS = "run.distribute.actors=2"


BRED = ("annealing", "cmaes", "openai_es", "search")  # their games are played as those of genetic


@pytest.fixture
def crews(monkeypatch: pytest.MonkeyPatch) -> list[InProcess]:
    """Those that runs are given, in place of Ray's; now and then a question finds its player gone."""
    made: list[InProcess] = []

    def lose(asked: int, call: Call) -> str:
        return {0: "before", 60: "after"}.get(asked % 150, "")

    def crew(actors: int) -> InProcess:
        made.append(InProcess(actors, lose))
        return made[-1]

    monkeypatch.setattr(build, "_crew", crew)
    return made


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow) if case in {*CASES, *BRED} else case for case in PLAYED]
)
def test_a_run_played_by_actors_equals_one_that_is_not(case: str, crews: list[InProcess], tmp_path: Path) -> None:
    text, counter = text_of(*PARTS[case]), counters_of(case)[0]
    limit = BUDGETS[counter]
    settings = [f"run.evaluate={{every: {{{counter}: {limit}}}, episodes: 2}}", "run.sinks=[tally]", "run.save.keep=1"]
    run_to(tmp_path / "alone", text, {counter: 2 * limit}, *settings)
    run_to(tmp_path / "actors", text, {counter: 2 * limit}, ACTORS, *settings)
    assert len(crews) == 1 and any(crews[0].start_of(number) > 1 for number in range(2)), "some were lost"
    assert differences(tmp_path / "alone", tmp_path / "actors") == ["settings"]
    run_to(tmp_path / "parts", text, {counter: limit}, ACTORS, *settings)
    resume_to(tmp_path / "parts", f"run.budget.{counter}={2 * limit}", "run.distribute=null")
    assert differences(tmp_path / "alone", tmp_path / "parts") == []
