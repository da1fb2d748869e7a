"""AdamW and the course of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

WARM_UP = 100
"""Steps until the learning rate is at its highest, in runs of 1000 steps or more."""
FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-8
"""Decays of the two running means, and what keeps the division finite."""


class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019).

    Not `torch.optim.AdamW`, although both give the same steps: making that one imports ``torch._dynamo`` and with it, in builds for CUDA,
    triton's copy of LLVM. In a process in which a viewer draws by software OpenGL, which has an LLVM of its own, that ends in a
    segmentation fault.

    Parameters
    ----------
    parameters : iterable of Tensor
        What is optimised.
    weight_decay : float
        Share, times the rate, by which each step shrinks every parameter.
    """

    def __init__(self, parameters: Iterable[Tensor], weight_decay: float) -> None:
        """Start with both running means at 0."""
        self.parameters = list(parameters)
        self.weight_decay = weight_decay
        self.steps = 0
        self.first = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.second = [torch.zeros_like(parameter) for parameter in self.parameters]

    def step(self, rate: float) -> None:
        """Move every parameter that has a gradient by about `rate`."""
        self.steps += 1
        unbiased, root = 1 - FIRST**self.steps, math.sqrt(1 - SECOND**self.steps)
        moved = [i for i, parameter in enumerate(self.parameters) if parameter.grad is not None]
        if not moved:
            return
        parameters, first, second = ([tensors[i] for i in moved] for tensors in (self.parameters, self.first, self.second))
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        with torch.no_grad():  # all tensors at once, as torch's own optimisers do: on a GPU, one by one takes longer than the network
            torch._foreach_mul_(parameters, 1 - rate * self.weight_decay)
            torch._foreach_lerp_(first, gradients, 1 - FIRST)
            torch._foreach_mul_(second, SECOND)
            torch._foreach_addcmul_(second, gradients, gradients, 1 - SECOND)
            spread = torch._foreach_sqrt(second)
            torch._foreach_div_(spread, root)
            torch._foreach_add_(spread, EPSILON)
            torch._foreach_addcdiv_(parameters, first, spread, -rate / unbiased)

    def clear(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Return the running means by name; the tensors are those in use."""
        means = {"first": self.first, "second": self.second}
        return {f"{name}.{i}": tensor for name, tensors in means.items() for i, tensor in enumerate(tensors)}

    def load(self, state: dict[str, Tensor], steps: int) -> None:
        """Take over the running means after so many steps.

        Parameters
        ----------
        state : dict of str to Tensor
            From `state`.
        steps : int
            Steps done.
        """
        self.steps = steps
        for name, tensor in self.state().items():
            tensor.copy_(state[name])


def schedule(step: float, steps: float, decay: float) -> float:
    """Return the share of the learning rate at a step: a linear warm-up, a plateau, then half a cosine down to 0.

    Parameters
    ----------
    step, steps : float
        This step, from 1, and their number.
    decay : float
        Share of the steps after the warm-up over which the rate falls; 1 has no plateau.

    Returns
    -------
    float
        0 to 1.
    """
    warm_up = min(WARM_UP, steps // 10)
    if step <= warm_up:
        return step / warm_up
    falling = max(decay * (steps - warm_up), 1)
    return 0.5 * (1 + math.cos(math.pi * max(0.0, 1 - (steps - step) / falling)))
