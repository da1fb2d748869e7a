"""What is asked of a run in blocks besides image, target and settings, and what it returns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_unet_seg.io.workers import LOCAL

NO_RINGS_IN_3D = "Rings are of single planes, so that nuclei in 3D were measured without."


@dataclass(frozen=True)
class OutOfCore:
    """What `segment_to` must know besides the image, the target and the settings.

    Parameters
    ----------
    axes : str, optional
        One letter a dimension of an array; a file tells its own.
    channel : int or str, optional
        Which channel shows nuclei: its number, or of a file also its name.
    scale : mapping of str to float
        Micrometres per pixel along ``Z``, ``Y``, ``X`` and seconds along ``T`` of an array; a file tells its own.
    measure : mapping of str to array-like, or sequence of str
        Channels whose intensities are measured: arrays of the labels' shape by name, or of a file their names or numbers.
    ring : float
        Width in pixels of a ring around each nucleus in which they are measured too; 0 for none.
    block : int
        Edge in pixels of the blocks that are decoded at a time, at least 32; 0 is automatic. It changes memory, never the labels.
    scheduler : str
        ``"local"``, or the address of a scheduler of dask.distributed; its workers must reach image and target by the same paths.
    resume : bool
        Whether to go on with what a killed run left.
    overwrite : bool
        Whether labels that are there may be replaced.
    about : mapping
        More to say in the provenance, as JSON can hold it.
    table : path-like, optional
        Where the measurements go, CSV; beside the labels if not given.
    classes : path-like, optional
        Where the most likely class of each pixel goes besides, ``.tif``: for the bundled model 0 background, 1 foreground, 2 outline. Of a
        model that tells classes apart and no nuclei, the labels are that already.
    source : path-like, optional
        The file of an array that was read from one; of a path as the image it is known. What is there is kept only while it is the same.
    """

    axes: str | None = None
    channel: int | str | None = None
    scale: Mapping[str, float] = field(default_factory=dict)
    measure: Mapping[str, Any] | Sequence[str] = ()
    ring: float = 0.0
    block: int = 0
    scheduler: str = LOCAL
    resume: bool = False
    overwrite: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)
    table: str | os.PathLike[str] | None = None
    classes: str | os.PathLike[str] | None = None
    source: str | os.PathLike[str] | None = None


@dataclass(frozen=True)
class Stored:
    """What `segment_to` wrote.

    Parameters
    ----------
    path : Path
        The labels.
    table : Path
        The measurements, CSV.
    count : int
        Number of nuclei (outlines, in a stack); of a class map, of the classes that there are, plane by plane.
    touching_border : int
        How many of them touch the border of their plane.
    shape : tuple of int
        Of the labels.
    provenance : dict
        What made the labels, as of `Segmentation`.
    """

    path: Path
    table: Path
    count: int
    touching_border: int
    shape: tuple[int, ...]
    provenance: Mapping[str, Any]
