"""From annotated images to augmented patches.

Everything random comes from one generator on the CPU, so that a seed gives the same patches on every run.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_unet_seg.core.augment import change_intensity, noise, smooth_shift
from napari_unet_seg.core.normalize import estimate_limits, normalize
from napari_unet_seg.core.targets import measure_distances
from napari_unet_seg.errors import InputError
from napari_unet_seg.settings import SegmentSettings, TrainSettings

TOUCHING_REACH = 3.0
"""Pixels this near to two nuclei decide whether these are split."""
UNKNOWN = 255
"""Class of the pixels that teach nothing."""
SHEAR = 0.1
"""Largest shear, in pixels a pixel."""
BORDER = 0.5
"""`inside` is 1 on a nucleus' border pixel and 0 on the ground: the border itself lies at this value."""
SURE = 0.99
"""A pixel interpolated from known ones alone has a `known` above this."""
IMAGE, INSIDE, RELATIVE, SECOND, KNOWN = range(5)
"""Channels of a sample."""


@dataclass(frozen=True)
class Sample:
    """One annotated plane, ready to be cut into patches.

    Parameters
    ----------
    channels : Tensor of float32, shape (5, Y, X)
        Normalised image, distance inside (px), relative distance, distance to the second nucleus (px), known (0 or 1).
    kind : {"bright", "dark", "colour"}
        How nuclei appear, for a balanced choice.
    """

    channels: Tensor
    kind: str


@dataclass(frozen=True)
class Batch:
    """What the network sees and should answer.

    Parameters
    ----------
    image : Tensor of float32, shape (B, 1, Y, X)
    classes : Tensor of int64, shape (B, Y, X)
        0 background, 1 foreground, 2 outline, 255 unknown.
    distance : Tensor of float32, shape (B, Y, X)
        0 to 1.
    touching : Tensor of bool, shape (B, Y, X)
        Where two nuclei are near.
    """

    image: Tensor
    classes: Tensor
    distance: Tensor
    touching: Tensor

    def to(self, device: str) -> Batch:
        """Return the batch on a device."""
        return Batch(self.image.to(device), self.classes.to(device), self.distance.to(device), self.touching.to(device))


def prepare(image: npt.NDArray[Any], labels: npt.NDArray[Any], known: npt.NDArray[np.bool_] | None = None) -> Sample:
    """Normalise a plane and compute its distance maps.

    Parameters
    ----------
    image : ndarray
        Shape (Y, X), or (Y, X, 3 or 4) for colour.
    labels : ndarray of int, shape (Y, X)
        One integer a nucleus, 0 the ground.
    known : ndarray of bool, shape (Y, X), optional
        Where the annotation can be believed; everywhere if not given.

    Returns
    -------
    Sample

    Raises
    ------
    InputError
        If the shapes differ, or the labels are not integers.
    """
    known = np.ones(labels.shape, bool) if known is None else known
    _check_pair(image, labels, known)
    limits = estimate_limits(image, SegmentSettings())
    distances = measure_distances(labels)
    maps = (normalize(image, limits), distances.inside, distances.relative, distances.second, known.astype(np.float32))
    return Sample(torch.from_numpy(np.stack(maps)), "colour" if image.ndim == 3 else limits.polarity)


