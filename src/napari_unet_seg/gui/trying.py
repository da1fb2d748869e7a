"""A model on a few images of a folder, as a generator: whoever wants to keep it, or to segment them all, sees first what it does there."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.core.segmentation import class_shares
from napari_unet_seg.errors import InputError, UnetSegError
from napari_unet_seg.io.quantities import Wishes
from napari_unet_seg.progress import Progress, Steps, relay

if TYPE_CHECKING:
    import numpy.typing as npt

TRYING = "Trying the model"
TRIED = 6
"""Images of a folder that a model is tried on."""
EDGE = 1024
"""Of a larger image, a square of so many pixels in its middle is tried."""


@dataclass(frozen=True, eq=False)
class Tried:
    """One image that a model was tried on.

    Parameters
    ----------
    name : str
        Of the file.
    picture : ndarray of uint8, shape (Y, X, 3), or None
        With the outlines; None when the image could not be used.
    count : int
        Nuclei.
    classes : str
        How much there is of each class, when the model tells no nuclei apart; else empty.
    trouble : str
        Why it could not be used; else empty.
    """

    name: str
    picture: npt.NDArray[np.uint8] | None
    count: int = 0
    trouble: str = ""
    classes: str = ""


@dataclass(frozen=True)
class Trial:
    """What is tried.

    Parameters
    ----------
    model : str or Path
        Its name, or its file.
    device : {"auto", "cuda", "mps", "cpu"}
    channel : str
        Name or number of the channel that shows nuclei; empty to find it by its name.
    wishes : Wishes
        Settings; the model's own stand for the rest.
    """

    model: str | Path
    device: str = "auto"
    channel: str = ""
    wishes: Wishes = field(default_factory=Wishes)


def try_steps(model: Path, folder: Path, device: str = "auto", choose: random.Random | None = None) -> Steps[list[Tried]]:
    """Try a model on some images of a folder.

    Parameters
    ----------
    model : Path
        Its file.
    folder : Path
        Searched with all its subfolders.
    device : {"auto", "cuda", "mps", "cpu"}
    choose : random.Random, optional
        Which images are taken.

    Yields
    ------
    Progress
        After each image.

    Returns
    -------
    list of Tried
        Six at most, by name.

    Raises
    ------
    InputError
        If there is no image in the folder.
    """
    yield Progress(TRYING, 0, TRIED)
    from napari_unet_seg.io.inputs import find_inputs

    paths = [source.path for source in find_inputs([folder]).sources]
    if not paths:
        raise InputError(f"There is no image in {folder}; choose a folder of TIFF, PNG or OME-Zarr images.")
    return (yield from try_images(paths, Trial(model, device), choose))


def try_images(paths: Sequence[Path], trial: Trial, choose: random.Random | None = None) -> Steps[list[Tried]]:
    """Try a model on some of several images.

    Parameters
    ----------
    paths : sequence of Path
        The images.
    trial : Trial
        What is tried.
    choose : random.Random, optional
        Which images are taken.

    Yields
    ------
    Progress
        After each image.

    Returns
    -------
    list of Tried
        Six at most, by name.
    """
    yield Progress(TRYING, 0, min(TRIED, len(paths)))
    from napari_unet_seg.core.apart import iter_apart

    taken = sorted((choose or random.Random()).sample(list(paths), min(TRIED, len(paths))))
    tried: list[Tried] = []
    for path in taken:
        try:
            tried.append((yield from relay(iter_apart(_iter_try, trial, path), _Renumber(len(tried), len(taken)))))
        except UnetSegError as error:  # the others are worth seeing
            tried.append(Tried(path.name, None, trouble=str(error)))
        yield Progress(TRYING, len(tried), len(taken))
    return tried


@dataclass(frozen=True)
class _Renumber:
    """Turns the steps of one image into those of all."""

    done: int
    total: int

    def __call__(self, progress: Progress) -> Progress:
        return Progress(TRYING, self.done, self.total, notice=progress.notice)


def _iter_try(trial: Trial, path: Path) -> Steps[Tried]:
    """Segment the middle of an image."""
    from napari_unet_seg.core.checkpoint import load_model
    from napari_unet_seg.core.segment import iter_segment
    from napari_unet_seg.io.channels import nuclear_channel
    from napari_unet_seg.io.image import ImageFile, open_image
    from napari_unet_seg.io.overlay import draw_overlay

    image = open_image(path)
    try:
        channel = nuclear_channel(image, trial.channel)
    except InputError:  # nobody can be asked now; the name says which image it is
        if trial.channel:
            raise
        channel = 0
    plane = _middle(image.levels[0], image.axes, channel or 0)
    axes = "YXS" if plane.ndim == 3 else "YX"
    model = load_model(trial.model)
    settings = replace(trial.wishes.settings(model.defaults, image.scale), stack="planes", track="none", spacing=0.0, region=())
    result = yield from iter_segment(plane, model, trial.device, axes, settings=settings)
    shares = class_shares(result.features) if result.class_names else {}
    told = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
    return Tried(path.name, draw_overlay(ImageFile(path, plane, axes), result.labels), int(result.labels.max()), classes=told)


def _middle(array: Any, axes: str, channel: int) -> Any:
    """Read a square from the middle of the middle plane, (Y, X) or (Y, X, S)."""
    places: list[Any] = []
    for axis, size in zip(axes, array.shape, strict=True):
        start = max((size - EDGE) // 2, 0)
        places.append(slice(start, start + EDGE) if axis in "YX" else slice(None) if axis == "S" else channel if axis == "C" else size // 2)
    return np.asarray(array[tuple(places)])
