"""`rltrain compare`: which runs are held against which, what is said of them, and what cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import rltrain
from rltrain.cli import compare as verb
from rltrain.errors import InputError
from rltrain.report import human, verdict
from rltrain.verbs.compare import ComparedSides, compare

CONFIG = """\
algorithm:
  name: {algorithm}
  learning_rate: {rate}
environment:
  id: {environment}
  max_episode_steps: {limit}
  wrappers: {wrappers}
run:
  seed: {seed}
  budget:
    env_steps: 400
  evaluate:
    every:
      env_steps: 100
    episodes: {games}
    until: {until}
    protocol: {protocol}
"""
PLAIN = {"algorithm": "dqn", "rate": 0.001, "environment": "CartPole-v1", "limit": "null", "wrappers": "[]"}
PLAIN |= {"games": 10, "until": "null", "protocol": "training"}
LOW, HIGH = (100.0, 110.0, 130.0, 120.0, 105.0), (300.0, 280.0, 350.0, 310.0, 290.0)


def write(
    folder: Path, seed: int, scores: Sequence[float], random: float | None = 20.0, every: int = 100, **changed: Any
) -> Path:
    """A run as its files say it is; `scores` are its evaluations."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG.format(seed=seed, **{**PLAIN, **changed}))
    rows = [{"env_steps": every * n, "episodes": n, "return/mean": 5.0 * n} for n in range(1, len(scores) + 2)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    evaluations = [{"env_steps": every * n, "mean": score} for n, score in enumerate(scores, 1)]
    if evaluations:
        (folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in evaluations))
    if random is not None:
        known = {"baselines": {"random": random}, "reward_threshold": 420.0}
        (folder / "baselines.json").write_text(json.dumps(known))
    return folder


def several(place: Path, name: str, last: Sequence[float], first_seed: int = 1, **changed: Any) -> None:
    for number, score in enumerate(last):
        write(place / f"{name}-{number + 1}", first_seed + number, (10.0, score), **changed)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """dqn-1 to dqn-5 and ppo-1 to ppo-5 on CartPole, of the same seeds; ppo scores more."""
    several(tmp_path, "dqn", LOW)
    several(tmp_path, "ppo", HIGH, algorithm="ppo")
    return tmp_path


def labels(report: ComparedSides) -> list[str]:
    return [side.label for side in report.sides]


# Who is compared with whom


def test_each_pattern_is_a_side_called_as_it_was_typed(runs: Path) -> None:
    report = compare(["dqn-*", "ppo-*"], runs_dir=runs)
    assert labels(report) == ["dqn-*", "ppo-*"]
    assert [side.seeds["CartPole-v1"] for side in report.sides] == [[1, 2, 3, 4, 5]] * 2
    assert report.sides[0].scores == {"CartPole-v1": list(LOW)}


def test_a_single_pattern_is_sorted_by_configs(runs: Path) -> None:
    assert labels(compare(["*"], runs_dir=runs)) == ["dqn", "ppo"]
    several(runs, "slow", (1.0, 2.0, 3.0), rate=0.0001)
    assert labels(compare(["*"], runs_dir=runs)) == [
        "dqn, learning rate 0.001",
        "ppo, learning rate 0.001",
        "dqn, learning rate 0.0001",
    ]


def test_what_a_shell_makes_of_patterns_is_sorted_too(runs: Path) -> None:
    every = sorted(str(path) for path in runs.iterdir())
    assert labels(compare(every, runs_dir=runs)) == ["dqn", "ppo"]


def test_the_folder_of_several_seeds_is_a_side(runs: Path) -> None:
    for seed in range(3):
        write(runs / "group" / f"s{seed}", seed, (500.0,), algorithm="pqn")
    report = compare(["group", "dqn-1", "dqn-2", "dqn-3"], runs_dir=runs)
    assert labels(report) == ["group", "dqn"]


def test_two_names_of_one_side_are_told_apart(runs: Path) -> None:
    for seed in range(3):
        write(runs / "dqn" / f"s{seed}", seed, (500.0,), algorithm="pqn")
    assert labels(compare(["dqn", "dqn-1", "dqn-2"], runs_dir=runs)) == ["dqn", "dqn (by name)"]


def test_the_same_seed_again_is_left_out_and_told(runs: Path) -> None:
    write(runs / "dqn-again", 1, (10.0, 999.0))
    report = compare(["dqn-*", "ppo-*"], runs_dir=runs)
    assert len(report.sides[0].runs) == 5
    assert any("dqn-again repeats" in note for note in report.notes)


