"""The loop: the order of events, what stops it, what a full disk does, what a resume may change."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from rltrain.algos import basic
from rltrain.cli.resume import resume_run
from rltrain.core import Policy
from rltrain.errors import BusyError, CheckpointError, DiskError, InputError, MissingError
from rltrain.experiment import config
from rltrain.run import begin
from rltrain.run.loop import Run

BASIC = """
algorithm: {name: basic, policy: angle}
environment: {id: CartPole-v1, num_envs: 4}
run:
  budget: {episodes: 100}
  evaluate: {every: {episodes: 50}, episodes: 3}
  save: {every: {episodes: 30}}
"""


def create(folder: Path, *overrides: str, text: str = BASIC, name: str = "x") -> Run:
    return begin.create(config.loads(text, "test.yaml", overrides), folder, name, "a test")


def kinds_of(run: Run) -> list[str]:
    """What happens until the run returns. That something long begins ("busy") is only for the eye."""
    return [event.kind for event in run.advance() if event.kind != "busy"]


def status(run: Run) -> str:
    return str(json.loads((run.folder / "status.json").read_text())["state"])


def choose(monkeypatch: pytest.MonkeyPatch, choice: str) -> None:
    """Lets the algorithm leave its arithmetic to the machine, which makes this choice."""
    monkeypatch.setattr(basic, "PLUGIN", replace(basic.PLUGIN, chosen=lambda algorithm: {"precision": choice}))


def test_the_order_of_events(tmp_path: Path) -> None:
    run = create(tmp_path)
    kinds = kinds_of(run)
    run.close()
    assert kinds[:2] == ["step", "step"]  # there is nothing to save yet
    assert kinds[-2:] == ["save", "end"]
    counts = Counter(kinds)
    assert counts["eval"] == 2
    assert counts["save"] >= 3  # at 30, 60 and 90 games, and where an evaluation was the best
    for before, kind in pairwise(kinds):
        assert before == "step" or kind != "eval"  # an evaluation follows the step that made it due
    assert run.counters["episodes"] >= 100
    assert status(run) == "finished"
    rows = [json.loads(line) for line in (run.folder / "eval.jsonl").read_text().splitlines()]
    assert [row["episodes"] >= due for row, due in zip(rows, (50, 100), strict=True)] == [True, True]


def test_what_was_left_to_the_machine_is_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = json.loads((create(tmp_path).folder / "run.json").read_text())
    assert "chosen" not in plain
    choose(monkeypatch, "float32: a test")
    facts = json.loads((create(tmp_path, name="y").folder / "run.json").read_text())
    assert facts["chosen"] == {"precision": "float32: a test"}


def test_another_choice_on_a_resume_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, "bfloat16: a test")
    run = create(tmp_path)
    next(run.advance())
    run.close()
    for choice, expected in (
        ("bfloat16: another reason", []),
        ("float32: it is slow", ["bfloat16, and is float32: it is slow"]),
    ):
        choose(monkeypatch, choice)
        again = begin.resume(run.folder)
        texts = [event.text for event in again.advance() if event.kind == "warning"]
        again.close()
        assert texts == [f"precision was {text}" for text in expected]


def test_a_finished_run_resumed_does_nothing(tmp_path: Path) -> None:
    run = create(tmp_path)
    list(run.advance())
    run.close()
    before = (run.folder / "metrics.jsonl").read_bytes()
    again = begin.resume(run.folder)
    assert kinds_of(again) == ["end"]
    again.close()
    assert (run.folder / "metrics.jsonl").read_bytes() == before


def test_a_larger_budget_goes_on(tmp_path: Path) -> None:
    whole = create(tmp_path, "run.budget.episodes=160", name="whole")
    list(whole.advance())
    whole.close()
    run = create(tmp_path)
    list(run.advance())
    run.close()
    more = begin.resume(run.folder, ["run.budget.episodes=160"])
    list(more.advance())
    more.close()
    for name in ("metrics.jsonl", "eval.csv"):
        assert (more.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def test_the_wall_clock_stops_it(tmp_path: Path) -> None:
    run = create(tmp_path, "run.max_wall=1s", "run.budget.episodes=100000000")
    assert 0 < run.progress()["wall_seconds_left"] <= 1
    events = list(run.advance())
    assert run.progress()["wall_seconds_left"] == 0
    run.close()
    assert [event.kind for event in events[-2:]] == ["save", "end"]
    assert events[-1].text == "stopped by wall"
    assert status(run) == "interrupted"


def test_an_evaluation_that_a_stop_cuts_off_is_made_on_resume(tmp_path: Path) -> None:
    whole = create(tmp_path, name="whole")
    list(whole.advance())
    whole.close()

    run = create(tmp_path, name="cut")
    policy = run.algorithm.policy

    def stop_then_act() -> Policy:
        run.request_stop("SIGTERM")
        return policy()

    run.algorithm.policy = stop_then_act  # type: ignore[method-assign]
    kinds = kinds_of(run)
    run.close()
    assert "eval" not in kinds
    resumed = begin.resume(run.folder)
    kinds = kinds_of(resumed)
    resumed.close()
    assert kinds[0] == "eval"
    assert (run.folder / "eval.jsonl").read_bytes() == (whole.folder / "eval.jsonl").read_bytes()


def test_a_full_disk_is_a_warning_until_the_last_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = create(tmp_path)
    save, calls = run.checkpoints.save, []

    def sometimes(*arguments, **named):  # type: ignore[no-untyped-def]
        calls.append(1)
        if len(calls) <= 2:
            raise DiskError("no space left on device")
        return save(*arguments, **named)

    monkeypatch.setattr(run.checkpoints, "save", sometimes)
    events = list(run.advance())
    run.close()
    warnings = [event.text for event in events if event.kind == "warning"]
    assert len(warnings) == 2
    assert all("no space left" in text and "training goes on" in text for text in warnings)
    assert events[-2].kind == "save"


def test_the_last_save_frees_the_reserve_and_then_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = create(tmp_path)

    def never(*arguments, **named):  # type: ignore[no-untyped-def]
        raise DiskError("no space left on device")

    reserve = run.folder / ".ballast"
    assert reserve.stat().st_size == 16 << 20
    monkeypatch.setattr(run.checkpoints, "save", never)
    with pytest.raises(DiskError):
        list(run.advance())
    assert not reserve.exists()
    run.close("disk")
    assert status(run) == "disk"
    again = begin.resume(run.folder)  # and it stays resumable, here from its beginning
    list(again.advance())
    again.close()
    assert status(again) == "finished"


@pytest.mark.parametrize("override", ["run.seed=5", "algorithm.policy=random", "environment.num_envs=2"])
def test_a_resumed_run_keeps_its_settings(tmp_path: Path, override: str) -> None:
    run = create(tmp_path)
    run.close()
    key = override.split("=")[0]
    with pytest.raises(InputError, match=key):
        begin.resume(run.folder, [override])
    begin.resume(run.folder).close()  # the lock was freed


def test_a_run_in_use_is_refused(tmp_path: Path) -> None:
    run = create(tmp_path)
    with pytest.raises(BusyError):
        begin.resume(run.folder)
    run.close()


def test_what_cannot_be_built_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        create(tmp_path, "environment.id=CartPool-v1")
    with pytest.raises(InputError, match=r"run\.budget: basic does not count 'updates'"):
        create(tmp_path, "run.budget={updates: 5}")
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_another_layout_is_refused(tmp_path: Path) -> None:
    run = create(tmp_path)
    list(run.advance())
    state = run.save()
    run.checkpoints.save(10**6, {**state, "algorithm": {"older": 1}}, {})
    run.close()
    with pytest.raises(CheckpointError, match="another version"):
        begin.resume(run.folder)


def test_another_machine_is_a_warning(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.close()
    facts = json.loads((run.folder / "run.json").read_text())
    facts["machine"]["numpy"] = "1.0"
    (run.folder / "run.json").write_text(json.dumps(facts))
    again = begin.resume(run.folder)
    texts = [event.text for event in again.advance() if event.kind == "warning"]
    again.close()
    assert any("numpy 1.0 -> " in text and "not exact" in text for text in texts)


def test_it_ends_once_an_evaluation_reaches_the_score(tmp_path: Path) -> None:
    run = create(tmp_path, "run.evaluate.until=20", "run.budget.episodes=1000")  # the rule scores about 40
    kinds = kinds_of(run)
    run.close()
    assert run.scores.solved and run.finished and status(run) == "finished"
    assert 50 <= run.counters["episodes"] < 100
    assert kinds[-3:] == ["eval", "save", "end"]
    again = begin.resume(run.folder)
    assert [event.kind for event in again.advance()] == ["end"]
    again.close()


def test_a_score_that_is_never_reached_ends_nothing(tmp_path: Path) -> None:
    run = create(tmp_path, "run.evaluate.until=400")
    kinds_of(run)
    run.close()
    assert run.counters["episodes"] >= 100
    assert run.finished and not run.scores.solved


def test_a_score_without_evaluations_is_refused() -> None:
    with pytest.raises(InputError, match=r"run.evaluate.until=5: needs run.evaluate.every"):
        config.loads("algorithm: basic\nenvironment: CartPole-v1", "t", ["run.evaluate.until=5"])


def test_a_solved_run_is_told_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = create(tmp_path, "run.evaluate.until=20", "run.budget.episodes=60")
    kinds_of(run)
    run.close()
    assert resume_run(str(run.folder), runs_dir=tmp_path) == 0
    said = capsys.readouterr().out
    assert "as run.evaluate.until says" in said
    overrides = said.split(f"rltrain resume {run.folder} ")[1].split()
    assert resume_run(str(run.folder), overrides, runs_dir=tmp_path) == 0
    again = begin.resume(run.folder)
    assert again.counters["episodes"] >= 100 and not again.scores.solved
    again.close()
