"""Patches without nuclei, as limits stretch empty images: they teach that there may be none at all.

Percentiles stretch whatever an image holds to the full range, so that the noise of an empty well, haze, a blurred field or the blocks of
JPEG look as strong as nuclei do. What ``benchmarks/noise.py`` shows networks to fall for is made here, in patches of a batch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_unet_seg.core.augment import compress
from napari_unet_seg.core.normalize import CLIP

if TYPE_CHECKING:
    from napari_unet_seg.core.data import Batch
    from napari_unet_seg.core.draws import Draws

LIMITS = (0.01, 0.998)
"""Percentiles between which a patch is stretched, as images are."""
COARSENESS = (1, 2, 4, 8, 16, 32)
"""Pixels between the independent values of a random field."""
DEFOCUS = (24, 64)
"""Pixels over which a field of nuclei is spread out of focus: over half a nucleus and more, so that no border is left."""
LINES = 6
"""Scratches and fibres in a patch."""
COMPRESSED = 0.4
"""Share of the patches that are compressed as well."""


def empty_some(batch: Batch, chosen: Tensor, draws: Draws) -> Batch:
    """Replace some patches by others without nuclei.

    Parameters
    ----------
    batch : Batch
    chosen : Tensor of int64, shape (N,)
        Which ones.
    draws : Draws
        The source of randomness.

    Returns
    -------
    Batch
    """
    if not len(chosen):
        return batch
    image, classes = batch.image.clone(), batch.classes.clone()
    distance, touching = batch.distance.clone(), batch.touching.clone()
    image[chosen] = _emptied(image[chosen], draws)
    classes[chosen], distance[chosen], touching[chosen] = 0, 0, False
    return replace(batch, image=image, classes=classes, distance=distance, touching=touching)


def _emptied(image: Tensor, draws: Draws) -> Tensor:
    """Make noise, haze, blurred fields or scratches, one kind a patch, some of them compressed: (N, 1, Y, X)."""
    kinds = torch.stack((_field(image, draws), _field(image, draws), _defocused(image, draws), _scratched(image, draws)))
    kind = (draws.uniform(len(image)) * len(kinds)).long().clamp(max=len(kinds) - 1)
    made = _stretched(kinds[kind, torch.arange(len(image), device=image.device)])
    amplitude = draws.uniform(len(image), 1, 1, 1) ** 0.5  # limits of a whole image stretch one empty part of it less
    often = (draws.uniform(len(image), 1, 1, 1) < COMPRESSED).float()
    made = compress(made, draws.uniform(len(image), 1, 1, 1, low=0.05, high=0.5) * often)
    return (made * torch.where(kind[:, None, None, None] < 2, amplitude, 1.0)).clamp(*CLIP)


def _stretched(image: Tensor) -> Tensor:
    low, high = (torch.quantile(image.flatten(1), share, dim=1)[:, None, None, None] for share in LIMITS)
    return (image - low) / (high - low).clamp(min=1e-6)


def _field(image: Tensor, draws: Draws) -> Tensor:
    """Make a random field: white or coarse noise, or both on uneven light."""
    size = (image.shape[2], image.shape[3])
    field = torch.zeros_like(image)
    for coarseness in COARSENESS:
        values = draws.normal(len(image), 1, *(max(2, edge // coarseness) for edge in size))
        # A high power leaves few of the kinds in a patch.
        field += F.interpolate(values, size=size, mode="bicubic", align_corners=True) * draws.uniform(len(image), 1, 1, 1) ** 6
    light = F.interpolate(draws.normal(len(image), 1, 2, 2), size=size, mode="bilinear", align_corners=True)
    return field + light * draws.uniform(len(image), 1, 1, 1) ** 6


def _defocused(image: Tensor, draws: Draws) -> Tensor:
    """Spread patches of nuclei until no border is left, and add the noise of the camera."""
    size = (image.shape[2], image.shape[3])
    spread = []
    for edge in DEFOCUS:
        coarse = F.adaptive_avg_pool2d(image, (max(2, size[0] // edge), max(2, size[1] // edge)))
        spread.append(F.interpolate(coarse, size=size, mode="bicubic", align_corners=False))
    share = draws.uniform(len(image), 1, 1, 1)
    noise = draws.normal(*image.shape) * 0.2 * draws.uniform(len(image), 1, 1, 1) ** 2
    blurred = _stretched(spread[0] * share + spread[1] * (1 - share))
    return blurred + noise


def _scratched(image: Tensor, draws: Draws) -> Tensor:
    """Draw thin lines on a noisy ground."""
    height, width = image.shape[2:]
    count = len(image)
    y, x = torch.meshgrid(torch.arange(height, device=image.device), torch.arange(width, device=image.device), indexing="ij")
    angle = draws.uniform(count, LINES, 1, 1, high=torch.pi)
    middle_y, middle_x = (draws.uniform(count, LINES, 1, 1, high=edge) for edge in (height, width))
    across = (y - middle_y) * angle.cos() - (x - middle_x) * angle.sin()
    along = (y - middle_y) * angle.sin() + (x - middle_x) * angle.cos()
    reach, thickness = draws.uniform(count, LINES, 1, 1, low=10, high=150), draws.uniform(count, LINES, 1, 1, low=0.6, high=1.5)
    lines = torch.exp(-((across / thickness) ** 2)) * (along.abs() < reach)
    drawn: Tensor = lines.amax(dim=1, keepdim=True) + 0.05 * draws.normal(*image.shape)
    return drawn
