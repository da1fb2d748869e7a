"""Stacks and movies through the engine: linked, followed, and decoded again, always the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.core.grid import Grid, in_full_pixels
from napari_unet_seg.core.redecode import MapStack, iter_redecode
from napari_unet_seg.core.segment import iter_work, prepare
from napari_unet_seg.core.stack import NO_STACK, NO_TIME, plane_settings
from napari_unet_seg.errors import SettingsError
from napari_unet_seg.io.samples import sample_layers
from napari_unet_seg.settings import SegmentSettings
from tests.tiny import discs, tiny_model

LINKED, FOLLOWED = SegmentSettings(stack="linked", spacing=3.0), SegmentSettings(track="overlap")


def run(image, axes, settings):
    """A run, its maps and its notices."""
    kept, notices = {}, []
    steps = iter_work(prepare(image, tiny_model(), "cpu", axes, settings=settings), kept.__setitem__)
    found = nus.drain(steps, lambda progress: notices.append(progress.notice) if progress.notice else None)
    return found, kept, notices


@pytest.fixture(scope="module")
def plane():
    return discs((96, 96), count=6, seed=3)[0]


@pytest.fixture(scope="module")
def stack(plane):
    """Six nuclei through three planes, and one plane without."""
    return np.stack([np.full_like(plane, 300), plane, plane, plane])


@pytest.fixture(scope="module")
def linked(stack):
    return run(stack, "ZYX", LINKED)


def test_a_stack_becomes_nuclei_in_3d(linked, plane):
    found, _, notices = linked
    count = int(nus.segment(plane, tiny_model(), "cpu").max())
    assert (found.count, found.labels.max()) == (count, count)
    assert not {NO_STACK, NO_TIME} & set(notices)
    assert found.labels.dtype == np.int32
    assert found.features["planes"].tolist() == [3] * count
    assert found.features["cut_in_z"].all()
    assert found.features["label"].tolist() == found.features["index"].tolist() == list(range(1, count + 1))
    assert np.array_equal(found.labels[1], found.labels[3])
    assert found.features["volume"].sum() == (found.labels > 0).sum()
    assert found.features["score"].between(0, 1).all()
    assert found.provenance["settings"]["stack"] == "linked"


@pytest.mark.parametrize("settings", [LINKED, replace(LINKED, exclude_border=True, probability=0.7)])
def test_kept_maps_give_the_same_nuclei_again(linked, stack, settings):
    _, kept, _ = linked
    expected = run(stack, "ZYX", settings)[0]
    labels, features = nus.drain(iter_redecode(MapStack("ZYX", stack.shape, kept.get), settings))
    assert np.array_equal(labels, expected.labels)
    assert features.equals(expected.features)


def test_a_nucleus_in_3d_is_at_the_border_as_a_whole(linked, stack):
    all_of_them, without = linked[0], run(stack, "ZYX", replace(LINKED, exclude_border=True))[0]
    inside = ~all_of_them.features["touches_border"]
    assert 0 < without.count == inside.sum() < all_of_them.count
    assert not without.features["touches_border"].any()
    assert without.labels.max() == without.count
    assert plane_settings(replace(LINKED, exclude_border=True)).exclude_border is False
    assert plane_settings(SegmentSettings(exclude_border=True)).exclude_border


def test_a_movie_has_tracks(plane):
    movie = np.stack([plane, np.roll(plane, 2, axis=0), np.roll(plane, 4, axis=0)])
    found, _, notices = run(movie, "TYX", FOLLOWED)
    one_by_one = run(movie, "TYX", SegmentSettings())[0]
    assert np.array_equal(found.labels, one_by_one.labels), "numbers differ from time to time, and the table says who is who"
    assert notices == []
    tracks = found.features.groupby("track").size()
    assert (tracks == 3).sum() >= 5
    for _, rows in found.features.groupby("track"):
        if len(rows) == 3 and not rows["touches_border"].any():
            assert np.diff(rows["centroid_y"]) == pytest.approx([2, 2], abs=1)
    assert "track" not in one_by_one.features


def test_volumes_are_followed_through_time(plane):
    volumes = np.stack([np.stack([plane] * 3), np.stack([np.roll(plane, 3, axis=1)] * 3)])
    found, _, _ = run(volumes, "TZYX", replace(LINKED, track="overlap"))
    assert {"plane_t", "volume", "track", "parent"} <= set(found.features)
    assert "plane_z" not in found.features
    assert found.features["track"].nunique() < found.count
    assert np.unique(found.labels[found.labels > 0]).size == found.count


def test_planes_that_are_not_linked_are_followed_each_by_itself(plane):
    volumes = np.stack([np.stack([plane] * 2)] * 2)
    features = run(volumes, "TZYX", FOLLOWED)[0].features
    assert (features.groupby("track")["plane_z"].nunique() == 1).all()
    assert (features.groupby("track").size() == 2).all()


def test_laptrack_finds_the_same_where_nuclei_stay(plane):
    pytest.importorskip("laptrack")
    movie = np.stack([plane, plane])
    overlap, far = (run(movie, "TYX", SegmentSettings(track=track))[0].features for track in ("overlap", "laptrack"))
    assert far["track"].tolist() == overlap["track"].tolist()


@pytest.mark.parametrize(("settings", "notice"), [(FOLLOWED, NO_TIME), (LINKED, NO_STACK)])
def test_what_cannot_be_done_is_said(plane, settings, notice):
    found, _, notices = run(plane, "YX", settings)
    assert notices == [notice]
    assert {"area", "perimeter"} <= set(found.features)
    assert not {"track", "volume"} & set(found.features)


def test_no_nuclei():
    found = run(np.full((2, 3, 64, 64), 300, np.uint16), "TZYX", replace(LINKED, track="overlap"))[0]
    assert (found.count, found.labels.max()) == (0, 0)
    assert {"volume", "track"} <= set(found.features)


def test_a_region_of_a_stack_has_the_nuclei_whose_centres_lie_inside(linked, stack):
    everything = linked[0].features
    region = (((0.0, 0.0), (0.0, 48.0), (96.0, 48.0), (96.0, 0.0)),)
    found = run(stack, "ZYX", replace(LINKED, region=region))[0]
    inside = everything[everything["centroid_x"] < 48]
    assert 0 < found.count == len(inside) < len(everything)
    assert found.features["volume"].tolist() == inside["volume"].tolist()


def test_python_gives_the_same_labels(linked, stack):
    labels = nus.segment(stack, tiny_model(), "cpu", axes="ZYX", settings=LINKED)
    assert np.array_equal(labels, linked[0].labels)


def test_an_axis_without_a_name_is_one_of_slices(linked, stack):
    found = run(stack, "QYX", LINKED)[0]
    assert np.array_equal(found.labels, linked[0].labels)
    assert found.features.equals(linked[0].features)


def test_labels_that_are_larger_than_their_grid_are_measured_in_pixels_of_the_image(linked):
    table = linked[0].features
    full = in_full_pixels(table, Grid((slice(0, 96), slice(0, 96)), step=2))
    assert full["volume"].tolist() == (4 * table["volume"]).tolist()
    assert full["largest_area"].tolist() == (4 * table["largest_area"]).tolist()
    assert full["centroid_z"].equals(table["centroid_z"])
    assert full["centroid_y"].tolist() == pytest.approx((2 * table["centroid_y"] + 0.5).tolist())


@pytest.mark.parametrize("field", ["stack", "track"])
def test_words_that_are_not_known_are_refused(field):
    with pytest.raises(SettingsError, match="must be one of"):
        SegmentSettings(**{field: "somehow"})


def sample(name, settings):
    """A sample with the bundled model, and its truth."""
    *images, truth = sample_layers(name)
    data, options, _ = images[0]
    axes = options["metadata"]["axes"]
    return nus.drain(nus.iter_segment(data, "nuclei", "cpu", axes, settings=settings)), truth[0]


def test_the_bundled_model_counts_the_nuclei_of_the_stack():
    found, truth = sample("stack", replace(LINKED, probability=0.5))
    true = len(np.unique(truth)) - 1
    assert found.count == pytest.approx(true, rel=0.07)
    assert nus.evaluate(truth, found.labels).ap(0.5) > 0.9


def test_the_bundled_model_follows_the_nuclei_of_the_movie():
    found, truth = sample("movie", FOLLOWED)
    true = len(np.unique(truth)) - 1
    assert found.features["track"].nunique() == pytest.approx(true, rel=0.05)
    daughters = found.features[found.features["parent"] > 0]
    assert daughters["track"].nunique() == 2, "one nucleus divides"
