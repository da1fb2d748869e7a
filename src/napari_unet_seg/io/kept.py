"""What an earlier run had finished: whether it is the same result, and still whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg import __version__
from napari_unet_seg.io.labels_info import LabelsInfo, iter_bands, iter_planes
from napari_unet_seg.io.zarr_writer import stored_order

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model
    from napari_unet_seg.settings import SegmentSettings


def read_labels(path: Path, axes: str) -> Any:
    """Open labels, lazily where they are large.

    Parameters
    ----------
    path : Path
        A TIFF, or a folder of `napari_unet_seg.io.zarr_writer`.
    axes : str
        Of the labels.

    Returns
    -------
    numpy.ndarray or dask.array.Array
        int32, with its axes in this order.

    Raises
    ------
    ReadError
        If the file is damaged.
    """
    if path.suffix.lower() != ".zarr":
        from napari_unet_seg.io.image import open_image

        return open_image(path).levels[0]
    import dask.array as da

    labels = da.from_zarr(path / "0")  # type: ignore[no-untyped-call]
    return labels.transpose(np.argsort(stored_order(LabelsInfo(axes))).tolist()).astype(np.int32)


def is_whole(path: Path, axes: str) -> bool:
    """Read all of some labels, and say whether that was possible: their chunks, strips and tiles have checksums.

    Parameters
    ----------
    path : Path
        As of `read_labels`.
    axes : str
        Of the labels.

    Returns
    -------
    bool
    """
    try:
        for _, plane in iter_planes(read_labels(path, axes)):
            for _ in iter_bands(plane):
                pass
    except (OSError, ValueError, RuntimeError, KeyError):  # what codecs and formats make of damage
        return False
    return True


def measured_as(names: Iterable[str], ring: float) -> dict[str, Any]:
    """Return what the provenance of labels says of the intensities in their table; nothing when none were measured.

    Parameters
    ----------
    names : iterable of str
        Of the channels.
    ring : float
        Width of the rings in pixels, 0 for none.

    Returns
    -------
    dict
    """
    names = [*names]
    return {"measured": names, "ring": ring} if names else {}


def is_same(provenance: Mapping[str, Any], settings: SegmentSettings, model: Model, asked: Mapping[str, Any]) -> bool:
    """Say whether labels and their table were made as they would be now.

    Parameters
    ----------
    provenance : mapping
        Of the labels.
    settings : SegmentSettings
    model : Model
    asked : mapping
        The ``channel`` that shows nuclei, and what `measured_as` returns.

    Returns
    -------
    bool
    """
    wanted = {"settings": settings.to_dict(), "model_sha256": model.sha256, **asked}
    told = ("settings", "model_sha256", "channel", "measured", "ring")
    return {name: provenance[name] for name in told if name in provenance} == dict(json.loads(json.dumps(wanted)))


def version_notice(provenance: Mapping[str, Any]) -> str:
    """Say that labels which are kept were made by another version of the program; nothing if they were not.

    Parameters
    ----------
    provenance : mapping
        Of the labels.

    Returns
    -------
    str
    """
    made = provenance.get("version", __version__)
    return (
        "" if made == __version__ else f"It is kept as version {made} of this program made it; --overwrite without --resume makes it anew."
    )


def is_newer(source: Path, result: Path) -> bool:
    """Say whether an image was changed, or put in the place of another, after something was made of it.

    Parameters
    ----------
    source : Path
        A file, or a folder of which the files right in it tell.
    result : Path
        File or folder.

    Returns
    -------
    bool
    """
    # A file that is older than the result may have come to its place after it.
    return any(changed(source, moved) > changed(result, moved) for moved in (False, True))


def identity(pixels: Any, source: Path | None = None) -> list[int] | str:
    """Return what tells an image from another one of the same shape.

    Parameters
    ----------
    pixels : array-like
        Of the image.
    source : Path, optional
        Where they come from.

    Returns
    -------
    list of int or str
        Size and time of the last change of the source; else a checksum of pixels in memory; of others, nothing can be said.
    """
    if source is not None:
        return [source.stat().st_size, changed(source)]
    return hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).hexdigest() if isinstance(pixels, np.ndarray) else ""


def changed(path: Path, moved: bool = False) -> int:
    """Say when a file or folder was changed.

    Parameters
    ----------
    path : Path
        A file, or a folder of which the files right in it count too.
    moved : bool
        Whether it counts, too, when it came to its place.

    Returns
    -------
    int
        In nanoseconds.
    """
    states = [path.stat(), *(inner.stat() for inner in (path.iterdir() if path.is_dir() else ()) if inner.is_file())]
    return max(max(state.st_mtime_ns, state.st_ctime_ns if moved else 0) for state in states)
