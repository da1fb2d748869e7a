"""Random changes of patches: intensity, deformation, noise and compression, as torch operations on whole batches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_unet_seg.core.normalize import CLIP

if TYPE_CHECKING:
    from napari_unet_seg.core.draws import Draws

BLOCK = 8
"""Edge of the blocks of JPEG, in pixels."""


def change_intensity(image: Tensor, strength: Tensor, draws: Draws) -> Tensor:
    """Change gamma, gain, offset, evenness of light, sharpness, noise and compression of each patch at random.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
        Normalised patches.
    strength : Tensor, shape (B, 1, 1, 1)
        0 changes nothing, 1 the most.
    draws : Draws
        The source of randomness.

    Returns
    -------
    Tensor, shape (B, 1, Y, X)
    """

    def draw(low: float, high: float) -> Tensor:
        """Draw a number for each patch."""
        return draws.uniform(len(image), 1, 1, 1, low=low, high=high)

    def sometimes(share: float) -> Tensor:
        """Choose this share of the patches."""
        return (draw(0, 1) < share * strength).float()

    image = image.sign() * image.abs() ** torch.exp(draw(-0.5, 0.5) * strength)
    light = draws.normal(len(image), 1, 3, 3) * 0.25 * sometimes(0.3)
    image = image * torch.exp(F.interpolate(light, size=image.shape[2:], mode="bicubic", align_corners=True))
    image = _blur(image, draw(0.3, 1.2) * sometimes(0.35))
    image = image * torch.exp(draw(-0.5, 0.5) * strength) + draw(-0.15, 0.2) * strength
    image = image + draws.normal(*image.shape) * draw(0, 0.1) * sometimes(0.5)
    return compress(image, draw(0.02, 0.15) * sometimes(0.1)).clamp(*CLIP)


def _blur(image: Tensor, sigma: Tensor) -> Tensor:
    """Blur each patch by its own Gaussian, sigma (B, 1, 1, 1) in pixels; 0 leaves it."""
    offsets = torch.arange(-3, 4, dtype=torch.float32, device=image.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma.clamp(min=1e-3).view(-1, 1) ** 2))  # (B, 7)
    kernel = kernel / kernel.sum(dim=1, keepdim=True)
    patches = F.pad(image.transpose(0, 1), (3, 3, 3, 3), mode="replicate")  # (1, B, Y, X): a group a patch
    rows = F.conv2d(patches, kernel[:, None, :, None], groups=len(image))
    return F.conv2d(rows, kernel[:, None, None, :], groups=len(image)).transpose(0, 1)


def compress(image: Tensor, step: Tensor) -> Tensor:
    """Lose what JPEG loses: in blocks of 8 x 8, cosine coefficients are rounded, fine ones coarsely (Wallace, CACM 1991).

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
        Y and X are multiples of 8.
    step : Tensor, shape (B, 1, 1, 1)
        Distance between the levels of a block's coarsest coefficient, 8 times its mean; for the finest, 4 times as much. 0 loses nothing.

    Returns
    -------
    Tensor, shape (B, 1, Y, X)
    """
    height, width = (size // BLOCK for size in image.shape[2:])
    cosines = _cosines(image.device)
    blocks = image.view(-1, height, BLOCK, width, BLOCK)
    found = torch.einsum("ui,bhiwj,vj->bhwuv", cosines, blocks, cosines)
    order = torch.arange(BLOCK, device=image.device, dtype=torch.float32)
    steps = step.view(-1, 1, 1, 1, 1) * (1 + 3 * (order[:, None] + order) / (2 * BLOCK - 2))
    rounded = torch.where(steps > 0, (found / steps.clamp(min=1e-6)).round() * steps, found)
    back = torch.einsum("ui,bhwuv,vj->bhiwj", cosines, rounded, cosines).reshape(image.shape)
    return torch.where(step > 0, back, image)


def _cosines(device: torch.device) -> Tensor:
    """Return the orthonormal cosine transform of a block, (8, 8)."""
    places = torch.arange(BLOCK, device=device, dtype=torch.float32)
    cosines = torch.cos(math.pi / BLOCK * (places + 0.5) * places[:, None]) * math.sqrt(2 / BLOCK)
    cosines[0] /= math.sqrt(2)
    return cosines


def smooth_shift(size: int, strength: Tensor, draws: Draws) -> Tensor:
    """Make smooth random displacements (Simard, Steinkraus and Platt, ICDAR 2003, with a cubic grid).

    Parameters
    ----------
    size : int
        Edge of the patches, in pixels.
    strength : Tensor, shape (B,)
        Twice the standard deviation at the nodes of a 6 x 6 grid, in pixels.
    draws : Draws
        The source of randomness.

    Returns
    -------
    Tensor, shape (B, Y, X, 2)
        In pixels, x first.
    """
    coarse = draws.normal(len(strength), 2, 6, 6) * strength[:, None, None, None] / 2
    fine = F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)
    return fine.movedim(1, -1)
