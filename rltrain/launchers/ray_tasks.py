"""Jobs as tasks of Ray, one a run: on the cluster that RAY_ADDRESS names, else on one started for them here.

Ray decides where a run finds its cores, memory and GPUs, and starts the task of a node that was lost on another, where
the run goes on from its folder. So all nodes must share that folder, which is tried before anything begins. Of Ray the
core alone is used. Tokens are Ray's own business (RAY_AUTH_MODE, RAY_AUTH_TOKEN): nothing here reads them.
"""

from __future__ import annotations

import os
import platform
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rltrain import imports, words
from rltrain.errors import InputError, OutOfMemoryError
from rltrain.launchers import ray_node
from rltrain.launchers.job import RunJob
from rltrain.launchers.needs import Needs
from rltrain.launchers.queue_notes import check_none_queued
from rltrain.launchers.ray_node import NodeFacts, asked_to_stop
from rltrain.ray_cluster import RayConnection
from rltrain.run import machine
from rltrain.run.disk import disk_errors
from rltrain.run.own_files import append, write_small
from rltrain.spelling import in_one_line
from rltrain.version import __version__

LOOK_SECONDS = 0.5  # between two questions for a task
NODE_SECONDS = 120  # for a node to say what it sees: it starts a Python
LOST = 1  # the exit code of a task that has none


class RayTask:
    """A task at work: see `contract.Running`."""

    def __init__(self, ray: Any, job: RunJob, reference: Any) -> None:
        self._ray, self._job, self._reference = ray, job, reference
        self._looked = time.monotonic()

    def poll(self) -> int | None:
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return None
        self._looked = time.monotonic()
        ready, _ = self._ray.wait([self._reference], timeout=0)
        if not ready:
            return None
        with suppress(OSError):
            asked_to_stop(self._job).unlink(missing_ok=True)
        try:
            return int(self._ray.get(self._reference))
        except self._ray.exceptions.RayError as error:
            with suppress(OSError):
                append(self._job.log, f"ray: {in_one_line(str(error))}\n")
            return LOST

    def stop(self) -> None:
        with disk_errors(f"{self._job.folder} cannot be asked to stop"):
            asked_to_stop(self._job).touch()

    def pause(self) -> None:
        """Nothing: it is another machine's."""

    def wake(self) -> None:
        """Nothing: it was not paused."""


class RayTasks:
    """Ray: see `contract.Launcher`. `folder`: of the group, or of the sweep with all its groups."""

    name = "ray"
    outlives = False

    def __init__(self, folder: Path, needs: Needs) -> None:
        """MissingError if Ray is not installed."""
        self._connection = RayConnection("--launcher ray")
        self._ray, self._connected = self._connection.ray, False
        self._folder, self._needs = folder.resolve(), needs

    def start(self, jobs: Sequence[RunJob]) -> list[RayTask]:
        """Take these. InputError if the cluster cannot be joined, or shares no folder; OutOfMemoryError."""
        if not self._connected:
            self._connection.open(machine.cores())
            self._connected = True
            self._check_room()
            self._check_nodes()
        needs = self._needs
        task = self._ray.remote(ray_node.bring).options(
            num_cpus=needs.cores, num_gpus=needs.gpus, memory=needs.memory, max_retries=-1
        )
        flags, threads = imports.flags(), os.environ.get(ray_node.THREADS)
        found = []
        for job in jobs:
            asked_to_stop(job).unlink(missing_ok=True)
            group = str(job.group.folder.resolve())
            found.append(RayTask(self._ray, job, task.remote(group, job.seed, flags, threads, os.getcwd())))
        return found

    def taken(self, jobs: Sequence[RunJob]) -> list[None]:
        """Nobody: tasks end with the process that started them."""
        check_none_queued(jobs)
        return [None] * len(jobs)

    def parting(self) -> list[str]:
        return []

    def close(self) -> None:
        self._connected = False
        self._connection.close()

    def _check_room(self) -> None:
        """OutOfMemoryError if no node can ever hold a run: Ray would wait for one."""
        needs, nodes = self._needs, [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if any(
            node.get("CPU", 0) >= needs.cores
            and node.get("GPU", 0) >= needs.gpus
            and node.get("memory", 0) >= needs.memory
            for node in nodes
        ):
            return
        gpus = f", {words.many(needs.gpus, 'GPU')}" if needs.gpus else ""
        what = f"{words.many(needs.cores, 'core')}, {words.size(needs.memory)} of memory{gpus}"
        raise OutOfMemoryError(f"--launcher ray: a run needs {what}, which none of {len(nodes)} nodes has")

    def _check_nodes(self) -> None:
        """InputError if a node does not share the folder, or has another rltrain or Python; nothing has begun yet."""
        token = f".ray-{secrets.token_hex(8)}"
        write_small(self._folder / token, token)
        try:
            strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
            asked = {}
            for node in self._ray.nodes():
                if node["Alive"]:
                    where = strategy(node_id=node["NodeID"], soft=False)
                    task = self._ray.remote(ray_node.look).options(num_cpus=0, scheduling_strategy=where)
                    asked[node["NodeID"]] = node["NodeName"], task.remote(str(self._folder), token, node["NodeID"])
            for identity, (name, reference) in asked.items():
                try:
                    facts = self._ray.get(reference, timeout=NODE_SECONDS)
                except self._ray.exceptions.RayError as error:
                    why = in_one_line(str(error).strip().rpartition("\n")[2])
                    raise InputError(f"--launcher ray: node {name} cannot run rltrain: {why}") from error
                answered = (self._folder / f"{token}-{identity}").is_file()
                refuse(facts, facts.shared and answered, self._folder)
        finally:
            for path in self._folder.glob(f"{token}*"):
                path.unlink(missing_ok=True)


def refuse(facts: NodeFacts, shared: bool, folder: Path) -> None:
    """InputError if runs on this node would be lost, or be other runs."""
    if not shared:
        rule = "runs are resumed from there, so every node must have it at this path; give a shared one: --runs-dir"
        raise InputError(f"--launcher ray: node {facts.host} does not share {folder}: {rule}")
    here = {"rltrain": __version__, "python": platform.python_version()}
    there = {"rltrain": facts.rltrain, "python": facts.python}
    for name, version in here.items():
        if there[name] != version:
            rule = "runs would not be exact; install the one on both"
            raise InputError(f"--launcher ray: node {facts.host} has {name} {there[name]}, here is {version}: {rule}")
