"""Annotated images, ready to be cut into patches, and what the network should answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_unet_seg.core.normalize import estimate_limits, normalize
from napari_unet_seg.core.targets import measure_distances
from napari_unet_seg.errors import InputError
from napari_unet_seg.settings import SegmentSettings, TrainSettings

TOUCHING_REACH = 3.0
"""Pixels this near to two nuclei decide whether these are split."""
UNKNOWN = 255
"""Class of the pixels that teach nothing."""
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
