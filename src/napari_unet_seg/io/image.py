"""What an image file holds, before any viewer sees it, and `open_image`, which finds that out for every kind of file that can be read."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Sequence

LAZY_BYTES = 256 * 2**20
"""Pixels that take more memory than this are read block by block when they are needed; smaller images are read at once, which is faster."""

_UNKNOWN = "QIABDEFGHJKLMNOPRUVW"
"""Letters for axes whose meaning is not known, Q first."""

_SIGNATURES = {
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
    b"\x89PNG": "picture",
    b"\xff\xd8\xff": "picture",
}


@dataclass(frozen=True)
class ImageFile:
    """What a file holds.

    Parameters
    ----------
    path : Path
        The file, or the folder of an OME-Zarr.
    data : array or list of arrays
        The pixels: a numpy array when they are few, a dask array when they are many; a list for a pyramid, largest level first.
    axes : str
        One capital letter a dimension, such as "ZCYX" or "YXS": Y and X come last, but for S (red, green, blue and perhaps opacity).
        Q, I and others stand for axes whose meaning the file does not tell.
    scale : dict of str to float
        Micrometres from one pixel to the next along Z, Y and X, and seconds along T, of the largest level, as far as the file tells.
    channel_names : tuple of str
        One a channel; a single channel without a name has an empty one.
    colors : tuple of str or None
        One ``"#rrggbb"`` a channel, or None.
    contrast_limits : tuple of (float, float) or None
        One pair a channel, or None.
    is_labels : bool
        Whether the pixels are labels (then int32) rather than intensities.
    provenance : dict
        How the labels were made, when this package made them.
    notice : str
        A sentence that the user should read, such as on what of the file is not opened; else empty.
    stored : tuple of zarr.Array
        The levels of large labels as they lie in their chunks or tiles, for somebody who looks at a few of them at a time; else empty.
    """

    path: Path
    data: Any
    axes: str
    scale: dict[str, float] = field(default_factory=dict)
    channel_names: tuple[str, ...] = ()
    colors: tuple[str | None, ...] = ()
    contrast_limits: tuple[tuple[float, float] | None, ...] = ()
    is_labels: bool = False
    provenance: dict[str, Any] = field(default_factory=dict)
    notice: str = ""
    stored: tuple[Any, ...] = ()

    @property
    def levels(self) -> list[Any]:
        """The arrays of the pyramid, largest first; one array when there is none."""
        return list(self.data) if isinstance(self.data, list) else [self.data]

    @property
    def channel_axis(self) -> int | None:
        """The dimension that holds channels, or None."""
        return self.axes.index("C") if "C" in self.axes else None

    @property
    def channels(self) -> int:
        """Number of channels; colours are one."""
        return 1 if self.channel_axis is None else int(self.levels[0].shape[self.channel_axis])


def open_image(path: str | Path) -> ImageFile:
    """Find out what a file holds, and read it, or prepare to read it block by block when it is large.

    Parameters
    ----------
    path : str or Path
        A TIFF of any kind (OME-TIFF, ImageJ, BigTIFF, pyramids, slides such as SVS), a PNG or JPEG, or an OME-Zarr folder. Files are told
        apart by their first bytes, not by their names.

    Returns
    -------
    ImageFile
        The pixels and what the file says of them.

    Raises
    ------
    ReadError
        If the file is missing, damaged, cut short, of another kind, or holds complex numbers.
    """
    path = Path(path)
    kind = _kind(path)
    if kind == "zarr":
        from napari_unet_seg.io.ome_zarr_reader import read_ome_zarr

        image = read_ome_zarr(path)
    elif kind == "tiff":
        from napari_unet_seg.io.tiff_reader import read_tiff

        image = read_tiff(path)
    else:
        from napari_unet_seg.io.picture_reader import read_picture

        image = read_picture(path)
    return _as_labels(_complete(image))


def is_label_name(path: Path) -> bool:
    """Whether a file is called what this package calls labels, such as ``x.labels.tif`` or ``x.classes.tif``."""
    return path.name.lower().split(".")[1:][-2:-1] in (["labels"], ["classes"])


def arrange(axes: str, shape: Sequence[int], *, color: bool) -> tuple[str, tuple[int, ...]]:
    """Name and order dimensions the way the rest of the package expects them.

    Parameters
    ----------
    axes : str
        One letter a dimension, as a file names them, such as "ISYX" or "YXT".
    shape : sequence of int
        Their lengths.
    color : bool
        Whether samples (S) are red, green and blue; otherwise they are channels.

    Returns
    -------
    axes : str
        The letters in the new order, each once: Y and X last, but for S.
    order : tuple of int
        The old dimension that becomes each new one, as `transpose` takes them.

    Raises
    ------
    ValueError
        If there is no Y or no X.

    Examples
    --------
    >>> arrange("ISYX", (2, 3, 83, 111), color=True)
    ('IYXS', (0, 2, 3, 1))
    >>> arrange("YXS", (83, 111, 5), color=False)
    ('CYX', (2, 0, 1))
    """
    if "Y" not in axes or "X" not in axes:
        raise ValueError(f"there is no image plane among its axes, {axes!r}")
    names: list[str] = []
    for name, length in zip(axes, shape, strict=True):
        letter = "C" if name == "S" and not (color and length in (3, 4)) else name
        if letter not in "TZCYXSQI" or letter in names or (letter == "C" and name == "S" and "C" in axes):
            letter = next(free for free in _UNKNOWN if free not in names and free not in axes)
        names.append(letter)
    order = sorted(range(len(names)), key=lambda i: (" YXS".find(names[i]), i))
    return "".join(names[i] for i in order), tuple(order)


def _kind(path: Path) -> str:
    try:
        if path.is_dir():
            if any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zattrs", ".zarray")):
                return "zarr"
            raise ReadError(f"{path} is a folder, no OME-Zarr, and holds no images/ with masks/ or labels/; choose a file in it.")
        with path.open("rb") as file:
            start = file.read(4)
    except FileNotFoundError as error:
        raise ReadError(f"{path} does not exist.") from error
    except ReadError:
        raise
    except OSError as error:
        raise ReadError(f"{path} cannot be opened: {error.strerror or error}.") from error
    if not start:
        raise ReadError(f"{path.name} is empty; copy it again from where it came.")
    for signature, kind in _SIGNATURES.items():
        if start.startswith(signature):
            return kind
    raise ReadError(f"{path.name} is not an image that can be read (TIFF, PNG, JPEG or OME-Zarr); export it as OME-TIFF.")


def _complete(image: ImageFile) -> ImageFile:
    """Refuse what is no intensity, and fill in what the file does not say, so that each channel has a name, a colour and limits."""
    dtype = image.levels[0].dtype
    if dtype.kind not in "biuf":
        what = "complex numbers" if dtype.kind == "c" else "no numbers"
        raise ReadError(f"{image.path.name} holds {what} ({dtype}), and not intensities; save real ones, such as the magnitude.")
    count = image.channels
    return dataclasses.replace(
        image,
        channel_names=_unique_names(image.channel_names, count),
        colors=_padded(image.colors, count),
        contrast_limits=_padded(image.contrast_limits, count),
        scale={axis: step for axis, step in image.scale.items() if axis in image.axes},
    )


def _unique_names(names: Sequence[str], count: int) -> tuple[str, ...]:
    # Tables have a column a channel, so that no two may have one name.
    if count == 1:
        return (names[0] if len(names) == 1 else "",)
    given = names if len(names) == count else [""] * count
    wanted = [name or f"Channel {i + 1}" for i, name in enumerate(given)]
    originals = {name.casefold() for name in wanted}
    unique: dict[str, str] = {}
    for first, name in enumerate(wanted, 1):
        numbered = (f"{name} ({number})" for number in itertools.count(first))
        # The case does not tell channels apart when they are chosen by name.
        free = (other for other in numbered if other.casefold() not in originals and other.casefold() not in unique)
        chosen = next(free) if name.casefold() in unique else name
        unique[chosen.casefold()] = chosen
    return tuple(unique.values())


def _padded(values: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    return values if len(values) == count else (None,) * count


def _as_labels(image: ImageFile) -> ImageFile:
    """Return labels as int32 when the file holds labels, and the image as it is otherwise."""
    named = image.is_labels or is_label_name(image.path)
    levels = image.levels
    if not named or "S" in image.axes or levels[0].dtype.kind == "f":
        return dataclasses.replace(image, is_labels=False)
    if isinstance(levels[0], np.ndarray):
        # One level is enough of labels that fit into memory, and napari cannot edit a pyramid.
        largest = int(levels[0].max(initial=0))
        if largest > np.iinfo(np.int32).max:
            raise ReadError(f"{image.path.name} holds the label {largest}, and labels end at {np.iinfo(np.int32).max}; renumber them.")
        return dataclasses.replace(image, data=levels[0].astype(np.int32, copy=False), is_labels=True)
    lazy = [level.astype(np.int32) for level in levels]
    return dataclasses.replace(image, data=lazy if isinstance(image.data, list) else lazy[0], is_labels=True)
