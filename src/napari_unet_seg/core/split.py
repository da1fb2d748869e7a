"""What is kept out of training to choose the best weights on: never from a field or neighbourhood that also teaches.

- Planes of one group (`Annotation.group`: a stack, a field cut into tiles, a slide) stay together, and so do equal images.
- Whole groups are kept out where that costs no more than a third of the nuclei. Else, as with a single image, a strip at one side is kept
  out, with a gap of a patch that serves neither side; a stack is cut at the same place in all its planes.
- Fewer than 20 nuclei all teach.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from napari_unet_seg.core.annotations import FEW
from napari_unet_seg.core.data import IMAGE, Box, Sample
from napari_unet_seg.core.numbering import compact

if TYPE_CHECKING:
    from napari_unet_seg.settings import TrainSettings

LEAST = 5
"""Nuclei that are kept out at least; fewer say nothing."""
MOST = 1 / 3
"""Share of the nuclei that is kept out at most, when whole groups are."""
WORTH = 0.6
"""Share of the other nuclei that a strip and its gap must leave."""

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Split:
    """What teaches, and what is kept out.

    Parameters
    ----------
    training, validation : list of Sample
        None of the second when there is too little.
    sentence : str
        How it was divided, or why not.
    """

    training: list[Sample]
    validation: list[Sample]
    sentence: str


def split(samples: Sequence[Sample], settings: TrainSettings) -> Split:
    """Keep a part of the annotation out of training.

    Parameters
    ----------
    samples : sequence of Sample
        All that is annotated.
    settings : TrainSettings
        Share to keep out, patch (the gap) and seed.

    Returns
    -------
    Split
    """
    total = sum(count_nuclei(sample) for sample in samples)
    if settings.validation == 0:
        return Split(list(samples), [], "All of it teaches, as was asked for.")
    if total < FEW:
        sentence = "Too little is annotated to keep a part out" if settings.classes else f"Fewer than {FEW} nuclei"
        return Split(list(samples), [], f"{sentence}: all of {'it teaches' if settings.classes else 'them teach'}.")
    wanted = max(settings.validation * total, LEAST)
    groups = _groups(samples)
    kept = _whole_groups(groups, wanted, total, settings.seed)
    if kept:
        training = [sample for name, members in groups.items() if name not in kept for sample in members]
        validation = [sample for name in kept for sample in groups[name]]
        return Split(training, validation, f"Kept out of training: {_planes(len(validation))}, of other fields than the rest.")
    return _strip(groups, wanted, settings.patch) or Split(list(samples), [], "Too little to keep a part out: all of it teaches.")


def count_nuclei(sample: Sample) -> int:
    """Count the nuclei of a sample that are known."""
    return len(compact(np.where(sample.known, sample.labels, 0))[0])


def _groups(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        image = np.ascontiguousarray(sample.channels[IMAGE].numpy())
        groups[sample.group or hashlib.sha256(image.tobytes()).hexdigest()].append(sample)
    return groups


def _whole_groups(groups: dict[str, list[Sample]], wanted: float, total: int, seed: int) -> list[str]:
    """Choose groups at random until enough nuclei are kept out; none if that cannot be without losing too many."""
    names, kept, held = list(groups), [], 0
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).tolist()
    for name in (names[place] for place in order):
        nuclei = sum(map(count_nuclei, groups[name]))
        if held < wanted and held + nuclei <= max(MOST * total, LEAST):
            kept.append(name)
            held += nuclei
    return kept if held >= LEAST else []


def _strip(groups: dict[str, list[Sample]], wanted: float, gap: int) -> Split | None:
    """Keep a strip of one group out, at the side where this costs the fewest nuclei."""
    best: tuple[int, str, int, float, int] | None = None
    for name, members in groups.items():
        points = np.concatenate([_centres(sample) for sample in members])
        for axis, side in ((0, 1), (0, -1), (1, 1), (1, -1)):
            line, left = _line(side * points[:, axis], wanted, gap)
            if best is None or left > best[0]:
                best = (left, name, axis, line, side)
    total = sum(count_nuclei(sample) for members in groups.values() for sample in members)
    if best is None:
        return None
    left, chosen, axis, line, side = best
    others = [sample for name, members in groups.items() if name != chosen for sample in members]
    left += sum(map(count_nuclei, others))
    if left < WORTH * (total - wanted):
        return None
    beyond = list(_cut(groups[chosen], axis, side, (line, np.inf)))
    before = list(_cut(groups[chosen], axis, side, (-np.inf, line - gap)))
    sentence = f"Kept out of training: a strip at one side of {_planes(len(beyond))}, {gap} px away from what teaches."
    return Split([*others, *before], beyond, sentence)


def _line(positions: npt.NDArray[np.float64], wanted: float, gap: int) -> tuple[float, int]:
    """Find the line beyond which the wanted nuclei lie, and how many are left before the gap."""
    ordered = np.sort(positions)
    count = int(np.ceil(wanted))
    if count >= len(ordered):
        return 0.0, -1
    line = (ordered[-count] + ordered[-count - 1]) / 2
    return float(line), int((ordered < line - gap).sum())


def _cut(samples: Sequence[Sample], axis: int, side: int, part: tuple[float, float]) -> Iterator[Sample]:
    """Cut from each sample what lies between two positions along an axis, which are negative when they count from the other side."""
    low, high = part if side > 0 else (-part[1], -part[0])
    for sample in samples:
        size, origin = sample.labels.shape[axis], sample.origin[axis]
        start, stop = (int(np.clip(np.ceil(end) - origin, 0, size)) if np.isfinite(end) else size * (end > 0) for end in (low, high))
        box: Box = (slice(start, stop), slice(None)) if axis == 0 else (slice(None), slice(start, stop))
        if start < stop and sample.known[box].any():
            yield sample.crop(box)


def _centres(sample: Sample) -> Points:
    """Return where the known nuclei lie on the plane, (nuclei, 2)."""
    numbers, places = compact(np.where(sample.known, sample.labels, 0))
    found = ndimage.center_of_mass(places > 0, places, np.arange(1, len(numbers) + 1))
    centres: Points = np.array(found, np.float64).reshape(-1, 2) + sample.origin
    return centres


def _planes(count: int) -> str:
    return "1 plane" if count == 1 else f"{count} planes"
