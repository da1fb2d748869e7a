"""An adversarial term: a second network learns to tell annotated class maps from predicted ones, patch by patch, and is to be deceived.

Methods: Luc et al., "Semantic Segmentation using Adversarial Networks", 2016; the network is the PatchGAN of Isola et al., "Image-to-Image
Translation with Conditional Adversarial Networks", CVPR 2017, made small; its loss is that of Mao et al., "Least Squares Generative
Adversarial Networks", ICCV 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_unet_seg.core.data import UNKNOWN
from napari_unet_seg.core.helper import Helper

if TYPE_CHECKING:
    from napari_unet_seg.core.data import Batch
    from napari_unet_seg.settings import NetworkSettings, TrainSettings

WIDTHS = (32, 64, 128)
"""Features of the levels, each of half the extent of the one before."""
SLOPE = 0.2
"""Of the rectifier below 0."""
DOUBT = 0.1
"""Share of the probability that annotated maps give to all classes alike: else their being exactly 0 or 1 would give them away."""


class PatchDiscriminator(nn.Sequential):
    """Judges patches of 38 x 38 pixels, as large as one or two nuclei, 8 pixels apart.

    Without normalisation, whose statistics would mix annotated and predicted maps.

    Parameters
    ----------
    inputs : int
        Channels of the image and classes.
    """

    def __init__(self, inputs: int) -> None:
        """Build the network with random weights."""
        layers: list[nn.Module] = []
        for width in WIDTHS:
            layers += [nn.Conv2d(inputs, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]  # (B, width, Y / 2, X / 2)
            inputs = width
        super().__init__(*layers, nn.Conv2d(inputs, 1, 3, padding=1))  # (B, 1, Y / 8, X / 8)


class Adversary(Helper):
    """A discriminator that learns beside the network.

    Parameters
    ----------
    network : NetworkSettings
        Of the network that is taught.
    settings : TrainSettings
        `adversarial` is the weight of the term.
    device : str
    """

    def __init__(self, network: NetworkSettings, settings: TrainSettings, device: str) -> None:
        """Build the discriminator."""
        super().__init__(lambda: PatchDiscriminator(network.in_channels + len(network.classes)), settings, device)
        self.count, self.weight = len(network.classes), settings.adversarial
        self._own: Tensor | None = None

    def term(self, batch: Batch, logits: Tensor, levels: list[Tensor]) -> Tensor:
        """Return how well it sees through the predicted maps, weighted; as in `Helper`.

        What is not known is 0 in both kinds of maps, and patches count by the share of them that is known.
        """
        known = (batch.classes != UNKNOWN)[:, None]  # (B, 1, Y, X)
        found = torch.softmax(logits[:, : self.count].float(), dim=1) * known  # (B, classes, Y, X)
        truth = self._annotated(batch) * known
        self._own = self._verdict(batch, truth, known, 1.0) + self._verdict(batch, found.detach(), known, 0.0)
        return self.weight * self._verdict(batch, found, known, 1.0)

    def learn(self, rate: float) -> None:
        """Learn to see through the maps of this step better; as in `Helper`."""
        self.optimizer.clear()  # of what the network's own loss left here
        if self._own is not None:
            self._own.backward()  # type: ignore[no-untyped-call]
        super().learn(rate)

    def clear(self) -> None:
        """Forget gradients and the step before; as in `Helper`."""
        super().clear()
        self._own = None

    def _annotated(self, batch: Batch) -> Tensor:
        classes = torch.where(batch.classes == UNKNOWN, 0, batch.classes)
        truth = F.one_hot(classes, self.count).movedim(-1, 1).float()  # (B, classes, Y, X)
        return (1 - DOUBT) * truth + DOUBT / self.count

    def _verdict(self, batch: Batch, maps: Tensor, known: Tensor, wanted: float) -> Tensor:
        """Return the squared error of the verdicts on maps, where the wanted one is 1 for annotated and 0 for predicted."""
        verdict = self.network(torch.cat((batch.image, maps), dim=1)).float()  # (B, 1, Y / 8, X / 8)
        weights = F.adaptive_avg_pool2d(known.float(), verdict.shape[2:])
        error: Tensor = (weights * (verdict - wanted) ** 2).sum() / weights.sum().clamp(min=1)
        return error
