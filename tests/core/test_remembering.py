"""What a base is sure of is taught along where nothing is annotated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core.annotations import sparse
from napari_unet_seg.core.data import UNKNOWN, prepare
from napari_unet_seg.core.remembering import Memory, is_sparse, trust_in
from napari_unet_seg.core.trainer import Trainer
from napari_unet_seg.errors import SettingsError
from tests.tiny import discs, tiny_model

SETTINGS = nus.TrainSettings(steps=10, batch=2, patch=64, device="cpu", precision="float32")


def painted(seed=3, numbers=(1, 4)):
    """Return an image of discs of which a few are painted."""
    image, labels = discs(seed=seed)
    return image, sparse(np.where(np.isin(labels, numbers), labels, 0))


def trainer(sample=None, base=None, **settings):
    base = base or tiny_model()
    sample = prepare(*painted()) if sample is None else sample
    return Trainer(base, [sample], replace(SETTINGS, **settings).for_base(True))


def asked():
    """Return a memory of the tiny model, a batch and what the model itself says to the unchanged image."""
    work = trainer(intensity=1.0, exact=0.0)
    batch = work.sampler.batch()
    with torch.no_grad():
        return work.memory, batch, work.base()(batch.plain)


def test_who_still_says_what_the_base_says_is_not_pulled_away():
    memory, batch, answer = asked()
    logits = answer.clone().requires_grad_()
    memory.term(batch, logits).backward()
    assert float(logits.grad.abs().max()) < 1e-6


def test_who_says_something_else_is_pulled_back_where_nothing_is_annotated_and_nowhere_else():
    memory, batch, answer = asked()
    logits = (-answer).clone().requires_grad_()
    memory.term(batch, logits).backward()
    moved = logits.grad.abs().sum(dim=1) > 0
    assert moved.any()
    assert not moved[batch.classes != UNKNOWN].any()


def test_where_the_base_is_in_doubt_it_says_nothing():
    memory, batch, answer = asked()
    ground = torch.softmax(answer[:, :3], dim=1)[:, 0]
    doubt = (ground < 0.9) & (ground > 0.1)
    logits = (-answer).clone().requires_grad_()
    memory.term(batch, logits).backward()
    assert doubt.any()
    assert not (logits.grad.abs().sum(dim=1) > 0)[doubt].any()


def test_the_base_is_shown_the_image_before_its_intensities_were_changed():
    memory, batch, answer = asked()
    assert not torch.equal(batch.image, batch.plain)
    assert not torch.equal(memory.term(batch, answer), memory.term(replace(batch, plain=None), answer))


def test_its_weight_is_that_asked_for():
    memory, batch, answer = asked()
    twice = Memory(memory.base, 2 * memory.weight)
    assert float(twice.term(batch, -answer)) == pytest.approx(2 * float(memory.term(batch, -answer)))


def test_all_that_is_known_leaves_nothing_to_remember():
    memory, batch, answer = asked()
    assert float(memory.term(replace(batch, classes=torch.zeros_like(batch.classes)), answer)) == 0


def test_it_is_asked_only_of_planes_of_which_little_is_known():
    whole = prepare(*discs(seed=3))
    assert (is_sparse([whole]), is_sparse([whole, prepare(*painted())])) == (False, True)
    assert trainer(whole).memory is None


def test_it_is_not_asked_when_that_is_not_wanted_or_the_network_knows_no_nuclei_yet():
    assert trainer(remember=0.0).memory is None
    assert SETTINGS.for_base(False).remember == 0
    assert SETTINGS.for_base(True, new_head=True).remember == 0
    assert replace(SETTINGS, classes=("a", "b")).for_base(True).remember == 0


def test_a_base_that_takes_painted_nuclei_for_ground_is_not_believed():
    image, annotation = painted()
    sample = prepare(image, annotation)

    def trust(ground):
        maps = np.zeros((4, *image.shape), np.float16)
        maps[0][annotation.labels > 0] = ground
        return trust_in([(sample, maps)])

    assert [trust(0.0), trust(0.8), trust(1.0)] == [1, 1, 0]
    half = np.zeros((4, *image.shape), np.float16)
    half[0][annotation.labels == 1] = 1
    share = (annotation.labels == 1).sum() / (annotation.labels > 0).sum()
    assert trust_in([(sample, half)]) == pytest.approx(max(0, 1 - 2 * share))
    assert trust_in([(sample, None)]) == 1


def test_a_training_that_cannot_believe_its_base_goes_without_it():
    """Dark discs are painted where the model is sure of bright ones: all that it knows of them is that they are ground."""
    image, labels = discs(seed=3)
    ground = np.where(labels > 0, 0, (np.indices(labels.shape).sum(axis=0) // 24) % 2)  # what is painted lies between the discs
    assert trainer(prepare(image, sparse(ground))).memory is None


def test_the_card_says_how_much_the_base_counted_and_the_history_what_it_said():
    image, annotation = painted()
    steps = nus.iter_train([image], [annotation], base=tiny_model(), settings=replace(SETTINGS, steps=2))
    terms = [step.metrics["remembered"] for step in steps if step.stage == "Training"]
    assert len(terms) == 2
    model = nus.train([image], [annotation], base=tiny_model(), settings=replace(SETTINGS, steps=2))
    assert 0 < model.card["remembered"] <= 1
    assert model.card["training"]["remember"] == 1
    whole = nus.train([image], [discs(seed=3)[1]], base=tiny_model(), settings=replace(SETTINGS, steps=2))
    assert "remembered" not in whole.card


def test_equal_seeds_give_equal_weights_and_a_broken_training_goes_on_to_them(tmp_path):
    image, annotation = painted()

    def taught(steps=4, run=None):
        settings = replace(SETTINGS, steps=4, learning_rate=1e-3)
        walk = nus.iter_train([image], [annotation], base=tiny_model(), settings=settings, run=run)
        command = None
        while True:
            try:
                progress = walk.send(command)
            except StopIteration as end:
                return end.value.network.state_dict()
            command = nus.Command.STOP if progress.stage == "Training" and progress.done == steps < 4 else None

    unbroken = taught()
    taught(steps=2, run=tmp_path)
    resumed = taught(run=tmp_path)
    assert all(torch.equal(unbroken[name], resumed[name]) for name in unbroken)


@pytest.mark.parametrize(("diameter", "patch"), [(20, 128), (90, 256)])
def test_single_nuclei_are_taught_in_small_patches_unless_they_are_large(diameter, patch):
    y, x = np.mgrid[:300, :300]
    labels = ((y - 150) ** 2 + (x - 150) ** 2 <= diameter**2 / 4).astype(np.int32)
    image = 300 + 2000 * labels
    settings = nus.TrainSettings(steps=1, batch=1, device="cpu")
    assert nus.train([image], [sparse(labels)], base=tiny_model(), settings=settings).card["training"]["patch"] == patch


def test_other_trainings_have_large_patches_and_a_size_that_is_given_stays():
    assert nus.TrainSettings().for_base(True).patch == 256
    assert nus.TrainSettings().for_base(False, small=True).patch == 256
    assert nus.TrainSettings(patch=96).for_base(True, small=True).patch == 96
    with pytest.raises(SettingsError, match="at least 32"):
        nus.TrainSettings(patch=8)
