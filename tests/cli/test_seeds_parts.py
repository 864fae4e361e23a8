"""Several seeds: what was asked for, what the files tell, and what a person sees. No process is started here."""

import io
import json
import math
import re
from pathlib import Path

import pytest
from rich.console import Console

from rltrain.cli.output import Output
from rltrain.cli.seeds import display
from rltrain.cli.seeds.display import SeedsDisplay, SeedsFacts
from rltrain.cli.seeds.result import result_lines, solved_line
from rltrain.cli.seeds.verb import ending, faults
from rltrain.cli.views import LogView, QuietView
from rltrain.errors import InputError, OutOfMemoryError
from rltrain.experiment import config
from rltrain.launchers.choose import LOCAL
from rltrain.launchers.job import RunJob
from rltrain.launchers.local import Local
from rltrain.launchers.pool import Member, Pool, first_fault, last_words
from rltrain.run.group import SeedGroup
from rltrain.verbs.seeds import asked
from rltrain.verbs.seeds.measure import measure_of, results
from rltrain.verbs.seeds.progress import SeedProgress, SeedRow, last_row, progress
from rltrain.verbs.seeds.train import SeedsMoment

# What was asked for


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", [10, 11, 12]),
        ("1", [10]),
        ("3,7,9", [3, 7, 9]),
        ("0-4", [0, 1, 2, 3, 4]),
        ("7-7", [7]),
        ("8, 0-2", [8, 0, 1, 2]),
        ("9223372036854775807,1", [2**63 - 1, 1]),
    ],
)
def test_seeds_as_a_person_writes_them(text, seeds):
    assert asked.seeds_of(text, 10) == seeds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "must be 1 to 1,000"),
        ("1001", "for the one seed 1001 write --seed 1001"),
        ("", "neither a seed nor a range; write how many (5), which (3,7,9), or from where to where (0-4)"),
        ("-3", "'-3' is neither"),
        ("1,,2", "'' is neither"),
        ("1.5", "'1.5' is neither"),
        ("0..4", "'0..4' is neither"),
        ("five", "'five' is neither"),
        ("4-0", "ends before it begins; write 0-4"),
        ("1,2,1", "seed 1 stands there twice"),
        ("0-5,3", "seed 3 stands there twice"),
        ("0-99999999999", "at most 1,000 seeds"),
        ("0-900,1000-1900", "at most 1,000 seeds"),
    ],
)
def test_seeds_that_mean_nothing(text, said):
    with pytest.raises(InputError) as caught:
        asked.seeds_of(text, 0)
    assert said in str(caught.value) and str(caught.value).startswith("--seeds")


def test_a_list_beside_a_first_seed_is_refused_and_a_number_is_not():
    with pytest.raises(InputError, match="leave out --seed 4"):
        asked.seeds_of("1,2", 4, first_is_given=True)
    assert asked.seeds_of("2", 4, first_is_given=True) == [4, 5]


@pytest.mark.parametrize(
    ("runs", "busy", "cores", "available", "jobs", "expected"),
    [
        (5, 1, 2, 100, None, 2),
        (5, 2, 2, 100, None, 1),  # both cores are kept busy by one
        (5, 3, 8, 100, None, 2),
        (3, 1, 64, 100, None, 3),
        (5, 8, 2, 100, None, 1),
        (5, 1, 8, 29, None, 2),  # no more than fit in memory
        (5, 2, 2, 100, 4, 4),
        (5, 1, 2, 100, 9, 5),
    ],
)
def test_how_many_run_at_once(runs, busy, cores, available, jobs, expected):
    assert asked.divided(runs, busy, cores, 10, available, jobs) == expected


def test_more_at_once_than_memory_holds_is_refused_with_the_number_that_fits():
    with pytest.raises(OutOfMemoryError, match=r"--jobs 4: .* write --jobs 2"):
        asked.divided(5, 1, 8, 10, 29, 4)
    assert asked.divided(2, 1, 8, 10, 29, 4) == 2  # two runs never are more than two


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        ([3], "seed 3"),
        ([0, 1, 2], "seeds 0 to 2"),
        ([0, 1], "seeds 0, 1"),
        ([3, 7], "seeds 3, 7"),
        (list(range(0, 40, 2)), "seeds 0, 2, 4, 6, 8, 10, 12, 14, ..., 38"),
    ],
)
def test_seeds_in_a_sentence(seeds, text):
    assert asked.spelled(seeds) == text


