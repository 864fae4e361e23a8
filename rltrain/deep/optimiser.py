"""An optimiser that is given its gradients, and its state as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rltrain.core import State
from rltrain.saved import MAX_COUNT, Saved

MOMENTS = {  # what an optimiser keeps of each parameter, besides its number of steps: [name, whether it is of squares]
    "adam": (("exp_avg", False), ("exp_avg_sq", True)),
    "radam": (("exp_avg", False), ("exp_avg_sq", True)),
    "rmsprop": (("square_avg", True), ("grad_avg", False)),
}


class Optimiser:
    """Adam (Kingma and Ba 2015), RAdam (Liu et al. 2020), or RMSProp as Mnih et al. 2015 used it: centred, decay 0.95.

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
        self._moments = MOMENTS[name]
        self.gradients = [torch.zeros_like(parameter) for parameter in self.parameters]
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient
        self._optimiser: torch.optim.Optimizer | None = None
        if not self.parameters:
            return
        on_gpu = self.parameters[0].is_cuda  # there a step may be recorded: nothing of it may look at a number
        if name == "adam":
            self._optimiser = torch.optim.Adam(self.parameters, eps=eps, fused=True, capturable=on_gpu)
        elif name == "radam":
            self._optimiser = torch.optim.RAdam(self.parameters, eps=eps, foreach=True, capturable=on_gpu)
        else:
            rmsprop = torch.optim.RMSprop
            self._optimiser = rmsprop(self.parameters, alpha=0.95, eps=eps, centered=True, capturable=on_gpu)

    def take(self, gradients: Sequence[Tensor]) -> Tensor:
        """Keep these gradients, of any dtype, by parameter. Returns their norm, a scalar.

        One that was written to `gradients` beforehand is not copied.
        """
        if self._optimiser is None:
            return torch.zeros(())
        elsewhere = [i for i, gradient in enumerate(gradients) if gradient is not self.gradients[i]]
        if elsewhere:
            torch._foreach_copy_([self.gradients[i] for i in elsewhere], [gradients[i] for i in elsewhere])
        norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(self.gradients)))
        return norm

    def step(self, learning_rate: float | Tensor, scale: float | Tensor = 1.0) -> None:
        """Move the parameters by the gradients that were taken, times `scale`. Scalar tensors are for a GPU."""
        if self._optimiser is None:
            return
        if isinstance(scale, Tensor) or scale != 1.0:
            torch._foreach_mul_(self.gradients, scale)
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate
        self._optimiser.step()
        if self._is_copied:
            with torch.no_grad():
                torch._foreach_copy_(self.working, self.parameters)

    def restart(self) -> None:
        """As before the first step. In place: a recorded step goes on with it."""
        states = [] if self._optimiser is None else self._optimiser.state.values()
        for state in states:
            for value in state.values():
                value.zero_()

    def save(self) -> State:
        """Per parameter, in order: the optimiser's own arrays by name; empty before the first step."""
        state = {} if self._optimiser is None else self._optimiser.state
        return {
            str(i): {name: np.array(value.cpu().numpy(), order="C") for name, value in state[parameter].items()}
            for i, parameter in enumerate(self.parameters)
            if parameter in state
        }

    def load(self, state: State) -> None:
        if self._optimiser is None:
            return
        saved = Saved.of(state)
        self._optimiser.state.clear()
        if not saved:  # before the first step
            return
        for i, parameter in enumerate(self.parameters):
            one, kept = saved.part(str(i)), self._optimiser.state[parameter]
            kept["step"] = torch.from_numpy(one.array("step", "float32", (), 0, MAX_COUNT)).to(parameter.device)
            for name, of_squares in self._moments:
                least = 0 if of_squares else None
                values = one.array(name, "float32", tuple(parameter.shape), least, finite=False)
                # As the optimiser would have made it: the parameter's device and layout.
                kept[name] = torch.empty_like(parameter, requires_grad=False).copy_(torch.from_numpy(values))


def clip_scale(norm: Tensor, max_norm: float | None) -> float | Tensor:
    """What to multiply gradients by, so that their norm is at most `max_norm`. On a GPU a tensor: nothing waits."""
    if max_norm is None:
        return 1.0
    if norm.is_cuda:
        return (max_norm / norm).clamp(max=1.0)
    length = norm.item()
    return max_norm / length if length > max_norm else 1.0
