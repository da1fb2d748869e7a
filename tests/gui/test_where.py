"""Shapes and views in the pixels of an image, wherever both layers lie in the world."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.layers import Image, Shapes

from napari_unet_seg.core.area_of_interest import AreaOfInterest
from napari_unet_seg.errors import InputError
from napari_unet_seg.gui.camera import camera_of
from napari_unet_seg.gui.where import areas_of, shown_index, view_of
from tests.gui.conftest import WAIT_MS

BOX = np.array([[10, 20], [10, 40], [30, 40], [30, 20]], float)


def image(shape=(64, 80), **options):
    return Image(np.zeros(shape, np.uint8), **options)


def test_shapes_of_the_same_place_have_the_same_pixels():
    assert areas_of(Shapes([BOX]), image()) == (tuple(map(tuple, BOX)),)


@pytest.mark.parametrize(
    "place",
    [
        {"scale": (0.5, 0.25), "translate": (3, -7)},
        {"scale": (0.5, 0.5), "rotate": 30},
        {"affine": np.array([[0, 1, 5], [1, 0, 2], [0, 0, 1.0]])},
        {"scale": (0.3, 0.3), "units": ("um", "um"), "translate": (1, 1)},
    ],
)
def test_what_is_drawn_lies_on_the_same_pixels_of_an_image_elsewhere(place):
    """A shape drawn in the world, over pixels of the image, names these pixels."""
    layer = image(**place)
    units = {"units": place["units"]} if "units" in place else {}
    shapes = Shapes([np.array([layer.data_to_world(point) for point in BOX])], shape_type="polygon", **units)
    np.testing.assert_allclose(areas_of(shapes, layer)[0], BOX, atol=1e-4)
    same = Shapes([BOX], shape_type="polygon", **place)
    np.testing.assert_allclose(areas_of(same, layer)[0], BOX, atol=1e-4)


def test_units_that_compare_are_converted_and_others_taken_as_napari_takes_them():
    layer = image(scale=(0.5, 0.5), units=("um", "um"))
    nanometres = Shapes([BOX * 500], units=("nm", "nm"))
    np.testing.assert_allclose(areas_of(nanometres, layer)[0], BOX)
    np.testing.assert_allclose(areas_of(Shapes([BOX * 0.5]), layer)[0], BOX)


@pytest.mark.parametrize("shape", [(5, 64, 80), (2, 5, 64, 80)])
def test_dimensions_are_counted_from_the_last(shape):
    layer = image(shape, scale=(2.0,) * (len(shape) - 2) + (0.5, 0.5))
    np.testing.assert_allclose(areas_of(Shapes([BOX * 0.5]), layer)[0], BOX)
    deep = Shapes([np.hstack([np.full((4, 1), 3.0), BOX])])
    np.testing.assert_allclose(areas_of(deep, image())[0], BOX)
    np.testing.assert_allclose(areas_of(deep, image((5, 64, 80, 3), rgb=True))[0], BOX)


def test_an_ellipse_is_round_and_lines_enclose_nothing():
    shapes = Shapes([BOX, BOX, BOX[:2]], shape_type=["ellipse", "rectangle", "line"], name="mine")
    round_one, square = areas_of(shapes, image())
    assert square == tuple(map(tuple, BOX))
    y, x = np.mgrid[:64, :80].reshape(2, -1)
    inside = AreaOfInterest.of([round_one]).contains(y, x)
    distance = np.hypot(y - 20, x - 30)
    assert inside[distance < 9.9].all()
    assert not inside[distance > 10.01].any()
    for nothing in (Shapes(name="mine"), Shapes([BOX[:2]], shape_type="line", name="mine")):
        with pytest.raises(InputError, match="“mine” holds no area; draw a rectangle"):
            areas_of(nothing, image())


def test_the_view_ends_with_the_image(viewer):
    layer = image()
    layer.corner_pixels = np.array([[10, 20], [200, 50]])
    assert view_of(viewer, layer) == (((9.5, 19.5), (9.5, 50.5), (63.5, 50.5), (63.5, 19.5)),)
    layer.corner_pixels = np.array([[64, 0], [64, 80]])
    with pytest.raises(InputError, match="Nothing of the image is in view"):
        view_of(viewer, layer)


def test_the_view_of_a_pyramid_in_a_napari_before_09_is_what_is_loaded():
    levels = [np.zeros((640, 800)), np.zeros((160, 200)), np.zeros((40, 50))]
    layer = Image(levels, multiscale=True)
    layer.data_level = 1
    layer.corner_pixels = np.array([[10, 20], [30, 60]])
    assert view_of(SimpleNamespace(), layer) == (((39.5, 79.5), (39.5, 240.5), (120.5, 240.5), (120.5, 79.5)),)


def test_the_view_of_a_pyramid_is_that_of_the_plain_image(make_napari_viewer_proxy, qtbot):
    """Of a pyramid, napari goes on holding the whole that it loaded first."""
    viewer, pixels = make_napari_viewer_proxy(show=True), np.zeros((512, 640), np.uint8)
    placed = {"scale": (0.5, 0.25), "translate": (10, 20), "rotate": 30, "units": ("um", "um")}
    plain, pyramid = viewer.add_image(pixels, **placed), viewer.add_image([pixels, pixels[::2, ::2]], multiscale=True, **placed)
    before = view_of(viewer, plain)
    camera_of(viewer).zoom *= 4
    qtbot.waitUntil(lambda: view_of(viewer, plain) != before, timeout=WAIT_MS)
    wanted = np.array(view_of(viewer, plain)[0])
    assert (np.ptp(wanted, axis=0) < (400, 560)).all()
    np.testing.assert_allclose(view_of(viewer, pyramid)[0], wanted, atol=1.01)


def test_the_plane_that_is_seen(viewer):
    layer = viewer.add_image(np.zeros((4, 7, 64, 80)), scale=(2, 3, 0.5, 0.5))
    viewer.dims.current_step = (1, 5, 0, 0)
    assert shown_index(viewer, layer)[:2] == (1, 5)
    flat = viewer.add_image(np.zeros((7, 64, 80)), scale=(3, 0.5, 0.5))
    assert shown_index(viewer, flat)[:1] == (5,)
