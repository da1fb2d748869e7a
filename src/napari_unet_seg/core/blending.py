"""From a base to what was learned, and half the way back: what a few nuclei teach, without what they make a model forget.

Method: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022. A few painted nuclei are fitted long before the last step, and
the rest of the way leads away from what the base knew, also of the very images that are taught: patches of one image have other statistics
than the many that the base learned from, and BatchNorm passes these on to every layer (the loss of a network that knew the image rose from
2 to 9 by them alone). Most of that goes in a straight line, and half of it is gone half-way back.

Measured with two bases that had never seen one modality of DSB 2018, as by ``benchmarks/few_labels.py``: AP at IoU 0.5 on other images of
it, 10 nuclei painted, three seeds. Histology: the whole way +0.016, half of it +0.037; fluorescence: -0.098 and +0.013. On images that the
bases knew, the whole way lost 0.103 and 0.206, half of it 0.008 and 0.063. That was with patches of 256 px, and before the base was asked
(`napari_unet_seg.core.remembering`); with it and patches of 128 px, the mean AP at IoU 0.5 of four runs was 0.595 at half the way, 0.589 at
three quarters of it and 0.568 at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

HALF_WAY = 0.5
"""Share that is gone where nothing tells better."""
SHARES = (HALF_WAY, 0.75, 1.0)
"""Shares that are tried where enough nuclei were kept out of training to tell."""
ENOUGH = 0.5
"""Share of the overlap reached at the end of the way that half the way must reach too: a base that failed wholly needs all of it."""
MARGIN = 0.01
"""Mean AP by which a larger share must be better: it forgets more."""


def blend(base: Mapping[str, Tensor], learned: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Return weights between those of a base and what was learned from it.

    Parameters
    ----------
    base, learned : mapping of str to Tensor
        States of one network.
    share : float
        0 is the base, 1 what was learned.

    Returns
    -------
    dict of str to Tensor
        New tensors, on the device of `learned`; counters are those of `learned`.
    """
    return {
        name: base[name].to(tensor.device).lerp(tensor, share) if tensor.is_floating_point() else tensor.clone()
        for name, tensor in learned.items()
    }


def choose_share(quality: Callable[[float], float]) -> float:
    """Return the smallest share than which no larger one is clearly better.

    Parameters
    ----------
    quality : callable
        Share to mean AP, on nuclei that were kept out of training.

    Returns
    -------
    float
        One of `SHARES`.
    """
    best, reached = SHARES[0], quality(SHARES[0])
    for share in SHARES[1:]:
        found = quality(share)
        if found > reached + MARGIN:
            best, reached = share, found
    return best


def least_share(overlap: Callable[[float], float]) -> float:
    """Return the smallest share that is enough for what was painted.

    Parameters
    ----------
    overlap : callable
        Share to mean IoU of the painted nuclei with what is found there.

    Returns
    -------
    float
        One of `SHARES`.
    """
    wanted = ENOUGH * overlap(SHARES[-1])
    return next((share for share in SHARES[:-1] if overlap(share) >= wanted), SHARES[-1])
