"""All annotated planes in one table on the device, from which the patches of a batch are gathered at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_unet_seg.core.data import IMAGE, KNOWN, PAINTED, Sample

SMOOTHED = ((2 / 3, 3), (0.45, 5))
"""Zooms under which the image is taken from its mean over 3 x 3 or 5 x 5 pixels: shrunk as it is, its noise would alias."""
MEMORY_SHARE = 0.25
"""Of a GPU's free memory that the table may take; a larger one stays in main memory."""
_EDGE = 1e-3


class PlanePool:
    """The pixels of all planes, one row each.

    Half precision keeps 11 bits of an intensity and finds borders to a thousandth of a pixel, with half the memory.

    Parameters
    ----------
    samples : sequence of Sample
        At least one.
    device : str
        Where patches are wanted.
    """

    def __init__(self, samples: Sequence[Sample], device: str) -> None:
        """Copy the planes to the device, if they have room there."""
        sizes = torch.tensor([sample.channels.shape[1:] for sample in samples])  # (planes, 2): Y, X
        self.device = device if _fits(int(sizes.prod(dim=1).sum()), device) else "cpu"
        self.rows = torch.cat([_rows(sample).to(self.device) for sample in samples])  # (pixels, 5 + levels)
        self.sizes = sizes.to(self.device)
        self.starts = (sizes.prod(dim=1).cumsum(0) - sizes.prod(dim=1)).to(self.device)

    def cut(self, chosen: Tensor, positions: Tensor, zooms: Tensor) -> Tensor:
        """Interpolate planes bilinearly; outside, they are mirrored and nothing is known.

        Parameters
        ----------
        chosen : Tensor of int64, shape (B,)
            Numbers of the planes.
        positions : Tensor of float32, shape (B, Y, X, 2)
            Pixels of the plane, x first; at whole numbers the patch has the plane's own pixels.
        zooms : Tensor, shape (B,)
            Pixels of the patch per pixel of the plane.

        Returns
        -------
        Tensor of float32, shape (B, 5, Y, X)
            Channels as in `Sample`.
        """
        height, width = (side[:, None, None] for side in self.sizes[chosen].unbind(1))
        x, y = positions.unbind(-1)
        inside = (x >= -_EDGE) & (x <= width - 1 + _EDGE) & (y >= -_EDGE) & (y <= height - 1 + _EDGE)
        (left, right, near_x), (top, bottom, near_y) = _neighbours(x, width), _neighbours(y, height)
        corners = torch.stack([row * width + column for row in (top, bottom) for column in (left, right)], dim=-1)
        weights = torch.stack([a * b for a in (1 - near_y, near_y) for b in (1 - near_x, near_x)], dim=-1)
        places = corners + self.starts[chosen][:, None, None, None]
        # The sum of a few weighted rows is what an embedding bag computes: one pass, where indexing takes four and keeps their results.
        shares = weights.flatten(0, -2).to(self.rows.dtype)
        patches = F.embedding_bag(places.flatten(0, -2), self.rows, per_sample_weights=shares, mode="sum")
        patches = patches.view(*x.shape, -1).movedim(-1, 1).float()
        for level, (zoom, _) in enumerate(SMOOTHED, start=KNOWN + 1):
            patches[:, IMAGE] = torch.where((zooms < zoom)[:, None, None], patches[:, level], patches[:, IMAGE])
        patches[:, KNOWN] *= inside
        usual, painted = patches[:, :PAINTED], patches[:, PAINTED + len(SMOOTHED) :]
        return torch.cat((usual, painted), dim=1) if painted.shape[1] else usual


def _rows(sample: Sample) -> Tensor:
    image = sample.channels[None, IMAGE : IMAGE + 1]
    means = [F.avg_pool2d(image, edge, stride=1, padding=edge // 2, count_include_pad=False)[0] for _, edge in SMOOTHED]
    return torch.cat((sample.channels[:PAINTED], *means, sample.channels[PAINTED:])).flatten(1).T.half()


def _neighbours(position: Tensor, size: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixels before and after mirrored positions, and how near they are to the one after."""
    period = (2 * size - 2).clamp(min=1)
    folded = position.remainder(period)
    folded = torch.minimum(torch.minimum(folded, period - folded), size - 1).clamp(min=0)
    before = folded.floor()
    return before.long(), torch.minimum(before + 1, size - 1).long(), folded - before


def _fits(pixels: int, device: str) -> bool:
    """Say whether a table has room on a device; other than CUDA's, they share their memory with the CPU or lack the operation."""
    if device != "cuda":
        return device == "cpu"
    free, _ = torch.cuda.mem_get_info()
    return pixels * 2 * (KNOWN + 1 + len(SMOOTHED)) <= MEMORY_SHARE * free
