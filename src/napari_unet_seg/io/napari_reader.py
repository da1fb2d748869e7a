"""napari's reader: one layer a channel, with scale, units, axis labels, colours and limits; our own labels as Labels.

Which files are ours to open: those that we write, ``*.labels.tif`` and ``*.classes.tif`` (`FILENAME_PATTERNS`), and nothing else. The
reasons, from the sources of napari 0.9 and npe2 0.10:

- `ViewerModel._open_or_raise_error` asks npe2 for all readers one of whose patterns matches the file's name. If they belong to two
  plugins and there is no preference, it raises `MultipleReaderError`, and the window answers with the dialog "Choose reader", for every
  such file again (napari #4495). Readers have no priority: a pattern that is narrower than another's does not win.
- napari's built-in reader claims every extension that tifffile and imageio know: ``*.tif``, ``*.tiff``, ``*.ome.tif``, ``*.svs``,
  ``*.png`` ... Whatever we claimed of those, somebody who only wants to see an image would have to answer a question that was not asked
  before we were installed. That our layers would be better ones does not change this.
- "Remember this choice" in that dialog stores the last suffix alone, ``*.tif``. Remembered for us, it would make napari warn at every
  other TIFF that our plugin cannot be found.
- Patterns do not apply to folders: a reader that accepts directories is a candidate for every folder, and the dialog comes for each.
  So ``accepts_directories`` is false, and OME-Zarr folders and folders of images with labels are opened through the plugin's own commands.
- A reader that returns None is no way out: candidates are counted by pattern, before our function is called.
- What decides without a question is a preference (`settings.plugins.extension2reader`). `prefer_own_reader`, which the manifest names as
  ``on_activate``, adds one for our own patterns where there is none yet, when the plugin is first used: our labels then come back as
  Labels with scale and provenance, and no dialog. The user can change it in napari's preferences like any other.

Any other image gets its channels, scale and units through the plugin's own command and widget, which call `read_layers` and ask nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unet_seg.core.axes import as_array
from napari_unet_seg.errors import ReadError
from napari_unet_seg.io.folder_layers import iter_folder
from napari_unet_seg.io.folders import is_annotated
from napari_unet_seg.io.image import ImageFile, open_image
from napari_unet_seg.io.labels_info import PROVENANCE_KEY
from napari_unet_seg.progress import drain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LayerTuple = tuple[Any, dict[str, Any], str]
"""Data, keyword arguments of the layer, and its type: what napari makes a layer from."""

PLUGIN = "napari-unet-seg"

FILENAME_PATTERNS = ("*.labels.tif", "*.labels.tiff", "*.classes.tif", "*.classes.tiff")
"""What the manifest claims; a test holds the two equal."""

_TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf2", ".tf8", ".svs", ".ndpi", ".scn", ".bif", ".qptiff", ".lsm", ".stk")

READABLE = (*_TIFF_SUFFIXES, ".png", ".jpg", ".jpeg", ".zarr")
"""Suffixes of what `read_layers` opens, for a file dialog."""

_AXIS_LABELS = {"T": "t", "C": "c", "Z": "z", "Y": "y", "X": "x"}

_COLORMAPS = {
    "#ff0000": "red",
    "#00ff00": "green",
    "#0000ff": "blue",
    "#00ffff": "cyan",
    "#ff00ff": "magenta",
    "#ffff00": "yellow",
    "#ffffff": "gray",
}
"""Names under which napari knows these colours; it shows others by their number."""

FILE_KEY = "napari_unet_seg_file"
"""Metadata of a layer: of which file, and which of its channels, it is."""

_TWO, _MANY = ("magenta", "green"), ("cyan", "magenta", "yellow", "blue", "green", "red")
"""What napari itself gives to channels without a colour."""


def napari_get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerTuple]] | None:
    """Return a function that reads `path`, or None when it is nothing that can be read.

    Parameters
    ----------
    path : str or sequence of str
        A file or an OME-Zarr folder; several are files to be stacked.

    Returns
    -------
    callable or None
        Takes `path`, returns layer tuples, and raises `ReadError`.
    """
    paths = [path] if isinstance(path, str) else list(path)
    readable = bool(paths) and all(name.lower().rstrip("/\\").endswith(READABLE) or (Path(name) / "zarr.json").exists() for name in paths)
    return _read if readable else None


def read_layers(path: str | Path) -> list[LayerTuple]:
    """Read a file into napari's layer tuples.

    Parameters
    ----------
    path : str or Path
        Anything that `open_image` opens, or a folder of images with labels in one of the layouts of `napari_unet_seg.io.folders`.

    Returns
    -------
    list of (data, dict, str)
        An image layer a channel (colours are one layer), or a Labels layer; both for each size of image of a folder. `metadata` holds
        ``"axes"``, the letters of the layer's dimensions; ``"channel"``, its name in the file; where it comes from (`FILE_KEY`); and, of
        our own labels, their provenance under ``"napari_unet_seg"``.

    Raises
    ------
    ReadError
        If the file cannot be read.
    InputError
        If images and labels of a folder do not fit.
    """
    if is_annotated(Path(path)):
        folder = drain(iter_folder(Path(path)))
        if folder.notice:
            _show(folder.notice)
        return folder.layers
    image = open_image(path)
    if image.notice:
        _show(image.notice)
    return layers_of(image)


def layers_of(image: ImageFile) -> list[LayerTuple]:
    """Return the layer tuples of a file that is open already: what `read_layers` returns.

    Parameters
    ----------
    image : ImageFile
        From `open_image`.

    Returns
    -------
    list of (data, dict, str)
        One a channel.
    """
    return [_layer(image, channel) for channel in range(image.channels)]


def prefer_own_reader(context: object = None) -> None:
    """Tell napari's settings that files with our own suffixes are opened by our reader, unless the user has said otherwise.

    Parameters
    ----------
    context : object
        What npe2 hands to `on_activate`; not used.
    """
    from napari.settings import get_settings

    plugins = get_settings().plugins
    # "Remember this choice" of the dialog, ticked for one of our files, is stored for all TIFFs, which we do not claim.
    theirs = {pattern: name for pattern, name in plugins.extension2reader.items() if name != PLUGIN or pattern not in ("*.tif", "*.tiff")}
    # Ours come first: among patterns that are equally specific to napari, "*.tif" and "*.labels.tif", the first one counts.
    wanted = {pattern: PLUGIN for pattern in FILENAME_PATTERNS if pattern not in theirs} | theirs
    if wanted != plugins.extension2reader:
        plugins.extension2reader = wanted


def axis_labels(axes: str) -> tuple[str, ...]:
    """Return napari's labels of a layer's dimensions, such as ("z", "y", "x"); axes that are not known are "plane", "plane 2" ...

    Parameters
    ----------
    axes : str
        Letters as in `ImageFile`; samples (S) are no dimension of a layer.
    """
    unknown = [axis for axis in axes if axis not in "TCZYXS"]
    names = {axis: "plane" if i == 0 else f"plane {i + 1}" for i, axis in enumerate(unknown)}
    return tuple((_AXIS_LABELS | names)[axis] for axis in axes if axis != "S")


def _read(path: str | Sequence[str]) -> list[LayerTuple]:
    if isinstance(path, str):
        return read_layers(path)
    stacks = [read_layers(name) for name in path]
    return stacks[0] if len(stacks) == 1 else [_stack(layers) for layers in _transposed(stacks)]


def _transposed(stacks: list[list[LayerTuple]]) -> list[list[LayerTuple]]:
    if len({len(layers) for layers in stacks}) > 1:
        raise ReadError("These files have different numbers of channels, and cannot be stacked; open them one by one.")
    return [list(layers) for layers in zip(*stacks, strict=True)]


def _stack(layers: list[LayerTuple]) -> LayerTuple:
    arrays = [as_array(data) for data, _, _ in layers]  # of zarr's, NumPy's functions would read all
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        listed = ", ".join(map(str, sorted(shapes)))
        raise ReadError(f"These files have different shapes ({listed}), and cannot be stacked; open them one by one.")
    _, options, kind = layers[0]
    # numpy's function becomes dask's where the arrays are dask's.
    stacked = np.stack(arrays)
    axes = next(letter for letter in "QIABDEFGH" if letter not in options["metadata"]["axes"]) + options["metadata"]["axes"]
    return (
        stacked,
        options
        | {
            "multiscale": False,
            "scale": (1.0, *options["scale"]),
            "units": ("pixel", *options["units"]),
            "axis_labels": axis_labels(axes),
            "metadata": {name: value for name, value in options["metadata"].items() if name != FILE_KEY} | {"axes": axes},
        },
        kind,
    )


def _layer(image: ImageFile, channel: int) -> LayerTuple:
    levels = [_channel(level, image.channel_axis, channel) for level in image.levels]
    axes = image.axes.replace("C", "")
    dims = axes.replace("S", "")
    name = image.channel_names[channel]
    options: dict[str, Any] = {
        "name": f"{name} ({_stem(image.path)})" if name else _stem(image.path),
        "scale": tuple(image.scale.get(axis, 1.0) for axis in dims),
        "units": tuple(_unit(axis, image.scale) for axis in dims),
        "axis_labels": axis_labels(axes),
        "multiscale": len(levels) > 1,
        "metadata": {"axes": axes, "channel": name, FILE_KEY: file_record(image, channel)},
    }
    if image.is_labels and image.stored:
        # Of dask arrays, napari reads whole blocks, which are larger than chunks, and keeps up to a quarter of the memory full of them.
        levels = list(image.stored)
    data = levels if len(levels) > 1 else levels[0]
    if image.is_labels:
        if image.provenance:
            options["metadata"][PROVENANCE_KEY] = image.provenance
        return data, options, "labels"
    options["rgb"] = "S" in axes
    if not options["rgb"]:
        options |= _shown(image, channel)
    return data, options, "image"


def file_record(image: ImageFile, channel: int) -> dict[str, Any]:
    """Return what a layer keeps of its file, so that a run can be written down as a command: path, axes and number of the channel.

    Parameters
    ----------
    image : ImageFile
    channel : int
        Which of its channels the layer shows.

    Returns
    -------
    dict
        ``path`` (absolute), ``axes`` of the file, and ``channel``, None when there is nothing to choose.
    """
    return {"path": str(image.path.absolute()), "axes": image.axes, "channel": channel if image.channel_axis is not None else None}


def _channel(level: Any, axis: int | None, channel: int) -> Any:
    return level if axis is None else level[(slice(None),) * axis + (channel,)]


def _shown(image: ImageFile, channel: int) -> dict[str, Any]:
    """Return how a layer looks: colour, limits, and light that adds up where channels overlap."""
    options: dict[str, Any] = {"colormap": _colormap(image, channel)}
    limits = image.contrast_limits[channel]
    if limits is not None:
        options["contrast_limits"] = limits
    if image.channels > 1:
        options["blending"] = "additive" if channel else "translucent_no_depth"
    return options


def _colormap(image: ImageFile, channel: int) -> str:
    color = image.colors[channel]
    if color is not None:
        return _COLORMAPS.get(color, color)
    if image.channels == 1:
        return "gray"
    return _TWO[channel] if image.channels == 2 else _MANY[channel % len(_MANY)]


def _unit(axis: str, scale: dict[str, float]) -> str:
    if axis not in scale:
        return "pixel"
    return "second" if axis == "T" else "micrometer"


def _stem(path: Path) -> str:
    """Return the name of a file without what says its format."""
    name = path.name
    for suffix in (path.suffix, ".ome"):
        if len(suffix) < len(name) and name.lower().endswith(suffix.lower()):
            name = name[: len(name) - len(suffix)]
    return name


def _show(notice: str) -> None:
    from napari.utils.notifications import show_info

    show_info(notice)
