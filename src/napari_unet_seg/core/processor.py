"""A network on a processor, by OpenVINO: in two thirds of the time that torch takes for one layer after the other.

Both compute with oneDNN, and round alike in 16 bits. A pixel is the same sum in a window of any size, as `core.tiling` needs it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch

from napari_unet_seg.core.device import cpu_has_bfloat16
from napari_unet_seg.core.threads import usual_threads
from napari_unet_seg.core.unet import UNet, activate

if TYPE_CHECKING:
    import openvino

Maps = npt.NDArray[np.float16]

_FORMATS = {torch.float32: "f32", torch.bfloat16: "bf16"}
_COMPILED: WeakKeyDictionary[UNet, dict[tuple[str, int], openvino.CompiledModel | None]] = WeakKeyDictionary()
_NEAR = 0.02
"""By how much the maps may differ from torch's in the mean; 16 bits differ by less from 32."""


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
            Normalised; edges are multiples of 2 ** depth.

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
        return maps


def on_processor(network: UNet, dtype: torch.dtype) -> Processor | None:
    """Make a network ready to run on the processor, in a twentieth of a second; it is compiled once.

    Parameters
    ----------
    network : UNet
        Folded, in evaluation mode, on the processor. It must not be changed.
    dtype : dtype
        The number format of all layers but the last, which is float32.

    Returns
    -------
    Processor or None
        None where torch must compute: without OpenVINO, which there is not for every kind of processor, in a format that it has not, and
        when its maps of a small image are not those of torch.
    """
    if dtype not in _FORMATS or (dtype == torch.bfloat16 and not cpu_has_bfloat16()):
        return None
    key, known = (_FORMATS[dtype], usual_threads()), _COMPILED.setdefault(network, {})
    if key not in known:
        known[key] = _compiled(network, *key)
    compiled = known[key]
    return None if compiled is None else Processor(compiled)


def release_memory() -> None:
    """Give back what networks computed in: a gigabyte after a window of 2048 x 2048, which the next such window takes again in 0.2 s."""
    for known in list(_COMPILED.values()):
        for compiled in known.values():
            if compiled is not None:
                compiled.release_memory()


def _compiled(network: UNet, precision: str, threads: int) -> openvino.CompiledModel | None:
    try:
        from napari_unet_seg.core.graph import compiled

        made = compiled(network, precision, threads)
        return made if _agrees(Processor(made), network) else None
    except (ImportError, OSError, RuntimeError):
        return None


def _agrees(run: Processor, network: UNet) -> bool:
    """Compare the maps of a small image with those of torch in float32."""
    edge = 2 ** (network.settings.depth + 1)
    image = np.cos(np.arange(edge**2, dtype=np.float32).reshape(edge, edge) ** 2 / edge) / 2 + 0.5
    with torch.inference_mode():
        expected = activate(network(torch.from_numpy(image)[None, None]), network.settings)[0].numpy()
    return bool(np.abs(run(image) - expected).mean() < _NEAR)