# What a run's score is


def test_the_last_the_best_and_the_mean_over_steps(tmp_path: Path) -> None:
    for seed in range(3):
        write(tmp_path / f"a-{seed}", seed, (0.0, 80.0, 40.0))
        write(tmp_path / f"b-{seed}", seed, (10.0, 20.0, 30.0, 70.0), algorithm="ppo")

    def scores(on: str) -> list[float]:
        return [side.mean for side in compare(["a-*", "b-*"], on=on, runs_dir=tmp_path).sides]

    assert scores("final") == [40, 70]
    assert scores("best") == [80, 70]
    # From 100 to 300 steps, which all have: (0 + 80) / 2 and (80 + 40) / 2; 20 on the other's straight line
    assert scores("auc") == pytest.approx([50, 20])


def test_the_mean_over_steps_takes_straight_lines_to_the_common_ends(tmp_path: Path) -> None:
    for seed in range(3):
        write(tmp_path / f"a-{seed}", seed, (0.0, 100.0), every=100)  # at 100 and 200
        write(tmp_path / f"b-{seed}", seed, (0.0, 100.0), every=150, algorithm="ppo")  # at 150 and 300
    report = compare(["a-*", "b-*"], on="auc", runs_dir=tmp_path)
    assert [side.mean for side in report.sides] == pytest.approx([75, 100 / 6])
    assert report.measure == "mean of the evaluations from 150 to 200 steps"
    assert report.ranges == {"CartPole-v1": (150, 200)}
    assert (
        "CartPole-v1: compared from 150 to 200 steps, which all runs have; last evaluated: a-0 at 200, b-0 at 300"
        in (report.notes)
    )
    write(tmp_path / "c-1", 1, (7.0,), every=500, algorithm="pqn")
    with pytest.raises(
        InputError, match=r"--on auc: \S*c-1 was first evaluated at 500 env_steps and \S*a-0 last at 200"
    ):
        compare(["a-*", "c-*"], on="auc", runs_dir=tmp_path)


@pytest.mark.parametrize("on", ["final", "best", "auc"])
def test_evaluations_are_enough(runs: Path, on: str) -> None:
    whole = compare(["dqn-*", "ppo-*"], on=on, runs_dir=runs)
    (runs / "dqn-1" / "metrics.jsonl").unlink()
    found = compare(["dqn-*", "ppo-*"], on=on, runs_dir=runs)
    assert [side.scores for side in found.sides] == [side.scores for side in whole.sides]
    (note,) = set(found.notes) - set(whole.notes)
    assert note.endswith("dqn-1: metrics.jsonl: is missing or holds no row, so nothing is known of its training")


def test_evaluations_that_were_lost_are_read_from_the_csv_file_or_said_to_be_lost(runs: Path) -> None:
    (runs / "dqn-1" / "eval.jsonl").write_text("")
    with pytest.raises(InputError, match=r"dqn-1: its evaluations cannot be read: eval\.jsonl: is empty"):
        compare(["dqn-*", "ppo-*"], runs_dir=runs)
    (runs / "dqn-1" / "eval.csv").write_text(f"env_steps,mean\n100,10.0\n200,{LOW[0]}\n")
    found = compare(["dqn-*", "ppo-*"], runs_dir=runs)
    assert found.sides[0].scores["CartPole-v1"][0] == LOW[0]
    assert any(note.endswith("the 2 rows of eval.csv were read instead") for note in found.notes)


# The verdict


def test_a_side_that_is_better_is_said_to_be(runs: Path) -> None:
    report = compare(["dqn-*", "ppo-*"], runs_dir=runs)
    (duel,) = report.duels
    assert report.verdict == "ppo-* is better than dqn-*: P = 1, each of its runs beats each of the other's, 5 seeds"
    assert (duel.told, duel.paired, duel.same_seed, duel.probability) == (True, True, 1.0, 1.0)
    assert duel.difference == pytest.approx(193)


