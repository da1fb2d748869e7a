"""A network on a processor, by OpenVINO: in two thirds of the time that torch takes for one layer after the other, in 8 bits in a third.

Both compute with oneDNN, and round alike in 16 bits. A pixel is the same sum in a window of any size, as `core.tiling` needs it.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch

from napari_unet_seg.core.device import cpu_has_bfloat16, cpu_has_int8
from napari_unet_seg.core.threads import usual_threads
from napari_unet_seg.core.unet import UNet, activate

if TYPE_CHECKING:
    import openvino

    from napari_unet_seg.core.quantization import Ranges

Maps = npt.NDArray[np.float16]

_Key = tuple[torch.dtype, int, frozenset[Any]]
_COMPILED: WeakKeyDictionary[UNet, dict[_Key, openvino.CompiledModel | None]] = WeakKeyDictionary()
_LOCK = threading.Lock()
"""Images are worked on in threads: without it each would compile a network of its own."""
_NEAR = 0.02
"""By how much the maps may differ from torch's in the mean; those of 8 and 16 bits differ by less from 32."""


class Processor:
    """A compiled network. What it computed in is kept for the next window, see `release_memory`.

    Parameters
    ----------
    compiled : openvino.CompiledModel
        Others may use it too.
    """

    def __init__(self, compiled: openvino.CompiledModel) -> None:
        """Make ready to run."""
        self._request, self._lock = compiled.create_infer_request(), threading.Lock()

    def __call__(self, window: npt.NDArray[np.float32]) -> Maps:
        """Predict the maps of one window.

        Parameters
        ----------
        window : ndarray of float32, shape (Y, X)
            Normalised; edges are multiples of `NetworkSettings.multiple`.

        Returns
        -------
        ndarray of float16, shape (maps, Y, X)
            What `activate` makes of `UNet.forward`, rounded.

        Raises
        ------
        RuntimeError
            If there is not enough memory.
        """
        image = np.ascontiguousarray(window)[None, None]
        with self._lock:  # blocks may be worked on in threads
            maps: Maps = self._request.infer([image], share_inputs=True, share_outputs=True)[0][0].copy()
        return maps.reshape(-1, *window.shape)


def on_processor(network: UNet, dtype: torch.dtype, ranges: Ranges) -> Processor | None:
    """Make a network ready to run on the processor, in a twentieth of a second; it is compiled once.

    Parameters
    ----------
    network : UNet
        Folded, in evaluation mode, on the processor. It must not be changed.
    dtype : dtype
        float32, bfloat16 for all layers but the last, or int8 for all but the first.
    ranges : mapping
        Of the model that the network is of, see `core.quantization`; for int8 alone.

    Returns
    -------
    Processor or None
        None where torch must compute: without OpenVINO, which there is not for every kind of processor, in a format that this one has not
        or for which ranges are missing, and when the maps of a small image are not those of torch.
    """
    has = {torch.float32: True, torch.bfloat16: cpu_has_bfloat16(), torch.int8: cpu_has_int8() and bool(ranges)}
    if not has.get(dtype, False):
        return None
    ranges = ranges if dtype == torch.int8 else {}
    threads = usual_threads()
    key = (dtype, threads, frozenset(ranges.items()))
    with _LOCK:
        known = _COMPILED.setdefault(network, {})
        if key not in known:
            known[key] = _compiled(network, dtype, threads, ranges)
        compiled = known[key]
    return None if compiled is None else Processor(compiled)


def release_memory() -> None:
    """Give back what networks computed in: half a gigabyte or more after a large window, which the next one takes again in 0.2 s."""
    with _LOCK:
        everything = [compiled for known in _COMPILED.values() for compiled in known.values() if compiled is not None]
    for compiled in everything:
        with suppress(RuntimeError):  # another run computes, which gives it back at its end
            compiled.release_memory()


def _compiled(network: UNet, dtype: torch.dtype, threads: int, ranges: Ranges) -> openvino.CompiledModel | None:
    precision = "bf16" if dtype == torch.bfloat16 else "f32"  # with 8 bits: what is not of them, the image and the maps
    try:
        from napari_unet_seg.core.graph import compiled

        made = compiled(network, precision, threads, ranges)
        return made if _agrees(Processor(made), network) else None
    except (ImportError, OSError, RuntimeError, KeyError):  # the last for ranges of another network
        return None


def _agrees(run: Processor, network: UNet) -> bool:
    """Compare the maps of a small image with those of torch in float32."""
    edge = 2 * network.settings.multiple
    image = (np.cos(np.arange(edge**2, dtype=np.float32).reshape(edge, edge) ** 2 / edge) / 2 + 0.5).astype(np.float32)
    with torch.inference_mode():
        expected = activate(network(torch.from_numpy(image)[None, None]), network.settings)[0].numpy()
    return bool(np.abs(run(image) - expected).mean() < _NEAR)
