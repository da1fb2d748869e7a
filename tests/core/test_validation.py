"""Figures count what is known, no more, and windows cover what there is to measure."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.annotations import sparse, whole
from napari_unet_seg.core.data import prepare
from napari_unet_seg.core.validation import compare, cut_windows, measure, nothing, window_around
from napari_unet_seg.settings import SegmentSettings
from tests.core.test_annotations import squares


def sample(labels, annotation=None):
    return prepare((labels > 0).astype(np.uint8), annotation or whole(labels))


def maps_of(labels):
    """Return maps from which the decoder finds squares again."""
    from napari_unet_seg.core.targets import measure_distances

    return np.stack([labels == 0, labels > 0, labels < 0, measure_distances(labels).relative]).astype(np.float16)


def test_perfect_maps_have_perfect_figures():
    labels = squares((10, 10), (10, 40), (40, 20))
    figures = measure([sample(labels)], lambda window: (0.5, maps_of(window.labels)), SegmentSettings())
    assert figures.to_dict() == {"nuclei": 3, "found": 3, "ap50": 1.0, "mean_ap": 1.0, "recall": 1.0, "iou": 1.0}
    assert figures.loss == 0.5


def test_what_is_missed_and_what_is_found_too_much_is_counted():
    labels, found = squares((10, 10), (10, 40)), squares((12, 10), (40, 60))
    scores, best = compare(sample(labels), found)
    assert (scores.tp[0], scores.fp[0], scores.fn[0]) == (1, 1, 1)
    assert best == pytest.approx(80 / 120)


def test_where_nothing_is_known_nothing_counts():
    labels = squares((10, 10), (10, 40))
    painted = sample(labels, sparse(np.where(labels == 1, labels, 0)))
    scores, best = compare(painted, labels)
    assert (scores.tp[0], scores.fp[0], scores.fn[0]) == (1, 0, 0)
    assert best == 1


def test_parts_of_nuclei_cut_by_the_window_do_not_count():
    labels = squares((10, 10), (40, 60))
    window = sample(labels).crop((slice(0, 60), slice(0, 61)))
    assert compare(window, np.zeros_like(window.labels), smallest=20)[0].fn[0] == 1


def test_measurements_are_pooled():
    labels = squares((10, 10), (10, 40))
    one = measure([sample(labels)], lambda window: (1.0, maps_of(window.labels)), SegmentSettings())
    none = measure([sample(labels)], lambda window: (3.0, maps_of(np.zeros_like(window.labels))), SegmentSettings())
    both = one + none
    assert both.to_dict() == {"nuclei": 4, "found": 2, "ap50": 0.5, "mean_ap": 0.5, "recall": 0.5, "iou": 0.5}
    assert both.loss == 2


def test_better_labels_come_before_a_lower_loss():
    labels = squares((10, 10))
    good = measure([sample(labels)], lambda window: (3.0, maps_of(window.labels)), SegmentSettings())
    poor = measure([sample(labels)], lambda window: (1.0, maps_of(0 * window.labels)), SegmentSettings())
    better = measure([sample(labels)], lambda window: (2.0, maps_of(window.labels)), SegmentSettings())
    assert poor.quality < good.quality < better.quality


def test_nothing_measured_has_figures_too():
    assert nothing().to_dict()["nuclei"] == 0
    assert np.isnan(nothing().loss)


def test_a_network_without_nuclei_has_a_loss_alone():
    figures = measure([sample(squares((10, 10)))], lambda window: (0.25, None), SegmentSettings())
    assert (figures.loss, figures.found) == (0.25, 0)


def test_windows_cover_the_plane_and_prefer_nuclei():
    labels = squares((10, 10), shape=(100, 130))
    windows = cut_windows([sample(labels)], 64, seed=0)
    assert sum(window.labels.size for window in windows) == 100 * 130
    assert max(max(window.labels.shape) for window in windows) <= 64
    assert 1 in windows[0].labels
    assert len(cut_windows([sample(labels)], 64, seed=0, most=2)) == 2


def test_windows_without_anything_known_are_left_out():
    labels = squares((10, 10), shape=(64, 640))
    assert len(cut_windows([sample(labels, sparse(labels))], 64, seed=0)) == 1


def test_a_window_around_a_nucleus_lies_in_the_plane():
    labels = squares((0, 0), (30, 50))
    for box, number in (((slice(0, 10), slice(0, 10)), 1), ((slice(30, 40), slice(50, 60)), 2)):
        window = window_around(sample(labels), box, 32)
        assert window.labels.shape == (32, 32)
        assert (window.labels == number).sum() == 100