def test_an_overlap_gives_a_probability_with_its_interval(tmp_path: Path) -> None:
    several(tmp_path, "a", (100.0, 110, 120, 130, 140, 150, 160, 170))
    several(tmp_path, "b", (155.0, 165, 175, 185, 195, 205, 215, 225), algorithm="ppo", first_seed=20)
    (duel,) = compare(["a-*", "b-*"], runs_dir=tmp_path).duels
    assert duel.probability == pytest.approx(61 / 64)
    assert not duel.paired and duel.same_seed is None
    assert duel.verdict == (
        f"b-* is better than a-*: P = 0.95 ({duel.probability_low:.2f} to {duel.probability_high:.2f}), 8 seeds"
    )


def test_few_seeds_that_say_nothing_are_told_what_they_miss(tmp_path: Path) -> None:
    several(tmp_path, "a", (100.0, 200, 300, 150, 250))
    several(tmp_path, "b", (150.0, 250, 350, 200, 300), algorithm="ppo")
    (duel,) = compare(["b-*", "a-*"], runs_dir=tmp_path).duels
    # sd 79.06, 8 degrees: (2.306 + 0.8889) sd sqrt(2 / 5)
    assert duel.detectable == pytest.approx(159.75, rel=1e-3)
    assert duel.needed == 41  # (1.9901 + 0.8461)^2 2 sd^2 / 50^2 = 40.2
    assert duel.verdict == (
        "5 seeds cannot tell b-* from a-*: a difference below 159.7 would be missed; about 41 a side are needed for one"
        " of 50, as seen"
    )


@pytest.mark.parametrize("count", [1, 2])
def test_of_one_or_two_seeds_no_interval_exists(tmp_path: Path, count: int) -> None:
    several(tmp_path, "a", (100.0, 200)[:count])
    several(tmp_path, "b", (150.0, 250)[:count], algorithm="ppo")
    report = compare(["a-?", "b-?"], runs_dir=tmp_path)
    seeds = "2 seeds" if count == 2 else "1 seed"
    assert report.verdict == f"{seeds}: no interval exists, it needs 3 a side; b-? scored 50 more"
    assert report.sides[0].mean_low is report.sides[0].iqm_low is report.duels[0].probability_low is None


def test_runs_that_all_score_the_same_are_not_told_apart(tmp_path: Path) -> None:
    several(tmp_path, "a", (500.0,) * 4)
    several(tmp_path, "b", (500.0,) * 4, algorithm="ppo")
    assert compare(["a-*", "b-*"], runs_dir=tmp_path).verdict == (
        "nothing tells a-* and b-* apart: all runs scored the same, 4 seeds"
    )


def test_the_best_of_three_is_held_against_each_other_at_a_stricter_level(runs: Path) -> None:
    several(runs, "pqn", (90.0, 320.0, 100.0, 310.0), algorithm="pqn")
    report = compare(["dqn-*", "ppo-*", "pqn-*"], runs_dir=runs)
    assert [(duel.better, duel.other, duel.told) for duel in report.duels] == [
        ("ppo-*", "pqn-*", False),
        ("ppo-*", "dqn-*", True),
    ]
    assert {duel.level for duel in report.duels} == {verdict.level_of(3)} == {1 - 0.05 / 3}


# Several environments


@pytest.fixture
def worlds(runs: Path) -> Path:
    """The runs of CartPole, and as many of Acrobot, where random play scores -500 and -100 counts as solved."""
    for name, scores in (("dqn", (-300.0, -260, -340, -300, -300)), ("ppo", (-140.0, -100, -180, -140, -140))):
        several(runs, f"{name}-acrobot", scores, environment="Acrobot-v1", algorithm=name, random=-500.0)
    for path in runs.glob("*acrobot*/baselines.json"):
        path.write_text(json.dumps({"baselines": {"random": -500.0}, "reward_threshold": -100.0}))
    return runs


def test_several_environments_are_averaged_as_shares(worlds: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"CartPole-v1 and Acrobot-v1.*--by environment"):
        compare(["dqn-*", "ppo-*"], runs_dir=worlds)
    report = compare(["dqn-*", "ppo-*"], tmp_path / "profile.svg", by="environment", runs_dir=worlds)
    assert report.scale is not None
    assert {name: (scale.zero, scale.one) for name, scale in report.scale.items()} == {
        "CartPole-v1": (20, 420),
        "Acrobot-v1": (-500, -100),
    }
    assert report.sides[0].mean == pytest.approx(((113 - 20) / 400 + (-300 + 500) / 400) / 2)
    assert report.sides[0].scores["Acrobot-v1"] == [-300, -260, -340, -300, -300]
    assert "5 seeds in each of 2 environments" in report.verdict
    assert (tmp_path / "profile.svg").read_text().startswith("<?xml")


