"""Maps become one number a nucleus: split, filled, chosen and numbered, and never by what else is in view."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

import napari_unet_seg as nus
from napari_unet_seg.core import bands
from napari_unet_seg.core.decoding import Decoding
from napari_unet_seg.core.holes import fill_holes
from napari_unet_seg.core.instances import border_labels, classes, first_pixels, instances, select, split
from napari_unet_seg.errors import InputError
from napari_unet_seg.settings import SegmentSettings

ALL = SegmentSettings(min_area=0)


def maps_of(discs, shape, dtype=np.float32):
    """Maps as a perfect network would give them for discs (y, x, radius), of which the union is the mask."""
    y, x = np.indices(shape)
    distance = np.zeros(shape)
    for cy, cx, radius in discs:
        distance = np.maximum(distance, 1 - np.hypot(y - cy, x - cx) / radius)
    return np.stack([distance <= 0, distance > 0, np.zeros(shape), distance]).astype(dtype)


def scattered(seed, shape=(110, 140), count=30):
    """Maps of discs with whole-numbered centres, many overlapping: full of equal values, and so of ties."""
    random = np.random.default_rng(seed)
    return maps_of([(*random.integers(0, shape), random.integers(4, 10)) for _ in range(count)], shape)


def masks_to_maps(mask):
    """Maps in which every pixel of a mask is as much a core as the next."""
    mask = np.asarray(mask, bool)
    return np.stack([~mask, mask]).astype(np.float32)


def picture(*rows):
    """Labels drawn with a letter a nucleus, a point for the ground."""
    return np.array([[0 if letter == "." else ord(letter) - ord("a") + 1 for letter in row] for row in rows], np.int32)


def same_partition(first, second):
    return nus.evaluate(first, second, (1.0,)).ap(1.0) == 1


# -- the mask and its cores ------------------------------------------------------------------------------------------------------------


def test_nuclei_apart():
    labels = instances(maps_of([(10, 10, 6), (10, 30, 6), (30, 20, 8)], (40, 40)))
    assert labels.dtype == np.int32
    assert labels.shape == (40, 40)
    assert [labels[10, 10], labels[10, 30], labels[30, 20]] == [1, 2, 3]
    assert labels.max() == 3


def test_touching_nuclei_are_split_in_the_middle():
    labels = instances(maps_of([(20, 14, 9), (20, 29, 9)], (40, 44)))
    assert labels.max() == 2
    assert set(np.unique(labels[:, :21])) == {0, labels[20, 14]}
    assert set(np.unique(labels[:, 23:])) == {0, labels[20, 29]}
    np.testing.assert_array_equal(labels > 0, maps_of([(20, 14, 9), (20, 29, 9)], (40, 44))[0] == 0)


def test_splitting_is_a_setting():
    maps = maps_of([(20, 14, 9), (20, 26, 9)], (40, 44))  # where they meet, the distance is more than a third
    assert instances(maps, SegmentSettings(splitting=0.05)).max() == 1
    assert instances(maps, SegmentSettings(splitting=0.6)).max() == 2


def test_probability_is_a_setting():
    background = np.array([[[0.2, 0.5, 0.51, 0.9]] * 8])
    maps = np.concatenate([background, 1 - background])
    widths = {p: int((instances(maps, SegmentSettings(probability=p, min_area=0)) > 0).sum(axis=1)[0]) for p in (0.05, 0.5, 0.8, 0.81)}
    assert widths == {0.05: 4, 0.5: 2, 0.8: 1, 0.81: 0}  # a pixel at the probability belongs to the nucleus


def test_a_part_whose_distance_hardly_rises_is_no_nucleus():
    maps = maps_of([(10, 10, 8), (10, 24, 8), (30, 20, 6)], (40, 40))
    maps[-1, 22:] = 0.45
    assert instances(maps).max() == 3
    assert instances(maps)[30, 20] == 3
    maps[-1, 22:] = 0.1
    assert instances(maps).max() == 2
    assert instances(maps)[30, 20] == 0
    assert split(maps[0] <= 0.5, maps[-1], 0.5, least=0)[30, 20] > 0


def test_a_hill_is_no_nucleus_outside_the_mask():
    maps = maps_of([(10, 10, 6)], (20, 40))
    maps[-1, :, 30:] = 1
    assert instances(maps).max() == 1


def test_corners_do_not_join():
    assert instances(masks_to_maps([[1, 0], [0, 1]]), ALL).tolist() == [[1, 0], [0, 2]]


def test_no_nucleus():
    assert not instances(np.ones((4, 30, 20), np.float16)).any()


def test_a_plane_that_is_all_nucleus():
    assert (instances(masks_to_maps(np.ones((9, 7)))) == 1).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (3, 80), (2, 2)])
def test_small_and_narrow_planes(shape):
    assert (instances(masks_to_maps(np.ones(shape)), ALL) == 1).all()
    assert not instances(masks_to_maps(np.zeros(shape)), ALL).any()


def test_more_than_65535_nuclei():
    mask = np.kron(np.ones((280, 280), bool), np.pad(np.ones((3, 3), bool), (0, 1)))  # 3 x 3 pixels each
    labels = instances(masks_to_maps(mask), ALL)
    assert labels.max() == 280 * 280 > 65_535
    np.testing.assert_array_equal(labels[::4, ::4].ravel(), np.arange(1, 280 * 280 + 1))
    np.testing.assert_array_equal(labels > 0, mask)


# -- ground truth in, ground truth out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_of_the_maps_changes_nothing(dtype):
    maps = scattered(5) * 0.987654321
    maps[0] += 0.0123456789
    np.testing.assert_array_equal(instances(maps.astype(dtype)), instances(maps.astype(np.float16)))


def test_the_same_maps_give_the_same_labels_and_stay_as_they_are():
    maps = scattered(1)
    before = maps.copy()
    first = instances(maps)
    np.testing.assert_array_equal(instances(maps), first)
    np.testing.assert_array_equal(instances(np.asfortranarray(maps)), first)
    np.testing.assert_array_equal(maps, before)


def test_numbers_follow_the_raster_order_of_first_pixels():
    labels = instances(scattered(2))
    numbers, first = np.unique(labels, return_index=True)
    assert numbers.tolist() == list(range(labels.max() + 1))
    assert (np.diff(first[1:]) > 0).all()


@pytest.mark.parametrize("seed", range(12))
def test_what_is_in_view_changes_no_nucleus(seed):
    """The contract of blocks: a part of the plane that holds a whole connected part, and a margin, gives that part's labels."""
    maps = scattered(seed)
    whole = instances(maps, ALL)
    parts, _ = ndimage.label(maps[0] <= 0.5)
    for number, (rows, columns) in enumerate(ndimage.find_objects(parts), start=1):
        margin = 3 + (number + seed) % 4
        box = (slice(max(rows.start - margin, 0), rows.stop + margin), slice(max(columns.start - margin, 0), columns.stop + margin))
        inside = parts[box] == number
        there, here = np.where(inside, whole[box], 0), np.where(inside, instances(maps[:, *box], ALL), 0)
        assert same_partition(there, here)