# What the files tell


def test_the_last_whole_line_is_read_however_long(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert last_row(path) == {}
    path.write_text("")
    assert last_row(path) == {}
    rows = [{"env_steps": number, "text": "x" * 9_000} for number in range(50)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"env_steps": 51, "te')
    assert last_row(path) == rows[-1]
    path.write_text('{"a": 1')
    assert last_row(path) == {}
    path.write_text('{"a": 1}\nnonsense\n')
    assert last_row(path) == {}


def test_the_progress_of_a_run(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"env_steps":200,"episodes":2,"return/mean":77.0,"loss/td":null}\n')
    (tmp_path / "eval.jsonl").write_text('{"env_steps":100,"mean":90.0}\n{"env_steps":200,"mean":80.0}\n')
    (tmp_path / "timings.jsonl").write_text('{"elapsed_seconds": 4.5, "steps_per_second": NaN}\n')
    (tmp_path / "status.json").write_text('{"state": "running", "best": {"score": 90.0, "step": 100}}')
    found = progress(tmp_path)
    assert found.counters == {"env_steps": 200, "episodes": 2} and found.metrics["return/mean"] == 77
    assert math.isnan(found.metrics["loss/td"])
    assert (found.seconds, found.last, found.best) == (4.5, 80.0, 90.0)
    nothing = progress(tmp_path / "never")
    assert (nothing.counters, nothing.metrics, nothing.last, nothing.best) == ({}, {}, None, None)


# What a person sees

GAMES = {"return/mean": 41.5, "return/min": 24.0, "return/max": 68.0, "loss/td": 0.02}


def row(seed, state, steps=None, metrics=GAMES, last=None, best=None):
    if steps is None:
        return SeedRow(seed, state, SeedProgress({}, {}, math.nan, None, None))
    return SeedRow(
        seed, state, SeedProgress({"env_steps": steps, "episodes": steps // 50}, metrics, steps / 100, last, best)
    )


ROWS = [
    row(0, "finished", 1000, last=90.0, best=95.0),
    row(1, "finished", 1000, last=80.0, best=80.0),
    row(2, "running", 500, last=10.0, best=12.0),
    row(3, "diverged", 100),
    row(4, "waiting"),
]
EXPERIMENT = config.loads("algorithm: basic\nenvironment: CartPole-v1\nrun: {budget: {env_steps: 1000}}\n", "c.yaml")


def facts(evaluated=True, jobs=2):
    return SeedsFacts(
        "dqn on CartPole-v1", "runs/cart", "seeds 0 to 4, 2 at a time", {"env_steps": 1000}, evaluated, jobs
    )


def moment(rows=ROWS, note="", urgent=False, warnings=()):
    return SeedsMoment(rows, 12.0, measure_of(rows), note, urgent, warnings)


def shown(now, given=None, width=80, height=40):
    seen = SeedsDisplay(given or facts())
    assert seen.picture(width, height) is None
    seen.take(now)
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    console.print(seen.picture(width, height))
    return console.export_text()


def test_the_table_has_a_row_for_each_seed_within_80_columns():
    text = shown(moment())
    lines = text.splitlines()
    assert max(map(len, lines)) == 80
    cells = [line.strip("│ ").split() for line in lines[2:7]]
    assert cells[0] == ["0", "finished", "100.0", "%", "1,000", "41.5", "90", "95", "0:10"]
    assert cells[2] == ["2", "running", "50.0", "%", "500", "41.5", "10", "12", "0:05"]
    assert cells[3][:2] == ["3", "diverged"] and cells[4][:2] == ["4", "waiting"]
    for part in ("runs/cart", "52.0 %", "2 of 5", "0:12", "last evaluation 60 (95 % interval", "  3 seeds "):
        assert part in text, part
    assert "return" not in text and "loss" not in text  # one metric is all that there is room for


def test_the_score_of_all_seeds_stays_whole_in_30_columns():
    lines = [line.strip("│ ") for line in shown(moment(), width=30).splitlines()]
    at = next(number for number, line in enumerate(lines) if line.endswith("seeds"))
    assert re.fullmatch(r"[0-9.,]+  [0-9] seeds", lines[at])
    assert re.fullmatch(r"-?[0-9.,]+ to [0-9.,]+  95 %", lines[at + 1])


def test_large_numbers_keep_to_80_columns_and_stay_whole():
    rows = [
        SeedRow(
            2**63 - 1 - seed,
            "running",
            SeedProgress({"env_steps": 1_000_000_000}, GAMES | {"return/mean": 123_456.7}, 99_999, 12_345.6, 98_765.4),
        )
        for seed in range(2)
    ]
    given = SeedsFacts("dqn on ALE/MsPacman-v5", "runs/" + "x" * 100, "two", {"env_steps": 10**10}, True, 2)
    lines = shown(moment(rows), given).splitlines()
    assert max(map(len, lines)) == 80
    assert all(part in lines[2] for part in ("…775807", "1,000,000,000", "123,457", "12,346", "98,765", "1 d 03:46"))


def test_who_has_no_numbers_yet_is_starting():
    assert "starting" in shown(moment([row(0, "running"), row(1, "waiting")]))
    assert "no score yet" in shown(moment([row(0, "running"), row(1, "waiting")]))


def test_a_wish_to_stop_is_said():
    assert "stopping: each run saves" in shown(moment(note="stopping: each run saves"))


@pytest.mark.parametrize("height", [8, 14, 24])
def test_of_many_seeds_the_urgent_are_shown(height):
    rows = [row(seed, "finished", 1000) for seed in range(50)]
    rows += [row(50, "failed", 10), row(51, "running", 20), *(row(seed, "waiting") for seed in range(52, 100))]
    text = shown(moment(rows), height=height)
    assert len(text.splitlines()) <= max(height, display.FRAME_LINES + display.FEWEST_ROWS + 3)
    assert " 50 failed " in text and " 51 running " in text
    assert "more seeds: " in text and "48 waiting" in text


def test_a_table_of_values_shows_its_distance_from_the_truth():
    metrics = {"error/max": 0.25, "policy/right": 1.0, "value/start": 21.9, "return/mean": math.nan}
    rows = [row(seed, "finished", 1000, {**metrics, "error/max": 0.25 * (seed + 1)}) for seed in range(3)]
    now = moment(rows)
    text = shown(now, facts(evaluated=False))
    assert "error" in text and "right" in text and "evaluated" not in text
    assert "error 0.5000 (95 % interval" in text
    assert (now.measure.metric, result_lines(now.measure, rows)[0]) == ("error/max", "error, 3 seeds")


def test_lines_tell_each_beginning_and_end_and_then_the_table():
    stream, now = io.StringIO(), [0.0]
    view = LogView(SeedsDisplay(facts()), Output(stream), clock=lambda: now[0])
    view.show(moment([row(0, "running"), row(1, "waiting")], urgent=True))
    view.show(moment([row(0, "running", 500), row(1, "waiting")]))
    now[0] = 11.0
    view.show(moment([row(0, "running", 500), row(1, "waiting")]))
    rows = [row(0, "finished", 1000, last=9.0), row(1, "running")]
    view.show(moment(rows, urgent=True, warnings=["seed 0: no fsync"]))
    view.close()
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert lines[:2] == ["dqn on CartPole-v1 · runs/cart · seeds 0 to 4, 2 at a time", "  seed 0      running"]
    assert lines[2].split()[:3] == ["25.0", "%", "0:12"] and "0 of 2 finished" in lines[2]
    assert lines[3] == "warning: seed 0: no fsync"
    assert lines[4].split() == ["seed", "0", "finished", "1,000", "steps", "last", "evaluation", "9"]
    assert lines[5].split() == ["seed", "1", "running"]
    assert lines[6].split()[:3] == ["seed", "state", "done"] and max(map(len, lines)) <= 80 + 40


def test_quiet_says_warnings_alone():
    stream = io.StringIO()
    quiet = QuietView(Output(stream))
    quiet.show(moment())
    quiet.show(moment(warnings=["seed 3: beware"]))
    quiet.close()
    assert stream.getvalue() == "warning: seed 3: beware\n"


# What came of it


def test_only_finished_seeds_are_in_the_mean_and_the_others_are_counted():
    now = moment()
    lines = result_lines(now.measure, ROWS)
    assert lines[0] == "last evaluation, 2 seeds; 3 unfinished not counted"
    assert lines[1].startswith("  mean    85   (95 % interval 21.5 to 148.5, Student's t over seeds)")
    codes = {own.seed: code for own, code in zip(ROWS, (0, 0, None, 6, None), strict=True)}
    found = results(now.measure, ROWS, codes, {own.seed: f"runs/cart/s{own.seed}" for own in ROWS}, 12.0)
    json.dumps(found, allow_nan=False)
    assert found["of_finished_seeds"]["mean"] == 85 and found["measure"] == "evaluation"
    assert [own["score"] for own in found["seeds"]] == [90, 80, 10, None, None]
    assert found["seeds"][3] == {
        "seed": 3,
        "run": "runs/cart/s3",
        "state": "diverged",
        "exit_code": 6,
        "counters": {"env_steps": 100, "episodes": 2},
        "score": None,
        "best": None,
        "seconds": 1.0,
    }


def test_one_seed_has_a_score_and_no_interval():
    lines = result_lines(moment(ROWS[:1]).measure, ROWS[:1])
    assert lines == ["last evaluation, 1 seed", "  mean    90   (an interval needs two seeds)"]


def member(state, code):
    experiment = config.named("basic", "CartPole-v1")
    return Member(RunJob(SeedGroup(Path("runs/cart"), (0,)), 0, experiment), state, code)


def test_the_exit_code_is_that_of_the_first_seed_that_failed():
    def code_of(*codes, stopping=False):
        states = {None: "waiting", 0: "finished", 143: "stopped", -15: "stopped", 6: "diverged"}
        return first_fault([member(states.get(code, "failed"), code) for code in codes], stopping)

    assert code_of(0, None, 0) == 0
    assert code_of(0, 6, 2) == 6 and code_of(2, 6) == 2
    assert code_of(-9, 0) == 137
    assert code_of(0, 143) == 143 and code_of(143, -15, stopping=True) == 0 and code_of(143, 7, stopping=True) == 7


def test_last_words_name_the_signal_that_killed():
    assert last_words(2, ["c.yaml: no such key"]) == "c.yaml: no such key"
    assert "killed by SIGKILL; perhaps because memory ran out" in last_words(-9, [])
    assert last_words(1, []) == "it said nothing"
    assert last_words(7, []) == "perhaps because the disk is full: it could not even write why"
    assert last_words(7, ["no space"]) == "no space"


def test_until_the_first_evaluation_training_games_tell():
    rows = [row(0, "running", 10), row(1, "waiting")]
    assert moment(rows).measure.name == "mean of training games"
    assert "mean of training games 41.5  1 seed " in shown(moment(rows))
    assert moment([*rows[:1], row(1, "running", 10, last=5.0)]).measure.name == "last evaluation"


def test_seeds_that_were_to_be_solved_say_after_how_long():
    until = EXPERIMENT.replace("run.evaluate={every: {env_steps: 100}, until: 85}")
    assert solved_line(until, ROWS) == ["solved, at 85: 1 of 5 seeds, after 1,000 steps (median; 1,000 to 1,000)"]
    assert solved_line(until, ROWS[1:]) == ["solved, at 85: 0 of 4 seeds"]
    assert solved_line(EXPERIMENT, ROWS) == []


def test_to_go_on_is_advised_unless_all_that_is_left_diverged():
    group = SeedGroup(Path("runs/cart"), (0, 1, 2, 3, 4))
    assert ending(group, moment(), None, LOCAL, False)[1] == "go on with: rltrain resume runs/cart"
    advice = ending(group, moment([ROWS[0], ROWS[3]]), None, LOCAL, False)[1]
    assert advice.endswith("try other settings: rltrain resume runs/cart/s3 KEY=VALUE --fork NAME")


def test_a_seed_that_has_no_whole_checkpoint_is_told_how_to_begin_anew():
    pool = Pool(Local(), [RunJob(SeedGroup(Path("runs/cart"), (4,)), 4, EXPERIMENT)], 1)
    pool.members[0].state, pool.members[0].code = "failed", 3
    pool.members[0].said.append("no usable checkpoint in runs/cart/s4")
    told, how = faults(pool)
    assert told == "seed 4 failed (exit code 3): no usable checkpoint in runs/cart/s4"
    assert how.endswith("move runs/cart/s4 away, and rltrain resume runs/cart begins the seed anew")
