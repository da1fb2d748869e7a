"""Planes with painted classes, made ready to teach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from napari_unet_seg.core.classes import check_numbers, pieces
from napari_unet_seg.core.data import IMAGE, Sample, annotated, prepare
from napari_unet_seg.core.normalize import estimate_limits, normalize
from napari_unet_seg.settings import SegmentSettings

if TYPE_CHECKING:
    from napari_unet_seg.core.annotations import Annotation

LOOKED_AT = 512
"""Rows and columns of a plane from which the brightness of its classes is told."""


def class_polarity(images: Sequence[Any], annotations: Sequence[Annotation]) -> str:
    """Choose which polarity the planes of a training have: one for all of them, or each its own.

    What stands out is another thing from image to image when it is no nucleus: chosen for each, some of them would be turned round, and a
    class be dark in one and bright in the next. But where nuclei are painted as a class, bright in some images and dark in others, it is
    turning them round that makes the class alike. So that way is taken by which classes look more alike from plane to plane.

    Parameters
    ----------
    images : sequence of ndarray
        Planes of shape (Y, X), or (Y, X, 3 or 4) for colour.
    annotations : sequence of Annotation

    Returns
    -------
    {"bright", "dark", "auto"}
        That of most annotated planes, or "auto": each plane its own.
    """
    shown = [(np.asarray(image), each) for image, each in zip(images, annotations, strict=True) if each.known.any()]
    found = [estimate_limits(image, SegmentSettings()).polarity for image, _ in shown]
    usual = "dark" if 2 * found.count("dark") > len(found) else "bright"
    if len(set(found)) < 2:
        return usual
    return "auto" if _spread(shown, "auto") < _spread(shown, usual) else usual


def _spread(planes: Sequence[tuple[Any, Annotation]], polarity: str) -> float:
    """Return how much the brightness of a class differs from plane to plane: the variance of its mean, averaged over the classes."""
    brightness: dict[int, list[float]] = {}
    for image, annotation in planes:
        limits = estimate_limits(image, SegmentSettings(polarity=polarity))
        step = (slice(None, None, max(1, max(image.shape[:2]) // LOOKED_AT)),) * 2  # some of the pixels tell
        gray, labels = normalize(image[step], limits), np.where(annotation.known[step], annotation.labels[step], -1)
        for number in np.unique(labels[labels >= 0]).tolist():
            brightness.setdefault(number, []).append(float(gray[labels == number].mean()))
    return float(np.mean([np.var(means) for means in brightness.values()])) if brightness else 0.0


def prepare_classes(image: Any, labels: Annotation | npt.NDArray[Any], names: Sequence[str], polarity: str = "auto") -> Sample:
    """Normalise a plane, and add a map for each class.

    Parameters
    ----------
    image : array-like
        Shape (Y, X), or (Y, X, 3 or 4) for colour.
    labels : Annotation or ndarray of int, shape (Y, X)
        Numbers of the classes.
    names : sequence of str
        Of the classes 1, 2, ...
    polarity : {"auto", "bright", "dark"}
        Of the image, as in `SegmentSettings`.

    Returns
    -------
    Sample
        After the usual channels there is one for the background and one for each class, 1 where it is painted; `labels` numbers pieces.

    Raises
    ------
    InputError
        If the shapes differ, or a number is none of a class.
    """
    annotation = annotated(labels)
    check_numbers(annotation, names)
    blank = replace(annotation, labels=np.zeros_like(annotation.labels))
    sample = prepare(image, blank)
    box = tuple(slice(start, start + size) for start, size in zip(sample.origin, sample.labels.shape, strict=True))
    painted = annotation.labels[box]
    limits = estimate_limits(np.asarray(image), SegmentSettings(polarity=polarity))
    sample.channels[IMAGE] = torch.from_numpy(normalize(np.asarray(image)[box], limits))
    maps = torch.from_numpy(np.stack([painted == number for number in range(len(names) + 1)]).astype(np.float32))
    return replace(sample, channels=torch.cat((sample.channels, maps)), labels=pieces(painted))
