"""Random patches of annotated images, augmented, a whole batch at a time on the device.

Everything random comes from one generator on the CPU, which gives each batch a seed of its own; so a seed gives the same patches on every
run on the CPU. Where most of a plane is unknown, patches are centred on what is known: else three painted nuclei in a large image would
hardly ever be seen.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from napari_unet_seg.core.augment import change_intensity, smooth_shift
from napari_unet_seg.core.data import Batch, Sample, targets
from napari_unet_seg.core.draws import Draws
from napari_unet_seg.core.emptiness import empty_some
from napari_unet_seg.core.numbering import compact
from napari_unet_seg.core.pool import PlanePool

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
        The one source of randomness, on the CPU.
    device : str
        Where the batches are wanted.
    """

    def __init__(self, samples: Sequence[Sample], settings: TrainSettings, generator: torch.Generator, device: str = "cpu") -> None:
        """Compute how often each image is shown, and copy all to the device."""
        self.settings = settings
        self.generator = generator
        self.weights = _image_weights(samples, settings.balance)
        self.pool = PlanePool(samples, device)
        self.anchors = _Anchors(samples, self.pool.device)

    def batch(self, size: int = 0) -> Batch:
        """Return the next augmented batch, of the settings' size if none is given."""
        size = size or self.settings.batch
        chosen = torch.multinomial(self.weights, size, replacement=True, generator=self.generator)
        empty = (torch.rand(size, generator=self.generator) < self.settings.empty).nonzero()[:, 0]
        draws, chosen = Draws(self.generator, self.pool.device), chosen.to(self.pool.device)
        exact = draws.uniform(size) < self.settings.exact
        zooms, positions = self._places(chosen, exact, draws)
        batch = targets(self.pool.cut(chosen, positions, zooms), zooms, self.settings)
        image = change_intensity(batch.image, self.settings.intensity * (~exact).float()[:, None, None, None], draws)
        return empty_some(replace(batch, image=image, plain=batch.image), empty.to(self.pool.device), draws)

    def _places(self, chosen: Tensor, exact: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Draw zooms (B,) and positions (B, Y, X, 2): zoomed, turned, sheared and bent, or exact.

        Exact patches are only flipped or turned by right angles: interpolation blurs borders that real images have sharp.
        """
        settings = self.settings
        loose = (~exact).float()
        spread = draws.uniform(len(chosen), low=-1) * loose
        zooms = torch.exp(settings.scale * spread * spread.abs())
        positions = _patch_grid(settings.patch, _matrices(exact, draws))
        positions = positions + smooth_shift(settings.patch, settings.elastic * loose, draws)
        centres = self._centres(chosen, zooms, draws)
        whole = (centres - (settings.patch - 1) / 2 + 0.5).floor() + (settings.patch - 1) / 2
        centres = torch.where(exact[:, None], whole, centres)
        return zooms, positions / zooms[:, None, None, None] + centres[:, None, None]

    def _centres(self, chosen: Tensor, zooms: Tensor, draws: Draws) -> Tensor:
        """Draw the centres of patches, (B, 2), x first: anywhere inside, or near what is known."""
        sizes = self.pool.sizes[chosen].flip(1)
        cut = self.settings.patch / zooms[:, None]
        margin = torch.minimum(cut, sizes) / 2  # the patch lies inside where it can
        anywhere = margin - 0.5 + draws.uniform(len(chosen), 2) * (sizes - 2 * margin)
        near = self.anchors.draw(chosen, draws) + draws.uniform(len(chosen), 2, low=-1) * JITTER * cut
        near = torch.maximum(torch.minimum(near, sizes - margin - 0.5), margin - 0.5)
        return torch.where(self.anchors.sparse[chosen][:, None], near, anywhere)


class _Anchors:
    """Centres of nuclei and points of ground, on which the patches of planes with little known are centred."""

    def __init__(self, samples: Sequence[Sample], device: str) -> None:
        """Find them, and put them on the device."""
        found = [_anchors(sample) for sample in samples]
        self.sparse = torch.tensor([points is not None for points in found], device=device)
        nowhere = (torch.zeros(1, 2), torch.zeros(1, 2))
        lists = [kind for points in found for kind in points or nowhere]
        counts = torch.tensor([len(points) for points in lists])
        self.points = torch.cat(lists).to(device)
        self.counts = counts.view(-1, 2).to(device)  # (planes, 2): nuclei, ground
        self.starts = (counts.cumsum(0) - counts).view(-1, 2).to(device)

    def draw(self, chosen: Tensor, draws: Draws) -> Tensor:
        """Draw a point of each chosen plane, (B, 2), x first; (0, 0) for planes of which most is known."""
        kind = (draws.uniform(len(chosen)) >= ON_NUCLEI).long()
        counts, starts = self.counts[chosen, kind], self.starts[chosen, kind]
        places = torch.minimum((draws.uniform(len(chosen)) * counts).long(), counts - 1)
        return self.points[starts + places]


def _anchors(sample: Sample) -> tuple[Tensor, Tensor] | None:
    """Return centres of nuclei and points of ground, x first; None for a plane of which most is known."""
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


def _matrices(exact: Tensor, draws: Draws) -> Tensor:
    """Draw turns, flips and shears, (B, 2, 2); of exact patches quarter turns and flips."""
    angle = draws.uniform(len(exact), high=2 * math.pi)
    angle = torch.where(exact, (angle / (math.pi / 2)).floor() * (math.pi / 2), angle)
    turn = torch.stack((angle.cos(), -angle.sin(), angle.sin(), angle.cos()), dim=1).view(-1, 2, 2)
    flip = torch.where(draws.uniform(len(exact), low=-1) < 0, -1.0, 1.0)
    shear = draws.uniform(len(exact), low=-SHEAR, high=SHEAR) * ~exact
    bend = torch.stack((flip, shear, torch.zeros_like(flip), torch.ones_like(flip)), dim=1).view(-1, 2, 2)
    matrices = turn @ bend
    return torch.where(exact[:, None, None], matrices.round(), matrices)  # the cosine of a right angle is not quite 0


def _patch_grid(patch: int, matrices: Tensor) -> Tensor:
    """Return positions from the patch's centre, (B, Y, X, 2), x first."""
    steps = torch.arange(patch, dtype=torch.float32, device=matrices.device) - (patch - 1) / 2
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.einsum("yxj,bij->byxi", torch.stack((x, y), dim=-1), matrices)
