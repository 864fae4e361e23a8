"""One optimiser step from given gradients, and the optimiser's state as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rltrain.core import State


class Optimiser:
    """Adam (Kingma and Ba 2015), or RMSProp as Mnih et al. 2015 used it: centred, decay 0.95."""

    def __init__(self, name: str, parameters: Sequence[torch.nn.Parameter], eps: float) -> None:
        self.parameters = list(parameters)
        self._optimiser: torch.optim.Optimizer
        if name == "adam":
            self._optimiser = torch.optim.Adam(self.parameters, eps=eps, fused=True)
        else:
            self._optimiser = torch.optim.RMSprop(self.parameters, alpha=0.95, eps=eps, centered=True)

    def step(self, gradients: Sequence[Tensor], learning_rate: float, max_norm: float | None) -> Tensor:
        """Move the parameters. Returns the norm of all gradients before clipping, a scalar tensor."""
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient.float()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, max_norm if max_norm is not None else float("inf"))
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate
        self._optimiser.step()
        return norm

    def save(self) -> State:
        """Per parameter, in order: the optimiser's own arrays by name; empty before the first step."""
        state = self._optimiser.state
        return {
            str(i): {name: np.array(value.cpu().numpy(), order="C") for name, value in state[parameter].items()}
            for i, parameter in enumerate(self.parameters)
            if parameter in state
        }

    def load(self, state: State) -> None:
        self._optimiser.state.clear()
        for i, parameter in enumerate(self.parameters):
            for name, saved in state.get(str(i), {}).items():
                value = torch.from_numpy(saved)
                if (
                    value.shape == parameter.shape
                ):  # as the optimiser would have made it: the parameter's device and layout
                    value = torch.empty_like(parameter, requires_grad=False).copy_(value)
                self._optimiser.state[parameter][name] = value.clone(memory_format=torch.preserve_format)
