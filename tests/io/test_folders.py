"""Folders of images with labels: which layouts are known, and what is read of them."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from napari.layers import Layer

from napari_unet_seg.errors import InputError, ReadError
from napari_unet_seg.io import folder_layers
from napari_unet_seg.io.folder_layers import iter_folder
from napari_unet_seg.io.folders import find_annotated, is_annotated, iter_annotated, plain_colors, read_annotated
from napari_unet_seg.io.napari_reader import read_layers
from napari_unet_seg.io.training_data import read_training_set
from napari_unet_seg.progress import Progress, drain
from tests.io.annotated import beside, kaggle, png


def same_nuclei(one, other):
    """Whether labels differ in their numbers alone."""
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return len(pairs[0]) == len(np.unique(one)) == len(np.unique(other))


def test_kaggle_masks_become_one_label_image(tmp_path):
    truths = kaggle(tmp_path)
    assert is_annotated(tmp_path)
    items = find_annotated(tmp_path)
    assert [item.name for item in items] == ["00abc", "01abc", "02abc"]
    for item, truth in zip(items, truths, strict=True):
        pixels, labels = read_annotated(item)
        assert pixels.shape == labels.shape == truth.shape  # grey, though stored as RGBA
        assert labels.dtype == np.int32
        assert np.array_equal(labels, truth)


def test_one_of_kaggles_folders_opens_by_itself(tmp_path):
    truths = kaggle(tmp_path, count=1)
    [item] = find_annotated(tmp_path / "00abc")
    assert np.array_equal(read_annotated(item)[1], truths[0])


@pytest.mark.parametrize("labels_folder", ["masks", "labels"])
def test_images_beside_labels_pair_by_name(tmp_path, labels_folder):
    truths = beside(tmp_path, labels_folder)
    items = find_annotated(tmp_path)
    assert [item.name for item in items] == ["x0", "x1", "x2"]
    read = drain(iter_annotated(items))
    assert all(np.array_equal(labels, truth) for (_, labels), truth in zip(read, truths, strict=True))
    assert read[0][0].dtype == np.uint16


def test_nuclei_told_apart_by_few_colours_are_numbered(tmp_path):
    truths = beside(tmp_path, colored=True)
    for item, truth in zip(find_annotated(tmp_path), truths, strict=True):
        assert same_nuclei(read_annotated(item)[1], truth)


def test_overlapping_masks_leave_the_pixel_to_the_first(tmp_path):
    kaggle(tmp_path, count=1)
    for mask in (tmp_path / "00abc" / "masks").iterdir():
        mask.unlink()
    first, second = np.zeros((48, 64), np.uint8), np.zeros((48, 64), np.uint8)
    first[:10, :10], second[5:15, 5:15] = 255, 255
    png(tmp_path / "00abc" / "masks" / "a.png", first)
    png(tmp_path / "00abc" / "masks" / "b.png", second)
    [item] = find_annotated(tmp_path)
    assert np.bincount(read_annotated(item)[1].ravel())[1:].tolist() == [100, 75]


@pytest.mark.parametrize("folder", ["", "images", "nothing"])
def test_other_folders_are_no_such_thing(tmp_path, folder):
    (tmp_path / "images").mkdir()
    assert not is_annotated(tmp_path / folder)
    with pytest.raises((InputError, ReadError), match=r"images/ and masks/|no folder"):
        find_annotated(tmp_path / folder)


def test_sizes_that_differ_are_refused_by_name(tmp_path):
    beside(tmp_path, count=1)
    png(tmp_path / "masks" / "x0.png", np.ones((3, 4), np.uint8))
    with pytest.raises(InputError, match=r"x0.tif has \(48, 64\) pixels, and x0.png \(3, 4\)"):
        read_annotated(find_annotated(tmp_path)[0])


def test_stacks_are_refused(tmp_path):
    beside(tmp_path, count=1)
    tifffile.imwrite(tmp_path / "images" / "x0.tif", np.zeros((5, 48, 64), np.uint8), photometric="minisblack")
    with pytest.raises(InputError, match=r"x0.tif has shape \(5, 48, 64\)"):
        read_annotated(find_annotated(tmp_path)[0])


def test_labels_that_are_no_whole_numbers_are_refused(tmp_path):
    beside(tmp_path, count=1)
    (tmp_path / "masks" / "x0.png").unlink()
    tifffile.imwrite(tmp_path / "masks" / "x0.tif", np.zeros((48, 64), np.float32))
    with pytest.raises(InputError, match="float32; save them"):
        read_annotated(find_annotated(tmp_path)[0])


def test_colours_stay_where_they_mean_something():
    colored = np.random.default_rng(0).integers(0, 255, (4, 5, 3), np.uint8)
    assert plain_colors(colored).shape == (4, 5, 3)
    assert plain_colors(np.dstack([colored, np.full((4, 5), 255, np.uint8)])).shape == (4, 5, 3)
    assert plain_colors(np.dstack([colored, colored[..., 0]])).shape == (4, 5, 4)
    assert plain_colors(np.zeros((2, 4, 5))).shape == (2, 4, 5)


class TestLayers:
    def test_images_of_one_size_are_a_stack(self, tmp_path):
        truths = kaggle(tmp_path / "set")
        steps = []
        opened = drain(iter_folder(tmp_path / "set"), steps.append)
        assert steps[-1] == Progress("Reading images and labels", 2, 3)
        (pixels, image, kind), (labels, options, labels_kind) = opened.layers
        assert (kind, labels_kind, opened.notice) == ("image", "labels", "")
        assert (image["name"], options["name"]) == ("set", "set labels")
        assert pixels.shape == labels.shape == (3, 48, 64)
        assert np.array_equal(labels, truths)
        assert image["axis_labels"] == options["axis_labels"] == ("image", "y", "x")
        assert image["metadata"]["names"] == ["00abc", "01abc", "02abc"]

    def test_sizes_are_apart_and_a_single_image_has_no_slider(self, tmp_path):
        kaggle(tmp_path / "set", count=2)
        beside(tmp_path / "other", count=1)
        png(tmp_path / "set" / "zz" / "images" / "zz.png", np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8))
        png(tmp_path / "set" / "zz" / "masks" / "a.png", np.ones((9, 7), np.uint8))
        layers = drain(iter_folder(tmp_path / "set")).layers
        assert [options["name"] for _, options, _ in layers] == ["set (64 × 48)", "set (64 × 48) labels", "zz", "zz labels"]
        assert layers[2][1]["rgb"]
        assert layers[3][0].shape == (9, 7)
        assert [options["name"] for _, options, _ in drain(iter_folder(tmp_path / "other")).layers] == ["x0", "x0 labels"]

    def test_an_opacity_that_varies_is_shown(self, tmp_path):
        colored = np.random.default_rng(0).integers(0, 255, (9, 7, 4), np.uint8)
        png(tmp_path / "images" / "a.png", colored)
        png(tmp_path / "masks" / "a.png", np.ones((9, 7), np.uint8))
        (data, options, kind), _ = drain(iter_folder(tmp_path)).layers
        assert options["metadata"]["axes"] == "YXS"
        assert Layer.create(data, options, kind).rgb

    def test_no_more_than_memory_should_hold(self, tmp_path, monkeypatch):
        kaggle(tmp_path / "set")
        monkeypatch.setattr(folder_layers, "MOST_BYTES", 2 * 48 * 64 * (4 + 4))  # RGBA and int32
        opened = drain(iter_folder(tmp_path / "set"))
        assert opened.layers[0][0].shape == (2, 48, 64)
        assert "2 of the 3 images" in opened.notice

    def test_some_by_name(self, tmp_path):
        kaggle(tmp_path / "set")
        assert drain(iter_folder(tmp_path / "set", ["02abc"])).layers[0][1]["name"] == "02abc"

    def test_the_reader_opens_them_too(self, tmp_path):
        beside(tmp_path / "set")
        assert [kind for _, _, kind in read_layers(tmp_path / "set")] == ["image", "labels"]


class TestTraining:
    @pytest.mark.parametrize("write", [kaggle, beside])
    def test_one_folder_that_holds_both(self, tmp_path, write):
        truths = write(tmp_path)
        found = read_training_set(tmp_path, tmp_path)
        assert len(found.images) == 3
        assert all(np.array_equal(labels, truth) for labels, truth in zip(found.labels, truths, strict=True))
        assert found.known is None
        assert found.notices == []

    def test_a_mask_of_all_nuclei_is_told_of(self, tmp_path):
        beside(tmp_path, count=1)
        two = np.zeros((48, 64), np.uint8)
        two[:5, :5], two[20:30, 20:30] = 255, 255
        png(tmp_path / "masks" / "x0.png", two)
        [notice] = read_training_set(tmp_path, tmp_path).notices
        assert "x0.png has one number" in notice
