"""Patches without nuclei: nothing to find in them, and every kind as limits stretch it."""

from __future__ import annotations

import torch

from napari_unet_seg.core.data import Batch, prepare, whole_patch
from napari_unet_seg.core.draws import Draws
from napari_unet_seg.core.emptiness import empty_some
from napari_unet_seg.settings import TrainSettings
from tests.tiny import discs

PLAIN = TrainSettings(patch=64)


def many(count):
    batch = whole_patch(prepare(*discs()), PLAIN)
    parts = (batch.image, batch.classes, batch.distance, batch.touching)
    return Batch(*(part.repeat(count, *[1] * (part.dim() - 1)) for part in parts))


def emptied(count=64, chosen=None, seed=0):
    chosen = torch.arange(count) if chosen is None else torch.tensor(chosen, dtype=torch.int64)
    return empty_some(many(count), chosen, Draws(torch.Generator().manual_seed(seed)))


def test_they_hold_no_nuclei_and_fill_the_range():
    empty = emptied()
    assert not empty.classes.any()
    assert not empty.distance.any()
    assert not empty.touching.any()
    assert empty.image.isfinite().all()
    assert empty.image.min() >= -0.5
    assert empty.image.max() <= 3
    spans = empty.image.flatten(1).quantile(0.99, dim=1) - empty.image.flatten(1).quantile(0.01, dim=1)
    assert spans.median() > 0.3


def test_only_those_chosen_are_replaced():
    batch, empty = many(4), emptied(4, [1, 3])
    for index in (0, 2):
        assert torch.equal(empty.image[index], batch.image[index])
        assert torch.equal(empty.classes[index], batch.classes[index])
    for index in (1, 3):
        assert not empty.classes[index].any()
        assert not torch.equal(empty.image[index], batch.image[index])
    assert batch.classes.any()


def test_without_one_the_batch_is_the_same():
    batch, empty = many(2), emptied(2, [])
    assert torch.equal(empty.image, batch.image)


def test_some_are_smooth_and_some_rough():
    """Noise of single pixels and haze must both be there."""
    rough = (emptied().image.diff(dim=3).flatten(1).std(dim=1) / emptied().image.flatten(1).std(dim=1)).sort().values
    assert rough[5] < 0.4
    assert rough[-5] > 0.9
