"""What is kept out of training shares no field and no neighbourhood with what teaches."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.annotations import Annotation, sparse, whole
from napari_unet_seg.core.data import prepare
from napari_unet_seg.core.split import count_nuclei, split
from napari_unet_seg.settings import TrainSettings
from tests.tiny import discs

SETTINGS = TrainSettings(validation=0.2, patch=64)


def grid(shape=(64, 64), step=16, seed=0):
    """Return an image and labels of small squares on a grid."""
    labels = np.zeros(shape, np.int32)
    places = [(y, x) for y in range(4, shape[0] - 8, step) for x in range(4, shape[1] - 8, step)]
    for number, (y, x) in enumerate(places, start=1):
        labels[y : y + 8, x : x + 8] = number
    return np.random.default_rng(seed).normal(labels > 0, 0.1), labels


def sample(seed=0, group="", shape=(64, 64)):
    image, labels = grid(shape, seed=seed)
    return prepare(image, Annotation(labels, np.ones(shape, bool), group))


def test_groups_are_never_on_both_sides():
    samples = [sample(seed, group=f"slide{seed // 3}") for seed in range(18)]
    for seed in range(5):
        parts = split(samples, TrainSettings(validation=0.2, seed=seed))
        teaching, kept = ({plane.group for plane in part} for part in (parts.training, parts.validation))
        assert not teaching & kept
        assert len(parts.training) + len(parts.validation) == 18
        assert 2 <= len(parts.validation) <= 6
        assert f"{len(parts.validation)} planes" in parts.sentence


def test_equal_images_are_one_group():
    samples = [sample(seed // 2) for seed in range(12)]
    parts = split(samples, SETTINGS)
    images = [{plane.channels[0].numpy().tobytes() for plane in part} for part in (parts.training, parts.validation)]
    assert len(parts.validation) in (2, 4)
    assert not images[0] & images[1]


def test_equal_seeds_keep_the_same_planes_out():
    samples = [sample(seed) for seed in range(10)]
    first, again = (split(samples, SETTINGS).validation for _ in range(2))
    assert [id(plane) for plane in first] == [id(plane) for plane in again]


@pytest.mark.parametrize("shape", [(64, 400), (400, 64)])
def test_of_a_single_image_a_strip_is_kept_out_with_a_gap(shape):
    plane = sample(shape=shape)
    parts = split([plane], SETTINGS)
    (teaching,), (kept,) = parts.training, parts.validation
    axis = int(np.argmax(shape))
    ends = sorted([(part.origin[axis], part.origin[axis] + part.labels.shape[axis]) for part in (teaching, kept)])
    assert ends[1][0] - ends[0][1] >= 64
    assert (ends[0][0], ends[1][1]) == (0, 400)
    assert count_nuclei(kept) >= 0.2 * count_nuclei(plane)
    assert count_nuclei(teaching) >= 0.5 * count_nuclei(plane)
    assert "64 px away" in parts.sentence


def test_a_strip_holds_its_own_part_of_the_plane():
    plane = sample(shape=(64, 400))
    for part in (*split([plane], SETTINGS).training, *split([plane], SETTINGS).validation):
        y, x = part.origin
        height, width = part.labels.shape
        np.testing.assert_array_equal(part.labels, plane.labels[y : y + height, x : x + width])
        assert (part.channels == plane.channels[:, y : y + height, x : x + width]).all()


def test_a_stack_is_cut_at_one_place_even_where_its_planes_are_annotated_in_parts():
    planes = []
    for seed in range(2):
        image, labels = grid((64, 500), seed=seed)
        known = np.zeros(labels.shape, bool)
        known[:, 0 if seed else 100 :] = True
        planes.append(prepare(image, Annotation(labels, known, "stack")))
    parts = split(planes, TrainSettings(validation=0.2, patch=32))
    spans = [[(part.origin[1], part.origin[1] + part.labels.shape[1]) for part in side] for side in (parts.training, parts.validation)]
    assert len(spans[1]) == 2
    assert min(start for start, _ in spans[1]) - max(end for _, end in spans[0]) >= 32 or (
        min(start for start, _ in spans[0]) - max(end for _, end in spans[1]) >= 32
    )


def test_one_of_two_images_is_too_much_to_keep_out_so_that_a_strip_is():
    parts = split([sample(0, shape=(64, 400)), sample(1, shape=(64, 400))], SETTINGS)
    assert len(parts.training) == 2
    assert len(parts.validation) == 1
    assert "strip" in parts.sentence


@pytest.mark.parametrize(
    ("samples", "settings", "sentence"),
    [
        ([sample()], SETTINGS, "Fewer than 20"),
        ([prepare(discs((96, 96), 40, radius=(3, 4))[0], whole(discs((96, 96), 40, radius=(3, 4))[1]))], SETTINGS, "Too little"),
        ([sample(seed) for seed in range(10)], TrainSettings(validation=0), "as was asked for"),
    ],
)
def test_where_nothing_is_kept_out_all_teaches(samples, settings, sentence):
    parts = split(samples, settings)
    assert parts.validation == []
    assert len(parts.training) == len(samples)
    assert sentence in parts.sentence


def test_unknown_nuclei_do_not_count():
    image, labels = grid((64, 400))
    assert count_nuclei(prepare(image, sparse(np.where(labels < 4, labels, 0)))) == 3


def test_a_strip_is_taken_where_it_costs_the_fewest_nuclei():
    """Nuclei are sparse at the left: a strip there is wide, but its gap costs hardly any nuclei."""
    image, labels = grid((64, 600), step=16)
    labels[:, :300] = np.where(np.arange(300) % 64 < 16, labels[:, :300], 0)
    (kept,) = split([prepare(image, whole(labels))], SETTINGS).validation
    assert kept.origin[1] == 0
    assert 200 < kept.labels.shape[1] < 300


def test_empty_planes_may_be_kept_out_but_do_not_count():
    blanks = [prepare(np.random.default_rng(seed).normal(size=(64, 64)), whole(np.zeros((64, 64), int))) for seed in range(6)]
    parts = split([*blanks, *(sample(seed) for seed in range(6))], SETTINGS)
    assert sum(map(count_nuclei, parts.validation)) >= 5
    assert len(parts.training) + len(parts.validation) == 12


@pytest.mark.parametrize("share", [0.05, 0.15, 0.3])
def test_about_the_share_asked_for_is_kept_out(share):
    samples = [sample(seed) for seed in range(30)]
    total, kept = 30 * count_nuclei(samples[0]), split(samples, TrainSettings(validation=share)).validation
    assert share * total <= sum(map(count_nuclei, kept)) <= share * total + 2 * count_nuclei(samples[0])
