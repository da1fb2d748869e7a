"""The samples open as a person should see them, and are what their recipe draws."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_unet_seg.errors import ReadError
from napari_unet_seg.io import samples
from napari_unet_seg.io.image import open_image
from recipes import sample_data

DRAW = {"nuclei": sample_data.fluorescence, "tissue": sample_data.histology}
PIXEL = {"nuclei": 0.325, "tissue": 0.5}


@pytest.fixture(scope="module", params=samples.SAMPLES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def truth(name: str) -> np.ndarray:
    return tifffile.imread(samples.truth_path(name))


def test_file_tells_its_size_and_channel(name: str):
    image = open_image(samples.sample_path(name))
    assert image.scale == {"Y": PIXEL[name], "X": PIXEL[name]}
    assert image.axes == {"nuclei": "YX", "tissue": "YXS"}[name]
    assert image.channel_names == {"nuclei": ("DAPI",), "tissue": ("H&E",)}[name]


def test_truth_is_one_whole_piece_a_nucleus(name: str, truth: np.ndarray):
    count = int(truth.max())
    assert truth.shape == open_image(samples.sample_path(name)).levels[0].shape[:2]
    assert count >= 100
    assert np.unique(truth).tolist() == list(range(count + 1))
    assert all(ndimage.label(truth == number)[1] == 1 for number in range(1, count + 1))


def test_many_nuclei_touch(truth: np.ndarray):
    # Splitting them is what the sample is there to show.
    pairs: set[tuple[int, ...]] = set()
    for one, other in ((truth[:, 1:], truth[:, :-1]), (truth[1:], truth[:-1])):
        border = (one != other) & (one > 0) & (other > 0)
        pairs |= {tuple(sorted(pair)) for pair in zip(one[border].tolist(), other[border].tolist(), strict=True)}
    assert len(pairs) >= 20


def test_nuclei_differ_from_what_surrounds_them(name: str, truth: np.ndarray):
    image = open_image(samples.sample_path(name)).levels[0].astype(float)
    gray = image if image.ndim == 2 else -image[..., 0]  # hematoxylin absorbs red
    around = ndimage.grey_dilation(truth, size=9)
    darker = [np.median(gray[truth == n]) <= np.median(gray[(around == n) & (truth == 0)]) for n in range(1, int(truth.max()) + 1)]
    assert np.mean(darker) < 0.02


def test_recipe_draws_the_same_again(name: str, truth: np.ndarray):
    image, labels = DRAW[name]()
    stored = tifffile.imread(samples.sample_path(name))
    assert image.dtype == stored.dtype
    # Another processor may round the last bit of a filter, and so a count, the other way.
    assert np.mean(labels != truth) < 1e-3
    assert np.mean(image != stored) < 1e-2


def test_written_files_are_equal_every_time(tmp_path, name: str):
    sample_data.write(tmp_path / "a")
    sample_data.write(tmp_path / "b")
    assert (tmp_path / "a" / f"{name}.ome.tif").read_bytes() == (tmp_path / "b" / f"{name}.ome.tif").read_bytes()


def test_layers_for_the_viewer():
    [(data, options, kind)] = samples.open_fluorescence()
    assert (kind, data.shape, data.dtype) == ("image", (512, 512), np.uint16)
    assert options["name"].startswith("DAPI")
    assert options["scale"] == (0.325, 0.325)
    assert options["units"] == ("micrometer", "micrometer")
    [(data, options, kind)] = samples.open_histology()
    assert (kind, data.shape, options["rgb"]) == ("image", (512, 512, 3), True)


def test_samples_are_small():
    assert sum(file.stat().st_size for file in samples.sample_path().parent.rglob("*") if file.is_file()) < 1.5e6


@pytest.mark.parametrize("find", [samples.sample_path, samples.truth_path])
def test_unknown_sample_is_refused_with_those_there_are(find):
    with pytest.raises(ReadError, match="'cells'; there are 'nuclei', 'tissue'"):
        find("cells")


def test_missing_file_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(samples, "_FOLDER", tmp_path)
    with pytest.raises(ReadError, match="install napari-unet-seg again"):
        samples.sample_path("nuclei")
