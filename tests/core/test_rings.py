from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from skimage.segmentation import expand_labels

from napari_unet_seg.core import rings
from napari_unet_seg.core.rings import find_rings
from napari_unet_seg.errors import InputError
from tests.tiny import discs


def painted(found):
    """The rings as labels."""
    plane = np.zeros(found.shape, np.int64)
    plane[found.rows, found.columns] = found.numbers[found.places]
    return plane


def lone(radius=5, size=41):
    y, x = np.mgrid[:size, :size] - size // 2
    return (y**2 + x**2 <= radius**2).astype(np.int32) * 7


def test_a_ring_of_one_nucleus_lies_between_two_distances():
    labels = lone()
    distance = distance_transform_edt(labels == 0)
    assert np.array_equal(painted(find_rings(labels, 4)) == 7, (distance > 1) & (distance <= 5))


@pytest.mark.parametrize("width", [1, 2.5, 6])
def test_rings_are_expanded_labels_less_the_nuclei_and_their_surroundings(width):
    labels = discs(count=30)[1]
    distance = distance_transform_edt(labels == 0)
    expected = np.where(distance > rings.GAP, expand_labels(labels, width + rings.GAP), 0)
    found = painted(find_rings(labels, width))
    same_distance = found != expected  # a pixel in the middle between two nuclei may be given to either
    assert np.array_equal(found > 0, expected > 0)
    assert np.count_nonzero(same_distance) < 0.02 * np.count_nonzero(expected)


def test_no_ring_takes_another_nucleus_or_what_is_closer_to_it():
    labels = discs(count=30)[1]
    found = painted(find_rings(labels, 5))
    assert not found[labels > 0].any()
    for number in range(1, labels.max() + 1):
        mine = found == number
        own, others = distance_transform_edt(labels != number), distance_transform_edt((labels == 0) | (labels == number))
        assert (own[mine] <= others[mine]).all()
        assert (others[mine] > rings.GAP).all()


def test_a_nucleus_without_room_has_an_empty_ring():
    labels = np.full((9, 9), 2, np.int32)
    labels[3:6, 3:6] = 1
    found = find_rings(labels, 3)
    assert found.numbers.tolist() == [1, 2]
    assert found.total().tolist() == [0, 0]


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_bands_do_not_show(monkeypatch, rows):
    labels = discs(count=30)[1]
    whole = find_rings(labels, 3)
    monkeypatch.setattr(rings, "_BAND_PIXELS", rows * labels.shape[1])
    parts = find_rings(labels, 3)
    assert np.array_equal(whole.total(), parts.total()) or np.abs(whole.total() - parts.total()).max() <= 2
    assert np.array_equal(painted(whole) > 0, painted(parts) > 0)
    assert np.array_equal(np.sort(parts.places), parts.places)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 5)])
def test_without_nuclei_there_are_no_rings(shape):
    found = find_rings(np.zeros(shape, np.int32), 2)
    assert (found.numbers.size, found.rows.size) == (0, 0)


def test_large_numbers_keep_their_rings():
    labels = lone().astype(np.int64) * 2**40
    found = find_rings(labels, 2)
    assert found.numbers.tolist() == [7 * 2**40]
    assert found.total()[0] == np.count_nonzero(painted(find_rings(lone(), 2)))


@pytest.mark.parametrize("width", [0, 0.5, -3, np.nan, np.inf])
def test_impossible_widths_are_refused(width):
    with pytest.raises(InputError, match="at least 1 px"):
        find_rings(lone(), width)
