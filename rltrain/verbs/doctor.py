"""What is installed and how fast it may run; what is missing, and the command that mends it."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rltrain import words
from rltrain.errors import RltrainError
from rltrain.memory import available_bytes
from rltrain.run import machine, reserve
from rltrain.verbs import extras
from rltrain.version import __version__

NEEDED = {  # distribution -> module
    "numpy": "numpy",
    "numba": "numba",
    "scipy": "scipy",
    "torch": "torch",
    "gymnasium": "gymnasium",
    "ale-py": "ale_py",
    "pydantic": "pydantic",
    "safetensors": "safetensors",
    "pyyaml": "yaml",
    "rich": "rich",
    "typer": "typer",
    "psutil": "psutil",
    "matplotlib": "matplotlib",
    "jinja2": "jinja2",
    "pillow": "PIL",
}
FREE_DISK_BYTES = 2_000_000_000  # a million Atari frames, compressed, several times over


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `mend` is a command or a hint; it is there only if something can be better."""

    name: str
    value: str
    state: str  # ok, hint, missing; optional: a package that some verbs and environments alone need
    mend: str | None = None


def examine(runs_dir: Path) -> list[Finding]:
    """Every finding, in the order in which a person wants to read them."""
    packages = [_package(name) for name in NEEDED]
    machine = [_roms(), _processor(), _threads(), _device(), _memory(), _runs(runs_dir)]
    return [_python(), *packages, *machine, *map(_extra, extras.EXTRAS)]


def _python() -> Finding:
    text = f"{platform.python_version()}, rltrain {__version__}, {platform.system()} {platform.machine()}"
    return Finding("python", text, "ok")


def _package(name: str) -> Finding:
    """Installed, and can be imported: a broken binary shows only then."""
    try:
        import_module(NEEDED[name])
        return Finding(name, version(name), "ok")
    except PackageNotFoundError:
        return Finding(name, "no version known", "hint", f"pip install --force-reinstall {name}")
    except Exception as error:  # whatever a broken package does on import
        return Finding(name, f"{type(error).__name__}: {error}", "missing", f"pip install --force-reinstall {name}")


def _roms() -> Finding:
    mend = "pip install --force-reinstall 'ale-py>=0.12.1'"
    try:
        from rltrain.envs.atari import roms

        games = roms.games()
        roms.rom_path("ALE/MsPacman-v5")
    except (ImportError, RltrainError) as error:
        return Finding("Atari ROMs", str(error), "missing", mend)
    return Finding("Atari ROMs", f"{len(games)} games, Ms. Pac-Man verified", "ok" if games else "missing")


def _processor() -> Finding:
    return Finding("processor", machine.facts(machine.cores(), "cpu")["processor"], "ok")


def _threads() -> Finding:
    cores, asked = machine.cores(), os.environ.get("OMP_NUM_THREADS")
    text = f"{cores} of {os.cpu_count()} cores usable" + (f", OMP_NUM_THREADS={asked}" if asked else "")
    if asked and asked != str(cores):
        return Finding("threads", text, "hint", "unset OMP_NUM_THREADS, and say run.threads=N where it matters")
    return Finding("threads", text, "ok")


def _device() -> Finding:
    try:
        import torch
    except Exception:  # said by _package
        return Finding("device", "unknown without torch", "hint")
    if torch.cuda.is_available():
        return Finding("device", f"cuda: {torch.cuda.get_device_name(0)}, {torch.cuda.device_count()} in all", "ok")
    if torch.version.cuda is not None:
        mend = "see nvidia-smi; without an NVIDIA GPU this is as it should be"
        return Finding("device", f"cpu; torch is built for CUDA {torch.version.cuda} but finds no GPU", "hint", mend)
    return Finding("device", "cpu", "ok")


def _memory() -> Finding:
    return Finding("memory", f"{words.size(available_bytes())} available", "ok")


def _runs(runs_dir: Path) -> Finding:
    """Tried as a run tries it, where the folder is there to try."""
    place = next(path for path in (runs_dir, *runs_dir.absolute().parents) if path.is_dir())
    try:
        warnings = reserve.probe(place)
        free = reserve.free_bytes(place)
    except RltrainError as error:
        return Finding("runs folder", str(error), "missing", "choose another folder: --runs-dir PATH")
    text = f"{runs_dir}, {words.size(free)} free"
    if warnings:
        return Finding("runs folder", "; ".join([text, *warnings]), "hint", "choose a local disk: --runs-dir PATH")
    if free < FREE_DISK_BYTES:
        return Finding("runs folder", text, "hint", "free some space, or choose another folder: --runs-dir PATH")
    return Finding("runs folder", text, "ok")


def _extra(name: str) -> Finding:
    """Which packages of an extra are installed. Nothing is imported: it is optional, and some take seconds."""
    found = extras.versions(name)
    here = ", ".join(f"{package} {own}" for package, own in found.items() if own is not None)
    absent = ", ".join(package for package, own in found.items() if own is None)
    if not absent:
        return Finding(name, here, "ok")
    text = f"{extras.EXTRAS[name].purpose}: " + (f"without {absent}" if here else "not installed")
    return Finding(name, text, "optional", extras.command(name))
