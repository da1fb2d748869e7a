from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from napari_unet_seg.core import assignment
from napari_unet_seg.core.assignment import assign


@pytest.mark.parametrize("seed", range(5))
def test_the_gains_add_up_to_the_most(seed):
    random = np.random.default_rng(seed)
    gains = random.random((7, 9)) * (random.random((7, 9)) > 0.5)
    rows, columns = np.nonzero(gains)
    taken = assign(rows, columns, gains[rows, columns])
    best = gains[linear_sum_assignment(gains, maximize=True)].sum()
    assert gains[rows, columns][taken].sum() == pytest.approx(best)
    for side in (rows, columns):
        assert np.unique(side[taken]).size == taken.sum()


def test_one_good_pair_is_better_than_two_poor_ones():
    taken = assign(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.9, 0.3, 0.3]))
    assert taken.tolist() == [True, False, False]


def test_no_pairs():
    assert assign(np.zeros(0, int), np.zeros(0, int), np.zeros(0)).size == 0


def test_groups_that_have_nothing_to_do_with_each_other_are_assigned_apart(monkeypatch):
    """In batches, since the time grows with the square of what is assigned at once: a hundred thousand pairs took eight seconds."""
    random = np.random.default_rng(0)
    pairs = np.unique(random.integers(0, 400, (500, 2)), axis=0)
    gains = random.uniform(0.1, 1, len(pairs))
    whole = assign(pairs[:, 0], pairs[:, 1], gains)
    sizes = []
    solve = assignment._assigned
    monkeypatch.setattr(assignment, "_BATCH", 10)
    monkeypatch.setattr(assignment, "_assigned", lambda *of: sizes.append(len(of[0])) or solve(*of))
    np.testing.assert_array_equal(assign(pairs[:, 0], pairs[:, 1], gains), whole)
    assert len(sizes) > 5
    assert sum(sizes) == len(pairs)
