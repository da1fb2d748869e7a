"""The distance maps, against the distances between all pairs of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from napari_unet_seg.core.targets import NEIGHBOUR_REACH, measure_distances
from napari_unet_seg.errors import InputError


def to_nearest(places, mask):
    """Distance of each place to the nearest pixel of a mask, by trying them all."""
    return cdist(places, np.argwhere(mask)).min(axis=1)


def by_brute_force(labels):
    """Inside: with the edge of the image continued far outwards; second: the second smallest of the distances to each nucleus."""
    far = max(labels.shape)
    inside, relative = np.zeros(labels.shape), np.zeros(labels.shape)
    apart = [np.full(labels.size, np.inf)] * 2
    for label in np.unique(labels[labels > 0]):
        mask = labels == label
        distance = to_nearest(np.argwhere(mask) + far, ~np.pad(mask, far, mode="edge"))
        inside[mask], relative[mask] = distance, distance / distance.max()
        apart.append(to_nearest(np.argwhere(labels >= 0), mask))
    return inside, relative, np.minimum(np.sort(apart, axis=0)[1], NEIGHBOUR_REACH).reshape(labels.shape)


def scattered(seed, shape=(24, 31), count=5):
    """Overlapping discs of every size: touching, cut by the edge, in pieces, down to a pixel."""
    random = np.random.default_rng(seed)
    y, x = np.indices(shape)
    labels = np.zeros(shape, np.int32)
    for label in random.permutation(count * 3)[:count] + 1:
        labels[np.hypot(y - random.uniform(0, shape[0]), x - random.uniform(0, shape[1])) < random.uniform(0.5, 7)] = label
    return labels


@pytest.mark.parametrize("seed", range(12))
def test_distances_by_brute_force(seed):
    labels = scattered(seed)
    found = measure_distances(labels)
    inside, relative, second = by_brute_force(labels)
    np.testing.assert_allclose(found.inside, inside, rtol=1e-6)
    np.testing.assert_allclose(found.relative, relative, rtol=1e-6)
    np.testing.assert_allclose(found.second, second, rtol=1e-6)
    assert found.inside.dtype == found.relative.dtype == found.second.dtype == np.float32


def test_ground_is_0_and_a_border_pixel_1():
    labels = np.zeros((9, 9), int)
    labels[2:7, 2:7] = 1
    found = measure_distances(labels)
    np.testing.assert_array_equal(found.inside[4], [0, 0, 1, 2, 3, 2, 1, 0, 0])
    np.testing.assert_allclose(found.relative[4], np.array([0, 0, 1, 2, 3, 2, 1, 0, 0]) / 3, rtol=1e-6)


def test_the_edge_of_the_image_is_no_border():
    labels = np.zeros((9, 12), int)
    labels[:, :5] = 1
    np.testing.assert_array_equal(measure_distances(labels).inside, np.repeat([[5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0]], 9, axis=0))


def test_a_nucleus_in_a_corner():
    y, x = np.indices((12, 12))
    labels = (np.hypot(y, x) < 6).astype(int)
    inside, relative, _ = by_brute_force(labels)
    found = measure_distances(labels)
    np.testing.assert_allclose(found.inside, inside, rtol=1e-6)
    assert found.relative.max() == found.relative[0, 0] == relative[0, 0] == 1


def test_an_image_that_one_nucleus_fills():
    found = measure_distances(np.ones((6, 9), int))
    assert np.isfinite(found.inside).all()
    assert (found.inside >= 6).all()
    assert found.relative.max() == 1
    assert (found.second == NEIGHBOUR_REACH).all()


@pytest.mark.parametrize("gap", [0, 1, 3, 11, 12, 20])
def test_the_second_nucleus(gap):
    labels = np.zeros((5, 40), int)
    labels[:, :4], labels[:, 4 + gap : 8 + gap] = 1, 2
    second = measure_distances(labels).second[2]
    expected = [min(max(x - 3 if x > 3 else 0, 4 + gap - x if x < 4 + gap else max(x - 7 - gap, 0)), NEIGHBOUR_REACH) for x in range(40)]
    np.testing.assert_array_equal(second, expected)


def test_one_nucleus_has_no_second():
    labels = np.zeros((5, 8), int)
    labels[2, 3] = 1
    assert (measure_distances(labels).second == NEIGHBOUR_REACH).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (5, 6)])
def test_no_nuclei(shape):
    found = measure_distances(np.zeros(shape, np.uint8))
    assert not found.inside.any()
    assert not found.relative.any()
    assert (found.second == NEIGHBOUR_REACH).all()


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", ">i2", "u4", "i4", "u8", "i8"])
def test_labels_of_every_integer_dtype(dtype):
    labels = scattered(3)
    for name in ("inside", "relative", "second"):
        expected = getattr(measure_distances(labels), name)
        np.testing.assert_array_equal(getattr(measure_distances(labels.astype(dtype)), name), expected)


def test_large_numbers_cost_nothing():
    """A list of a million million boxes would not fit into memory."""
    labels = scattered(3).astype(np.int64)
    large = np.where(labels, labels + 10**12, 0)
    np.testing.assert_array_equal(measure_distances(large).second, measure_distances(labels).second)


def test_labels_are_not_changed():
    labels = scattered(1)
    before = labels.copy()
    measure_distances(labels)
    np.testing.assert_array_equal(labels, before)


@pytest.mark.parametrize(("labels", "words"), [(np.array([[0, -3]]), "-3"), (np.zeros((2, 2)), "float64"), (np.ones((2, 2), bool), "bool")])
def test_what_are_no_labels(labels, words):
    with pytest.raises(InputError, match=words):
        measure_distances(labels)
