"""Few nuclei are looked for by networks that did not learn from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.core import cross_validation
from napari_unet_seg.core.annotations import sparse, whole
from napari_unet_seg.core.cross_validation import find_nuclei, iter_cross_validate, look_at
from napari_unet_seg.core.data import prepare
from tests.core.test_annotations import squares
from tests.tiny import discs, tiny_model

SETTINGS = nus.TrainSettings(steps=6, batch=2, patch=64, learning_rate=1e-4, device="cpu").for_base(True)


def sample(seed=0):
    image, labels = discs(seed=seed)
    return prepare(image, sparse(np.where(labels <= 4, labels, 0)))


def test_a_model_that_knows_discs_finds_those_left_out():
    seen = []
    figures = nus.drain(iter_cross_validate([sample(0), sample(1)], tiny_model(), SETTINGS), seen.append)
    assert figures.nuclei == 8
    assert figures.to_dict()["recall"] >= 0.8
    assert [(step.stage, step.done, step.total) for step in seen] == [("Checking", done, 18) for done in range(1, 19)]


@pytest.mark.parametrize(("steps", "each"), [(4, 4), (60, 50), (300, 100)])
def test_they_are_short_but_long_enough_to_tell(monkeypatch, steps, each):
    class Counted:
        def __init__(self, start, samples, settings, threads):
            self.start, self.settings, self.average = start, settings, start.network
            asked.append(settings.steps)

        def step(self, rate):
            return {}, ""

        def look(self, window, network=None):
            return 0.0, None

        def weights(self):
            return self.average.state_dict()

    asked = []
    monkeypatch.setattr(cross_validation, "Trainer", Counted)
    nus.drain(iter_cross_validate([sample()], tiny_model(), replace(SETTINGS, steps=steps)))
    assert asked == [each] * 3


def test_what_is_left_out_teaches_nothing(monkeypatch):
    """The samples that teach know nothing of the nuclei that are left out, nor of what is near them; each is left out once."""
    taught = []
    real = cross_validation.Trainer

    def watched(start, samples, settings, threads):
        taught.append(samples)
        return real(start, samples, settings, threads)

    monkeypatch.setattr(cross_validation, "Trainer", watched)
    whole_plane = sample(0)
    nus.drain(iter_cross_validate([whole_plane], tiny_model(), SETTINGS))
    missing = [set(range(1, 5)) - set(np.unique(np.where(plane.known, plane.labels, 0)).tolist()) for (plane,) in taught]
    assert sorted(number for numbers in missing for number in numbers) == [1, 2, 3, 4]
    assert all(not plane.known[np.isin(plane.labels, list(numbers))].any() for (plane,), numbers in zip(taught, missing, strict=True))
    assert whole_plane.known[whole_plane.labels > 0].sum() == np.isin(whole_plane.labels, [1, 2, 3, 4]).sum(), "the sample is unchanged"


def test_neighbours_are_left_out_together():
    labels = squares((10, 70), (10, 10), (30, 12), (30, 68), edge=8)
    places = find_nuclei([prepare((labels > 0).astype(np.uint8), whole(labels))])
    assert [place.number for place in places] == [2, 3, 4, 1]


def test_a_window_shows_all_and_knows_one():
    labels = squares((10, 10), (10, 22))
    plane = prepare((labels > 0).astype(np.uint8), whole(labels))
    windows = look_at([plane], find_nuclei([plane]), 32)
    assert [np.unique(window.labels[window.known]).tolist() for window in windows] == [[1], [2]]
    assert all((window.labels > 0).sum() > 100 for window in windows)


def test_one_nucleus_cannot_be_left_out():
    labels = squares((10, 10))
    plane = prepare((labels > 0).astype(np.uint8), sparse(labels))
    assert nus.drain(iter_cross_validate([plane], tiny_model(), SETTINGS)) is None


def test_stop_ends_it_without_a_result():
    steps = iter_cross_validate([sample()], tiny_model(), SETTINGS)
    next(steps)
    with pytest.raises(StopIteration) as stop:
        steps.send(nus.Command.STOP)
    assert stop.value.value is None
