"""What an earlier run had finished: whether it is the same result, and still whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

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
    if path.suffix != ".zarr":
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


def is_same(provenance: Mapping[str, Any], settings: SegmentSettings, model: Model) -> bool:
    """Say whether labels were made by a model with these settings.

    Parameters
    ----------
    provenance : mapping
        Of the labels.
    settings : SegmentSettings
    model : Model

    Returns
    -------
    bool
    """
    wanted = json.loads(json.dumps(settings.to_dict()))
    return bool(provenance.get("settings") == wanted and provenance.get("model_sha256") == model.sha256)
