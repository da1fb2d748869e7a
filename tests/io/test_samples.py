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

RECIPES = sample_data.SAMPLES


@pytest.fixture(scope="module", params=samples.SAMPLES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def truth(name: str) -> np.ndarray:
    return tifffile.imread(samples.truth_path(name))


def test_file_tells_its_size_and_channel(name: str):
    image = open_image(samples.sample_path(name))
    recipe = RECIPES[name]
    leading = {"stack": {"Z": 0.9}, "movie": {"T": 600.0}}.get(name, {})
    assert image.scale == {**leading, "Y": recipe.pixel, "X": recipe.pixel}
    assert image.axes == recipe.axes
    assert image.channel_names == recipe.channels


def planes_of(name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The planes of a sample that show nuclei, bright, with their truth."""
    image, truth = open_image(samples.sample_path(name)).levels[0].astype(float), tifffile.imread(samples.truth_path(name))
    if RECIPES[name].axes == "YXS":
        return [(-image[..., 0], truth)]  # hematoxylin absorbs red
    if RECIPES[name].axes == "CYX":
        image = image[0]
    return list(zip(np.atleast_3d(image.T).T, np.atleast_3d(truth.T).T, strict=True))


def test_truth_is_one_whole_piece_a_nucleus(name: str, truth: np.ndarray):
    count = int(truth.max())
    assert truth.ndim == len(RECIPES[name].axes.replace("S", "").replace("C", ""))
    assert count >= 40
    assert np.unique(truth).tolist() == list(range(count + 1))
    for _, plane in planes_of(name):
        assert all(ndimage.label(plane == number)[1] == 1 for number in np.unique(plane[plane > 0]))


@pytest.mark.parametrize(("name", "least"), [("nuclei", 20), ("tissue", 20), ("crowded", 100), ("stack", 5)])
def test_many_nuclei_touch(name: str, least: int):
    # Splitting them is what these are there to show.
    truth = tifffile.imread(samples.truth_path(name))
    truth = truth if truth.ndim == 2 else truth[len(truth) // 2]
    pairs: set[tuple[int, ...]] = set()
    for one, other in ((truth[:, 1:], truth[:, :-1]), (truth[1:], truth[:-1])):
        border = (one != other) & (one > 0) & (other > 0)
        pairs |= {tuple(sorted(pair)) for pair in zip(one[border].tolist(), other[border].tolist(), strict=True)}
    assert len(pairs) >= least


def test_nuclei_differ_from_what_surrounds_them(name: str):
    darker = []
    for gray, truth in planes_of(name):
        around = ndimage.grey_dilation(truth, size=9)
        ground = {n: gray[(around == n) & (truth == 0)] for n in np.unique(truth[truth > 0])}
        darker += [np.median(gray[truth == n]) <= np.median(values) for n, values in ground.items() if len(values) > 10]
    assert np.mean(darker) < 0.03


def test_the_same_nucleus_has_one_number_in_all_planes():
    # Neighbouring planes of the stack, and times of the movie, overlap where their numbers are equal.
    for name in ("stack", "movie"):
        truth = tifffile.imread(samples.truth_path(name))
        both = (truth[1:] > 0) & (truth[:-1] > 0)
        assert np.mean(truth[1:][both] == truth[:-1][both]) > 0.85


def test_one_nucleus_of_the_movie_divides():
    first, *_, last = tifffile.imread(samples.truth_path("movie"))
    born = set(np.unique(last).tolist()) - set(np.unique(first).tolist())
    assert len(born) >= 2


def test_recipe_draws_the_same_again(name: str, truth: np.ndarray):
    image, labels = RECIPES[name].draw()
    stored = tifffile.imread(samples.sample_path(name))
    assert image.dtype == stored.dtype
    # Another processor may round the last bit of a filter, and so a count, the other way.
    assert np.mean(labels != truth) < 1e-3
    assert np.mean(image != stored) < 1e-2


def test_the_types_of_tissue_are_exact_and_drawn_again_alike():
    stored, truth = tifffile.imread(samples.sample_path("classes")), tifffile.imread(samples.truth_path("classes"))
    image, classes = RECIPES["classes"].draw()
    assert stored.shape == (*truth.shape, 3)
    assert np.mean(image != stored) < 1e-2
    assert np.mean(classes != truth) < 1e-3
    shares = np.bincount(truth.ravel(), minlength=5) / truth.size
    assert shares[0] == 0
    assert shares[1:].min() > 0.1
    darkness = [float((255 - stored[truth == number].astype(float)).mean()) for number in range(1, 5)]
    assert darkness[0] < 20 < min(darkness[1:])  # glass is pale, and no other


def test_written_files_are_equal_every_time(tmp_path, name: str):
    sample_data.write(tmp_path / "a", (name,))
    sample_data.write(tmp_path / "b", (name,))
    assert (tmp_path / "a" / f"{name}.ome.tif").read_bytes() == (tmp_path / "b" / f"{name}.ome.tif").read_bytes()


def test_layers_for_the_viewer():
    [(data, options, kind), truth] = samples.open_fluorescence()
    assert (kind, data.shape, data.dtype) == ("image", (512, 512), np.uint16)
    assert options["name"].startswith("DAPI")
    assert options["scale"] == (0.325, 0.325)
    assert options["units"] == ("micrometer", "micrometer")
    assert (truth[1]["name"], truth[1]["visible"], truth[2]) == ("nuclei truth", False, "labels")
    assert (truth[0].dtype, truth[1]["scale"], truth[1]["units"]) == (np.int32, options["scale"], options["units"])
    [(data, options, kind), truth] = samples.open_histology()
    assert (kind, data.shape, options["rgb"]) == ("image", (512, 512, 3), True)
    assert truth[0].shape == (512, 512)


def test_channels_of_the_cells_have_names_and_colours():
    layers = samples.open_cells()
    assert [options["name"] for _, options, _ in layers] == ["DAPI (cells)", "GFP (cells)", "cells truth"]
    assert [options["colormap"] for _, options, kind in layers if kind == "image"] == ["#4d8dff", "green"]


def test_planes_and_times_are_known():
    [(_, stack, _), (_, truth, _)] = samples.open_stack()
    assert stack["scale"] == truth["scale"] == (0.9, 0.3, 0.3)
    assert stack["axis_labels"] == truth["axis_labels"] == ("z", "y", "x")
    [(_, movie, _), _] = samples.open_movie()
    assert movie["units"] == ("second", "micrometer", "micrometer")


def test_samples_are_small():
    assert sum(file.stat().st_size for file in samples.sample_path().parent.rglob("*") if file.is_file()) < 3e6


@pytest.mark.parametrize("find", [samples.sample_path, samples.truth_path])
def test_unknown_sample_is_refused_with_those_there_are(find):
    with pytest.raises(ReadError, match="'cell'; there are 'nuclei', 'tissue'"):
        find("cell")


def test_missing_file_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(samples, "_FOLDER", tmp_path)
    with pytest.raises(ReadError, match="install napari-unet-seg again"):
        samples.sample_path("nuclei")
