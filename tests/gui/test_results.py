from __future__ import annotations

import colorsys

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel

from napari_unet_seg.gui.layers import read_source
from napari_unet_seg.gui.request import Content
from napari_unet_seg.gui.results import OUTLINED_PIXELS, Results, outline_width, palette
from tests.gui.conftest import outcome, squares


@pytest.fixture
def viewer():
    """The part of a viewer that needs no window."""
    return ViewerModel()


@pytest.fixture
def results(viewer):
    return Results(viewer)


@pytest.fixture
def image(viewer):
    return viewer.add_image(np.zeros((64, 64)), name="dapi", scale=(0.5, 0.5), units=("um", "um"))


def again(results, image, labels):
    """What a second run does: it looks at the layer that may be replaced, and delivers."""
    before = results.replaceable(image)
    return results.deliver(image, read_source(image), outcome(labels, before.fingerprint() if before else None))


def test_the_first_run_makes_a_layer(viewer, results, image):
    found = outcome(squares(), model="nuclei-v1")
    labels = results.deliver(image, read_source(image), found)
    assert list(viewer.layers) == [image, labels]
    assert labels.name == "dapi nuclei"
    assert np.array_equal(labels.data, squares())
    assert labels.data.dtype == np.int32
    assert labels.features["index"].tolist() == [1, 2, 3]
    assert labels.metadata["napari_unet_seg"] == dict(found.provenance)
    assert np.array_equal(labels.scale, image.scale)
    assert labels.units == image.units


def test_the_next_run_replaces_an_untouched_layer_and_keeps_its_look(viewer, results, image):
    labels = again(results, image, squares())
    labels.name, labels.opacity, labels.contour, labels.visible = "mine", 0.3, 0, False
    labels.metadata["note"] = "keep"
    assert again(results, image, squares(count=2)) is labels
    assert len(viewer.layers) == 2
    assert np.array_equal(labels.data, squares(count=2))
    assert labels.features["index"].tolist() == [1, 2]
    assert (labels.name, labels.opacity, labels.contour, labels.visible) == ("mine", 0.3, 0, False)
    assert labels.metadata["note"] == "keep"
    assert again(results, image, squares()) is labels


