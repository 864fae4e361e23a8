"""How good the policies of several seeds are: each as alone, on the same games, and all together.

The interval over seeds says how far training runs differ. That of one run's games does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rltrain.envs.remote.crew import Crew
from rltrain.errors import CheckpointError, InputError
from rltrain.progress import Progress
from rltrain.run.across_seeds import Across, across
from rltrain.run.group import SeedGroup
from rltrain.verbs import saved_policy
from rltrain.verbs.evaluate import PolicyScore, evaluate


@dataclass(frozen=True)
class SeedScore:
    """The games of one seed's policy."""

    seed: int
    score: PolicyScore


@dataclass(frozen=True)
class SeedsScore:
    """The games of several seeds' policies."""

    group: str  # its folder
    partial: bool  # Ctrl-C ended it
    left_out: int  # seeds without a policy
    not_reached: int  # seeds that Ctrl-C came before
    across: Across
    seeds: tuple[SeedScore, ...]

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {
            "group": self.group,
            "partial": self.partial,
            "left_out": self.left_out,
            "not_reached": self.not_reached,
            **self.across.json(),
            "seeds": [{"training_seed": each.seed, **each.score.json()} for each in self.seeds],
        }


class SeedsEvaluation:
    """An evaluation of several seeds under way: `play` plays it, `result` says what its games brought."""

    def __init__(
        self,
        group: SeedGroup,
        games: int = 30,
        protocol: str | None = None,
        epsilon: float | None = None,
        seed: int = 0,
        *,
        last: bool = False,
        device: str | None = None,
        progress: Progress | None = None,
        crew: Crew | None = None,
    ) -> None:
        self._group, self._last = group, last
        self._how: dict[str, Any] = {"games": games, "protocol": protocol, "epsilon": epsilon, "seed": seed}
        self._how |= {"device": device, "progress": progress, "crew": crew}
        self._scores: list[SeedScore] = []
        self._left_out = 0

    def play(self) -> Iterator[str]:
        """Play `games` games with each seed's policy; yields warnings. A seed without a policy is left out.

        Ctrl-C ends it with what was measured; KeyboardInterrupt if that is nothing. CheckpointError if no seed has a
        policy, InputError for what fits none of them.
        """
        fault: CheckpointError | InputError | None = None
        for own in self._group.seeds:
            if not self._group.begun(own):
                yield f"seed {own} has not begun, so it is left out"
                self._left_out += 1
                continue
            try:
                saved = saved_policy.read(self._group.member(own).name, self._group.folder, self._last)
                yield from saved.warnings
                score = evaluate(saved, beside=not self._scores, **self._how)
            except KeyboardInterrupt:
                if not self._scores:
                    raise
                return
            except (CheckpointError, InputError) as error:
                fault = fault or error
                yield f"seed {own} is left out: {error}"
                self._left_out += 1
                continue
            self._scores.append(SeedScore(own, score))
            if score.partial:
                return
        if not self._scores and isinstance(fault, InputError):  # what was asked for fits none of them
            raise fault
        if not self._scores:
            folder = self._group.folder
            raise CheckpointError(f"{folder}: none of its seeds has a checkpoint; rltrain resume {folder}")

    def result(self) -> SeedsScore:
        """Of the seeds that were played; at least one."""
        missing = len(self._group.seeds) - self._left_out - len(self._scores)
        found = across_of(self._scores)
        assert found is not None
        partial = missing > 0 or self._scores[-1].score.partial
        return SeedsScore(str(self._group.folder), partial, self._left_out, missing, found, _alike(self._scores))


def across_of(seeds: Sequence[SeedScore]) -> Across | None:
    """All seeds together. One that was stopped among its games, the short ones, counts only if it is all there is."""
    whole = [each.score.mean for each in seeds if not each.score.partial]
    return across(whole or [each.score.mean for each in seeds])


def _alike(seeds: Sequence[SeedScore]) -> tuple[SeedScore, ...]:
    """All seeds with the baselines of the first, which were played once: the games are one and the same."""
    baselines = seeds[0].score.baselines
    return tuple(SeedScore(each.seed, replace(each.score, baselines=baselines)) for each in seeds)
