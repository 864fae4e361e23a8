"""The environments in `rltrain list`: a table for each set of algorithms that can learn them, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rltrain.cli.output import say
from rltrain.spelling import brief, shown

if TYPE_CHECKING:
    from rich.console import Console

LONGEST = 120  # characters of a reason in a line
Rows = list[dict[str, Any]]


def show_environments(printer: Console, environments: Rows, every: bool) -> None:
    """Print them. Unless `every` one is wanted: of each the newest version, and of what is missing the number."""
    learned: dict[tuple[str, ...], Rows] = {}
    apart: dict[str, Rows] = {}
    missing: dict[str, Rows] = {}
    for row in environments if every else newest(environments):
        if row["missing"] is not None:
            missing.setdefault(row["missing"], []).append(row)
        elif "/…" in row["form"]:
            apart.setdefault(row["kind"], []).append(row)
        else:
            learned.setdefault(tuple(row["learned_by"]), []).append(row)
    say(f"environments{'' if every else ', the newest version of each'}")
    for able, rows in sorted(learned.items(), key=lambda item: (-len(item[1]), item[0])):
        say(f" learned by {', '.join(able)}")
        _show_table(printer, rows, "observations", "actions")
    for title, rows in apart.items():
        _show_apart(printer, title, rows)
    if missing:
        say(f" and {sum(map(len, missing.values()))} that lack something{'' if every else '; --all names them'}")
    for reason, rows in sorted(missing.items(), key=lambda item: -len(item[1])):
        say(f"   {len(rows):>2}  {brief(reason, LONGEST)}")
        if every:
            _show_words(printer, [row["id"] for row in rows], 7)


def newest(environments: Rows) -> Rows:
    """Of ids that differ in their version alone, the newest: of Ant-v4 and Ant-v5 only the latter."""
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    for row in environments:
        base, _, version = row["id"].rpartition("-v")
        key, number = (base, int(version)) if base and version.isdecimal() else (row["id"], 0)
        if key not in found or found[key][0] < number:
            found[key] = (number, row)
    return [row for _, row in found.values()]


def _show_table(printer: Console, rows: Sequence[Mapping[str, Any]], *keys: str) -> None:
    from rltrain.cli import columns
    from rltrain.cli.columns import Column

    made = [Column("id", [row["id"] for row in rows], words=True)]
    made += [
        Column(key, [brief(row[key] or "-", LONGEST) for row in rows], need, words=True)
        for need, key in enumerate(keys, start=1)
    ]
    columns.show(printer, made, indent=3)


def _show_apart(printer: Console, title: str, rows: Rows) -> None:
    """A kind whose ids all stand in a namespace: the names alone, and what they have in common."""
    space, version = f"{rows[0]['id'].partition('/')[0]}/", f"-v{rows[0]['id'].rpartition('-v')[2]}"
    about = ", ".join(sorted({row["observations"] or "-" for row in rows}))
    say(f" {len(rows)} {title} games, as {space}NAME{version}: {about}; learned by {', '.join(rows[0]['learned_by'])}")
    _show_words(printer, [row["id"].removeprefix(space).removesuffix(version) for row in rows])


def _show_words(printer: Console, words: Sequence[str], indent: int = 3) -> None:
    from rich.padding import Padding
    from rich.text import Text

    printer.print(Padding(Text(shown(" ".join(words))), (0, 0, 0, indent)))
