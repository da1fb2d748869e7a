from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest

from napari_unet_seg.io.image import ImageFile
from napari_unet_seg.io.projection import maximum_projection

PIXELS = np.random.default_rng(0).integers(0, 99, (2, 5, 3, 8, 9))


@pytest.mark.parametrize("wrap", [np.asarray, da.from_array, lambda array: [array, array[..., ::2, ::2]]])
def test_slices_become_one_plane(wrap):
    image = ImageFile(Path("x.tif"), wrap(PIXELS), "TZCYX", {"T": 3.0, "Z": 1.0, "Y": 0.3, "X": 0.3})
    flat = maximum_projection(image)
    assert (flat.axes, flat.scale) == ("TCYX", {"T": 3.0, "Y": 0.3, "X": 0.3})
    assert [type(level) for level in flat.levels] == [type(level) for level in image.levels]
    np.testing.assert_array_equal(np.asarray(flat.levels[0]), PIXELS.max(axis=1))


def test_without_slices_it_is_the_same():
    for axes in ("TCYX", "YXS"):
        image = ImageFile(Path("x.tif"), PIXELS[0, 0], axes)
        assert maximum_projection(image) is image
