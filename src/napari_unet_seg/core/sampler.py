"""Random patches of annotated images, augmented.

Everything random comes from one generator on the CPU, so that a seed gives the same patches on every run. Where most of a plane is unknown,
patches are centred on what is known: else three painted nuclei in a large image would hardly ever be seen.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from napari_unet_seg.core.augment import change_intensity, noise, smooth_shift
from napari_unet_seg.core.data import IMAGE, KNOWN, Batch, Sample, targets
from napari_unet_seg.core.numbering import compact

if TYPE_CHECKING:
    from napari_unet_seg.settings import TrainSettings

SHEAR = 0.1
"""Largest shear, in pixels a pixel."""
DENSE = 0.5
"""Planes of which more than this share is known are cut anywhere."""
ON_NUCLEI = 0.7
"""Share of the patches of other planes that are centred on a nucleus; the rest is on ground."""
JITTER = 0.25
"""Largest distance of a patch's centre from what it is centred on, in patches."""
MOST_POINTS = 4096
"""Points of known ground that are kept to be chosen from."""


class PatchSampler:
    """Cuts random patches, balanced over the kinds of image.

    Parameters
    ----------
    samples : sequence of Sample
        At least one.
    settings : TrainSettings
        Patch size and augmentation.
    generator : torch.Generator
        The one source of randomness.
    """

    def __init__(self, samples: Sequence[Sample], settings: TrainSettings, generator: torch.Generator) -> None:
        """Compute how often each image is shown."""
        self.samples = samples
        self.settings = settings
        self.generator = generator
        self.weights = _image_weights(samples, settings.balance)
        self.anchors = [_anchors(sample) for sample in samples]

    def batch(self, size: int = 0) -> Batch:
        """Return the next augmented batch, of the settings' size if none is given."""
        chosen = torch.multinomial(self.weights, size or self.settings.batch, replacement=True, generator=self.generator)
        exact = torch.rand(len(chosen), generator=self.generator) < self.settings.exact
        pairs = list(zip(exact.tolist(), chosen.tolist(), strict=True))
        cut = [self._cut_exact(i) if same else self._cut(i) for same, i in pairs]
        channels = torch.stack([patch for patch, _ in cut])  # (B, 5, Y, X)
        zooms = torch.tensor([zoom for _, zoom in cut])  # (B,)
        batch = targets(channels, zooms, self.settings)
        strength = self.settings.intensity * (~exact).float()[:, None, None, None]
        image = change_intensity(batch.image, strength, self.generator)
        return empty_some(Batch(image, batch.classes, batch.distance, batch.touching), self.settings.empty, self.generator)

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def _cut_exact(self, index: int) -> tuple[Tensor, float]:
        """Cut one patch as it is, only flipped or turned by right angles: interpolation blurs borders that real images have sharp."""
        channels, patch = self.samples[index].channels, self.settings.patch
        anchor = self._anchor(index, 1.0)
        sides = []
        for axis, size in enumerate(channels.shape[1:]):
            spare = size - patch
            start = spare // 2
            if spare > 0:
                start = self._whole(spare + 1) if anchor is None else min(max(round(float(anchor[1 - axis])) - patch // 2, 0), spare)
            sides.append(torch.arange(start, start + patch))
        cut = _pixels_at(channels, *sides)
        if self._whole(2):
            cut = cut.flip(2)
        return torch.rot90(cut, self._whole(4), (1, 2)), 1.0

    def _whole(self, count: int) -> int:
        return int(torch.randint(count, (), generator=self.generator))

    def _cut(self, index: int) -> tuple[Tensor, float]:
        """Cut one randomly zoomed, turned, sheared and deformed patch: (5, Y, X) and its zoom."""
        sample = self.samples[index]
        u = self._uniform(-1, 1)
        zoom = math.exp(self.settings.scale * u * abs(u))
        grid = _patch_grid(self.settings.patch, self._matrix(zoom))  # (Y, X, 2), x first, pixels from the centre
        grid = grid + smooth_shift(self.settings.patch, self.settings.elastic, self.generator) / zoom
        size = torch.tensor([sample.channels.shape[2], sample.channels.shape[1]], dtype=torch.float32)
        margin = torch.minimum(torch.tensor(self.settings.patch / zoom), size) / 2  # the patch lies inside where it can
        anchor = self._anchor(index, zoom)
        if anchor is None:
            centre = margin - 0.5 + torch.rand(2, generator=self.generator) * (size - 2 * margin)
        else:
            centre = torch.maximum(torch.minimum(anchor, size - margin - 0.5), margin - 0.5)
        channels = _smoothed(sample.channels) if zoom < 2 / 3 else sample.channels
        return _sample_at(channels, grid + centre), zoom

    def _anchor(self, index: int, zoom: float) -> Tensor | None:
        """Choose where to centre a patch, x first; None for anywhere."""
        points = self.anchors[index]
        if points is None:
            return None
        chosen = points[0] if self._uniform(0, 1) < ON_NUCLEI else points[1]
        jitter = (2 * torch.rand(2, generator=self.generator) - 1) * JITTER * self.settings.patch / zoom
        return chosen[self._whole(len(chosen))] + jitter

    def _matrix(self, zoom: float) -> Tensor:
        angle, shear = self._uniform(0, 2 * math.pi), self._uniform(-SHEAR, SHEAR)
        flip = -math.copysign(1.0, self._uniform(-1, 1))
        turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        return turn @ torch.tensor([[flip, shear], [0.0, 1.0]]) / zoom


def _anchors(sample: Sample) -> tuple[Tensor, Tensor] | None:
    """Return centres of nuclei and points of ground, x first, on which patches are centred; None for a plane of which most is known."""
    known = sample.known
    if known.mean() > DENSE:
        return None
    numbers, places = compact(np.where(known, sample.labels, 0))
    nuclei = np.array(ndimage.center_of_mass(places > 0, places, np.arange(1, len(numbers) + 1))).reshape(-1, 2)
    ground = np.argwhere(known & (places == 0))
    ground = ground[:: -(-len(ground) // MOST_POINTS)] if len(ground) else ground
    points = [torch.from_numpy(found[:, ::-1].astype(np.float32)) for found in (nuclei, ground)]
    return (points[0] if len(points[0]) else points[1], points[1] if len(points[1]) else points[0])


def _image_weights(samples: Sequence[Sample], balance: float) -> Tensor:
    """Return how often each image is drawn: kinds by `balance`, images of a kind by the root of the area that is known."""
    areas = torch.tensor([float(sample.known.sum()) ** 0.5 for sample in samples])
    counts = Counter(sample.kind for sample in samples)
    shares = {kind: count ** (1 - balance) for kind, count in counts.items()}
    totals = {kind: sum(float(a) for a, s in zip(areas, samples, strict=True) if s.kind == kind) for kind in counts}
    return torch.tensor([float(a) / totals[s.kind] * shares[s.kind] for a, s in zip(areas, samples, strict=True)])


def _sample_at(channels: Tensor, positions: Tensor) -> Tensor:
    """Interpolate (C, Y, X) at pixel positions (Y, X, 2), x first; outside, the image is mirrored and nothing is known."""
    size = torch.tensor([channels.shape[2], channels.shape[1]], dtype=torch.float32)
    relative = 2 * positions / (size - 1).clamp(min=1) - 1  # -1 to 1 over the image
    patch = F.grid_sample(channels[None], relative[None], padding_mode="reflection", align_corners=True)[0]
    patch[KNOWN] *= (relative.abs() <= 1 + 1e-6).all(dim=-1)
    return patch


def _pixels_at(channels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Take (C, Y, X) at whole rows and columns; outside, the image is mirrored and nothing is known, as in `_sample_at`."""
    inside = [(side >= 0) & (side < size) for side, size in zip((rows, columns), channels.shape[1:], strict=True)]
    mirrored = []
    for side, size in zip((rows, columns), channels.shape[1:], strict=True):
        period = max(2 * size - 2, 1)
        folded = side.remainder(period)
        mirrored.append(torch.minimum(folded, period - folded).clamp(max=size - 1))
    patch = channels[:, mirrored[0]][:, :, mirrored[1]]
    patch[KNOWN] *= inside[0][:, None] & inside[1]
    return patch


def _patch_grid(patch: int, matrix: Tensor) -> Tensor:
    steps = torch.arange(patch, dtype=torch.float32) - (patch - 1) / 2
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack((x, y), dim=-1) @ matrix.T  # (Y, X, 2)


def _smoothed(channels: Tensor) -> Tensor:
    """Blur the image channel before it is shrunk, so that noise does not alias."""
    image = F.avg_pool2d(channels[None, IMAGE : IMAGE + 1], 3, stride=1, padding=1, count_include_pad=False)[0]
    return torch.cat((image, channels[1:]))


def empty_some(batch: Batch, share: float, generator: torch.Generator) -> Batch:
    """Replace some patches by noise without nuclei, as limits stretch the noise of an empty image.

    Parameters
    ----------
    batch : Batch
    share : float
        Probability that a patch is replaced.
    generator : torch.Generator
        The source of randomness.

    Returns
    -------
    Batch
    """
    chosen = (torch.rand(len(batch.image), generator=generator) < share).nonzero()[:, 0].tolist()
    image, classes = batch.image.clone(), batch.classes.clone()
    distance, touching = batch.distance.clone(), batch.touching.clone()
    for index in chosen:
        image[index, 0] = noise((image.shape[2], image.shape[3]), generator)
        classes[index], distance[index], touching[index] = 0, 0, False
    return Batch(image, classes, distance, touching)
