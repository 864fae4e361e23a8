"""Every config of configs/ still leaves what it left: a short run's numbers and state, to the bit where that holds.

See tests/golden/short_runs.py for what is compared, and tests/golden/record.py for when it may be recorded anew.
"""

import json
import warnings
from pathlib import Path

import pytest
import short_runs

LONG = {
    "book/dqn_pacman",
    "dqn_atari",
    "dqn_nature",
    "dqn_pacman_100k",
    "dqn_pacman_gpu",
    "ppo_breakout",
    "ppo_pong",
    "pqn_pacman",
}


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(config, marks=pytest.mark.slow) if short_runs.name_of(config) in LONG else config
        for config in short_runs.CONFIGS
    ],
    ids=short_runs.name_of,
)
def test_a_short_run_leaves_what_it_left_when_it_was_recorded(config: Path, tmp_path: Path) -> None:
    name = short_runs.name_of(config)
    recorded = json.loads((short_runs.RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    elsewhere = [f"{fact} {recorded['machine'].get(fact, '-')}" for fact in short_runs.changed(recorded["machine"])]
    if elsewhere:
        warnings.warn(f"recorded with {', '.join(elsewhere)}: files and shapes compared, not bytes", stacklevel=1)
    found = short_runs.left_by(short_runs.train(config, tmp_path))
    lines = short_runs.differences(recorded, found, exact=not elsewhere)
    assert not lines, f"{name} left something else than before:\n" + "\n".join(lines)


def test_the_comparison_sees_a_changed_byte_a_lost_part_and_another_shape() -> None:
    recorded = {
        "step": 10,
        "files": {"metrics.jsonl": {"rows": 2, "columns": ["updates", "loss"], "sha256": "aa"}},
        "state": {"algorithm/weights": ["float32[2]", "aa"], "algorithm/updates": ["int", "bb"]},
    }
    assert short_runs.differences(recorded, recorded, exact=True) == []
    for exact in (True, False):
        lost = {**recorded, "state": {"algorithm/weights": ["float32[2]", "aa"]}}
        assert short_runs.differences(recorded, lost, exact) == ["state algorithm/updates: recorded, not found"]
        reshaped = {**recorded, "state": {**recorded["state"], "algorithm/weights": ["float32[3]", "aa"]}}
        assert short_runs.differences(recorded, reshaped, exact) != []
        assert short_runs.differences(recorded, {**recorded, "files": {}}, exact) != []
        more = {**recorded, "state": {**recorded["state"], "sum": ["int", "cc"]}}
        assert short_runs.differences(recorded, more, exact) == []  # what came since is no loss
        other = {**recorded, "state": {**recorded["state"], "algorithm/weights": ["float32[2]", "ff"]}}
        assert bool(short_runs.differences(recorded, other, exact)) is exact


def test_a_run_with_another_seed_is_told_apart_by_its_bytes_but_has_the_same_shapes(tmp_path: Path) -> None:
    config = short_runs.ROOT / "configs" / "dqn_cartpole.yaml"
    one, other = (short_runs.left_by(short_runs.train(config, tmp_path / str(seed), seed)) for seed in (7, 8))
    assert short_runs.differences(one, other, exact=False) == []
    assert any("metrics.jsonl" in line for line in short_runs.differences(one, other, exact=True))
