"""An optimiser that is given its gradients, and its state as plain arrays.

The steps are PyTorch's, called as functions: its optimiser classes import its compiler before the first step, a second
or two of every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.radam import radam
from torch.optim.rmsprop import rmsprop

from rltrain.core import State
from rltrain.saved import MAX_COUNT, Saved

MOMENTS = {  # what an optimiser keeps of each parameter, besides its number of steps: [name, whether it is of squares]
    "adam": (("exp_avg", False), ("exp_avg_sq", True)),
    "radam": (("exp_avg", False), ("exp_avg_sq", True)),
    "rmsprop": (("square_avg", True), ("grad_avg", False)),
    "rmsprop_plain": (("square_avg", True),),
}


class Optimiser:
    """Adam (Kingma and Ba 2015), RAdam (Liu et al. 2020), or RMSProp as Mnih et al. 2015 used it: centred, decay 0.95;
    "rmsprop_plain" is that of A3C (Mnih et al. 2016): not centred, decay 0.99.

    It may have no parameters; then it does nothing. `working`: copies of the parameters in lower precision, which
    follow every step; none where the parameters themselves are differentiated.
    """

    def __init__(
        self,
        name: str,
        parameters: Sequence[torch.nn.Parameter],
        eps: float,
        working: Sequence[torch.nn.Parameter] | None = None,
    ) -> None:
        self.parameters: list[Tensor] = list(parameters)
        self.working: list[Tensor] = list(parameters if working is None else working)
        self._is_copied = working is not None
        self._name, self._eps = name, eps
        self.gradients = [torch.zeros_like(parameter) for parameter in self.parameters]
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient
        # The number of steps and the moments, by name and parameter; empty before the first step.
        self._state: dict[str, list[Tensor]] = {}

    def take(self, gradients: Sequence[Tensor]) -> Tensor:
        """Keep these gradients, of any dtype, by parameter. Returns their norm, a scalar.

        One that was written to `gradients` beforehand is not copied.
        """
        if not self.parameters:
            return torch.zeros(())
        elsewhere = [i for i, gradient in enumerate(gradients) if gradient is not self.gradients[i]]
        if elsewhere:
            torch._foreach_copy_([self.gradients[i] for i in elsewhere], [gradients[i] for i in elsewhere])
        norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(self.gradients)))
        return norm

    def step(self, learning_rate: float | Tensor, scale: float | Tensor = 1.0) -> None:
        """Move the parameters by the gradients that were taken, times `scale`. Scalar tensors are for a GPU."""
        if not self.parameters:
            return
        if isinstance(scale, Tensor) or scale != 1.0:
            torch._foreach_mul_(self.gradients, scale)
        if not self._state:
            self._state = self._zeros()
        with torch.no_grad():
            self._move(learning_rate)
            if self._is_copied:
                torch._foreach_copy_(self.working, self.parameters)

    def _zeros(self) -> dict[str, list[Tensor]]:
        """The state before the first step: of each parameter's device and layout."""
        steps = [torch.zeros((), device=parameter.device) for parameter in self.parameters]
        moments = {name: [torch.zeros_like(p) for p in self.parameters] for name, _ in MOMENTS[self._name]}
        return {"step": steps, **moments}

    def _move(self, learning_rate: float | Tensor) -> None:
        steps, first, *rest = self._state.values()
        on_gpu = self.parameters[0].is_cuda  # there a step may be recorded: nothing of it may look at a number
        given: dict[str, Any] = {"lr": learning_rate, "eps": self._eps, "weight_decay": 0.0, "capturable": on_gpu}
        if self._name.startswith("rmsprop"):
            given |= {"alpha": 0.95 if rest else 0.99, "momentum": 0.0, "centered": bool(rest)}
            rmsprop(self.parameters, self.gradients, first, rest[0] if rest else [], [], steps, **given)
            return
        (second,) = rest
        given |= {"beta1": 0.9, "beta2": 0.999}
        if self._name == "radam":
            radam(self.parameters, self.gradients, first, second, steps, foreach=True, **given)
        else:
            given |= {"amsgrad": False, "maximize": False, "fused": True}
            adam(self.parameters, self.gradients, first, second, [], steps, **given)

    def restart(self) -> None:
        """As before the first step. In place: a recorded step goes on with it."""
        for tensors in self._state.values():
            for tensor in tensors:
                tensor.zero_()

    def save(self) -> State:
        """Per parameter, in order: its number of steps and its moments by name; empty before the first step."""
        if not self._state:
            return {}
        return {
            str(i): {name: np.array(tensors[i].cpu().numpy(), order="C") for name, tensors in self._state.items()}
            for i in range(len(self.parameters))
        }

    def load(self, state: State) -> None:
        saved = Saved.of(state)
        self._state = {}
        if not self.parameters or not saved:  # before the first step
            return
        loaded = self._zeros()
        for i, parameter in enumerate(self.parameters):
            one = saved.part(str(i))
            loaded["step"][i].copy_(torch.from_numpy(one.array("step", "float32", (), 0, MAX_COUNT)))
            for name, of_squares in MOMENTS[self._name]:
                least = 0 if of_squares else None
                values = one.array(name, "float32", tuple(parameter.shape), least, finite=False)
                loaded[name][i].copy_(torch.from_numpy(values))
        self._state = loaded


def clip_scale(norm: Tensor, max_norm: float | None) -> float | Tensor:
    """What to multiply gradients by, so that their norm is at most `max_norm`. On a GPU a tensor: nothing waits."""
    if max_norm is None:
        return 1.0
    if norm.is_cuda:
        return (max_norm / norm).clamp(max=1.0)
    length = norm.item()
    return max_norm / length if length > max_norm else 1.0
