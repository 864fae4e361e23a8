"""Run folders, written as a run writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

Rows = Sequence[Mapping[str, Any]]
Folder = Callable[..., Path]


@pytest.fixture
def run_folder(tmp_path: Path) -> Folder:
    def write(
        name: str,
        rows: Rows,
        evaluations: Rows = (),
        *,
        algorithm: Mapping[str, Any] | None = None,
        environment: str = "CartPole-v1",
        budget: Mapping[str, int] | None = None,
        seed: int = 0,
        baselines: Mapping[str, Any] | None = None,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        config = {
            "algorithm": {"name": "dqn", "gamma": 0.9, "learning_rate": 0.001, **(algorithm or {})},
            "environment": {"id": environment, "kwargs": {}},
            "run": {"seed": seed, "budget": dict(budget or {"env_steps": 1000}), "threads": None},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        if evaluations:
            (folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in evaluations))
        if baselines is not None:
            (folder / "baselines.json").write_text(json.dumps(baselines))
        return folder

    return write
