"""A convolution and its rectification in one pass over the pixels, where oneDNN does both at once: the same bits, a twentieth sooner."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn


def rectified(conv: nn.Module, x: Tensor) -> Tensor:
    """Return ``relu(conv(x))``.

    Parameters
    ----------
    conv : Module
        A convolution; in one pass when it is one in two dimensions, in bfloat16 on the processor, and nothing is learned from it.
    x : Tensor, shape (B, C, Y, X)

    Returns
    -------
    Tensor
        Of the shape and dtype of ``conv(x)``.
    """
    quick = type(conv) is nn.Conv2d and x.device.type == "cpu" and torch.is_inference_mode_enabled() and torch.is_autocast_enabled("cpu")
    if quick and torch.get_autocast_dtype("cpu") == torch.bfloat16 and _has_both_at_once():
        assert isinstance(conv, nn.Conv2d)
        return _at_once(conv, x)
    return torch.relu_(conv(x))


def _at_once(conv: nn.Conv2d, x: Tensor) -> Tensor:
    bias = None if conv.bias is None else conv.bias.bfloat16()
    place = (conv.padding, conv.stride, conv.dilation, conv.groups)
    made: Tensor = torch.ops.mkldnn._convolution_pointwise(x.bfloat16(), conv.weight.bfloat16(), bias, *place, "relu", [], "")
    return made


@functools.cache
def _has_both_at_once() -> bool:
    """Try it on a few pixels: the operation is one that torch's own compiler uses, and not promised to stay."""
    conv, x = nn.Conv2d(2, 4, 3, padding=1), torch.linspace(-1, 1, 128).reshape(1, 2, 8, 8)
    try:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return torch.equal(_at_once(conv, x), torch.relu_(conv(x)))
    except (RuntimeError, AttributeError, TypeError, NotImplementedError):
        return False
