"""Losses: by hand where that can be done, and nothing from unknown pixels."""

from __future__ import annotations

import math

import pytest
import torch

from napari_unet_seg.core.data import UNKNOWN, Batch
from napari_unet_seg.core.losses import cross_entropy, dice_loss, loss_terms
from napari_unet_seg.settings import NetworkSettings, TrainSettings


def perfect(classes, count=3):
    return torch.nn.functional.one_hot(classes.clamp(max=count - 1), count).movedim(-1, 1).float() * 50


def random_batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(0, 3, (2, 8, 8), generator=generator)
    distance = torch.rand(2, 8, 8, generator=generator)
    return Batch(torch.zeros(2, 1, 8, 8), classes, distance, torch.zeros(2, 8, 8, dtype=torch.bool))


def test_cross_entropy_of_no_idea_is_the_logarithm_of_the_classes():
    classes = torch.tensor([[[0, 1]]])
    assert float(cross_entropy(torch.zeros(1, 3, 1, 2), classes, torch.ones(1, 1, 2))) == pytest.approx(math.log(3))


def test_touching_pixels_weigh_more():
    logits = torch.zeros(1, 3, 1, 2)
    logits[0, 0, 0, 0] = 50  # the first pixel is right, the second knows nothing
    loss = cross_entropy(logits, torch.tensor([[[0, 0]]]), torch.tensor([[[1.0, 6.0]]]))
    assert float(loss) == pytest.approx(6 / 7 * math.log(3))


def test_dice_is_0_when_perfect_and_near_1_when_all_wrong():
    classes = torch.arange(3).repeat(1, 30, 10)
    known = torch.ones_like(classes, dtype=torch.bool)
    assert float(dice_loss(perfect(classes), classes, known)) == pytest.approx(0, abs=1e-3)
    assert float(dice_loss(perfect((classes + 1) % 3), classes, known)) > 0.98


def test_perfect_maps_lose_nothing():
    batch = random_batch()
    logits = torch.cat((perfect(batch.classes), batch.distance[:, None]), dim=1)
    terms = loss_terms(logits, batch, NetworkSettings(), TrainSettings())
    assert set(terms) == {"cross_entropy", "dice", "distance"}
    assert sum(float(term) for term in terms.values()) == pytest.approx(0, abs=1e-3)


def test_unknown_pixels_change_neither_loss_nor_gradient():
    batch, settings = random_batch(), (NetworkSettings(), TrainSettings())
    batch.classes[:, :, 4:] = UNKNOWN
    logits = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1), requires_grad=True)
    other = torch.where(batch.classes[:, None] == UNKNOWN, logits + 3, logits)
    losses = [sum(loss_terms(values, batch, *settings).values()) for values in (logits, other)]
    assert losses[0].item() == pytest.approx(losses[1].item())
    (gradient,) = torch.autograd.grad(losses[0], logits)
    assert not gradient[..., 4:].any()
    assert gradient[..., :4].all()


def test_nothing_known_is_no_loss_rather_than_nan():
    batch = random_batch()
    batch.classes[:] = UNKNOWN
    terms = loss_terms(torch.randn(2, 4, 8, 8), batch, NetworkSettings(), TrainSettings())
    assert float(terms["cross_entropy"]) == float(terms["distance"]) == 0
    assert all(term.isfinite() for term in terms.values())


@pytest.mark.parametrize(("loss", "names"), [("both", ["cross_entropy", "dice"]), ("dice", ["dice"]), ("cross_entropy", ["cross_entropy"])])
def test_the_terms_are_those_asked_for(loss, names):
    batch = random_batch()
    logits = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    terms = loss_terms(logits, batch, NetworkSettings(), TrainSettings(loss=loss))
    both = loss_terms(logits, batch, NetworkSettings(), TrainSettings())
    assert list(terms) == [*names, "distance"]
    assert all(torch.equal(terms[name], both[name]) for name in terms)