def test_a_decoder_over_the_whole_plane_would_fail_that(monkeypatch):
    """The guard that the test above can fail: one queue for all parts ties by its length."""
    from skimage.segmentation import watershed

    def at_once(maps):
        smooth = ndimage.gaussian_filter(maps[-1].astype(np.float32), 0.5)
        mask = maps[0] <= 0.5
        return watershed(-smooth, ndimage.label(mask & (smooth > 0.4))[0], mask=mask)

    differing = 0
    for seed in range(12):
        maps = scattered(seed)
        half = maps[:, :, : np.flatnonzero(maps[0].all(axis=0) | (np.arange(140) == 139))[-1]]
        differing += not same_partition(at_once(maps)[:, : half.shape[2]], at_once(half))
    assert differing


# -- holes -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "filled"),
    [
        (["aaa", "a.a", "aaa"], ["aaa", "aaa", "aaa"]),
        (["aaa", "a..", "aaa"], ["aaa", "a..", "aaa"]),  # open at the edge of the plane
        (["aab", "a.b", "aab"], ["aab", "a.b", "aab"]),  # between two nuclei: nobody's
        (["aa...", "a.a..", "aaa.b"], ["aa...", "aaa..", "aaa.b"]),  # closed by corners
        (["aaaaa", "a.a.a", "aaaaa"], ["aaaaa", "aaaaa", "aaaaa"]),
        (["aaaaa", "a...a", "a.b.a", "a...a", "aaaaa"], ["aaaaa", "a...a", "a.b.a", "a...a", "aaaaa"]),  # a nucleus in a ring
        (
            ["aaaaaaa", "a.....a", "a.bbb.a", "a.b.b.a", "a.bbb.a", "a.....a", "aaaaaaa"],
            ["aaaaaaa", "a.....a", "a.bbb.a", "a.bbb.a", "a.bbb.a", "a.....a", "aaaaaaa"],
        ),  # a ring in a ring
        (["...", "...", "..."], ["...", "...", "..."]),
    ],
)
def test_holes(labels, filled):
    given = picture(*labels)
    before = given.copy()
    np.testing.assert_array_equal(fill_holes(given), picture(*filled))
    np.testing.assert_array_equal(given, before)
    np.testing.assert_array_equal(fill_holes(np.pad(given, 1)), np.pad(picture(*filled), 1))


