"""What takes part in a training: heads on the decoder's levels and a discriminator; and that every member of the family goes on exactly."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import napari_unet_seg as nus
from napari_unet_seg.core import run
from napari_unet_seg.core.data import UNKNOWN, Batch
from napari_unet_seg.core.discriminator import Adversary, PatchDiscriminator
from napari_unet_seg.core.losses import loss_terms
from napari_unet_seg.core.supervision import Supervision, coarser
from napari_unet_seg.core.trainer import Trainer
from napari_unet_seg.errors import OutOfMemoryError, SettingsError
from tests.core.test_run_state import same, steps, stopped, train

SHAPE = nus.NetworkSettings(width=4, depth=3)
SETTINGS = nus.TrainSettings(batch=2, patch=64, device="cpu", supervision=True, adversarial=0.1)
FAMILY = {
    "residual-attention": {"base": nus.NetworkSettings.of("residual-attention", width=4, depth=2)},
    "wider and deeper": {"base": nus.NetworkSettings(width=6, depth=3)},
    "supervision": {"supervision": True},
    "adversarial": {"adversarial": 0.1},
    "all": {"base": nus.NetworkSettings.of("residual-attention", width=4, depth=2), "supervision": True, "adversarial": 0.1},
}


@pytest.fixture(autouse=True)
def every_second_step(monkeypatch):
    monkeypatch.setattr(run, "SAVE_EVERY", 2)
    monkeypatch.setattr(run, "LOOK_EVERY", 2)


def batch(seed=0, size=32):
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(0, 3, (2, size, size), generator=generator)
    image, distance = torch.rand(2, 1, size, size, generator=generator), torch.rand(2, size, size, generator=generator)
    return Batch(image, classes, distance, torch.zeros(2, size, size, dtype=torch.bool))


def levels(size=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(2, 4 * 2**level, size // 2**level, size // 2**level, generator=generator) for level in (2, 1, 0)]


def logits(size=32, seed=0):
    return torch.randn(2, 4, size, size, generator=torch.Generator().manual_seed(seed), requires_grad=True)


def half_of(one, other):
    """Return the left half of one and the right half of the other."""
    middle = one.shape[3] // 2
    return torch.cat((one[..., :middle], other[..., middle:]), dim=3)


@pytest.mark.parametrize("name", FAMILY)
def test_a_stopped_training_of_each_member_goes_on_to_the_same_weights(tmp_path, name):
    stopped(tmp_path, 3, **FAMILY[name])
    resumed, unbroken = train(tmp_path, **FAMILY[name]), train(**FAMILY[name])
    assert same(resumed, unbroken)
    assert resumed.sha256 == unbroken.sha256


def test_half_precision_serves_all_that_takes_part():
    model = train(**FAMILY["all"] | {"precision": "bfloat16", "steps": 2})
    assert all(tensor.isfinite().all() for tensor in model.network.state_dict().values())


@pytest.mark.parametrize("name", ["supervision", "adversarial"])
def test_what_takes_part_is_a_term_of_the_loss_and_not_in_the_model(name):
    seen = []
    model = nus.drain(steps(**FAMILY[name]), seen.append)
    metrics = [step.metrics for step in seen if step.stage == "Training"]
    assert all(row["loss"] == pytest.approx(sum(row[term] for term in ("cross_entropy", "dice", "distance", name))) for row in metrics)
    assert name in model.card["report"]["curves"]
    plain = train()
    assert model.network.state_dict().keys() == plain.network.state_dict().keys()
    assert not same(model, plain), "what takes part must teach the network something"


def test_a_run_with_other_company_is_another_run(tmp_path):
    stopped(tmp_path, 3)
    with pytest.raises(SettingsError, match="has supervision False, not True"):
        train(tmp_path, supervision=True)


def test_coarser_answers_are_those_at_the_middle():
    whole = batch()
    half = coarser(whole, 4)
    assert half.classes.shape == half.distance.shape == half.touching.shape == (2, 8, 8)
    assert torch.equal(half.classes[:, 1, 2], whole.classes[:, 6, 10])
    assert torch.equal(half.distance[:, 7, 0], whole.distance[:, 30, 2])


def test_supervision_weighs_each_level_half_as_much_as_the_finer_one():
    work, answers, features = Supervision(SHAPE, SETTINGS, "cpu"), batch(), levels()
    expected = 0.0
    for level, head in enumerate(work.network, start=1):
        terms = loss_terms(head(features[2 - level]), coarser(answers, 2**level), SHAPE, SETTINGS)
        expected += 0.5**level * sum(float(term.detach()) for term in terms.values())
    assert [head.in_channels for head in work.network] == [8, 16]
    assert float(work.term(answers, logits(), features).detach()) == pytest.approx(expected, rel=1e-5)


def test_supervision_of_a_network_without_levels_is_refused():
    with pytest.raises(SettingsError, match="depth 2 or more, and this one has 1"):
        Supervision(nus.NetworkSettings(width=4, depth=1), SETTINGS, "cpu")


@pytest.mark.parametrize("kind", [Supervision, Adversary])
def test_unknown_pixels_teach_nothing(kind):
    """Neither the term nor a gradient depends on what is found where nothing is known."""
    answers = batch()
    answers.classes[:, :, 16:] = UNKNOWN
    work = kind(SHAPE, SETTINGS, "cpu")
    found = []
    for seed in (0, 1):
        maps = half_of(logits().detach(), logits(seed=seed).detach()).requires_grad_()
        features = [half_of(one, other) for one, other in zip(levels(), levels(seed=seed), strict=True)]
        term = work.term(answers, maps, features)
        term.backward()
        found.append(float(term.detach()))
        assert maps.grad is None or not maps.grad[..., 16:].any()
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_nothing_known_is_no_adversarial_term():
    answers = batch()
    answers.classes[:] = UNKNOWN
    work = Adversary(SHAPE, SETTINGS, "cpu")
    assert float(work.term(answers, logits(), levels()).detach()) == 0
    work.learn(1e-3)
    assert all(tensor.isfinite().all() for tensor in work.state().values())


def test_the_weight_of_the_adversarial_term_is_that_of_the_settings():
    both = (Adversary(SHAPE, nus.TrainSettings(adversarial=weight), "cpu") for weight in (0.1, 0.2))
    terms = [float(work.term(batch(), logits(), []).detach()) for work in both]
    assert terms[1] == pytest.approx(2 * terms[0])


def test_a_discriminator_learns_to_tell_annotated_maps_from_others():
    work, answers, maps = Adversary(SHAPE, SETTINGS, "cpu"), batch(), torch.zeros(2, 4, 32, 32)
    answers.classes[:, :16] = 1
    answers.classes[:, 16:] = 2
    for _ in range(60):
        last = float(work.term(answers, maps, []).detach())
        work.learn(1e-2)
    assert last > 0.8 * SETTINGS.adversarial, "it takes maps that know nothing for what they are"


def test_the_discriminators_own_lesson_does_not_reach_the_network():
    work, maps = Adversary(SHAPE, SETTINGS, "cpu"), logits()
    work.term(batch(), maps, [])
    work.learn(1e-3)
    assert maps.grad is None


def test_a_discriminator_judges_patches_eight_pixels_apart_each_38_wide():
    network = PatchDiscriminator(4).double()
    for layer in network:
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 0.01)
    image = torch.ones(1, 4, 96, 96, dtype=torch.float64, requires_grad=True)
    verdict = network(image)
    assert verdict.shape == (1, 1, 12, 12)
    (gradient,) = torch.autograd.grad(verdict[0, 0, 6, 6], image)
    rows = gradient[0, 0].any(dim=1).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 38


def test_what_takes_part_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    Adversary(SHAPE, SETTINGS, "cpu")
    Supervision(SHAPE, SETTINGS, "cpu")
    assert torch.equal(torch.rand(2), expected)


def test_memory_that_runs_out_beside_a_discriminator_makes_the_batch_smaller(monkeypatch):
    from napari_unet_seg.core.data import prepare
    from napari_unet_seg.core.unet import UNet
    from tests.tiny import discs

    work = Trainer(nus.Model(UNet(SHAPE).eval()), [prepare(*discs())], SETTINGS)
    judge, seen = work.helpers["adversarial"], []
    term = judge.term

    def exhausted(batch, logits, levels):
        found = term(batch, logits, levels)
        seen.append(len(batch.image))
        if len(seen) == 1:
            raise OutOfMemoryError("Memory ran out.")
        return found

    monkeypatch.setattr(judge, "term", exhausted)
    metrics, notice = work.step(1e-3)
    assert seen == [2, 1]
    assert "1 patches a step instead of 2" in notice
    assert set(metrics) == {"loss", "cross_entropy", "dice", "distance", "supervision", "adversarial"}
    assert judge._own is None