def _check_pair(image: npt.NDArray[Any], labels: npt.NDArray[Any], known: npt.NDArray[np.bool_]) -> None:
    if labels.ndim != 2 or image.shape[:2] != labels.shape:
        raise InputError(f"The image has shape {image.shape} and its labels {labels.shape}; both must cover the same (Y, X) plane.")
    if known.shape != labels.shape:
        raise InputError(f"`known` has shape {known.shape} and the labels {labels.shape}; they must be equal.")
    if labels.dtype.kind not in "iu":
        raise InputError(f"The labels have dtype {labels.dtype}; they must be integers, one for each nucleus.")
    if labels.size and labels.min() < 0:
        raise InputError(f"The labels have a negative value, {labels.min()}; 0 is the ground and nuclei are positive.")


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

    def batch(self) -> Batch:
        """Return the next augmented batch."""
        chosen = torch.multinomial(self.weights, self.settings.batch, replacement=True, generator=self.generator)
        exact = torch.rand(len(chosen), generator=self.generator) < self.settings.exact
        pairs = list(zip(exact.tolist(), chosen.tolist(), strict=True))
        cut = [self._cut_exact(self.samples[i]) if same else self._cut(self.samples[i]) for same, i in pairs]
        channels = torch.stack([patch for patch, _ in cut])  # (B, 5, Y, X)
        zooms = torch.tensor([zoom for _, zoom in cut])  # (B,)
        batch = targets(channels, zooms, self.settings)
        strength = self.settings.intensity * (~exact).float()[:, None, None, None]
        image = change_intensity(batch.image, strength, self.generator)
        return empty_some(Batch(image, batch.classes, batch.distance, batch.touching), self.settings.empty, self.generator)

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def _cut_exact(self, sample: Sample) -> tuple[Tensor, float]:
        """Cut one patch as it is, only flipped or turned by right angles: interpolation blurs borders that real images have sharp."""
        sides = []
        for size in sample.channels.shape[1:]:
            spare = size - self.settings.patch
            start = self._whole(spare + 1) if spare > 0 else spare // 2
            sides.append(torch.arange(start, start + self.settings.patch))
        patch = _pixels_at(sample.channels, *sides)
        if self._whole(2):
            patch = patch.flip(2)
        return torch.rot90(patch, self._whole(4), (1, 2)), 1.0

    def _whole(self, count: int) -> int:
        return int(torch.randint(count, (), generator=self.generator))

    def _cut(self, sample: Sample) -> tuple[Tensor, float]:
        """Cut one randomly zoomed, turned, sheared and deformed patch: (5, Y, X) and its zoom."""
        u = self._uniform(-1, 1)
        zoom = math.exp(self.settings.scale * u * abs(u))
        grid = _patch_grid(self.settings.patch, self._matrix(zoom))  # (Y, X, 2), x first, pixels from the centre
        grid = grid + smooth_shift(self.settings.patch, self.settings.elastic, self.generator) / zoom
        size = torch.tensor([sample.channels.shape[2], sample.channels.shape[1]], dtype=torch.float32)
        margin = torch.minimum(torch.tensor(self.settings.patch / zoom), size) / 2  # the patch lies inside where it can
        centre = margin - 0.5 + torch.rand(2, generator=self.generator) * (size - 2 * margin)
        channels = _smoothed(sample.channels) if zoom < 2 / 3 else sample.channels
        return _sample_at(channels, grid + centre), zoom

    def _matrix(self, zoom: float) -> Tensor:
        angle, shear = self._uniform(0, 2 * math.pi), self._uniform(-SHEAR, SHEAR)
        flip = -math.copysign(1.0, self._uniform(-1, 1))
        turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        return turn @ torch.tensor([[flip, shear], [0.0, 1.0]]) / zoom


def whole_patch(sample: Sample, settings: TrainSettings) -> Batch:
    """Cut the patch in the middle of a sample without augmentation, for validation.

    Parameters
    ----------
    sample : Sample
    settings : TrainSettings
        Patch size and outline width.

    Returns
    -------
    Batch
        Of one patch, unknown beyond the sample where that is smaller.
    """
    _, height, width = sample.channels.shape
    before = [max(0, (settings.patch - size) // 2) for size in (width, height)]
    after = [max(0, settings.patch - size - left) for size, left in zip((width, height), before, strict=True)]
    padded = F.pad(sample.channels, (before[0], after[0], before[1], after[1]))  # what is outside is not known
    top, left = (padded.shape[1] - settings.patch) // 2, (padded.shape[2] - settings.patch) // 2
    patch = padded[:, top : top + settings.patch, left : left + settings.patch]
    return targets(patch[None], torch.ones(1), settings)


def targets(channels: Tensor, zooms: Tensor, settings: TrainSettings) -> Batch:
    """Compute the classes of patches from their distances.

    Parameters
    ----------
    channels : Tensor, shape (B, 5, Y, X)
        As in `Sample`; the distances are still in the pixels of the original.
    zooms : Tensor, shape (B,)
        Pixels of the patch per pixel of the original.
    settings : TrainSettings
        Width of the outline.

    Returns
    -------
    Batch
    """
    zoom = zooms[:, None, None]
    inside = channels[:, INSIDE]
    nucleus = inside >= BORDER
    outline = nucleus & ((inside - BORDER) * zoom <= settings.outline - BORDER)
    classes = nucleus.long() + outline.long()
    classes[channels[:, KNOWN] < SURE] = UNKNOWN
    touching = channels[:, SECOND] * zoom <= TOUCHING_REACH
    return Batch(channels[:, IMAGE : IMAGE + 1], classes, channels[:, RELATIVE], touching)


def _image_weights(samples: Sequence[Sample], balance: float) -> Tensor:
    """Return how often each image is drawn: kinds by `balance`, images of a kind by the root of their area."""
    areas = torch.tensor([float(sample.channels[0].numel()) ** 0.5 for sample in samples])
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
