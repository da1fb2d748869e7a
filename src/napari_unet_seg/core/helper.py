"""What takes part in a training and is no part of the model: a network beside it, that learns with it and is then left behind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_unet_seg.core.optimizer import AdamW

if TYPE_CHECKING:
    from napari_unet_seg.core.data import Batch
    from napari_unet_seg.settings import TrainSettings

LONGEST_GRADIENT = 5.0
"""Norm to which gradients are cut, of the network and of what takes part."""


class Helper(ABC):
    """A network that adds a term to the loss, and learns by an optimizer of its own.

    Parameters
    ----------
    build : callable
        Makes the network; called with torch's random numbers started by the settings' seed.
    settings : TrainSettings
        Seed and weight decay.
    device : str
        Where it is put.
    """

    def __init__(self, build: Callable[[], nn.Module], settings: TrainSettings, device: str) -> None:
        """Build the network; the caller's random numbers are left alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = build().to(device).train()
        self.optimizer = AdamW(self.network.parameters(), settings.weight_decay)

    @abstractmethod
    def term(self, batch: Batch, logits: Tensor, levels: list[Tensor]) -> Tensor:
        """Return what is added to the loss of a step.

        Parameters
        ----------
        batch : Batch
            What was shown, and the answers.
        logits : Tensor, shape (B, maps, Y, X)
            From `UNet.forward`.
        levels : list of Tensor
            What the decoder made at each level, as `UNet.forward` gives it.

        Returns
        -------
        Tensor
            A number.
        """

    def learn(self, rate: float) -> None:
        """Move its own weights by about `rate`, after the gradients of the loss are there."""
        nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
        self.optimizer.step(rate)
        self.clear()

    def clear(self) -> None:
        """Forget the gradients, and with them what memory they hold."""
        self.optimizer.clear()

    def state(self) -> dict[str, Tensor]:
        """Return all tensors that decide how it goes on."""
        state = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        return state | {f"optimizer.{name}": tensor for name, tensor in self.optimizer.state().items()}

    def load(self, state: dict[str, Tensor], steps: int) -> None:
        """Go on from what `state` returned after so many steps."""
        self.network.load_state_dict(under("network.", state))
        self.optimizer.load(under("optimizer.", state), steps)


def under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, named without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