def test_holes_of_many_nuclei_at_once():
    rings = np.tile(np.pad(np.ones((3, 3), np.int32), 1), (20, 20))
    rings = np.where(rings, ndimage.label(rings)[0], 0).astype(np.int32)
    holed = rings.copy()
    holed[2::5, 2::5] = 0
    np.testing.assert_array_equal(fill_holes(holed), rings)


def test_filling_is_a_setting():
    mask = np.ones((9, 9))
    mask[4, 4] = 0
    assert (instances(masks_to_maps(mask)) == 1).all()
    assert instances(masks_to_maps(mask), SegmentSettings(fill_holes=False))[4, 4] == 0


def test_a_speck_in_a_hole_does_not_keep_it_open():
    mask = np.ones((13, 13))
    mask[3:10, 3:10] = 0
    mask[5:8, 5:8] = 1
    assert (instances(masks_to_maps(mask), SegmentSettings(min_area=10)) == 1).all()
    assert instances(masks_to_maps(mask), ALL).max() == 2


def test_a_ring_counts_with_its_hole():
    mask = np.ones((5, 5))
    mask[1:4, 1:4] = 0
    assert (instances(masks_to_maps(np.pad(mask, 2)), SegmentSettings(min_area=25)) > 0).sum() == 25


# -- choosing --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, [2, 4, 6, 9]),
        ({"min_area": 4}, [4, 6, 9]),
        ({"min_area": 5}, [6, 9]),
        ({"max_area": 6}, [2, 4, 6]),
        ({"max_area": 5}, [2, 4]),
        ({"min_area": 3, "max_area": 6}, [4, 6]),
        ({"min_area": 6, "max_area": 6}, [6]),
        ({"min_area": 10}, []),
        ({"exclude_border": True}, [4, 6]),
        ({"exclude_border": True, "min_area": 5}, [6]),
    ],
)
def test_areas_and_the_border(settings, kept):
    labels = picture("aa.......", "...bb.ccc", "...bb.ccc", "......ccc", ".dd......", ".dd......", ".dd......", ".........")
    chosen = select(labels, SegmentSettings(**{"min_area": 0} | settings))
    assert sorted(np.bincount(chosen.ravel())[1:].tolist()) == kept
    assert chosen.max() == len(kept)
    assert chosen.dtype == np.int32


def test_all_four_sides_are_border():
    labels = picture(".a..", "b...", "..ed", ".cx.")
    assert border_labels(labels).tolist() == [1, 2, 3, 4, 24]
    assert select(labels, SegmentSettings(min_area=0, exclude_border=True)).max() == 1


def test_first_pixels():
    assert first_pixels(picture("..b", "abb", "aca"), 5).tolist() == [0, 3, 2, 7, 0]


