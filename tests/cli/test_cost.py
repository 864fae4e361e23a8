"""What fits in memory, and what is said when it does not."""

import re

import pytest

from rltrain import config
from rltrain.cli.cost import PROCESS_BYTES, cgroup_limits, check_memory, memory_bytes
from rltrain.errors import OutOfMemoryError


def experiment(buffer_size):
    text = f"algorithm: {{name: dqn, buffer_size: {buffer_size}}}\nenvironment: CartPole-v1"
    return config.loads(text, "test.yaml")


def cost(buffer_size):
    return {"parameters": 1_000_000, "replay_bytes": 7_100 * buffer_size, "checkpoint_bytes": 1}


def test_the_size_that_is_named_fits_and_a_larger_one_does_not():
    available = 3_000_000_000
    with pytest.raises(OutOfMemoryError, match=r"algorithm\.buffer_size") as caught:
        check_memory(experiment(1_000_000), cost(1_000_000), available)
    fits = int(re.search(r"algorithm\.buffer_size=(\d+)", str(caught.value))[1])
    check_memory(experiment(fits), cost(fits), available)
    assert memory_bytes(cost(fits + 1000)) > available


def test_without_room_for_any_replay_no_size_is_named():
    with pytest.raises(OutOfMemoryError, match="free some") as caught:
        check_memory(experiment(1_000_000), cost(1_000_000), PROCESS_BYTES // 2)
    assert "buffer_size=" not in str(caught.value)


def test_a_rollout_that_does_not_fit_is_named():
    text = "algorithm: {name: pqn}\nenvironment: CartPole-v1"
    with pytest.raises(OutOfMemoryError, match=r"algorithm\.rollout_steps"):
        check_memory(config.loads(text, "test.yaml"), {"rollout_bytes": 10**10}, 10**9)


def test_the_limits_of_the_control_group_and_of_those_around_it_count(tmp_path):
    root, membership = tmp_path / "cgroup", tmp_path / "membership"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "memory.max").write_text("max\n")
    (root / "a" / "memory.max").write_text("12345\n")
    membership.write_text("0::/a/b\n")
    assert cgroup_limits(membership, root) == [12345]


def test_control_groups_of_version_1_count_too(tmp_path):
    root, membership = tmp_path / "cgroup", tmp_path / "membership"
    (root / "memory" / "job").mkdir(parents=True)
    (root / "memory" / "job" / "memory.limit_in_bytes").write_text("777\n")
    membership.write_text("5:cpu,cpuacct:/job\n4:memory:/job\n")
    assert cgroup_limits(membership, root) == [777]
    assert cgroup_limits(tmp_path / "missing", root) == []
