"""Random changes of patches: intensity, deformation and noise, as torch operations on whole batches.

Everything random comes from the generator that is handed in.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_unet_seg.core.normalize import CLIP


def change_intensity(image: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    """Change gamma, gain, offset, evenness of light, sharpness and noise of each patch at random.

    Parameters
    ----------
    image : Tensor, shape (B, 1, Y, X)
        Normalised patches.
    strength : Tensor, shape (B, 1, 1, 1)
        0 changes nothing, 1 the most.
    generator : torch.Generator
        The source of randomness.

    Returns
    -------
    Tensor, shape (B, 1, Y, X)
    """

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(image), 1, 1, 1, generator=generator)

    def sometimes(share: float) -> Tensor:
        return (draw(0, 1) < share * strength).float()

    image = image.sign() * image.abs() ** torch.exp(draw(-0.5, 0.5) * strength)
    light = torch.randn(len(image), 1, 3, 3, generator=generator) * 0.25 * sometimes(0.3)
    image = image * torch.exp(F.interpolate(light, size=image.shape[2:], mode="bicubic", align_corners=True))
    image = _blur(image, draw(0.3, 1.2) * sometimes(0.35))
    image = image * torch.exp(draw(-0.5, 0.5) * strength) + draw(-0.15, 0.2) * strength
    noise = torch.randn(image.shape, generator=generator)
    return (image + noise * draw(0, 0.1) * sometimes(0.5)).clamp(*CLIP)


def _blur(image: Tensor, sigma: Tensor) -> Tensor:
    """Blur each patch by its own Gaussian, sigma (B, 1, 1, 1) in pixels; 0 leaves it."""
    offsets = torch.arange(-3, 4, dtype=torch.float32)
    kernel = torch.exp(-(offsets**2) / (2 * sigma.clamp(min=1e-3).view(-1, 1) ** 2))  # (B, 7)
    kernel = kernel / kernel.sum(dim=1, keepdim=True)
    patches = F.pad(image.transpose(0, 1), (3, 3, 3, 3), mode="replicate")  # (1, B, Y, X): a group a patch
    rows = F.conv2d(patches, kernel[:, None, :, None], groups=len(image))
    return F.conv2d(rows, kernel[:, None, None, :], groups=len(image)).transpose(0, 1)


def smooth_shift(size: int, strength: float, generator: torch.Generator) -> Tensor:
    """Make a smooth random displacement (Simard, Steinkraus and Platt, ICDAR 2003, with a cubic grid).

    Parameters
    ----------
    size : int
        Edge of the patch, in pixels.
    strength : float
        Twice the standard deviation at the nodes of a 6 x 6 grid, in pixels.
    generator : torch.Generator
        The source of randomness.

    Returns
    -------
    Tensor, shape (Y, X, 2)
        In pixels, x first.
    """
    coarse = torch.randn(1, 2, 6, 6, generator=generator) * strength / 2
    fine = F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=True)
    return fine[0].permute(1, 2, 0)


def noise(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Make noise as limits stretch that of an empty image: the 1st percentile near 0, the 99.8th at most near 1.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    generator : torch.Generator
        The source of randomness; white or smoothed noise, strong or weak.

    Returns
    -------
    Tensor, shape (Y, X)
    """
    coarseness = 1 + 7 * float(torch.rand((), generator=generator)) ** 3
    size = [max(2, round(edge / coarseness)) for edge in shape]
    field = F.interpolate(torch.randn(1, 1, *size, generator=generator), size=shape, mode="bicubic", align_corners=True)[0, 0]
    amplitude = float(torch.rand((), generator=generator)) ** 0.5
    stretched: Tensor = 0.45 * amplitude + 0.19 * amplitude * field / field.std()
    return stretched
