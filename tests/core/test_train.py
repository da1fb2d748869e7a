"""Training learns, can be repeated, stopped and cancelled, and fails with a sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

import napari_unet_seg as nus
from napari_unet_seg.core.annotations import sparse
from napari_unet_seg.errors import InputError, ModelError
from tests.tiny import discs, tiny_model

SMALL = nus.NetworkSettings(width=4, depth=2)
QUICK = nus.TrainSettings(steps=4, batch=2, patch=64, learning_rate=2e-3, validation=0, device="cpu")


def pairs(count=2):
    found = [discs(seed=seed) for seed in range(count)]
    return [image for image, _ in found], [labels for _, labels in found]


def train(settings=QUICK, **options):
    return nus.train(*pairs(), **{"base": SMALL, "settings": settings, **options})


def changed(**changes):
    return nus.TrainSettings(**{**QUICK.to_dict(), **changes})


def weights(model):
    return model.network.state_dict()


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_learns_to_find_discs_it_has_not_seen():
    image, truth = discs((200, 200), count=30, seed=99)
    assert nus.evaluate(truth, nus.segment(image, tiny_model(), "cpu")).ap(0.7) >= 0.9


def test_equal_seeds_give_equal_weights():
    first, again = train(), train()
    other = train(changed(seed=1))
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))


def test_training_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    train()
    assert torch.equal(torch.rand(3), expected)


def test_stop_returns_the_model_so_far():
    steps = nus.iter_train(*pairs(), base=SMALL, settings=QUICK)
    assert [(next(steps).stage, done) for done in (1, 2)] == [("Preparing", 1), ("Preparing", 2)]
    first = next(steps)
    assert (first.stage, first.done, first.total) == ("Training", 1, 4)
    assert first.metrics["loss"] == pytest.approx(sum(first.metrics[name] for name in ("cross_entropy", "dice", "distance")))
    with pytest.raises(StopIteration) as stop:
        steps.send(nus.Command.STOP)
    assert stop.value.value.card["steps"] == 1
    assert stop.value.value.card["report"]["stopped"] == "It was stopped after 1 steps."


def test_closing_cancels():
    steps = nus.iter_train(*pairs(), base=SMALL, settings=QUICK)
    next(steps)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


@pytest.mark.parametrize(("loss", "terms"), [("cross_entropy", {"cross_entropy"}), ("dice", {"dice"}), ("both", {"cross_entropy", "dice"})])
def test_the_loss_is_what_was_asked_for(loss, terms):
    seen = []
    nus.drain(nus.iter_train(*pairs(), base=SMALL, settings=changed(steps=1, loss=loss)), seen.append)
    assert {"cross_entropy", "dice", "distance"} & set(seen[-1].metrics) == terms | {"distance"}


def test_fine_tuning_starts_from_the_base_and_leaves_it_unchanged():
    base = tiny_model()
    before = {name: tensor.clone() for name, tensor in weights(base).items()}
    model = nus.train(*pairs(), base=base, settings=changed(learning_rate=1e-6))
    assert same(before, weights(base))
    assert not same(before, weights(model))
    for name, tensor in weights(model).items():
        if tensor.is_floating_point() and "running" not in name:
            torch.testing.assert_close(tensor, before[name], atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize(("stride", "depth", "asked", "taken"), [(3, 3, 0, 240), (1, 3, 100, 96), (4, 3, 48, 32), (3, 4, 32, 48)])
def test_patches_are_such_that_the_network_can_halve_them(stride, depth, asked, taken):
    image, labels = discs(seed=1)
    settings = nus.TrainSettings(steps=1, batch=2, patch=asked, device="cpu")
    model = nus.train([image], [labels], base=nus.NetworkSettings(width=4, depth=depth, stride=stride), settings=settings)
    assert model.card["training"]["patch"] == taken


def test_the_card_is_of_the_new_model_and_not_of_its_base():
    """Figures that were measured with the base must not be read as those of the model that came of it."""
    known = tiny_model()
    base = nus.Model(known.network, {**known.card, "figures": {"AP 0.5": 0.9}, "title": "Nuclei"}, known.defaults, "base")
    card = nus.train(*pairs(), base=base, settings=QUICK).card
    assert card["diameter"] == pytest.approx(17, rel=0.2)
    assert (card["images"], card["base"], card["base_sha256"]) == (2, "base", base.sha256)
    assert not {"figures", "title"} & set(card)
    assert "base" not in train().card


@pytest.mark.parametrize(("known", "sizes"), [(60, (17, 60)), (8, (8, 17))])
def test_a_model_that_was_taught_further_knows_two_sizes(known, sizes):
    """Images of nuclei that the base knew, or that were painted, must not be rescaled to the other size."""
    small = tiny_model()
    base = nus.Model(small.network, {"diameter": known}, small.defaults, "base")
    card = nus.train(*pairs(), base=base, settings=QUICK).card
    assert (card["smallest_diameter"], card["diameter"]) == pytest.approx(sizes, rel=0.2)
    again = nus.train(*pairs(), base=nus.Model(small.network, card, small.defaults, "again"), settings=QUICK).card
    assert (again["smallest_diameter"], again["diameter"]) == pytest.approx(sizes, rel=0.2)


def test_a_few_nuclei_of_another_size_leave_the_size_that_the_base_knows():
    """Other images are still brought to it: few nuclei do not teach another as well."""
    image, labels = discs(seed=1)
    few = sparse(np.where(np.isin(labels, [2, 5]), labels, 0))
    for known, sizes in (({"diameter": 60}, (60, 60)), ({"diameter": 60, "smallest_diameter": 40}, (40, 60)), ({}, (17, 17))):
        base = nus.Model(tiny_model().network, known, tiny_model().defaults, "base")
        card = nus.train([image], [few], base=base, settings=replace(QUICK, steps=1)).card
        assert (card["smallest_diameter"], card["diameter"]) == pytest.approx(sizes, rel=0.25)


def test_known_pixels_alone_teach():
    """Where nothing is believed, wrong labels do no harm: the weights come out as with other wrong labels."""
    images, labels = pairs()
    known = [np.zeros(label.shape, bool) for label in labels]
    for mask in known:
        mask[:, :64] = True
    wrong = [np.where(mask, label, label[::-1]) for mask, label in zip(known, labels, strict=True)]
    far = changed(elastic=0.0, scale=0.0, touching=1.0, exact=1.0)
    cut = [np.where(mask, label, 0) for mask, label in zip(known, labels, strict=True)]
    for number, each in enumerate(cut):
        known[number] &= ~np.isin(each, np.unique(each[:, 52:]))  # nuclei near the border have other shapes in the two
        known[number][:, 52:] = False
    models = [nus.train(images, which, known=known, base=SMALL, settings=far) for which in (cut, wrong)]
    everywhere = nus.train(images, cut, base=SMALL, settings=far)
    assert same(weights(models[0]), weights(models[1]))
    assert not same(weights(models[0]), weights(everywhere))


def rings(shape=(160, 160), count=14, seed=0):
    """Return an image of dark rings on a bright ground, and their labels: nothing that the tiny model knows."""
    _, labels = discs(shape, count, seed, radius=(8, 12))
    middle = ndimage.distance_transform_edt(labels > 0)
    random = np.random.default_rng(seed)
    image = 2000 - 1200 * ((middle > 0) & (middle < 4)) + random.normal(0, 60, shape)
    return image.clip(0).astype(np.uint16), labels


def recall(model, seed=50):
    image, truth = rings(seed=seed)
    return nus.evaluate(truth, nus.segment(image, model, "cpu")).recall(0.5)


def test_a_few_painted_nuclei_of_a_new_look_teach_it():
    """Four rings are painted and nothing else: a model that knows discs then finds most of the rings of another image."""
    image, labels = rings(seed=1)
    painted = sparse(np.where(np.isin(labels, [2, 5, 8, 11]), labels, 0))
    settings = nus.TrainSettings(steps=90, batch=4, patch=96, learning_rate=3e-3, average=0.9, intensity=0.3, device="cpu")
    assert recall(tiny_model()) < 0.3
    assert recall(nus.train([image], [painted], base=tiny_model(), settings=settings)) > 0.7


@pytest.mark.parametrize(
    ("images", "labels", "known", "sentence"),
    [
        ([], [], None, "0 images"),
        ([np.zeros((8, 8))], [], None, "1 images and 0"),
        ([np.zeros((8, 8))], [np.zeros((8, 8), int)], [], "1 images"),
        ([np.zeros((8, 8))], [np.zeros((8, 9), int)], None, r"\(8, 9\)"),
        ([np.zeros((8, 8))], [np.zeros((8, 8), int)], [np.zeros((8, 8), bool)], "Nothing is annotated"),
    ],
)
def test_input_that_cannot_be_learned_from_is_refused(images, labels, known, sentence):
    with pytest.raises(InputError, match=sentence):
        nus.train(images, labels, known=known, base=SMALL, settings=QUICK)


def test_an_unknown_base_is_named():
    with pytest.raises(ModelError, match="'no-such-model'"):
        nus.train(*pairs(), base="no-such-model", settings=QUICK)
