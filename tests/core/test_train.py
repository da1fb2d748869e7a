"""Training learns, can be repeated, stopped and cancelled, and fails with a sentence."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core import train as train_module
from napari_unet_seg.core.train import schedule
from napari_unet_seg.errors import ComputeError, InputError, ModelError
from tests.tiny import discs, tiny_model

SMALL = nus.NetworkSettings(width=4, depth=2)
QUICK = nus.TrainSettings(steps=4, batch=2, patch=64, device="cpu")


def pairs(count=2):
    found = [discs(seed=seed) for seed in range(count)]
    return [image for image, _ in found], [labels for _, labels in found]


def train(settings=QUICK, **options):
    return nus.train(*pairs(), **{"base": None, "network": SMALL, "settings": settings, **options})


def weights(model):
    return model.network.state_dict()


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_learns_to_find_discs_it_has_not_seen():
    image, truth = discs((200, 200), count=30, seed=99)
    assert nus.evaluate(truth, nus.segment(image, tiny_model(), "cpu")).ap(0.7) >= 0.9


def test_equal_seeds_give_equal_weights():
    first, again = train(), train()
    other = train(nus.TrainSettings(**{**QUICK.to_dict(), "seed": 1}))
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))


def test_training_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    train()
    assert torch.equal(torch.rand(3), expected)


def test_stop_returns_the_model_so_far():
    steps = nus.iter_train(*pairs(), base=None, network=SMALL, settings=QUICK)
    first = next(steps)
    assert (first.done, first.total) == (1, 4)
    assert first.metrics["loss"] == pytest.approx(sum(first.metrics[name] for name in ("cross_entropy", "dice", "distance")))
    with pytest.raises(StopIteration) as stop:
        steps.send(nus.Command.STOP)
    assert stop.value.value.card["steps"] == 1


def test_fine_tuning_starts_from_the_base_and_leaves_it_unchanged():
    base = tiny_model()
    before = {name: tensor.clone() for name, tensor in weights(base).items()}
    model = nus.train(*pairs(), base=base, settings=nus.TrainSettings(**{**QUICK.to_dict(), "learning_rate": 1e-6}))
    assert same(before, weights(base))
    assert not same(before, weights(model))
    for name, tensor in weights(model).items():
        if tensor.is_floating_point() and "running" not in name:
            torch.testing.assert_close(tensor, before[name], atol=1e-3, rtol=1e-2)


def test_the_card_is_of_the_new_model_and_not_of_its_base():
    """Figures that were measured with the base must not be read as those of the model that came of it."""
    known = tiny_model()
    base = nus.Model(known.network, {**known.card, "figures": {"AP 0.5": 0.9}, "title": "Nuclei"}, known.defaults, "base")
    card = nus.train(*pairs(), base=base, settings=QUICK).card
    assert card["diameter"] == pytest.approx(17, rel=0.2)
    assert (card["images"], card["base"], card["base_sha256"]) == (2, "base", base.sha256)
    assert not {"figures", "title"} & set(card)
    assert "base" not in train().card


def test_validation_images_are_kept_out_and_their_loss_is_reported():
    seen = []
    settings = nus.TrainSettings(**{**QUICK.to_dict(), "validation": 0.5})
    nus.drain(nus.iter_train(*pairs(), base=None, network=SMALL, settings=settings), seen.append)
    assert [("validation_loss" in progress.metrics) for progress in seen] == [False, False, False, True]


def test_known_pixels_alone_teach():
    """Where nothing is believed, wrong labels do no harm: the weights come out as with other wrong labels."""
    images, labels = pairs()
    known = [np.zeros(label.shape, bool) for label in labels]
    for mask in known:
        mask[:, :64] = True
    changed = [np.where(mask, label, 0) for mask, label in zip(known, labels, strict=True)]
    settings = nus.TrainSettings(**{**QUICK.to_dict(), "elastic": 0.0, "scale": 0.0})
    models = [nus.train(images, which, known=known, base=None, network=SMALL, settings=settings) for which in (changed, changed)]
    everywhere = nus.train(images, changed, base=None, network=SMALL, settings=settings)
    assert same(weights(models[0]), weights(models[1]))
    assert not same(weights(models[0]), weights(everywhere))


@pytest.mark.parametrize(
    ("images", "labels", "known", "sentence"),
    [
        ([], [], None, "0 images"),
        ([np.zeros((8, 8))], [], None, "1 images and 0"),
        ([np.zeros((8, 8))], [np.zeros((8, 8), int)], [], "1 images"),
        ([np.zeros((8, 8))], [np.zeros((8, 9), int)], None, r"\(8, 9\)"),
    ],
)
def test_input_that_cannot_be_learned_from_is_refused(images, labels, known, sentence):
    with pytest.raises(InputError, match=sentence):
        nus.train(images, labels, known=known, base=None, settings=QUICK)


def test_an_unknown_base_is_named():
    with pytest.raises(ModelError, match="'no-such-model'"):
        nus.train(*pairs(), base="no-such-model", settings=QUICK)


def test_torch_errors_become_ours(monkeypatch):
    def broken(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(train_module, "loss_terms", broken)
    with pytest.raises(ComputeError, match="Training failed: mat1"):
        train()


def test_schedule_warms_up_and_ends_at_0():
    rates = [schedule(step, 1000, 1.0) for step in range(1, 1001)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == rates[99] == 1
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert schedule(1, 1, 1.0) == pytest.approx(0, abs=1e-9)


def test_a_late_decay_keeps_the_rate_high_first():
    rates = [schedule(step, 1100, 0.3) for step in range(1, 1101)]
    assert rates[99] == rates[799] == 1
    assert rates[949] == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(0, abs=1e-9)
