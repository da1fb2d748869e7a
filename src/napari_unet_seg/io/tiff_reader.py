"""TIFF in all its kinds: which image of the file is opened, whether it is whole, and in which order its dimensions come."""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Any

import tifffile

from napari_unet_seg.errors import ReadError
from napari_unet_seg.io import image as image_module
from napari_unet_seg.io.damage import damage
from napari_unet_seg.io.image import ImageFile, arrange
from napari_unet_seg.io.tiff_lazy import lazy_levels
from napari_unet_seg.io.tiff_metadata import describe_tiff
from napari_unet_seg.io.tiff_palette import look_up, palette_colors

if TYPE_CHECKING:
    from pathlib import Path

_SLIDES = {"svs", "ndpi", "scn", "bif", "philips", "qpi", "ndtiff", "sis"}
"""Kinds of slide scanners, whose files hold photographs of the label and of the whole slide beside the image."""

_DESCRIPTION = 270
"""The tag ImageDescription."""

_RGB = {2, 6}
"""Photometric interpretations whose samples are red, green and blue once they are decoded: RGB and YCbCr."""


def read_tiff(path: Path) -> ImageFile:
    """Read a TIFF.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    ImageFile
        The first image of the file, or the largest of a slide; its pixels in numpy arrays up to `LAZY_BYTES`, in dask arrays beyond.

    Raises
    ------
    ReadError
        If the file is damaged or cut short.
    """
    with damage(path), tifffile.TiffFile(path) as tif:
        if not tif.series:
            raise ReadError(f"{path.name} is damaged: it has the header of a TIFF and no image; copy it again from where it came.")
        index = _main_series(tif)
        series = tif.series[index]
        _check_whole(path, tif, series)
        levels = _levels(path, index, series)
        found = describe_tiff(tif, series)
        color, letters = int(series.keyframe.photometric) in _RGB, series.axes
        table = None if found.is_labels else palette_colors(path, series)
        if table is not None:
            levels, color, letters = [look_up(level, table) for level in levels], True, letters + "S"
            found = dataclasses.replace(found, colors=(), contrast_limits=())  # they were those of the numbers
        axes, order = arrange(letters, levels[0].shape, color=color)
        as_stored = found.is_labels and order == tuple(range(len(order)))
        if order != tuple(range(len(order))):
            levels = [level.transpose(order) for level in levels]
        return ImageFile(
            path=path,
            data=levels if len(levels) > 1 else levels[0],
            axes=axes,
            scale=found.scale,
            channel_names=found.channel_names,
            colors=found.colors,
            contrast_limits=found.contrast_limits,
            is_labels=found.is_labels,
            provenance=found.provenance,
            notice=_notice(path, tif, series),
            stored=_stored(path, index, series, levels) if as_stored else (),
        )


def _main_series(tif: tifffile.TiffFile) -> int:
    if tif.series[0].kind not in _SLIDES:
        return 0
    return max(range(len(tif.series)), key=lambda i: (tif.series[i].size, -i))


def _levels(path: Path, index: int, series: tifffile.TiffPageSeries) -> list[Any]:
    levels = [level for level in series.levels if level.axes == series.axes]
    if series.nbytes > image_module.LAZY_BYTES:
        return lazy_levels(path, index, series.axes, len(levels))
    return [level.asarray() for level in levels]


def _stored(path: Path, index: int, series: tifffile.TiffPageSeries, levels: list[Any]) -> tuple[Any, ...]:
    """Return the levels in their tiles, of an image that is read lazily and has such."""
    if not hasattr(levels[0], "dask") or not all(level.keyframe.is_tiled for level in series.levels[: len(levels)]):
        return ()
    from napari_unet_seg.io.tiff_store import stored_levels

    return stored_levels(path, index, len(levels))


def _notice(path: Path, tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> str:
    if len(tif.series) > 1 and series.kind not in _SLIDES:
        return f"{path.name} holds {len(tif.series)} images of different sizes; the first is opened."
    missing = sum(page is None for page in series.pages)
    return f"{path.name} lacks {missing} of its {len(series.pages)} planes, which are shown black." if missing else ""


def _check_whole(path: Path, tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> None:
    """Raise when the file ends before its pixels do: decoders fill up a cut JPEG with grey, and forget planes, without a word."""
    size = tif.filehandle.size
    if series.dataoffset is not None:
        end = series.dataoffset + series.nbytes
    else:
        pages = [page for page in (series.keyframe, series.pages[-1]) if page is not None and page.parent is tif]
        end = max((o + n for page in pages for o, n in zip(page.dataoffsets, page.databytecounts, strict=False)), default=0)
    if end > size:
        raise ReadError(f"{path.name} is cut short: its pixels should reach byte {end}, and the file ends at {size}; copy it again.")
    if _description_lost(tif):
        raise ReadError(f"{path.name} is cut short: its description, which should be at the end, is missing; copy it again.")
    if _chain_broken(tif) or (tif.is_imagej and series.kind in ("generic", "uniform")):
        raise ReadError(f"{path.name} is cut short: planes that its header speaks of are missing; copy it again.")


def _description_lost(tif: tifffile.TiffFile) -> bool:
    """Whether the first page has an ImageDescription that cannot be read: many programs put theirs, with axes and sizes, at the end."""
    page, tiff = tif.pages.first, tif.tiff
    tif.filehandle.seek(page.offset)
    (count,) = struct.unpack(tiff.tagnoformat, tif.filehandle.read(tiff.tagnosize))
    headers = (tif.filehandle.read(tiff.tagsize) for _ in range(count))
    codes = {struct.unpack(tiff.byteorder + "H", header[:2])[0] for header in headers}
    return _DESCRIPTION in codes and _DESCRIPTION not in page.tags


def _chain_broken(tif: tifffile.TiffFile) -> bool:
    """Whether the last page that can be read points to a further one, which then lies beyond the end or is garbled."""
    place = tif.pages.next_page_offset
    if place is None:
        return False
    tif.filehandle.seek(place)
    (following,) = struct.unpack(tif.tiff.offsetformat, tif.filehandle.read(tif.tiff.offsetsize))
    return following != 0 and following not in {page.offset for page in tif.pages}
