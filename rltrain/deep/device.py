"""Which device the networks live on."""

from __future__ import annotations

import torch

from rltrain.errors import MissingError


def resolve(name: str) -> torch.device:
    """The device of this name; `auto` is the GPU if there is one. MissingError if it is not there."""
    if name == "auto":
        name = "cuda" if has_gpu() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise MissingError(
            f"run.device: {name} is not there; torch sees {torch.cuda.device_count()} GPUs. Use run.device=cpu"
        )
    if device.type == "cuda":
        torch.backends.cudnn.deterministic = True  # the same sums in every run
    use(device)
    return device


def has_gpu() -> bool:
    """Whether torch can compute on a GPU here."""
    return torch.cuda.is_available()


def free_bytes(name: str) -> int:
    """Free memory of the GPU of this name. MissingError if it is not there."""
    return int(torch.cuda.mem_get_info(resolve(name))[0])


def use(device: torch.device) -> None:
    """In this thread: streams, events and recordings that name no device are this one's."""
    if device.index is not None:
        torch.cuda.set_device(device)


def prepare_thread(device: torch.device) -> None:
    """A thread that helps the learner's: one core, the same device."""
    torch.set_num_threads(1)
    use(device)
