"""A plane to maps: the network runs over the tiles of a plane, on any device, within its memory."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from napari_unet_seg.core.axes import as_array, resolve_axes
from napari_unet_seg.core.bands import put
from napari_unet_seg.core.broken import count_broken
from napari_unet_seg.core.checkpoint import Model, load_model
from napari_unet_seg.core.device import choose_device, compute_errors, number_formats
from napari_unet_seg.core.flight import in_flight
from napari_unet_seg.core.normalize import Limits, estimate_limits
from napari_unet_seg.core.placement import begun, placed
from napari_unet_seg.core.processor import on_processor, release_memory
from napari_unet_seg.core.pyramid import Level, Pyramid
from napari_unet_seg.core.quantization import parts, ranges_of
from napari_unet_seg.core.scaled_plane import Maps, Part, ScaledPlane
from napari_unet_seg.core.tiling import Tile, aligned, padded_shape, plan_tiles, read_window
from napari_unet_seg.core.unet import receptive_radius
from napari_unet_seg.errors import ComputeError, InputError, OutOfMemoryError, SettingsError
from napari_unet_seg.progress import Progress, Steps, drain

if TYPE_CHECKING:
    from napari_unet_seg.settings import SegmentSettings

AUTOMATIC_TILE = {("cpu", None): 1024, ("cpu", torch.bfloat16): 1536, ("cpu", torch.int8): 2048, ("mps", None): 1024, ("cuda", None): 2048}
"""By device and format: on the CPU always about half a gigabyte. Cores of 2048 spend a fifth of the time on halos, of 1024 a third."""
USUAL_WIDTH = 32
"""Networks wider than this take as much more memory, and get smaller tiles."""
SMALLEST_TILE = 128
"""Below this, halos cost more than ten times the core: memory is then not to be had."""
AHEAD = 1
"""Tiles that a GPU computes while the maps of the one before are fetched and put into place."""
MOST_PIXELS = 1_000_000_000
"""A plane is not enlarged beyond this: a diameter of a tenth of a pixel is a slip."""

Pixels = npt.NDArray[np.float32]
STAGE = "Segmenting"


def predict(image: Any, model: str | Model = "nuclei", device: str = "auto", settings: SegmentSettings | None = None) -> Pixels:
    """Predict the maps of one plane.

    Parameters
    ----------
    image : array-like
        Shape (Y, X), or (Y, X, 3 or 4) for colour; any real dtype.
    model : str, path or Model
        The model.
    device : {"auto", "cuda", "mps", "cpu"}
        Where to compute.
    settings : SegmentSettings, optional
        Limits, polarity, diameter, tile and precision; the model's own if not given.

    Returns
    -------
    ndarray of float32, shape (C, Y, X)
        One map a channel, 0 to 1, named by ``model.settings.maps``.

    Raises
    ------
    InputError, ModelError, DeviceError, OutOfMemoryError, ComputeError
        As `segment`.
    """
    array = as_array(image)
    layout = resolve_axes(array)
    if layout.plane_count > 1:
        raise InputError(f"`predict` takes one plane, but the image has shape {layout.shape}; use `segment`, or choose a plane.")
    predictor = Predictor(load_model(model), device, settings)
    plane = layout.plane(array, next(layout.indices()))
    maps = drain(predictor.iter_maps(plane, estimate_limits(plane, predictor.settings)))
    return maps.astype(np.float32)


class Predictor:
    """A model on a device.

    Parameters
    ----------
    model : Model
        The model; it is not changed.
    device : {"auto", "cuda", "mps", "cpu"}
        Where to compute.
    settings : SegmentSettings, optional
        The model's own if not given.
    """

    def __init__(self, model: Model, device: str = "auto", settings: SegmentSettings | None = None) -> None:
        """Choose the device and put a folded copy of the network there."""
        self.model = model
        self.settings = settings or model.defaults
        self.asked, self.device = device, choose_device(device)
        self._place()

    def with_settings(self, settings: SegmentSettings | None) -> Predictor:
        """Return the same network on the same device, for other settings; the model's own if None."""
        other = copy.copy(self)
        other.settings = settings or self.model.defaults
        if other.settings.precision != self.settings.precision:  # to make ready once more takes longer than many an image
            other._choose_format()
        return other

    @property
    def halo(self) -> int:
        """Receptive radius of the network, in pixels."""
        return receptive_radius(self.model.settings)

    @property
    def tile(self) -> int:
        """Edge of a tile in pixels, as set, or for this device, format and network."""
        name, wide = self.device.name, self.model.settings.width > USUAL_WIDTH * self.model.settings.stride
        held = self.dtype if self.processor or self.dtype != torch.int8 else None  # torch holds 8 bits in 32
        return self.settings.tile or (AUTOMATIC_TILE.get((name, held)) or AUTOMATIC_TILE[name, None]) // (2 if wide else 1)

    @property
    def known_diameter(self) -> float:
        """Diameter in pixels of the nuclei that the model was trained on; 0 if its card does not say."""
        return float(self.model.card.get("diameter", 0))

    @property
    def known_sizes(self) -> tuple[float, float]:
        """The smallest and the largest such diameter; a model taught further may know two."""
        return float(self.model.card.get("smallest_diameter", self.known_diameter)), self.known_diameter

    def iter_maps(self, plane: Any, limits: Limits, diameter: float = 0.0, part: Part | None = None, every: bool = True) -> Steps[Maps]:
        """Predict the maps of a plane, or of a part of it, tile by tile.

        When memory runs out the tile is halved; below the smallest tile the CPU takes over. When a 16-bit format overflows, float32 takes
        over. Each time the plane is begun again, with one notice.

        Parameters
        ----------
        plane : array-like or Pyramid
            Shape (Y, X), or (Y, X, S); read tile by tile.
        limits : Limits
            Of the whole plane.
        diameter : float
            That was found of the nuclei, in pixels: the plane is rescaled for it; 0 takes that of the settings.
        part : Part, optional
            What is wanted of the plane; all of it if not given.
        every : bool
            Whether all maps are wanted, and not the first and the last alone, from which nuclei are decoded.

        Yields
        ------
        Progress
            After each tile.

        Returns
        -------
        ndarray of float16, shape (C, Y, X)
            At the plane's resolution, or that of the part.
        """
        tile = self.tile
        pyramid = plane if isinstance(plane, Pyramid) else Pyramid((Level(plane),))
        part = part or Part((slice(0, pyramid.shape[0]), slice(0, pyramid.shape[1])))
        scaled = ScaledPlane(pyramid, limits, self.factor_for(diameter) if diameter else self.factor)
        while True:
            try:
                return (yield from self._iter_part(scaled, part, tile, 1 if every else len(self.model.settings.maps) - 1))
            except OutOfMemoryError:
                if tile // 2 < SMALLEST_TILE and self.device.name == "cpu":
                    raise
                tile, notice = self._after_exhaustion(tile)
            except _OverflowError:
                notice = self._after_overflow()
            yield Progress(STAGE, 0, 0, notice=notice)

    def _after_exhaustion(self, tile: int) -> tuple[int, str]:
        """Go on with half the tile, or on the CPU: (tile, notice)."""
        title, smaller = self.device.title, tile // 2
        release_memory()
        if self.device.name == "cuda":
            torch.cuda.empty_cache()
        if smaller >= SMALLEST_TILE:
            return smaller, f"Memory ran out on {title}: going on with tiles of {smaller} px instead of {tile}."
        self.device = choose_device("cpu")
        self._place()
        return self.tile, f"Memory ran out on {title} even with small tiles: going on with the CPU."

    def _after_overflow(self) -> str:
        """Go on in float32, which holds what float16 cannot: the notice."""
        notice = f"This model overflows in {str(self.dtype).removeprefix('torch.')}: going on in float32."
        self._take(torch.float32)
        return notice

    def _place(self) -> None:
        with compute_errors("Loading the model"):
            self._choose_format()

    def _take(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.network = placed(self.model.network, self.device.name)
        on_cpu = self.device.name == "cpu"
        self.processor = on_processor(self.network, dtype, ranges_of(self.model.card)) if on_cpu else None

    def _choose_format(self) -> None:
        """Take the first number format of those that may be taken that this model and this device can."""
        ranges = ranges_of(self.model.card)
        for dtype in number_formats(self.device.name, self.settings.precision):
            self._take(dtype)
            if self.processor is not None or dtype != torch.int8:
                return
        if not set(parts(self.network)) <= set(ranges):
            raise SettingsError(f"8 bits (int8) cannot be had with {self.model.name!r}, which has no ranges; set the precision to 'auto'.")
        self.network = placed(self.model.network, self.device.name, ranges)

    def _iter_part(self, plane: ScaledPlane, part: Part, tile: int, stride: int) -> Steps[Maps]:
        """Run the network at its own scale, and bring every so many of the maps back."""
        multiple = self.model.settings.multiple
        padded = padded_shape(plane.shape, multiple)
        box = aligned(plane.needed(part), multiple, padded)
        size = (box[0].stop - box[0].start, box[1].stop - box[1].start)
        if plane.ratio > 1 and size[0] * size[1] > MOST_PIXELS:
            raise SettingsError(f"With this diameter the plane would be enlarged to {size} pixels; give a larger one, or a part of it.")
        maps: Maps = np.empty((len(self.model.settings.maps[::stride]), *size), np.float16)
        tiles = plane.blanked(maps, box, part, plan_tiles(padded, tile, self.halo, multiple, box))

        def _read(step: Tile) -> Pixels:
            with compute_errors("Reading the image"):
                return read_window(plane.read, step.window, plane.shape)

        with closing(in_flight(tiles, _read, self.begin, AHEAD if self.device.name == "cuda" else 0)) as answers:
            for done, (step, answer) in enumerate(answers, start=1):
                put(maps[:, *step.inside(box)], answer[::stride, *step.inner])
                yield Progress(STAGE, done, len(tiles))
        with compute_errors("Rescaling the maps"):
            return plane.bring_back(maps, box, part)

    @property
    def factor(self) -> float:
        """By how much a plane is rescaled for the diameter of the settings; 1 when that is automatic."""
        diameter = self.settings.diameter
        if diameter and not self.known_diameter:
            raise SettingsError(f"The model {self.model.name!r} does not say which diameter it knows; leave the diameter at 0.")
        return self.known_diameter / diameter if diameter else 1.0

    def factor_for(self, diameter: float) -> float:
        """Return by how much a plane is rescaled in which the nuclei were found to be so wide: to the nearest size that the model knows."""
        smallest, largest = self.known_sizes
        return min(max(diameter, smallest), largest) / diameter

    def run(self, window: Pixels) -> npt.NDArray[np.float16]:
        """Run the network on one normalised window.

        Parameters
        ----------
        window : ndarray of float32, shape (Y, X)
            Edges are multiples of `NetworkSettings.multiple`.

        Returns
        -------
        ndarray of float16, shape (C, Y, X)
            Maps from 0 to 1.
        """
        if self.processor is None:
            return self._start(window)()
        with compute_errors(STAGE):  # of what are no numbers, the decoder tells
            return self.processor(window)

    def begin(self, window: Pixels) -> Callable[[], Maps]:
        """Begin to `run` on a window; what is returned waits for the maps. A GPU computes meanwhile; other devices begin only then."""
        return self._start(window) if self.device.name == "cuda" else partial(self.run, window)

    def _start(self, window: Pixels) -> Callable[[], Maps]:
        with compute_errors(STAGE):
            wait = begun(self.network, window, self.device.name, self.dtype)

        def _finish() -> Maps:
            with compute_errors(STAGE):
                maps = wait()
            if count_broken(*maps):
                if self.dtype == torch.float32:
                    raise ComputeError(f"The model {self.model.name!r} gives values that are no numbers; train it again or use another.")
                raise _OverflowError
            return maps

        return _finish

    def run_safely(self, window: Pixels) -> npt.NDArray[np.float16]:
        """Run as `run`; when the numbers overflow, this window and all later ones are computed in float32."""
        try:
            return self.run(window)
        except _OverflowError:
            self._after_overflow()
            return self.run(window)


class _OverflowError(Exception):
    """The network's numbers left the range of a format of 16 bits; never leaves this module."""
