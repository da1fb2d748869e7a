"""Painted planes made ready to teach: one polarity for all, and a map for each class."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_unet_seg.core.annotations import Annotation, whole
from napari_unet_seg.core.class_samples import class_polarity, prepare_classes
from napari_unet_seg.core.data import IMAGE, KNOWN, PAINTED, SURROUNDINGS
from napari_unet_seg.errors import InputError
from tests.tiny import discs

NAMES = ("nuclei", "rest")
BRIGHT = discs((96, 96))[0]
DARK = (BRIGHT.max() - BRIGHT).astype(np.uint16)
PAINTED_CLASSES = np.where(discs((96, 96))[1] > 0, 1, 2).astype(np.int32)


def nothing(image):
    return Annotation(np.zeros(image.shape[:2], np.int32), np.zeros(image.shape[:2], bool))


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ([BRIGHT], "bright"),
        ([DARK], "dark"),
        ([BRIGHT, DARK, DARK], "dark"),
        ([BRIGHT, BRIGHT, DARK], "bright"),
        ([BRIGHT, DARK], "bright"),
    ],
)
def test_most_planes_decide_where_a_class_is_what_is_bright(images, expected):
    """Whatever stands out: the bright parts are one class, the dark ones another."""
    painted = [whole(PAINTED_CLASSES if image is BRIGHT else 3 - PAINTED_CLASSES) for image in images]
    assert class_polarity(images, painted) == expected


def test_each_plane_has_its_own_where_that_makes_classes_alike():
    """Nuclei painted as a class, bright in some images and dark in others."""
    assert class_polarity([BRIGHT, DARK, BRIGHT], [whole(PAINTED_CLASSES)] * 3) == "auto"


def test_planes_without_annotation_have_no_say():
    images = [BRIGHT, DARK, DARK, DARK]
    annotations = [whole(PAINTED_CLASSES), *(nothing(image) for image in images[1:])]
    assert class_polarity(images, annotations) == "bright"
    assert class_polarity([DARK], [nothing(DARK)]) == "bright"


def test_as_many_annotations_as_images():
    with pytest.raises(ValueError, match="zip"):
        class_polarity([BRIGHT, DARK], [whole(PAINTED_CLASSES)])


def test_each_pixel_belongs_to_one_map():
    maps = prepare_classes(BRIGHT, whole(PAINTED_CLASSES), NAMES).channels[PAINTED:]
    assert maps.shape == (3, 96, 96)
    assert torch.equal(maps.sum(dim=0), torch.ones(96, 96))
    for number in range(3):
        assert torch.equal(maps[number].bool(), torch.from_numpy(number == PAINTED_CLASSES))


def test_the_polarity_turns_the_image_round_and_nothing_else():
    bright, dark = (prepare_classes(BRIGHT, whole(PAINTED_CLASSES), NAMES, polarity) for polarity in ("bright", "dark"))
    inside = torch.from_numpy(PAINTED_CLASSES == 1)
    assert bright.channels[IMAGE][inside].mean() > bright.channels[IMAGE][~inside].mean()
    assert dark.channels[IMAGE][inside].mean() < dark.channels[IMAGE][~inside].mean()
    assert torch.equal(bright.channels[PAINTED:], dark.channels[PAINTED:])
    assert (bright.labels == dark.labels).all()


def test_colour_becomes_one_channel():
    colour = np.stack([BRIGHT // 9, BRIGHT // 12, BRIGHT // 20], axis=-1).astype(np.uint8)
    sample = prepare_classes(colour, whole(PAINTED_CLASSES), NAMES, "bright")
    assert sample.channels.shape == (PAINTED + 3, 96, 96)
    assert sample.channels.dtype == torch.float32


def test_what_is_unknown_is_unknown_in_the_sample():
    labels = np.zeros((96, 96), np.int32)
    labels[10:20, 10:20] = 2
    sample = prepare_classes(BRIGHT, Annotation(labels, labels > 0), NAMES)
    assert sample.known.sum() == 100
    assert int(sample.channels[KNOWN].sum()) == 100
    assert set(np.unique(sample.labels[sample.known])) == {1}


def test_of_a_large_plane_only_the_surroundings_are_kept_and_fit():
    """Intensities are those of the whole plane, so that a part of it looks as it does in the whole."""
    rows = np.linspace(100, 60_000, 900)
    image = np.repeat(rows[:, None], 64, axis=1).astype(np.uint16)
    labels = np.zeros(image.shape, np.int32)
    labels[800:810, 5:15] = 1
    part = prepare_classes(image, Annotation(labels, labels > 0), NAMES, "bright")
    all_of_it = prepare_classes(image, whole(labels), NAMES, "bright")
    top = part.origin[0]
    assert top == 800 - SURROUNDINGS
    assert part.channels.shape[1:] == part.labels.shape
    torch.testing.assert_close(part.channels[IMAGE], all_of_it.channels[IMAGE, top:, :])
    assert torch.equal(part.channels[PAINTED:], all_of_it.channels[PAINTED:, top:, :])


def test_pieces_of_a_class_are_what_patches_are_centred_on():
    labels = np.full((200, 70), 1, np.int32)
    sample = prepare_classes(discs((200, 70))[0], whole(labels), NAMES)
    assert len(np.unique(sample.labels)) == 8, "squares of 64 pixels: four rows of two"


def test_plain_arrays_are_known_everywhere():
    assert prepare_classes(BRIGHT, PAINTED_CLASSES, NAMES).known.all()


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.full((96, 96), 3), r"The number 3 is painted, and the classes go up to 2 \(rest\)"),
        (np.ones((96, 95), int), "96"),
        (np.full((96, 96), -1), "-1"),
        (np.full((96, 96), 0.5), "they must be integers"),
    ],
)
def test_what_cannot_teach_is_refused(labels, sentence):
    with pytest.raises(InputError, match=sentence):
        prepare_classes(BRIGHT, labels, NAMES)


def test_a_number_where_nothing_is_known_is_no_matter():
    labels = PAINTED_CLASSES.copy()
    labels[:5] = 9
    known = np.ones(labels.shape, bool)
    known[:5] = False
    sample = prepare_classes(BRIGHT, Annotation(labels, known), NAMES)
    assert not sample.channels[PAINTED:, :5].any(), "it is none of the classes"
