"""What training makes small: cross-entropy, Dice and the error of the distance map, all on known pixels alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_unet_seg.core.data import UNKNOWN, Batch

if TYPE_CHECKING:
    from napari_unet_seg.settings import NetworkSettings, TrainSettings

CLASS_WEIGHTS = (1.0, 1.0, 2.0)
"""Background, foreground, outline: the outline is thin, but decides where a nucleus ends."""
DISTANCE_WEIGHT = 4.0
"""Brings the distance's error to the size of the other two terms."""


def loss_terms(logits: Tensor, batch: Batch, network: NetworkSettings, settings: TrainSettings) -> dict[str, Tensor]:
    """Compute each term of the loss.

    Parameters
    ----------
    logits : Tensor, shape (B, maps, Y, X)
        From `UNet.forward`.
    batch : Batch
        The answers.
    network : NetworkSettings
        Says which channels are classes.
    settings : TrainSettings
        Which terms, and the weight of touching zones.

    Returns
    -------
    dict of str to Tensor
        ``cross_entropy``, ``dice`` or both and, if the network predicts it, ``distance``; the loss is their sum.
    """
    count = len(network.classes)
    known = batch.classes != UNKNOWN
    pixel_weights = known * torch.where(batch.touching, settings.touching, 1.0)
    classes = logits[:, :count].float()
    terms = {}
    if settings.loss in ("both", "cross_entropy"):
        weights = () if network.is_semantic else CLASS_WEIGHTS
        terms["cross_entropy"] = cross_entropy(classes, batch.classes, pixel_weights, weights)
    if settings.loss in ("both", "dice"):
        terms["dice"] = dice_loss(classes, batch.classes, known)
    if network.distance:
        error = F.smooth_l1_loss(logits[:, count].float(), batch.distance, beta=0.1, reduction="none")
        terms["distance"] = DISTANCE_WEIGHT * _mean(error, pixel_weights)
    return terms


def cross_entropy(logits: Tensor, classes: Tensor, pixel_weights: Tensor, class_weights: Sequence[float] = CLASS_WEIGHTS) -> Tensor:
    """Weighted cross-entropy.

    Parameters
    ----------
    logits : Tensor, shape (B, classes, Y, X)
    classes : Tensor of int64, shape (B, Y, X)
        255 is unknown.
    pixel_weights : Tensor, shape (B, Y, X)
        0 where unknown.
    class_weights : sequence of float
        Of the first classes; others have 1.

    Returns
    -------
    Tensor
        A number.
    """
    weights = torch.ones(logits.shape[1], device=logits.device)
    weights[: len(class_weights)] = torch.tensor(class_weights, device=logits.device)[: logits.shape[1]]
    errors = F.cross_entropy(logits, classes, weight=weights, ignore_index=UNKNOWN, reduction="none")
    return _mean(errors, pixel_weights)


def dice_loss(logits: Tensor, classes: Tensor, known: Tensor) -> Tensor:
    """Soft Dice loss, averaged over the classes (Milletari, Navab and Ahmadi, "V-Net", 3DV 2016).

    Parameters
    ----------
    logits : Tensor, shape (B, classes, Y, X)
    classes : Tensor of int64, shape (B, Y, X)
    known : Tensor of bool, shape (B, Y, X)

    Returns
    -------
    Tensor
        A number from 0 (perfect) to 1.
    """
    truth = F.one_hot(torch.where(known, classes, 0), logits.shape[1]).movedim(-1, 1) * known[:, None]
    chances = torch.softmax(logits, dim=1) * known[:, None]
    over = (0, *range(2, logits.dim()))
    overlap, size = (truth * chances).sum(over), (truth + chances).sum(over)
    return 1 - ((2 * overlap + 1) / (size + 1)).mean()


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1)
