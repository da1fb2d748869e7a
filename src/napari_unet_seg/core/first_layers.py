"""A few nuclei teach a network to see, not to judge: the first layers of the encoder learn, the others stay those of the base.

What is new about other images is first of all how they look: stain, contrast, texture. Layers that know what a nucleus is, how large, and
where it parts from its neighbour, have learned that from thousands, and ten nuclei of one image teach them that all nuclei are like these:
as small, so that larger ones are cut to pieces, and as pale, so that everything pale is one.

Method: Lee et al., "Surgical Fine-Tuning Improves Adaptation to Distribution Shifts", ICLR 2023, where the first block alone is best when
the input has changed. Figures: ``docs/training.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from napari_unet_seg.core.unet import UNet

SHARE = 2
"""One in so many levels of the encoder learns, the finest first: two of the usual four."""
TRUSTED = 0.4
"""A base that can be believed less than this (`napari_unet_seg.core.remembering.trust_in`) does not recognise what was painted: then all
layers learn. Sections and fluorescence that a base had never seen lie at 0.53 to 0.99, nuclei of which only the rim is drawn at 0 and 0.26,
and the first layers alone did not learn these."""


FEW = 50
"""More painted nuclei than this teach all layers: from 30 the first ones alone learned no more than from 10."""


def choose_learning(asked: str, trust: float, nuclei: int) -> str:
    """Decide which layers learn.

    Parameters
    ----------
    asked : {"auto", "all", "first"}
        See `TrainSettings.learning`.
    trust : float
        How far the base can be believed, 0 to 1; 0 also where more is annotated than single nuclei.
    nuclei : int
        How many teach.

    Returns
    -------
    {"all", "first"}
    """
    if asked != "auto":
        return asked
    return "first" if trust >= TRUSTED and nuclei <= FEW else "all"


def first_layers(network: UNet) -> list[Tensor]:
    """Let only the first layers of a network learn.

    Parameters
    ----------
    network : UNet
        In training mode. Its other layers are given no gradients any more, and use the statistics of BatchNorm that they have.

    Returns
    -------
    list of Tensor
        The weights that learn.
    """
    levels = network.encoder[: max(1, network.settings.depth // SHARE)]
    network.requires_grad_(False)
    freeze_statistics(network)
    levels.requires_grad_(True).train()
    return list(levels.parameters())


def freeze_statistics(network: UNet) -> None:
    """Let BatchNorm use the statistics that it has; what it learned to do with them is still taught."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