def test_one_pattern_over_several_environments_makes_the_same_sides(worlds: Path) -> None:
    one, two = (compare(given, by="environment", runs_dir=worlds) for given in (["*"], ["dqn-*", "ppo-*"]))
    assert labels(one) == ["dqn", "ppo"]
    assert [side.mean for side in one.sides] == [side.mean for side in two.sides]


def test_a_side_that_lacks_an_environment_is_refused(worlds: Path) -> None:
    with pytest.raises(InputError, match=r"dqn-\? has no run on Acrobot-v1"):
        compare(["dqn-?", "ppo-*"], by="environment", runs_dir=worlds)


def test_an_environment_without_a_scale_is_refused(worlds: Path) -> None:
    for path in worlds.glob("*acrobot*/baselines.json"):
        path.write_text(json.dumps({"baselines": {"random": -500.0}, "reward_threshold": None}))
    with pytest.raises(InputError, match=r"Acrobot-v1: .*no reward_threshold.*no human score"):
        compare(["dqn-*", "ppo-*"], by="environment", runs_dir=worlds)


def test_atari_has_the_published_scale(runs: Path) -> None:
    for name, scores in (("dqn", (-3.05, 14.6, 14.6)), ("ppo", (14.6, 14.6, 14.6))):
        several(runs, f"{name}-pong", scores, environment="ALE/Pong-v5", algorithm=name, random=None)
    report = compare(["dqn-*", "ppo-*"], by="environment", runs_dir=runs)
    assert report.scale is not None and report.scale["ALE/Pong-v5"].named == "human"
    assert (report.scale["ALE/Pong-v5"].zero, report.scale["ALE/Pong-v5"].one) == human.SCORES["Pong"]


# What cannot be compared


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"protocol": "sticky"}, r"dqn-1 was evaluated with protocol training, \S*other-1 with protocol sticky"),
        ({"limit": 200}, "max_episode_steps null, .* max_episode_steps 200"),
        ({"wrappers": "[{name: RepeatAction, num_repeats: 2}]"}, r"wrappers \[\], .* wrappers \[\{name: RepeatAction"),
    ],
)
def test_scores_under_different_rules_are_refused(runs: Path, changed: dict[str, Any], said: str) -> None:
    several(runs, "other", HIGH, algorithm="ppo", **changed)
    with pytest.raises(InputError, match=said):
        compare(["dqn-*", "other-*"], runs_dir=runs)


def test_what_a_learner_sees_and_how_many_games_are_played_is_its_own_affair(runs: Path) -> None:
    several(runs, "other", HIGH, algorithm="ppo", games=30, wrappers="[{name: FrameStackObservation, stack_size: 2}]")
    assert compare(["dqn-*", "other-*"], runs_dir=runs).duels[0].told


def test_a_protocol_that_sets_the_time_limit_knows_no_other(runs: Path) -> None:
    several(runs, "a", LOW, protocol="nature", limit=100)
    several(runs, "b", HIGH, protocol="nature", limit=200)
    assert compare(["a-*", "b-*"], runs_dir=runs).duels[0].told


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        (["dqn-*"], {}, "5 different runs of one side, dqn: at most the seed differs"),
        (["dqn-*", "dqx-*"], {}, "no run 'dqx-\\*'"),
        (["dqn-*", "*-1"], {}, r"dqn-1: is of both dqn-\* and \*-1"),
        (["dqn-*", "ppo-*"], {"on": "last"}, "--on 'last': is not known; one of auc, best, final"),
        (["dqn-*", "ppo-*"], {"by": "seed"}, "--by 'seed': is not known; one of environment"),
        (["dqn-*", "ppo-*"], {"output": Path("x.gif")}, r"\.png, \.svg or \.pdf"),
        (["mixed-*", "ppo-*"], {}, r"mixed-\* fits runs of 2 configs on CartPole-v1: learning rate 1 \(mixed-1, ...\)"),
        (["new-*", "ppo-*"], {}, "new-1: was never evaluated while it trained.*run.evaluate.every"),
    ],
)
def test_each_error_says_what_is_meant(runs: Path, given: list[str], options: dict[str, Any], said: str) -> None:
    write(runs / "mixed-1", 1, (1.0,), rate=1.0)
    write(runs / "mixed-2", 2, (1.0,), rate=2.0)
    write(runs / "new-1", 1, ())
    with pytest.raises(InputError, match=said):
        compare(given, runs_dir=runs, **options)


