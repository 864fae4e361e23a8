"""One sweep under three launchers is one study, to the byte: journal, table, and what every run left."""

from __future__ import annotations

import own_slurm
import pytest
from in_process import command

SWEEP = """\
sweep: {config: c.yaml, search: tpe, trials: 6, at_once: 2, seeds: 2,
        halving: {counter: env_steps, from: 400, to: 1200, factor: 3}}
space: {algorithm.learning_rate: {from: 1e-3, to: 1e-1, log: true}, algorithm.hidden: [[4], [8]]}
"""
CONFIG = """\
algorithm: {name: reinforce, games_per_update: 4}
environment: {id: CartPole-v1, num_envs: 1}
run: {budget: {env_steps: 1200}, threads: 1, evaluate: {every: {env_steps: 400}, episodes: 2}}
"""
LAUNCHERS = {
    "one": ("--jobs", "1"),
    "local": ("--jobs", "2"),
    "slurm": ("--launcher", "slurm", "--slurm", "time=5m,mem=200M,cpus=1"),
    "ray": ("--launcher", "ray"),
}
TIMES = (
    "timings.jsonl",
    "run.json",
    "status.json",
    "config.yaml",
)  # hold times, or the budget in a resumed run's words


def left_by(sweep):
    """File -> bytes: what is said of the study, and what its runs learned, without times."""
    found = {name: (sweep / name).read_bytes() for name in ("study.journal", "trials.csv", "base.yaml")}
    for run in sorted(sweep.glob("t*/s*/")):
        for path in [*run.glob("*.jsonl"), *run.glob("*.csv"), *run.glob("checkpoints/*/state.json")]:
            if path.name not in TIMES:
                found[str(path.relative_to(sweep))] = path.read_bytes()
    return found


@pytest.mark.slow
@pytest.mark.skipif(own_slurm.LACKING is not None, reason=str(own_slurm.LACKING))
def test_a_sweep_is_the_same_study_under_every_launcher(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "s.yaml").write_text(SWEEP)
    rltrain = command(capsys)
    with own_slurm.slurm() as conf:
        monkeypatch.setenv("SLURM_CONF", str(conf))
        for name, words in LAUNCHERS.items():
            code, out, err = rltrain("sweep", "s.yaml", "--name", name, "-q", *words)
            assert code == 0, f"{name}: {out}{err}"
    first = left_by(tmp_path / "runs" / "one")
    assert sum(name.endswith("metrics.jsonl") for name in first) == 12
    for name in LAUNCHERS:
        other = left_by(tmp_path / "runs" / name)
        assert [path for path in first.keys() | other.keys() if first.get(path) != other.get(path)] == [], name
