"""Deep supervision: each level of the decoder must know the answer at its own resolution, through a head that is not part of the model.

Method: Lee et al., "Deeply-Supervised Nets", AISTATS 2015; the weights, halved from level to level, are those of nnU-Net (Isensee et al.,
Nature Methods 2021).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_unet_seg.core.helper import Helper
from napari_unet_seg.core.losses import loss_terms
from napari_unet_seg.errors import SettingsError

if TYPE_CHECKING:
    from napari_unet_seg.core.data import Batch
    from napari_unet_seg.settings import NetworkSettings, TrainSettings

FADING = 0.5
"""Weight of a level relative to that of the next finer one; the finest is the network's own, of weight 1."""


class Supervision(Helper):
    """A 1 x 1 head for each coarser level of the decoder.

    Parameters
    ----------
    network : NetworkSettings
        Of the network that is taught.
    settings : TrainSettings
    device : str

    Raises
    ------
    SettingsError
        If the network has no coarser level.
    """

    def __init__(self, network: NetworkSettings, settings: TrainSettings, device: str) -> None:
        """Build the heads."""
        if network.depth < 2:
            raise SettingsError(f"Deep supervision needs a network of depth 2 or more, and this one has {network.depth}; do without it.")
        widths = [network.width * 2**level for level in range(1, network.depth)]  # finest first
        super().__init__(lambda: nn.ModuleList(nn.Conv2d(width, len(network.maps), 1) for width in widths), settings, device)
        self.shape, self.settings = network, settings

    def term(self, batch: Batch, logits: Tensor, levels: list[Tensor]) -> Tensor:
        """Return the losses of the coarser levels, weighted; as in `Helper`."""
        losses = []
        for level, (head, features) in enumerate(zip(self.network.children(), levels[-2::-1], strict=True), start=1):
            terms = loss_terms(head(features), coarser(batch, self.shape.stride * 2**level), self.shape, self.settings)
            losses.append(FADING**level * torch.stack(list(terms.values())).sum())
        return torch.stack(losses).sum()


def coarser(batch: Batch, stride: int) -> Batch:
    """Return the answers at a coarser resolution.

    Parameters
    ----------
    batch : Batch
    stride : int
        Pixels for one of the result, which is the nearest to their middle.

    Returns
    -------
    Batch
        (B, Y / stride, X / stride); the image is left as it is.
    """
    rows = slice(stride // 2, None, stride)
    classes, distance, touching = (maps[:, rows, rows] for maps in (batch.classes, batch.distance, batch.touching))
    return replace(batch, classes=classes, distance=distance, touching=touching)