def test_what_makes_a_comparison_less_than_fair_is_said(runs: Path) -> None:
    several(runs, "short", HIGH, algorithm="ppo", every=20, until=300.0)
    (runs / "short-2" / "status.json").write_text('{"state": "interrupted", "counters": {"env_steps": 10}}')
    assert compare(["dqn-*", "short-*"], runs_dir=runs).notes == [
        "not at its end: short-2",
        "ended by an evaluation that reached run.evaluate.until, which flatters: short-1, short-3, short-4",
        "CartPole-v1: last evaluated after unequal steps: short-1 at 40, dqn-1 at 200",
    ]


def test_folders_of_strangers_are_compared_or_refused(runs: Path) -> None:
    config = runs / "dqn-1" / "config.yaml"
    text = config.read_text()
    config.write_text(text[: text.index("  evaluate:")] + "  evaluate: [1, 2]\n")
    with pytest.raises(InputError, match=r"dqn-\* fits runs of 2 configs"):
        compare(["dqn-*", "ppo-*"], runs_dir=runs)
    assert compare(["dqn-1", "ppo-*"], runs_dir=runs).sides[1].mean == LOW[0]
    (runs / "ppo-1" / "eval.jsonl").write_text('{"mean": 1e100}\n{"mean": -1e100}\n')
    with pytest.raises(InputError, match="ppo-1: its evaluations do not say at which env_steps"):
        compare(["dqn-2", "ppo-*"], on="auc", runs_dir=runs)
    config.write_text(text)
    (duel,) = compare(["dqn-*", "ppo-*"], runs_dir=runs).duels
    assert duel.better == "dqn-*" and not duel.told and duel.needed is not None


# How it is said


def test_a_person_reads_a_table_each_pair_and_the_verdict(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verb.show(compare(["dqn-*", "ppo-*"], runs_dir=runs))
    head, names, first, second, pair, last = capsys.readouterr().out.splitlines()
    assert head == "last evaluation on CartPole-v1"
    assert names.split() == ["seeds", "mean", "95", "%", "interval", "IQM", "95", "%", "interval"]
    assert first.split()[:6] == ["dqn-*", "5", "113", "98.0", "to", "128.0"]
    assert second.split()[:3] == ["ppo-*", "5", "306"]
    assert pair.startswith("P(ppo-* > dqn-*) = 1.00 (1.00 to 1.00), at the same seed 1.00; means apart 193 (")
    assert last.startswith("ppo-* is better than dqn-*")


def test_json_has_all_of_it_and_the_same_each_time(runs: Path) -> None:
    first, second = (json.dumps(compare(["dqn-*", "ppo-*"], runs_dir=runs).json()) for _ in range(2))
    assert first == second
    found = json.loads(first)
    assert found["verdict"].startswith("ppo-* is better") and found["sides"][0]["scores"]["CartPole-v1"] == list(LOW)


def test_python_has_the_same(runs: Path) -> None:
    found = rltrain.compare("dqn-*", "ppo-*", runs_dir=runs)
    assert found.json() == compare(["dqn-*", "ppo-*"], runs_dir=runs).json()
    means = "dqn-*: mean 113 (98.0 to 128.0); ppo-*: mean 306 (272.5 to 339.5)"
    assert repr(found) == f"<last evaluation on CartPole-v1: {means}; {found.verdict}>"


def test_every_game_of_the_human_scores_is_one_that_can_be_played() -> None:
    from rltrain.envs.atari import roms

    assert {f"ALE/{name}-v5" for name in human.SCORES} <= set(roms.games())
    assert len(human.SCORES) == 57
    assert human.of("ALE/Pong-v5") == (-20.7, 14.6) and human.of("CartPole-v1") is None


def test_notes_tell_runs_of_equal_names_apart(tmp_path: Path) -> None:
    for side, every in (("a", 100), ("b", 20)):
        for seed in (1, 2):
            write(
                tmp_path / side / f"s{seed}", seed, (1.0, 2.0), algorithm="dqn" if side == "a" else "ppo", every=every
            )
    for given in (["a", "b"], ["b", "a"]):
        (note,) = [note for note in compare(given, runs_dir=tmp_path).notes if "unequal" in note]
        assert note == "CartPole-v1: last evaluated after unequal steps: b/s1 at 40, a/s1 at 200"
