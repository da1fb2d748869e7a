"""What was painted becomes what is known: nuclei, rings of ground around them, regions and whole planes, and a sentence on all that."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import ndimage

from napari_unet_seg.core.annotations import Annotation, hide, inside, sparse, summary, whole
from napari_unet_seg.errors import InputError


def squares(*corners, edge=10, shape=(60, 80)):
    labels = np.zeros(shape, np.int32)
    for number, (y, x) in enumerate(corners, start=1):
        labels[y : y + edge, x : x + edge] = number
    return labels


def test_a_ring_around_each_painted_nucleus_is_ground_and_the_rest_unknown():
    labels = squares((10, 10), (40, 60))
    annotation = sparse(labels, ring=2)
    away = ndimage.distance_transform_edt(labels == 0)
    np.testing.assert_array_equal(annotation.known, away <= 2)
    assert annotation.numbers.tolist() == [1, 2]


def test_touching_nuclei_are_no_ground_for_one_another():
    labels = squares((10, 10), (10, 20))
    annotation = sparse(labels)
    assert annotation.known[labels > 0].all()
    np.testing.assert_array_equal(annotation.labels, labels)


def test_the_ring_leaves_out_what_the_base_sees_beside_it():
    labels = squares((10, 10))
    seen = squares((11, 21), (9, 8))  # a neighbour that nobody painted, and the painted nucleus itself, drawn too far to the left
    known = sparse(labels, seen=seen).known
    assert not known[12:18, 21].any()
    assert known[12:18, 20].all()
    assert known[12:18, 8:10].all(), "the base drew the painted nucleus too large: the ring corrects it"


@pytest.mark.parametrize("edge", [2, 45])
def test_what_the_base_sees_must_be_as_large_as_a_nucleus(edge):
    """A base that fails takes the ground itself, or specks of it, for nuclei: that is no reason to have no ground."""
    seen = squares((9, 20), edge=edge)
    np.testing.assert_array_equal(sparse(squares((10, 10)), seen=seen).known, sparse(squares((10, 10))).known)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32])
def test_painted_ground_takes_the_place_of_rings(dtype):
    labels = squares((10, 10))
    ground = np.zeros(labels.shape, dtype)
    ground[50:, :] = 1
    ground[15:18, :15] = 1  # over a nucleus, which has precedence
    known = sparse(labels, ground).known
    assert known[55, 5]
    assert not known[9, 12], "no ring"
    assert known[labels > 0].all()
    np.testing.assert_array_equal(sparse(labels, np.zeros_like(ground)).known, sparse(labels).known)


def test_regions_are_known_inside():
    labels = squares((10, 10), (10, 40))
    mask = np.zeros(labels.shape, bool)
    mask[5:30, 5:35] = True
    annotation = inside(labels, mask)
    np.testing.assert_array_equal(annotation.known, mask)
    assert annotation.numbers.tolist() == [1]


def test_a_nucleus_painted_up_to_a_region_s_edge_is_unknown_and_one_that_goes_on_is_known():
    labels = squares((10, 10), (30, 10), edge=12)
    mask = np.zeros(labels.shape, bool)
    mask[:, 5:18] = True
    cut = np.where(mask | (labels == 2), labels, 0)  # the first was painted inside alone
    known = inside(cut, mask).known
    assert not known[12:20, 10:18].any()
    assert known[32:40, 10:18].all()


def test_whole_planes_are_known_everywhere():
    annotation = whole(squares((10, 10)).astype(np.uint16))
    assert annotation.known.all()
    assert annotation.labels.dtype == np.int32


def test_hidden_nuclei_are_unknown_with_what_surrounds_them():
    annotation = whole(squares((10, 10), (10, 22)))
    hidden = hide(annotation, np.array([1]), reach=3)
    assert hidden.numbers.tolist() == [2]
    assert not hidden.known[7:20, 12].any()
    assert hidden.known[10:20, 22:32].all(), "its neighbour stays"
    assert hidden.known[30:].all()


def test_numbers_beyond_32_bits_stay_apart():
    labels = squares((10, 10), (30, 30)).astype(np.int64) * 5_000_000_000
    assert np.unique(whole(labels).labels).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: whole(np.zeros((2, 3, 4), int)), r"\(2, 3, 4\).*one plane"),
        (lambda: whole(np.zeros((3, 4))), "float64"),
        (lambda: whole(np.full((3, 4), -7)), "-7"),
        (lambda: inside(np.zeros((3, 4), int), np.ones((4, 3), bool)), r"\(4, 3\).*\(3, 4\)"),
        (lambda: sparse(np.zeros((3, 4), int), ground=np.zeros((3, 3))), r"`ground`.*\(3, 3\)"),
        (lambda: sparse(np.zeros((3, 4), int), seen=np.zeros((3, 3), int)), r"`seen`.*\(3, 3\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_value(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()


def test_one_line_says_what_there_is_to_learn_from():
    ground = np.zeros((100, 100), bool)
    ground[:20, :] = True
    first = sparse(squares((40, 10), (60, 10), (80, 10), shape=(100, 100)), ground)
    second = sparse(squares((40, 10), shape=(100, 100)), ground)
    nothing = sparse(np.zeros((100, 100), int))
    found = summary([first, second, nothing])
    assert found.sentence == "4 nuclei, 4,000 background pixels, 2 planes, unknown 78 %"
    assert (found.nuclei, found.ground_pixels, found.planes, found.unknown) == (4, 4000, 2, 0.78)
    assert found.few
    assert found.warnings == ()


def test_nearly_all_is_not_all():
    labels = squares((10, 10), shape=(400, 400))
    assert summary([sparse(labels)]).sentence == "1 nucleus, 84 background pixels, 1 plane, unknown 99 %"
    assert summary([whole(labels)]).sentence.endswith("unknown 0 %")


def test_twenty_nuclei_are_enough_to_measure():
    corners = [(y, x) for y in range(0, 60, 12) for x in range(0, 48, 12)]
    assert not summary([whole(squares(*corners, edge=8))]).few


@pytest.mark.parametrize(
    ("annotations", "sentence"),
    [
        ([], "Nothing is painted"),
        ([sparse(np.zeros((50, 50), int))], "Nothing is painted"),
        ([sparse(squares((10, 10)), ring=0)], "No background is known"),
        ([whole(squares((10, 10), (30, 30), edge=3))], "9 px².*not as a dot"),
        ([whole(np.pad(np.ones((80, 80), int), 20))], "One label covers more than 30 %"),
        ([whole(np.minimum(squares((10, 10), (40, 40)), 1))], "On 1 plane one number stands for several"),
    ],
)
def test_what_cannot_work_is_said_before(annotations, sentence):
    (warning,) = summary(annotations).warnings
    assert re.search(sentence, warning)


def test_specks_of_the_brush_are_no_second_nucleus():
    labels = squares((10, 10))
    labels[40, 40] = 1
    assert summary([whole(labels)]).warnings == ()


def test_an_annotation_takes_lists_of_numbers_and_any_mask():
    annotation = Annotation([[0, 1], [0, 1]], [[1, 0], [1, 1]])
    assert annotation.known.dtype == bool
    assert annotation.numbers.tolist() == [1]


@pytest.mark.parametrize("ring", [0, 1, 3, 6])
def test_the_ring_is_as_wide_as_asked_for(ring):
    known = sparse(squares((20, 20)), ring=ring).known
    assert known[25].sum() == 10 + 2 * ring


def test_a_ring_ends_at_the_plane_s_edge():
    known = sparse(squares((0, 0))).known
    assert known[:12, :10].all()
    assert known.sum() < 150


def test_annotations_of_a_set_make_one_sentence_whatever_made_them():
    labels = squares((10, 10), (40, 60))
    mask = np.zeros(labels.shape, bool)
    mask[5:25, 5:25] = True
    found = summary([sparse(labels), inside(labels, mask), whole(labels)])
    assert (found.nuclei, found.planes) == (5, 3)
    ground = [int((annotation.known & (annotation.labels == 0)).sum()) for annotation in (sparse(labels), inside(labels, mask))]
    assert found.ground_pixels == sum(ground) + (labels == 0).sum()
    assert found.unknown == pytest.approx(1 - (200 + ground[0] + 400 + labels.size) / (3 * labels.size))


def test_an_empty_region_knows_nothing_and_an_empty_plane_all():
    nothing = np.zeros((20, 20), int)
    assert not inside(nothing, np.zeros((20, 20), bool)).known.any()
    assert not sparse(nothing).known.any()
    assert whole(nothing).known.all()


def test_hiding_nothing_changes_nothing():
    annotation = sparse(squares((10, 10), (30, 30)))
    hidden = hide(annotation, np.zeros(0, int))
    np.testing.assert_array_equal(hidden.known, annotation.known)
