"""OME-Zarr, versions 0.1 to 0.5, and the folders around its images: plates, wells, conversions of several images, labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.core.axes import COLOUR_SAMPLES
from napari_unet_seg.errors import ReadError
from napari_unet_seg.io import image as image_module
from napari_unet_seg.io.blocks import grow_block
from napari_unet_seg.io.damage import damage
from napari_unet_seg.io.description import Description, useful_colors, useful_limits
from napari_unet_seg.io.image import ImageFile, arrange
from napari_unet_seg.io.labels_info import PROVENANCE_KEY
from napari_unet_seg.io.units import micrometres, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import zarr

_KINDS = {"channel": "C", "time": "T"}


def read_ome_zarr(path: Path) -> ImageFile:
    """Prepare to read an OME-Zarr.

    Parameters
    ----------
    path : Path
        The folder of an image, of one of its labels, of a well, of a conversion that holds several images, or of a plain zarr array.

    Returns
    -------
    ImageFile
        Pixels as dask arrays, but for labels that fit into memory, which can be edited only as a numpy array.

    Raises
    ------
    ReadError
        If the metadata are damaged, or the folder is a plate or holds no image.
    """
    import zarr

    with damage(path):
        node = zarr.open(path, mode="r")
        if isinstance(node, zarr.Array):
            return _read_array(path, node)
        return _read_group(path, node)


def _read_array(path: Path, array: zarr.Array[Any]) -> ImageFile:
    """Read an array without OME metadata: zarr v3 may name its dimensions, otherwise the last two are Y and X, but for colours."""
    if array.ndim < 2:
        raise ReadError(f"{path.name} holds an array of shape {array.shape}, which is no image: it needs two dimensions at least.")
    names = getattr(array.metadata, "dimension_names", None) or ()
    axes = "".join(_axis_letter(name) for name in names)
    if not ("Y" in axes and "X" in axes):
        colored = array.ndim > 2 and array.shape[-1] in COLOUR_SAMPLES and array.dtype == np.uint8
        axes = ("YX" + "S" * colored).rjust(array.ndim, "Q")
    arranged, order = arrange(axes, array.shape, color=True)
    return ImageFile(path=path, data=_lazy(array, axes).transpose(order), axes=arranged)


def _read_group(path: Path, root: zarr.Group) -> ImageFile:
    group = _find_image(path, root)
    metadata = _ome(group)
    found = metadata["multiscales"][0]
    arrays = [_array(group, dataset["path"]) for dataset in found["datasets"]]
    letters = _axes_of(found, arrays[0].ndim)
    axes, order = arrange(letters, arrays[0].shape, color=False)
    provenance = next((p for holder in (group, root) if (p := _provenance(holder))), {})
    is_labels = "image-label" in metadata or bool(provenance)
    described = _describe(metadata, found, letters)
    levels = _load(arrays, letters, whole=is_labels or image_module.is_label_name(path))
    levels = [level.transpose(order) for level in levels]
    as_stored = is_labels and order == tuple(range(len(order))) and not isinstance(levels[0], np.ndarray)
    return ImageFile(
        path=path,
        data=levels if len(levels) > 1 else levels[0],
        axes=axes,
        scale=described.scale,
        channel_names=described.channel_names,
        colors=described.colors,
        contrast_limits=described.contrast_limits,
        is_labels=is_labels,
        provenance=provenance,
        notice=_notice(path, root),
        stored=tuple(arrays) if as_stored else (),
    )


def _find_image(path: Path, root: zarr.Group) -> zarr.Group:
    """Follow the metadata to the group that holds an image."""
    group = root
    for _ in range(3):  # conversion -> image, or folder -> labels -> one of them
        metadata = _ome(group)
        if "multiscales" in metadata:
            return group
        if "plate" in metadata:
            first = f"{path.name}/{metadata['plate']['wells'][0]['path']}/0"
            raise ReadError(f"{path.name} is a plate of many images; open one of them, such as {first}.")
        inside = _next_inside(group, metadata)
        if inside is None:
            break
        group = _group(group, inside)
    raise ReadError(f"{path.name} holds no image: nothing in it has the 'multiscales' metadata of an OME-Zarr.")


def _next_inside(group: zarr.Group, metadata: dict[str, Any]) -> str | None:
    if "well" in metadata:
        return str(metadata["well"]["images"][0]["path"])
    if "bioformats2raw.layout" in metadata:
        return "0"
    if metadata.get("labels"):
        return str(metadata["labels"][0])
    return "labels" if "labels" in group else None


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    import zarr

    node = group[name]
    if not isinstance(node, zarr.Array):
        raise TypeError(f"{name} is no array")
    return node


def _group(parent: zarr.Group, name: str) -> zarr.Group:
    import zarr

    node = parent[name]
    if not isinstance(node, zarr.Group):
        raise TypeError(f"{name} is no group")
    return node


def _ome(group: zarr.Group) -> dict[str, Any]:
    """Return the metadata, which version 0.5 keeps under "ome" and earlier ones at the top."""
    attributes = group.attrs.asdict()
    inner = attributes.get("ome")
    return dict(inner) if isinstance(inner, dict) else dict(attributes)


def _provenance(group: zarr.Group) -> dict[str, Any]:
    found = group.attrs.get(PROVENANCE_KEY) or _ome(group).get(PROVENANCE_KEY)
    return dict(found) if isinstance(found, dict) else {}


def _axes_of(multiscale: dict[str, Any], ndim: int) -> str:
    axes = multiscale.get("axes") or list("tczyx")[-ndim:]  # versions before 0.3 have these, always
    pairs = ((axis.get("name"), axis.get("type")) if isinstance(axis, dict) else (axis, None) for axis in axes)
    return "".join(_axis_letter(name, kind) for name, kind in pairs)


def _axis_letter(name: str | None, kind: str | None = None) -> str:
    letter = str(name).upper()
    return letter if letter in tuple("TCZYX") else _KINDS.get(str(kind), "Q")


def _describe(metadata: dict[str, Any], multiscale: dict[str, Any], letters: str) -> Description:
    channels = [channel for channel in (metadata.get("omero") or {}).get("channels") or [] if isinstance(channel, dict)]
    windows = [channel.get("window") or {} for channel in channels]
    return Description(
        scale=_scale_of(multiscale, letters),
        channel_names=tuple(str(channel.get("label") or "") for channel in channels),
        colors=useful_colors(tuple(_color(channel.get("color")) for channel in channels)),
        contrast_limits=tuple(useful_limits(window.get("start"), window.get("end")) for window in windows),
    )


def _scale_of(multiscale: dict[str, Any], letters: str) -> dict[str, float]:
    """Return micrometres and seconds of the axes whose unit is told; a step without a unit says nothing."""
    steps = np.ones(len(letters))
    for holder in (multiscale["datasets"][0], multiscale):
        for transformation in holder.get("coordinateTransformations") or []:
            if transformation.get("type") == "scale":
                steps = steps * np.asarray(transformation["scale"], float)
    scale = {}
    for letter, axis, step in zip(letters, multiscale.get("axes") or [], steps, strict=False):
        unit = axis.get("unit") if isinstance(axis, dict) else None
        factor = (seconds(unit) if letter == "T" else micrometres(unit)) if unit and letter in "TZYX" else None
        if factor and step > 0 and np.isfinite(step):
            scale[letter] = float(step * factor)
    return scale


def _color(value: Any) -> str | None:
    digits = str(value or "").lstrip("#").lower()[:6]
    return f"#{digits}" if len(digits) == 6 and set(digits) <= set("0123456789abcdef") else None


def _load(arrays: Sequence[zarr.Array[Any]], axes: str, *, whole: bool) -> list[Any]:
    if whole and arrays[0].nbytes <= image_module.LAZY_BYTES:
        return [np.asarray(arrays[0][...])]
    return [_lazy(array, axes) for array in arrays]


def _lazy(array: zarr.Array[Any], axes: str) -> Any:
    import dask.array as da

    block = grow_block(array.chunks, array.shape, axes, array.dtype.itemsize)
    return da.from_zarr(array, chunks=block)  # type: ignore[no-untyped-call]


def _notice(path: Path, root: zarr.Group) -> str:
    several = "bioformats2raw.layout" in _ome(root) and "1" in root
    return f"{path.name} holds several images; the first is opened, and the others are in {path.name}/1 and so on." if several else ""
