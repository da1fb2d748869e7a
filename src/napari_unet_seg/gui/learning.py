"""What a training learns from, from layers: planes, their labels and where these can be believed. No Qt, so that tests can drain it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.annotations import Annotation, Summary, inside, sparse, summary, whole
from napari_unet_seg.core.area_of_interest import AreaOfInterest
from napari_unet_seg.core.axes import Layout, as_array, resolve_axes
from napari_unet_seg.core.classes import class_summary, painted_classes
from napari_unet_seg.errors import InputError
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    from napari_unet_seg.gui.layers import Source
    from napari_unet_seg.settings import Polygons

PAINTED, INSIDE, WHOLE = "painted", "inside", "whole"
MODES = {PAINTED: "Painted nuclei", INSIDE: "Inside shapes", WHOLE: "Whole planes"}
"""What counts as annotated, in words."""
COUNTING, READING = "Counting", "Reading the image"

Labels = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Material:
    """Layers that teach.

    Parameters
    ----------
    source : Source
        The image.
    labels : ndarray of int, shape (..., Y, X)
        What is painted.
    mode : str
        One of `MODES`.
    ground : ndarray of int, shape (..., Y, X), optional
        Not 0 where background is painted; for painted nuclei.
    polygons : tuple
        Inside of which everything is annotated: corners (y, x) in pixels of the image.
    semantic : bool
        Whether numbers are classes of pixels, and not nuclei.
    names : tuple of str
        Of the first classes, as far as they have names.
    """

    source: Source
    labels: Any
    mode: str = PAINTED
    ground: Any = None
    polygons: Polygons = ()
    semantic: bool = False
    names: tuple[str, ...] = ()

    def layout(self) -> Layout:
        """Return what the dimensions of the image mean.

        Raises
        ------
        InputError
            If it cannot be used.
        """
        return resolve_axes(as_array(self.source.data), self.source.axes, self.source.channel)


@dataclass(frozen=True, eq=False)
class Lesson:
    """One annotated plane.

    Parameters
    ----------
    image : array-like
        Shape (Y, X), or (Y, X, 3 or 4) for colour; not read yet, if the image is not.
    labels : ndarray of int, shape (Y, X)
    ground : ndarray of bool, shape (Y, X), or None
        Where background is painted.
    """

    image: Any
    labels: Labels
    ground: Labels | None = None


@dataclass(frozen=True)
class Count:
    """What there is to learn from.

    Parameters
    ----------
    summary : Summary
    highest : int
        The highest number that is painted.
    """

    summary: Summary
    highest: int


def labels_shape(source: Source) -> tuple[int, ...]:
    """Return the shape that labels of an image have, with the dimensions of its layer.

    Parameters
    ----------
    source : Source

    Returns
    -------
    tuple of int

    Raises
    ------
    InputError
        If the image cannot be used.
    """
    layout = resolve_axes(as_array(source.data), source.axes, source.channel)
    return source.arrange(np.broadcast_to(np.int32(0), layout.labels_shape)).shape


def lessons(material: Material) -> Iterator[Lesson]:
    """Go through the planes on which something is painted.

    Parameters
    ----------
    material : Material

    Yields
    ------
    Lesson

    Raises
    ------
    InputError
        If labels or background do not have the pixels of the image.
    """
    layout = material.layout()
    labels = _fitting(material.labels, material, layout, "The painted labels")
    ground = None if material.ground is None else _fitting(material.ground, material, layout, "The painted background")
    for index in layout.indices():
        painted = np.array(labels[index])  # a copy: painting goes on
        if painted.any():
            beneath = None if ground is None else np.asarray(ground[index]) != 0
            yield Lesson(layout.plane(as_array(material.source.data), index), painted, beneath)


def annotation_of(lesson: Lesson, material: Material, seen: Labels | None = None) -> Annotation:
    """Say where a plane can be believed.

    Parameters
    ----------
    lesson : Lesson
    material : Material
        How it was annotated.
    seen : ndarray of int, shape (Y, X), optional
        What the base model finds; for painted nuclei.

    Returns
    -------
    Annotation
        In the group of its image.
    """
    if material.mode == WHOLE:
        found = whole(lesson.labels)
    elif material.mode == INSIDE and material.semantic:
        found = Annotation(lesson.labels, _mask(material.polygons, lesson.labels.shape))
    elif material.semantic:
        found = painted_classes(lesson.labels, lesson.ground)
    elif material.mode == INSIDE:
        found = inside(lesson.labels, _mask(material.polygons, lesson.labels.shape))
    else:
        found = sparse(lesson.labels, lesson.ground, seen)
    return replace(found, group=material.source.name)


def count_steps(material: Material) -> Steps[Count]:
    """Count what there is to learn from; quick, since it does not ask the base model.

    Parameters
    ----------
    material : Material

    Yields
    ------
    Progress
        After each annotated plane.

    Returns
    -------
    Count

    Raises
    ------
    InputError
        If labels and image do not fit together.
    """
    yield Progress(COUNTING, 0, 0)
    annotations, highest = [], 0
    for lesson in lessons(material):
        annotations.append(annotation_of(lesson, material))
        highest = max(highest, int(lesson.labels.max()))
        yield Progress(COUNTING, len(annotations), 0)
    names = names_of(material.names, highest)
    return Count(class_summary(annotations, names) if material.semantic else summary(annotations), highest)


def read_steps(material: Material) -> Steps[list[Lesson]]:
    """Read the annotated planes.

    Parameters
    ----------
    material : Material

    Yields
    ------
    Progress
        After each plane.

    Returns
    -------
    list of Lesson

    Raises
    ------
    InputError
        If nothing is painted, or labels and image do not fit together.
    """
    read: list[Lesson] = []
    for lesson in lessons(material):
        read.append(replace(lesson, image=np.array(lesson.image)))
        yield Progress(READING, len(read), 0)
    if not read:
        raise InputError("Nothing is painted: paint some nuclei, each with a number of its own.")
    return read


def names_of(given: tuple[str, ...], highest: int) -> tuple[str, ...]:
    """Return a name for each class up to a number: those that are given, and numbered ones for the rest."""
    return (*given, *(f"class {number}" for number in range(len(given) + 1, highest + 1)))


def _fitting(array: Any, material: Material, layout: Layout, what: str) -> Any:
    """Return labels with the dimensions that the engine counts planes by."""
    shape = tuple(int(size) for size in array.shape)
    if shape == layout.labels_shape:
        return array
    if shape != labels_shape(material.source):
        needed = f"“{material.source.name}” needs {layout.labels_shape}"
        raise InputError(f"{what} have shape {shape}, and {needed}: choose labels of this image.")
    return array[tuple(0 if dimension in material.source.singles else slice(None) for dimension in range(len(shape)))]


def _mask(polygons: Polygons, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Return the pixels whose middle is inside one of the polygons."""
    area = AreaOfInterest.of(polygons)
    mask, box = np.zeros(shape, bool), area.box((shape[0], shape[1]))
    if box is not None:
        y, x = np.mgrid[box]
        mask[box] = area.contains(y.ravel(), x.ravel()).reshape(y.shape)
    return mask