def test_numbers_without_gaps_whatever_came_in():
    labels = np.zeros((4, 4), np.int32)
    labels[0, 3], labels[2, 0], labels[3, 3] = 900, 7, 30
    assert select(labels, ALL)[labels > 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_the_number_of_threads_changes_no_pixel(threads, monkeypatch: pytest.MonkeyPatch):
    """Of crowded planes with holes, specks and flat hills, in bands of a few rows."""
    planes = []
    for seed in range(4):
        random = np.random.default_rng(seed)
        distance, background = (ndimage.gaussian_filter(random.random((83, 61 + seed)), sigma) for sigma in (1 + seed, seed / 2))
        maps = np.stack([(part - part.min()) / np.ptp(part) for part in (background, distance)])
        planes.append((np.round(maps * 8) / 8 if seed == 2 else maps).astype(np.float16))
    changes = ({}, {"min_area": 30, "exclude_border": True}, {"fill_holes": False, "splitting": 0.9, "probability": 0.2})
    expected = [instances(maps, SegmentSettings(**change)) for maps in planes for change in changes]
    monkeypatch.setattr(bands, "PIXELS", 700)
    monkeypatch.setattr(bands, "cores", lambda: threads)
    found = [instances(maps, SegmentSettings(**change)) for maps in planes for change in changes]
    again = [decoding.labels(SegmentSettings(**change)) for decoding in map(Decoding, planes) for change in changes]
    assert max(int(labels.max()) for labels in expected) > 20
    for one, other, third in zip(expected, found, again, strict=True):
        np.testing.assert_array_equal(other, one)
        np.testing.assert_array_equal(third, one)


def test_split_numbers_each_nucleus_once():
    maps = scattered(3)
    labels = split(maps[0] <= 0.5, maps[-1], 0.4)
    np.testing.assert_array_equal(labels > 0, maps[0] <= 0.5)
    for label in np.unique(labels[labels > 0]):
        assert ndimage.label(labels == label)[1] == 1


# -- classes and refusals --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_of_equally_likely_classes_the_first_is_taken(count, dtype):
    maps = np.random.default_rng(count).integers(0, 4, (count + 1, 40, 30)).astype(dtype) / 4
    np.testing.assert_array_equal(classes(maps, count), maps[:count].argmax(axis=0))


def test_classes_are_the_likeliest():
    maps = np.array([[[0.6, 0.2, 0.1]], [[0.3, 0.5, 0.2]], [[0.1, 0.3, 0.7]], [[9, 9, 9]]], np.float16)
    found = classes(maps)
    assert found.tolist() == [[0, 1, 2]]
    assert found.dtype == np.uint8
    assert classes(maps, 2).tolist() == [[0, 1, 1]]


@pytest.mark.parametrize("shape", [(), (4,), (30, 30), (1, 30, 30), (2, 3, 30, 30), (4, 0, 30), (4, 30, 0), (0, 30, 30)])
def test_shapes_that_are_no_maps(shape):
    with pytest.raises(InputError) as error:
        instances(np.zeros(shape))
    assert str(error.value).startswith(f"The maps have shape {shape}; they must be (C, Y, X)")


@pytest.mark.parametrize("maps", [np.zeros((2, 5, 5), complex), np.full((2, 5, 5), None), np.full((2, 5, 5), "a")])
def test_dtypes_that_are_no_maps(maps):
    with pytest.raises(InputError, match=r"^The maps have dtype .*; use real numbers"):
        instances(maps)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6])
@pytest.mark.parametrize("channel", [0, -1])
def test_broken_maps_are_told_of(channel, value):
    """Such as float16 gives when it overflows: labels of them would lack nuclei without a word."""
    maps = scattered(0)
    maps[channel, 4:6, 7] = value
    with pytest.raises(InputError, match=r"^The maps hold NaN or infinity at 2 pixels; let the network run in float32"):
        instances(maps)


def test_maps_between_the_background_and_the_distance_are_not_read():
    maps = scattered(0)
    expected = instances(maps)
    maps[1:-1] = np.nan
    np.testing.assert_array_equal(instances(maps), expected)
