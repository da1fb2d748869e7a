"""Random numbers of one batch, drawn on the device where they are used."""

from __future__ import annotations

import torch
from torch import Tensor


class Draws:
    """A generator on a device, with a seed from the generator on the CPU: whoever saves that one's state saves all randomness.

    Parameters
    ----------
    generator : torch.Generator
        On the CPU; it moves on by one number.
    device : str
        Where the numbers are wanted.
    """

    def __init__(self, generator: torch.Generator, device: str = "cpu") -> None:
        """Draw the seed."""
        self.device = device
        self.generator = torch.Generator(device)
        self.generator.manual_seed(int(torch.randint(2**62, (), generator=generator)))

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Draw numbers of equal chance from `low` to `high`."""
        return low + (high - low) * torch.rand(*shape, generator=self.generator, device=self.device)

    def normal(self, *shape: int) -> Tensor:
        """Draw from the bell of mean 0 and standard deviation 1."""
        return torch.randn(*shape, generator=self.generator, device=self.device)
