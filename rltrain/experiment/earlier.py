"""What a run's config.yaml did not say because there was no such setting, and what held instead when it was written.

The config of a run has every setting. One that it lacks came later, with a default that may be another than what the
run did; it goes on, and is evaluated, as it began.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rltrain import kinds, yaml_subset

THEN = {"environment": {"action_masks": "false"}}  # block -> setting -> what all did before it could be set


def overrides(path: Path, text: str) -> list[str]:
    """`key=value` for what the text of a run's config.yaml lacks; none for a config of other origin."""
    if path.name != "config.yaml" or not (path.parent / "run.json").is_file():
        return []
    tree = yaml_subset.read(text).value
    block = tree.get("environment") if isinstance(tree, Mapping) else None
    name = block.get("id") if isinstance(block, Mapping) else None
    if not isinstance(block, Mapping) or not isinstance(name, str):
        return []
    own = kinds.own_keys(kinds.of(name))
    return [f"environment.{key}={then}" for key, then in THEN["environment"].items() if key in own and key not in block]
