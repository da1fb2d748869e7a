"""A model's network made ready to predict by torch, once for each device: a run over one image after the other would copy it each time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch

from napari_unet_seg.core.device import exact_float32, fetched
from napari_unet_seg.core.unet import UNet, activate
from napari_unet_seg.core.whole_numbers import in_whole_numbers

if TYPE_CHECKING:
    from napari_unet_seg.core.quantization import Ranges

_Key = tuple[str, frozenset[Any]]
_PLACED: WeakKeyDictionary[UNet, dict[_Key, tuple[Any, UNet]]] = WeakKeyDictionary()
_NONE: Ranges = {}


def placed(network: UNet, device: str, ranges: Ranges = _NONE) -> UNet:
    """Return a folded copy of a network on a device.

    Parameters
    ----------
    network : UNet
        It is not changed.
    device : {"cuda", "mps", "cpu"}
        Where to compute.
    ranges : mapping
        Of what its parts give, see `core.quantization`, if it is to compute in numbers of 8 bits.

    Returns
    -------
    UNet
        In evaluation mode; the one of the last time as long as the weights are the same. It must not be changed.

    Raises
    ------
    KeyError
        If the ranges are of another network.
    """
    weights = list(chain(network.parameters(), network.buffers()))
    if any(tensor.is_inference() for tensor in weights):  # torch does not count their changes
        return _copied(network, device, ranges)
    with torch.no_grad():  # sums, since torch does not count what is changed by way of `Tensor.data` either
        state = [(tensor.data_ptr(), tensor._version, float(tensor.sum())) for tensor in weights]
    known, key = _PLACED.setdefault(network, {}), (device, frozenset(ranges.items()))
    if key not in known or known[key][0] != state:
        known[key] = (state, _copied(network, device, ranges))
    return known[key][1]


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
        The number format of all layers but the last, which is float32; int8 for a network that was placed with ranges.

    Returns
    -------
    callable
        Waits for the maps: float16, (maps, Y, X).
    """
    with torch.inference_mode(), exact_float32(), torch.autocast(device, dtype, dtype in (torch.bfloat16, torch.float16)):
        image = torch.from_numpy(window)[None, None]
        if device == "cuda":
            image = image.pin_memory().to("cuda", non_blocking=True)
        image = image.to(device).contiguous(memory_format=torch.channels_last)
        wait = fetched(activate(network(image), network.settings)[0].half())
    return lambda: wait().numpy()


def _copied(network: UNet, device: str, ranges: Ranges) -> UNet:
    folded = copy.deepcopy(network).eval().fold()
    if ranges:
        in_whole_numbers(folded, ranges)
    there: UNet = folded.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub forgets it
    return there
