"""The base looks at what surrounds painted nuclei, in the light of the whole plane."""

from __future__ import annotations

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.core import sparse_set
from napari_unet_seg.core.annotations import sparse
from napari_unet_seg.core.normalize import within_limits
from napari_unet_seg.core.sparse_set import iter_sparse
from napari_unet_seg.errors import InputError
from tests.tiny import discs, tiny_model


def touching():
    """Return an image of two discs, one pixel apart, and their labels."""
    y, x = np.mgrid[:128, :128]
    labels = np.zeros((128, 128), np.int32)
    for number, centre in enumerate((54, 73), start=1):
        labels[(y - 64) ** 2 + (x - centre) ** 2 <= 81] = number
    random = np.random.default_rng(0)
    return (300 + 2000 * (labels > 0) + random.normal(0, 60, labels.shape)).astype(np.uint16), labels


def test_a_neighbour_that_nobody_painted_is_no_ground():
    image, labels = touching()
    painted = np.where(labels == 1, labels, 0)
    (annotation,) = nus.drain(iter_sparse([image], [painted], base=tiny_model(), device="cpu"))
    ground = annotation.known & (painted == 0)
    assert sparse(painted).known[labels == 2].any()
    assert (ground & (labels == 2)).sum() <= 2
    assert ground.sum() > 50


def test_without_a_base_rings_are_whole():
    image, labels = touching()
    painted = np.where(labels == 1, labels, 0)
    (annotation,) = nus.drain(iter_sparse([image], [painted], base=None))
    np.testing.assert_array_equal(annotation.known, sparse(painted).known)


def test_nothing_is_segmented_where_ground_is_painted_or_nothing(monkeypatch):
    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr(sparse_set, "iter_segment", never)
    image, labels = touching()
    found = nus.drain(iter_sparse([image, image], [labels, 0 * labels], [labels == 0, None], base=tiny_model()))
    assert found[0].known.all()
    assert not found[1].known.any()


def test_a_part_is_segmented_as_if_it_were_the_whole():
    image, _ = discs((200, 200), count=25, seed=4)
    settings = within_limits(image, tiny_model().defaults)
    whole = nus.segment(image, tiny_model(), "cpu")
    part = nus.segment(image[:128], tiny_model(), "cpu", settings=settings)
    assert nus.evaluate(whole[:96], part[:96]).ap(0.9) > 0.9


def test_what_does_not_fit_is_refused():
    image, labels = touching()
    with pytest.raises(InputError, match="1 images, 2 labels"):
        nus.drain(iter_sparse([image], [labels, labels]))
    with pytest.raises(InputError, match=r"\(64, 128\)"):
        nus.drain(iter_sparse([image[:64]], [labels], base=tiny_model()))
