"""What a base is sure of is taught along where nothing is annotated, so that few nuclei do not make it forget the ground between them.

A few painted nuclei and their rings say nothing of the rest of the image. A network that is taught by them alone learns that nearly
everything is a nucleus: it takes folds and haze for nuclei and joins neighbours, also where its base was right. So the base looks at each
patch as it is, before its intensities are changed, and where it is sure and nobody has painted, its answer teaches too.

Method: Li and Hoiem, "Learning without Forgetting", ECCV 2016, which keeps a base's answers on the new images; that only sure answers to
the unchanged image are taught, for the changed one, is from Sohn et al., "FixMatch", NeurIPS 2020. Figures: ``docs/training.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_unet_seg.core.data import UNKNOWN
from napari_unet_seg.core.losses import DISTANCE_WEIGHT

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_unet_seg.core.data import Batch, Sample
    from napari_unet_seg.core.unet import UNet

SURE = 0.9
"""A pixel's answer teaches if the base gives at least this probability to its being ground, or to its being none."""
SPARSE = 0.5
"""Share of a plane that is known at most where the base's answer is asked for; there is little to add to others."""


class Memory:
    """A base that is asked what is where nothing is annotated.

    Parameters
    ----------
    base : UNet
        In evaluation mode, on the training's device; the first of its classes is the ground, and it predicts a distance.
    weight : float
        Of its answers: at 1 they count as much as what is annotated.
    """

    def __init__(self, base: UNet, weight: float) -> None:
        """Keep the base, which is not changed."""
        self.base = base
        self.weight = weight

    def term(self, batch: Batch, logits: Tensor) -> Tensor:
        """Compute how far a network is from what the base is sure of.

        Parameters
        ----------
        batch : Batch
            What the network was shown.
        logits : Tensor, shape (B, maps, Y, X)
            Its answer.

        Returns
        -------
        Tensor
            A number: cross-entropy with the base's probabilities and the error of the distance, averaged over the unknown pixels of which
            the base is sure, times the weight.
        """
        count = len(self.base.settings.classes)
        image = batch.image if batch.plain is None else batch.plain
        with torch.no_grad():
            answer = self.base(image.contiguous(memory_format=torch.channels_last)).float()
            chances = torch.softmax(answer[:, :count], dim=1)
            ground = chances[:, 0]
            sure = (batch.classes == UNKNOWN) & (torch.maximum(ground, 1 - ground) >= SURE)  # (B, Y, X)
        errors = -(chances * torch.log_softmax(logits[:, :count].float(), dim=1)).sum(dim=1)
        distance = F.smooth_l1_loss(logits[:, count].float(), answer[:, count], beta=0.1, reduction="none")
        return self.weight * ((errors + DISTANCE_WEIGHT * distance) * sure).sum() / sure.sum().clamp(min=1)


def trust_in(looks: Iterable[tuple[Sample, npt.NDArray[Any] | None]]) -> float:
    """Say how far what a base calls ground can be believed, by what it calls ground of the nuclei that were painted.

    Parameters
    ----------
    looks : iterable of (Sample, ndarray of float, shape (C, Y, X), or None)
        What is annotated, and the base's maps of it.

    Returns
    -------
    float
        1 if it is never sure that a pixel of a known nucleus is ground, 0 if it is of half of them or more: it would teach that the other
        nuclei of this look are none.
    """
    wrong = total = 0
    for window, maps in looks:
        nuclei = window.known & (window.labels > 0)
        total += int(nuclei.sum())
        wrong += int((maps[0][nuclei] >= SURE).sum()) if maps is not None else 0
    return max(0.0, 1 - 2 * wrong / max(total, 1))


def is_sparse(samples: Sequence[Sample]) -> bool:
    """Whether there is a plane of which most is unknown."""
    return any(sample.known.mean() < SPARSE for sample in samples)
