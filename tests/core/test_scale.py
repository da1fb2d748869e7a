"""The size of nuclei: fragments count little, and only what is far from the known size changes anything."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.scale import MOST_UNASKED, agrees, estimate_diameter, is_too_much, is_unfamiliar
from tests.tiny import discs


def test_diameter_of_discs():
    _, labels = discs((200, 200), count=20, seed=1, radius=(10, 10))
    whole = labels * ~np.isin(labels, np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])))
    assert estimate_diameter(whole) == pytest.approx(20, rel=0.02)


def test_specks_hardly_count():
    _, labels = discs((200, 200), count=10, seed=1, radius=(10, 10))
    before = estimate_diameter(labels)
    specks = labels.copy()
    ground = np.argwhere(labels == 0)[::500]
    specks[ground[:, 0], ground[:, 1]] = np.arange(11, 11 + len(ground))
    assert len(ground) > 50
    assert estimate_diameter(specks) == pytest.approx(before, rel=0.05)


def test_nothing_has_no_diameter():
    assert estimate_diameter(np.zeros((5, 5), np.int32)) == 0


@pytest.mark.parametrize(
    ("diameter", "sizes", "unfamiliar"),
    [
        (31, (20, 20), True),
        (29, (20, 20), False),
        (14, (20, 20), False),
        (13, (20, 20), True),
        (4, (20, 20), False),  # dirt
        (35, (20, 60), False),
        (14, (20, 60), False),
        (13, (20, 60), True),
        (500, (0, 0), False),
        (0, (20, 20), False),
    ],
)
def test_only_what_is_far_from_the_known_sizes_is_unfamiliar(diameter, sizes, unfamiliar):
    assert is_unfamiliar(diameter, *sizes) is unfamiliar


def test_only_enlarging_a_large_plane_is_too_much():
    assert is_too_much(10, 20, MOST_UNASKED // 4 + 1)
    assert not is_too_much(10, 20, MOST_UNASKED // 4)
    assert not is_too_much(40, 20, 100 * MOST_UNASKED)


def test_a_rescaled_plane_must_show_the_area_that_was_found_before():
    assert agrees(100, 100, enlarged=False)
    assert not agrees(99, 100, enlarged=False)
    assert agrees(70, 100, enlarged=True)
    assert not agrees(69, 100, enlarged=True)
