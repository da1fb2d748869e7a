"""Slices linked to nuclei in 3D, and nuclei followed through time, of labels on the disk: parts of a few planes are in memory at a time.

The planes have been segmented in blocks, and lie on the disk with one number an outline. What is linked is decided as in memory (see
`napari_unet_seg.core.stack`), by the overlap of neighbouring planes. Then labels are written anew with the numbers of the nuclei, and
intensities are measured nucleus by nucleus, through all their slices.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.core.axes import stack_axis
from napari_unet_seg.core.overlap import PART, iter_parts
from napari_unet_seg.core.stack import LINKING, add_tracks, link_outlines
from napari_unet_seg.io.block_store import writing
from napari_unet_seg.io.zarr_writer import create_zarr, stored_order
from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.io.labels_info import LabelsInfo
    from napari_unet_seg.settings import SegmentSettings

NEEDED = ("label", "area", "centroid_y", "centroid_x", "touches_border", "score")
"""Columns of the outlines, besides the planes, by which they are linked and followed."""
COLUMN_PIXELS = 2**24
"""Pixels, through all slices, in which intensities are measured at a time."""

Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Pile:
    """Labels on the disk.

    Parameters
    ----------
    group : Path
        As of `napari_unet_seg.io.zarr_writer.create_zarr`.
    info : LabelsInfo
        Axes and sizes of the labels.
    """

    group: Path
    info: LabelsInfo

    @property
    def labels(self) -> Any:
        """The largest level as a dask array of int32, its axes in the order of the labels."""
        import dask.array as da
        import zarr

        stored = zarr.open_array(self.group / "0", mode="r")
        chunks = (*(1 for _ in stored.shape[:-2]), PART, PART)
        array = da.from_zarr(stored, chunks=chunks)  # type: ignore[no-untyped-call]
        return array.transpose(np.argsort(stored_order(self.info)).tolist()).astype(np.int32)

    def write_tiff(self, path: Path, *, is_classes: bool) -> None:
        """Write all of it, as labels or as a class map of 8 bits; errors as of `napari_unet_seg.io.tiff_writer`."""
        from napari_unet_seg.io.tiff_writer import write_classes, write_tiff

        (write_classes if is_classes else write_tiff)(path, self.labels, self.info)


@dataclass(frozen=True)
class Linked:
    """Nuclei in 3D.

    Parameters
    ----------
    pile : Pile
        Their labels.
    table : pandas.DataFrame
        One row a nucleus, with ``index``.
    boxes : ndarray of int64, shape (nuclei + 1, 4)
        Top, left, bottom and right of each by its number, the last two being the first beyond.
    """

    pile: Pile
    table: pd.DataFrame = field(compare=False)
    boxes: npt.NDArray[np.int64] = field(compare=False)


def iter_link(pile: Pile, outlines: pd.DataFrame, settings: SegmentSettings) -> Steps[Linked]:
    """Link the slices of a stack.

    Parameters
    ----------
    pile : Pile
        One number an outline.
    outlines : pandas.DataFrame
        One row for each: `NEEDED`, and the planes.
    settings : SegmentSettings

    Yields
    ------
    Progress
        After each part of a plane.

    Returns
    -------
    Linked
        Labels lie beside the pile, and are made anew if they are there.
    """
    axes = pile.info.axes
    yield Progress(LINKING, 0, 0)
    nuclei, table = link_outlines(pile.labels, outlines, axes, settings)
    linked = Pile(pile.group.with_name("linked.zarr"), pile.info)
    boxes = yield from _iter_renumber(pile, linked, nuclei, len(table))
    return Linked(linked, table, boxes)


def follow(pile: Pile, table: pd.DataFrame, settings: SegmentSettings) -> pd.DataFrame:
    """Return a table of nuclei with the columns of their tracks; see `napari_unet_seg.core.stack.add_tracks`."""
    return add_tracks(pile.labels, table, pile.info.axes, settings)


def _iter_renumber(pile: Pile, target: Pile, nuclei: Numbers, count: int) -> Steps[npt.NDArray[np.int64]]:
    """Write labels with the numbers of nuclei; return the box of each nucleus: top, left, bottom, right, shape (count + 1, 4)."""
    import zarr

    shutil.rmtree(target.group, ignore_errors=True)
    source = zarr.open_array(pile.group / "0", mode="r")
    with writing(target.group):
        stored = create_zarr(target.group, source.shape, source.dtype, target.info)
    boxes = np.tile(np.array([2**62, 2**62, 0, 0]), (count + 1, 1))
    total = int(np.prod(source.shape[:-2])) * -(-source.shape[-2] // PART) * -(-source.shape[-1] // PART)
    for done, (box, part) in enumerate(iter_parts(source), start=1):
        numbers = nuclei[part]
        if numbers.any():
            with writing(target.group):
                stored[box] = numbers
            _enclose(boxes, numbers, (box[-2].start, box[-1].start))
        yield Progress(LINKING, done, total)
    return boxes


def _enclose(boxes: npt.NDArray[np.int64], part: Numbers, corner: tuple[int, int]) -> None:
    """Widen the boxes of nuclei by their pixels in a part of a plane."""
    rows, columns = np.nonzero(part)
    numbers = part[rows, columns]
    for side, (values, start) in enumerate(zip((rows, columns), corner, strict=True)):
        np.minimum.at(boxes[:, side], numbers, values + start)
        np.maximum.at(boxes[:, side + 2], numbers, values + start + 1)


def iter_measure(linked: Linked, channels: Mapping[str, Any]) -> Steps[pd.DataFrame]:
    """Measure the intensities of nuclei in 3D, those whose middles lie in one column of the stack after those of another.

    Parameters
    ----------
    linked : Linked
        From `iter_link`.
    channels : mapping of str to array-like
        Of the labels' shape.

    Yields
    ------
    Progress
        After each column.

    Returns
    -------
    pandas.DataFrame
        As of `napari_unet_seg.core.volumes.measure_intensities_in_3d`.
    """
    import pandas as pd

    from napari_unet_seg.core.volumes import measure_intensities_in_3d

    labels, axes, boxes = linked.pile.labels, linked.pile.info.axes, linked.boxes
    found = []
    groups = list(_columns(linked, labels.shape))
    for done, (index, numbers) in enumerate(groups, start=1):
        top, left = boxes[numbers, :2].min(axis=0)
        bottom, right = boxes[numbers, 2:].max(axis=0)
        place = (*(index.get(letter, slice(None)) for letter in axes[:-2]), slice(top, bottom), slice(left, right))
        inside = np.asarray(labels[place])
        inside[~np.isin(inside, numbers)] = 0
        found.append(measure_intensities_in_3d(inside, {name: np.asarray(array[place]) for name, array in channels.items()}))
        yield Progress(LINKING, done, len(groups))
    if not found:
        nothing = np.zeros((1, 1), np.int32)
        found.append(measure_intensities_in_3d(nothing, dict.fromkeys(channels, nothing)))
    return pd.concat(found, ignore_index=True)


def _columns(linked: Linked, shape: tuple[int, ...]) -> Iterator[tuple[dict[str, int], npt.NDArray[np.int64]]]:
    """Group nuclei by where their middles lie: columns through all slices that are small enough to be measured at once."""
    table, boxes, axes = linked.table, linked.boxes, linked.pile.info.axes
    depth = shape[axes.index(stack_axis(axes))]
    edge = max(64, int((COLUMN_PIXELS / depth) ** 0.5))
    numbers = table["label"].to_numpy()
    middle = (boxes[numbers, :2] + boxes[numbers, 2:]) // 2 // edge
    others = [letter for letter in axes[:-2] if letter != stack_axis(axes)]
    keys = np.column_stack([*(table[f"plane_{letter.lower()}"].to_numpy() for letter in others), middle])
    for key in np.unique(keys, axis=0):
        yield dict(zip(others, key.tolist(), strict=False)), numbers[(keys == key).all(axis=1)]
