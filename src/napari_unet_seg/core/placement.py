"""A model's network made ready to predict, once for each device: a run over one image after the other would copy it each time."""

from __future__ import annotations

import copy
from itertools import chain
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch

if TYPE_CHECKING:
    from napari_unet_seg.core.unet import UNet

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


def _copied(network: UNet, device: str) -> UNet:
    folded = copy.deepcopy(network).eval().fold()
    there: UNet = folded.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub forgets it
    return there
