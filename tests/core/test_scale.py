"""The size of nuclei: fragments count little, and only very large ones change anything."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.scale import agrees, estimate_diameter, is_too_large
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


@pytest.mark.parametrize(("diameter", "known", "large"), [(61, 20, True), (59, 20, False), (500, 0, False), (0, 20, False)])
def test_only_what_is_far_above_the_known_diameter_is_too_large(diameter, known, large):
    assert is_too_large(diameter, known) is large


def test_a_reduced_plane_must_show_most_of_the_area():
    whole = np.ones((10, 10), np.int32)
    assert agrees(np.triu(whole, -3), whole)
    assert not agrees(np.eye(10, dtype=np.int32), whole)
