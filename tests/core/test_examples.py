"""Pictures show different places, with what base and model find there."""

from __future__ import annotations

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.core import examples
from napari_unet_seg.core.annotations import sparse, whole
from napari_unet_seg.core.examples import choose_places, iter_examples
from napari_unet_seg.errors import InputError
from tests.core.test_annotations import squares
from tests.tiny import discs, tiny_model


def test_an_example_shows_annotation_base_and_model():
    image, labels = discs(seed=5)
    annotation = sparse(np.where(labels <= 3, labels, 0))
    (example,) = nus.drain(iter_examples([image], [annotation], tiny_model(), tiny_model(), "cpu"))
    assert np.unique(example.annotated).tolist() == [0, 1, 2, 3]
    assert example.image.shape == example.after.shape == (128, 128)
    np.testing.assert_array_equal(example.before, example.after)
    assert nus.evaluate(labels, example.after).ap(0.5) > 0.8


def test_colour_is_shown_too_and_without_a_base_there_is_no_before():
    image, labels = discs(seed=5)
    colour = np.repeat((image // 16).astype(np.uint8)[..., None], 3, axis=2)
    (example,) = nus.drain(iter_examples([colour], [whole(labels)], tiny_model(), device="cpu"))
    assert example.image.shape == (128, 128, 3)
    assert example.before is None


def test_planes_come_in_turn_and_places_on_them_differ(monkeypatch):
    monkeypatch.setattr(examples, "EDGE", 32)
    near, far = squares((5, 5), (5, 20), (45, 60)), squares((40, 40))
    places = choose_places([whole(near), whole(0 * near), whole(far)])
    assert [index for index, _ in places] == [0, 2, 0]
    assert set(np.unique(near[places[0][1]])) == {0, 1, 2}, "the fullest place first"
    assert set(np.unique(near[places[2][1]])) == {0, 3}
    assert near[places[0][1]].shape == (32, 32)


def test_classes_are_shown_where_they_are_and_a_base_of_nuclei_is_not():
    from napari_unet_seg.core.start import start_from

    image, labels = discs(seed=5)
    annotation = whole(np.where(labels, 2, 1).astype(np.int32))
    model = start_from(tiny_model(), 0, ("ground", "disc"))
    examples = nus.drain(iter_examples([image], [annotation], model, tiny_model(), "cpu"))
    assert examples[0].before is None, "it answers another question"
    assert set(np.unique(examples[0].annotated)) == {1, 2}
    assert set(np.unique(examples[0].after)) <= {0, 1, 2}
    assert [index for index, _ in choose_places([annotation], classes=True)] == [0]


def test_there_are_six_at_most_from_all_over_the_set():
    places = choose_places([whole(squares((10, 10)))] * 60)
    assert [index for index, _ in places] == [0, 10, 20, 30, 40, 50]


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(InputError, match="1 images and 0 annotations"):
        nus.drain(iter_examples([np.zeros((8, 8))], [], tiny_model()))
