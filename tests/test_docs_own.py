"""The algorithm and the sink of docs/own.md are whole: found by entry points, trained, resumed exactly."""

import json
import tomllib
from pathlib import Path

from pages import OWN, ROOT, Shell, page

from rltrain import registry

PAGE = page("docs/own.md")


def test_the_algorithm_and_the_sink_are_found_and_resume_exactly(tmp_path: Path) -> None:
    points = [tomllib.loads(text)["project"]["entry-points"] for text in PAGE.blocks("toml")]
    algorithm, _, sink = points
    assert list(algorithm) == [registry.ALGORITHMS] and list(sink) == [registry.SINKS]
    shell = Shell(tmp_path, PAGE)
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    information = tmp_path / "my_package-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    lines = []
    for found, text in zip((algorithm, sink), PAGE.blocks("python"), strict=True):
        ((group, named),) = found.items()
        ((name, value),) = named.items()
        module = value.split(":")[0].split(".")[1]
        (package / f"{module}.py").write_text(text)
        lines += [f"[{group}]", f"{name} = {value}"]
    (information / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "search.yaml").write_text(PAGE.blocks("yaml")[0])

    for command in (
        "train search.yaml run.sinks=[tally] --name whole run.budget.episodes=60",
        "train search.yaml run.sinks=[tally] --name parts run.budget.episodes=20",
        "resume parts run.budget.episodes=60",
    ):
        code, out = shell.run(f"rltrain {command} --quiet")
        assert code == 0, out
    for name in ("metrics.jsonl", "tally.txt"):
        whole, parts = ((tmp_path / "runs" / run / name).read_bytes() for run in ("whole", "parts"))
        assert whole == parts
    scores = [json.loads(line)["return/last"] for line in (tmp_path / "runs/whole/metrics.jsonl").open()]
    assert max(scores) > 100  # random play: about 22
    said = shell.run("rltrain list algorithms")[1]
    assert f"{OWN} " in said and "Random search" in said


def test_the_sink_is_the_one_that_passes_the_conformance_tests() -> None:
    fixture = ROOT / "tests" / "fixtures" / "neighbour" / "neighbour" / "tally.py"
    assert PAGE.blocks("python")[1] == fixture.read_text(encoding="utf-8")
