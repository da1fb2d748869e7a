"""A model's network made ready to predict by torch, once for each device: a run over one image after the other would copy it each time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch

from napari_unet_seg.core.device import exact_float32, fetched
from napari_unet_seg.core.unet import UNet, activate

_PLACED: WeakKeyDictionary[UNet, dict[str, tuple[Any, UNet]]] = WeakKeyDictionary()


def placed(network: UNet, device: str) -> UNet:
    """Return a folded copy of a network on a device.

    Parameters
    ----------
    network : UNet
        It is not changed.
    device : {"cuda", "mps", "cpu"}
        Where to compute.

    Returns
    -------
    UNet
        In evaluation mode; the one of the last time as long as the weights are the same. It must not be changed.
    """
    weights = list(chain(network.parameters(), network.buffers()))
    if any(tensor.is_inference() for tensor in weights):  # torch does not count their changes
        return _copied(network, device)
    with torch.no_grad():  # sums, since torch does not count what is changed by way of `Tensor.data` either
        state = [(tensor.data_ptr(), tensor._version, float(tensor.sum())) for tensor in weights]
    known = _PLACED.setdefault(network, {})
    if device not in known or known[device][0] != state:
        known[device] = (state, _copied(network, device))
    return known[device][1]


def begun(network: UNet, window: npt.NDArray[np.float32], device: str, dtype: torch.dtype) -> Callable[[], npt.NDArray[np.float16]]:
    """Begin to run a network on a window; a GPU computes while others go on.

    Parameters
    ----------
    network : UNet
        From `placed`.
    window : ndarray of float32, shape (Y, X)
        Normalised; edges are multiples of `NetworkSettings.multiple`.
    device : {"cuda", "mps", "cpu"}
        Where the network is.
    dtype : dtype
        The number format of all layers but the last, which is float32.

    Returns
    -------
    callable
        Waits for the maps: float16, (maps, Y, X).
    """
    with torch.inference_mode(), exact_float32(), torch.autocast(device, dtype, dtype != torch.float32):
        image = torch.from_numpy(window)[None, None]
        if device == "cuda":
            image = image.pin_memory().to("cuda", non_blocking=True)
        image = image.to(device).contiguous(memory_format=torch.channels_last)
        wait = fetched(activate(network(image), network.settings)[0].half())
    return lambda: wait().numpy()


def _copied(network: UNet, device: str) -> UNet:
    folded = copy.deepcopy(network).eval().fold()
    there: UNet = folded.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub forgets it
    return there
