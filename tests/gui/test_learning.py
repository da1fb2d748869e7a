"""What layers teach: planes, numbers and where they can be believed."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_unet_seg.errors import InputError
from napari_unet_seg.gui.layers import layer_channels, read_source
from napari_unet_seg.gui.learning import INSIDE, PAINTED, WHOLE, Material, annotation_of, count_steps, labels_shape, lessons, read_steps
from napari_unet_seg.progress import drain
from tests.gui.conftest import squares

FLAT = read_source(Image(np.zeros((64, 64), np.uint16), name="flat"))


def stack():
    return read_source(Image(np.arange(3 * 64 * 64, dtype=np.uint16).reshape(3, 64, 64), axis_labels=("z", "y", "x"), name="stack"))


def only(material):
    [lesson] = lessons(material)
    return annotation_of(lesson, material)


def test_painted_nuclei_teach_with_a_ring():
    annotation = only(Material(FLAT, squares()))
    assert list(annotation.numbers) == [1, 2, 3]
    assert annotation.known[10, 14]  # in the ring
    assert not annotation.known[40, 40]
    assert annotation.group == "flat"


def test_painted_background_takes_the_place_of_the_ring():
    ground = np.zeros((64, 64), np.int32)
    ground[40:50] = 3
    annotation = only(Material(FLAT, squares(), PAINTED, ground))
    assert annotation.known[40, 40]
    assert not annotation.known[13, 3]


def test_inside_shapes_everything_is_known():
    box = ((0.0, 0.0), (0.0, 20.0), (30.0, 20.0), (30.0, 0.0))
    annotation = only(Material(FLAT, squares(), INSIDE, polygons=(box,)))
    assert annotation.known[29, 5]
    assert not annotation.known[29, 40]
    assert list(annotation.numbers) == [1, 2]  # the second is painted beyond the edge


def test_whole_planes_are_those_with_something_painted():
    labels = np.zeros((3, 64, 64), np.int32)
    labels[1] = squares()
    material = Material(stack(), labels, WHOLE)
    [lesson] = lessons(material)
    assert annotation_of(lesson, material).known.all()
    assert np.array_equal(lesson.image, material.source.data[1])
    labels[1] = 0
    assert lesson.labels.max() == 3  # painting goes on


def test_the_count_says_it_in_a_line():
    count = drain(count_steps(Material(FLAT, squares())))
    assert count.highest == 3
    assert count.summary.sentence.startswith("3 nuclei, ")
    assert drain(count_steps(Material(FLAT, 0 * squares()))).summary.warnings[0].startswith("Nothing is painted")


def test_a_channel_that_is_no_first_dimension_is_taken_out():
    image = Image(np.zeros((3, 2, 64, 64), np.uint16), axis_labels=("z", "c", "y", "x"), name="both")
    source = read_source(image, layer_channels(image)[1])
    assert labels_shape(source) == (3, 1, 64, 64)
    labels = np.zeros((3, 1, 64, 64), np.int32)
    labels[2, 0] = squares()
    [lesson] = drain(read_steps(Material(source, labels)))
    assert lesson.image.shape == lesson.labels.shape == (64, 64)


@pytest.mark.parametrize("where", ["labels", "ground"])
def test_labels_of_another_image_are_refused(where):
    other = squares((32, 64))
    material = Material(FLAT, other) if where == "labels" else Material(FLAT, squares(), PAINTED, other)
    with pytest.raises(InputError, match=r"have shape \(32, 64\), and “flat” needs \(64, 64\)"):
        drain(count_steps(material))


def test_reading_needs_something_painted():
    with pytest.raises(InputError, match="Nothing is painted"):
        drain(read_steps(Material(FLAT, 0 * squares())))
