"""The way from a base to what was learned, and how much of it is gone."""

from __future__ import annotations

import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core.blending import blend, choose_share, least_share
from tests.tiny import discs, tiny_model


def test_weights_go_a_share_of_the_way_and_counters_come_from_the_end():
    base = {"weight": torch.tensor([0.0, 2.0]), "count": torch.tensor(3)}
    learned = {"weight": torch.tensor([1.0, 4.0]), "count": torch.tensor(9)}
    half = blend(base, learned, 0.5)
    assert half["weight"].tolist() == [0.5, 3.0]
    assert half["count"] == 9
    assert torch.equal(blend(base, learned, 0)["weight"], base["weight"])
    assert torch.equal(blend(base, learned, 1)["weight"], learned["weight"])


@pytest.mark.parametrize(
    ("qualities", "chosen"), [((0.5, 0.505, 0.51), 0.5), ((0.5, 0.6, 0.605), 0.75), ((0.1, 0.2, 0.9), 1.0), ((0.9, 0.1, 0.9), 0.5)]
)
def test_a_larger_share_is_taken_only_when_it_is_clearly_better(qualities, chosen):
    assert choose_share(lambda share: dict(zip((0.5, 0.75, 1.0), qualities, strict=True))[share]) == chosen


@pytest.mark.parametrize(
    ("overlaps", "chosen"), [((0.5, 0.7, 0.9), 0.5), ((0.2, 0.7, 0.9), 0.75), ((0.1, 0.2, 0.9), 1.0), ((0, 0, 0), 0.5)]
)
def test_the_least_share_that_is_enough_for_what_was_painted(overlaps, chosen):
    assert least_share(lambda share: dict(zip((0.5, 0.75, 1.0), overlaps, strict=True))[share]) == chosen


def _taught(**settings):
    image, labels = discs(seed=9)
    few = {"steps": 4, "batch": 1, "patch": 64, "device": "cpu", "validation": 0.0, "learning_rate": 1e-3, **settings}
    return nus.train([image], [labels], base=tiny_model(), settings=nus.TrainSettings(**few))


def _moved(model: nus.Model) -> float:
    pairs = zip(model.network.parameters(), tiny_model().network.parameters(), strict=True)
    return sum(float((ours - theirs).detach().abs().sum()) for ours, theirs in pairs)


def test_half_of_what_was_learned_stays_and_all_of_it_where_that_is_wanted():
    half, whole = _taught(), _taught(blend=1.0)
    assert 0.45 * _moved(whole) < _moved(half) < 0.55 * _moved(whole)
    assert (half.card["share"], whole.card["share"]) == (0.5, 1.0)


def test_from_nothing_there_is_no_way_back():
    image, labels = discs(seed=9)
    settings = nus.TrainSettings(steps=2, batch=1, patch=64, device="cpu", validation=0.0)
    network = nus.NetworkSettings(width=4, depth=1)
    again = nus.train([image], [labels], base=network, settings=settings)
    whole = nus.train([image], [labels], base=network, settings=nus.TrainSettings(**settings.to_dict() | {"blend": 1.0}))
    assert all(torch.equal(a, b) for a, b in zip(again.network.parameters(), whole.network.parameters(), strict=True))