EDITS = {
    "paint": lambda layer: layer.paint((2, 2), 9),
    "paint, undone": lambda layer: (layer.paint((2, 2), 9), layer.undo()),
    "fill": lambda layer: layer.fill((5, 5), 9),
    "polygon": lambda layer: layer.paint_polygon([(0, 0), (0, 9), (9, 9)], 9),
    "assignment": lambda layer: setattr(layer, "data", layer.data * 2),
    "data_setitem": lambda layer: layer.data_setitem((np.array([1]), np.array([1])), 9),
    "in place, without an event": lambda layer: layer.data.__setitem__((0, 0), 9),
    "another table": lambda layer: setattr(layer, "features", pd.DataFrame({"index": [1], "mine": ["mitotic"]})),
    "a new column, without an event": lambda layer: layer.features.__setitem__("mine", "mitotic"),
    "locked": lambda layer: setattr(layer, "locked", True),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_layer_edited_by_hand_is_never_replaced(viewer, results, image, edit):
    labels = again(results, image, squares())
    edit(labels)
    data, features = labels.data.copy(), labels.features.copy()
    new = again(results, image, squares(count=2))
    assert new is not labels
    assert np.array_equal(labels.data, data)
    assert labels.features.equals(features)
    assert np.array_equal(new.data, squares(count=2))
    assert new.name == "dapi nuclei [1]"
    assert again(results, image, squares(count=1)) is new


@pytest.mark.parametrize("edit", [EDITS["paint"], EDITS["in place, without an event"]])
def test_an_edit_during_the_run_counts(viewer, results, image, edit):
    labels = again(results, image, squares())
    at_the_start = results.replaceable(image)
    edit(labels)
    found = outcome(squares(count=2), at_the_start.fingerprint())
    assert results.deliver(image, read_source(image), found) is not labels


def test_a_deleted_layer_is_made_anew(viewer, results, image):
    labels = again(results, image, squares())
    viewer.layers.remove(labels)
    assert results.replaceable(image) is None
    assert again(results, image, squares()) is not labels
    assert len(viewer.layers) == 2


def test_another_shape_makes_another_layer(viewer, results, image):
    again(results, image, squares())
    image.data = np.zeros((32, 64))
    again(results, image, squares((32, 64)))
    assert [layer.data.shape for layer in viewer.layers] == [(32, 64), (64, 64), (32, 64)]


def test_each_image_has_its_own_result(viewer, results, image):
    other = viewer.add_image(np.zeros((64, 64)), name="gfp")
    first, second = again(results, image, squares()), again(results, other, squares())
    assert again(results, image, squares(count=1)) is first
    assert again(results, other, squares(count=2)) is second


def test_the_result_follows_the_image_that_was_moved(results, image):
    labels = again(results, image, squares())
    image.scale, image.rotate, image.units = (2, 3), 30, ("nm", "nm")
    assert again(results, image, squares(count=2)) is labels
    assert labels.data_to_world((3, 4)) == pytest.approx(image.data_to_world((3, 4)))
    assert labels.units == image.units


def test_results_of_deleted_images_are_shown_and_let_go(viewer, results, image):
    source = read_source(image)
    viewer.layers.remove(image)
    labels = results.deliver(image, source, outcome(squares()))
    assert list(viewer.layers) == [labels]
    assert results._results == []


def test_what_a_person_looks_at_is_fingerprinted(results, image):
    labels = again(results, image, squares())
    content = results.replaceable(image)
    assert isinstance(content, Content)
    assert content.labels is labels.data


def test_small_planes_are_outlined_and_large_ones_tinted(viewer, results):
    edge = int(OUTLINED_PIXELS**0.5)
    for shape, outlined in (((64, 64), True), ((edge, edge), True), ((edge, edge + 1), False), ((edge + 1, 2, 2), True)):
        layer = viewer.add_image(np.zeros(shape, np.uint8))
        labels = results.deliver(layer, read_source(layer), outcome(squares((64, 64)) if shape == (64, 64) else np.zeros(shape, np.int32)))
        assert (labels.contour > 0, labels.opacity == 1) == (outlined, outlined)


@pytest.mark.parametrize(
    ("diameter", "edge", "width"), [(20, 256, 1), (20, 1024, 3), (20, 2048, 3), (60, 2048, 4), (8, 2048, 1), (12, 2048, 2)]
)
def test_outlines_suit_nuclei_and_image(diameter, edge, width):
    features = pd.DataFrame({"area": [np.pi * diameter**2 / 4] * 5})
    assert outline_width(features, (3, edge, edge // 2)) == width
    assert outline_width(features[:0], (edge, edge)) == 1


@pytest.mark.parametrize("dark_ground", [True, False])
def test_colours_stand_out_from_the_ground(dark_ground):
    colors = palette(dark_ground)
    assert colors[0].tolist() == [0, 0, 0, 0]
    luminance = colors[1:, :3] @ (0.2126, 0.7152, 0.0722)
    assert luminance.min() > 0.5 if dark_ground else luminance.max() < 0.5
    hues = np.array([colorsys.rgb_to_hsv(*color)[0] for color in colors[1:, :3]])
    step = np.abs(np.diff(hues))
    assert np.minimum(step, 1 - step).min() > 0.1
    assert len(np.unique(colors, axis=0)) == len(colors)


@pytest.mark.parametrize(("polarity", "first"), [("bright", palette(True)[1]), ("dark", palette(False)[1])])
def test_the_palette_is_that_of_the_ground(results, image, polarity, first):
    labels = results.deliver(image, read_source(image), outcome(squares(), polarity=polarity))
    assert np.allclose(labels.colormap.colors[1], first)
