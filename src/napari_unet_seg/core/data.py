"""Annotated images, ready to be cut into patches, and what the network should answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_unet_seg.core.annotations import Annotation, Labels, whole
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
PAINTED = 5
"""Further channels, if there are any, are maps of painted classes: 1 where a pixel is of the class, the background first."""
SURROUNDINGS = 256
"""Pixels that are kept around what is known of a plane: all that a patch there shows."""

Box = tuple[slice, slice]


@dataclass(frozen=True)
class Sample:
    """One annotated plane, ready to be cut into patches.

    Parameters
    ----------
    channels : Tensor of float32, shape (5 or more, Y, X)
        Normalised image, distance inside (px), relative distance, distance to the second nucleus (px), known (0 or 1);
        of painted classes one map each.
    kind : {"bright", "dark", "colour"}
        How nuclei appear, for a balanced choice.
    labels : ndarray of int32, shape (Y, X)
        One integer a nucleus.
    group : str
        As in `Annotation`.
    origin : tuple of int
        Where it lies on its plane, (y, x).
    """

    channels: Tensor
    kind: str
    labels: Labels
    group: str = ""
    origin: tuple[int, int] = (0, 0)

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Where the labels can be believed, shape (Y, X)."""
        mask: npt.NDArray[np.bool_] = self.channels[KNOWN].numpy() > SURE
        return mask

    def crop(self, box: Box) -> Sample:
        """Return a part; distances in it are those of the whole, so that its edge is no outline."""
        origin = (self.origin[0] + (box[0].start or 0), self.origin[1] + (box[1].start or 0))
        return replace(self, channels=self.channels[:, box[0], box[1]], labels=self.labels[box], origin=origin)

    def believing(self, known: npt.NDArray[np.bool_]) -> Sample:
        """Return the same plane with other pixels known."""
        channels = self.channels.clone()
        channels[KNOWN] = torch.from_numpy(known.astype(np.float32))
        return replace(self, channels=channels)


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
    plain : Tensor of float32, shape (B, 1, Y, X), or None
        The image before its intensities were changed, if they were.
    """

    image: Tensor
    classes: Tensor
    distance: Tensor
    touching: Tensor
    plain: Tensor | None = None

    def to(self, device: str) -> Batch:
        """Return the batch on a device."""
        plain = None if self.plain is None else self.plain.to(device)
        return Batch(self.image.to(device), self.classes.to(device), self.distance.to(device), self.touching.to(device), plain)


def prepare(image: Any, labels: Annotation | npt.NDArray[Any], known: npt.NDArray[np.bool_] | None = None) -> Sample:
    """Normalise a plane and compute its distance maps.

    Parameters
    ----------
    image : array-like
        Shape (Y, X), or (Y, X, 3 or 4) for colour.
    labels : Annotation or ndarray of int, shape (Y, X)
        One integer a nucleus, 0 the ground.
    known : ndarray of bool, shape (Y, X), optional
        Where labels that are no `Annotation` can be believed; everywhere if not given.

    Returns
    -------
    Sample
        What is known of the plane and its surroundings; the limits are those of the whole plane.

    Raises
    ------
    InputError
        If the shapes differ, or the labels are not integers.
    """
    image, annotation = np.asarray(image), annotated(labels, known)
    if image.shape[:2] != annotation.labels.shape:
        raise InputError(
            f"The image has shape {image.shape} and its labels {annotation.labels.shape}; both must cover the same (Y, X) plane."
        )
    limits = estimate_limits(image, SegmentSettings())
    box = _surroundings(annotation.known)
    labels, mask = annotation.labels[box], annotation.known[box]
    distances = measure_distances(labels)
    maps = (normalize(image[box], limits), distances.inside, distances.relative, distances.second, mask.astype(np.float32))
    kind = "colour" if image.ndim == 3 else limits.polarity
    return Sample(torch.from_numpy(np.stack(maps)), kind, labels, annotation.group, (box[0].start, box[1].start))


def annotated(labels: Annotation | npt.NDArray[Any], known: npt.NDArray[Any] | None = None) -> Annotation:
    """Take labels as an annotation.

    Parameters
    ----------
    labels : Annotation or ndarray of int, shape (Y, X)
    known : ndarray of bool, shape (Y, X), optional
        Where they can be believed; everywhere if not given.

    Returns
    -------
    Annotation

    Raises
    ------
    InputError
        If the shapes differ, or the labels are no whole numbers from 0 on.
    """
    if isinstance(labels, Annotation):
        return labels if known is None else replace(labels, known=labels.known & np.asarray(known, bool))
    return whole(np.asarray(labels)) if known is None else Annotation(np.asarray(labels), known)


def _surroundings(known: npt.NDArray[np.bool_]) -> Box:
    """Return the smallest box around what is known, and some more."""
    sides = [np.flatnonzero(known.any(axis=axis)) for axis in (1, 0)]
    rows, columns = (
        slice(max(int(side[0]) - SURROUNDINGS, 0), int(side[-1]) + 1 + SURROUNDINGS) if side.size else slice(0, 0) for side in sides
    )
    return rows, columns


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
    classes = nucleus.long() + outline.long() if channels.shape[1] == PAINTED else channels[:, PAINTED:].argmax(dim=1)
    classes[channels[:, KNOWN] < SURE] = UNKNOWN
    touching = channels[:, SECOND] * zoom <= TOUCHING_REACH
    return Batch(channels[:, IMAGE : IMAGE + 1], classes, channels[:, RELATIVE], touching)
