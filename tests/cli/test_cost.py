"""What fits in memory, and what is said when it does not."""

import re

import pytest

from rltrain.deep import device
from rltrain.errors import MissingError, OutOfMemoryError
from rltrain.experiment import config
from rltrain.memory import cgroup_limits
from rltrain.verbs.cost import PROCESS_BYTES, check_memory, memory_bytes, refuse_what_does_not_fit


def experiment(buffer_size):
    text = f"algorithm: {{name: dqn, buffer_size: {buffer_size}}}\nenvironment: CartPole-v1"
    return config.loads(text, "test.yaml")


def cost(buffer_size):
    return {"parameters": 1_000_000, "replay_bytes": 7_100 * buffer_size, "checkpoint_bytes": 1}


def test_the_size_that_is_named_fits_and_a_larger_one_does_not():
    available = 3_000_000_000
    with pytest.raises(OutOfMemoryError, match=r"algorithm\.buffer_size") as caught:
        check_memory(experiment(1_000_000), cost(1_000_000), available, False, cost)
    fits = int(re.search(r"algorithm\.buffer_size=(\d+)", str(caught.value))[1])
    check_memory(experiment(fits), cost(fits), available, False, cost)
    assert memory_bytes(cost(fits + 1000)) > available


def test_without_room_for_any_replay_no_size_is_named():
    with pytest.raises(OutOfMemoryError, match="free some") as caught:
        check_memory(experiment(1_000_000), cost(1_000_000), PROCESS_BYTES // 2, False, cost)
    assert "buffer_size=" not in str(caught.value)


def test_frames_on_a_gpu_are_the_gpus(monkeypatch):
    text = "algorithm: {name: dqn, buffer_size: 1_000_000}\nenvironment: ALE/MsPacman-v5"
    frames = 1_000_000 * 84 * 84
    asked = config.loads(text, "test.yaml", ["run.device=cuda:1"])
    monkeypatch.setattr("rltrain.verbs.cost.available_bytes", lambda: frames // 2)
    monkeypatch.setattr(device, "free_bytes", lambda name: {"cuda:1": 2 * frames}[name])
    _, found = refuse_what_does_not_fit(asked)  # it would not fit beside the processor
    assert frames < found["gpu_bytes"] < 1.01 * frames
    assert memory_bytes(found) == memory_bytes(found | {"gpu_bytes": 0}) - found["gpu_bytes"]
    with pytest.raises(OutOfMemoryError, match="of memory and"):
        refuse_what_does_not_fit(config.loads(text, "test.yaml", ["run.device=cpu"]))

    monkeypatch.setattr(device, "free_bytes", lambda _: frames)
    with pytest.raises(OutOfMemoryError, match="of the GPU's memory") as caught:
        refuse_what_does_not_fit(asked)
    fits = int(re.search(r"algorithm\.buffer_size=(\d+)", str(caught.value))[1])
    refuse_what_does_not_fit(config.loads(text, "test.yaml", ["run.device=cuda:1", f"algorithm.buffer_size={fits}"]))
    with pytest.raises(OutOfMemoryError, match="keeps its settings"):
        refuse_what_does_not_fit(asked, resumed=True)


def test_a_gpu_that_is_not_there_is_said_in_one_line():
    with pytest.raises(MissingError, match="cuda:99 is not there"):
        refuse_what_does_not_fit(config.load("configs/dqn_pacman_gpu.yaml", ["run.device=cuda:99"]))


def test_a_rollout_that_does_not_fit_is_named():
    text = "algorithm: {name: pqn}\nenvironment: CartPole-v1"
    with pytest.raises(OutOfMemoryError, match=r"algorithm\.rollout_steps"):
        check_memory(config.loads(text, "test.yaml"), {"rollout_bytes": 10**10}, 10**9, False, cost)


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
