from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_unet_seg.gui.grids import on_grid
from napari_unet_seg.gui.layers import placement

PLACES = [
    {},
    {"scale": (0.5, 0.25), "translate": (3, -7), "units": ("um", "um")},
    {"scale": (0.5, 0.5), "rotate": 30, "shear": [0.2]},
    {"affine": np.array([[0, 2, 5], [1, 0, 2], [0, 0, 1.0]]), "scale": (3, 1)},
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("origin", "step"), [([0, 0], 4), ([120, 31], 1), ([16, 32], 8)])
def test_labels_of_another_grid_lie_over_their_pixels(place, origin, step):
    image = Image(np.zeros((64, 80)), **place)
    labels = Labels(np.zeros((4, 5), int), **on_grid(placement(image), {"origin": origin, "step": step}))
    for y, x in np.ndindex(2, 3):
        middle = [start + step * place + (step - 1) / 2 for start, place in zip(origin, (y, x), strict=True)]
        np.testing.assert_allclose(labels.data_to_world((y, x)), image.data_to_world(middle), atol=1e-9)
    assert labels.units == image.units


def test_leading_dimensions_stay_and_without_a_grid_nothing_moves():
    image = Image(np.zeros((3, 64, 80)), scale=(2, 0.5, 0.5), translate=(1, 2, 3))
    labels = Labels(np.zeros((3, 4, 5), int), **on_grid(placement(image), {"origin": [8, 4], "step": 2}))
    np.testing.assert_allclose(labels.data_to_world((1, 0, 0)), image.data_to_world((1, 8.5, 4.5)))
    assert on_grid(placement(image), None).keys() == placement(image).keys()
    np.testing.assert_array_equal(on_grid(placement(image), None)["translate"], (1, 2, 3))
