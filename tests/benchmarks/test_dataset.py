"""Annotated images in every layout."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from benchmarks.dataset import find_items
from napari_unet_seg.errors import InputError, ReadError
from tests.benchmarks.conftest import write_pair


def test_an_index_says_modality_fold_and_field(dataset):
    items = find_items(str(dataset))
    assert [item.name for item in items] == [f"n{number}" for number in range(6)]
    assert {(item.modality, item.fold, item.field) for item in items[:2]} == {("stained", "0", "0"), ("bright", "1", "0")}


def test_without_an_index_each_image_is_a_field_of_its_own(dataset):
    (dataset / "index.csv").unlink()
    items = find_items(str(dataset))
    assert {(item.modality, item.fold) for item in items} == {("plates", "")}
    assert [item.field for item in items] == [item.name for item in items]


def test_planes_are_what_was_written(tmp_path):
    image, labels = write_pair(tmp_path / "images" / "a.png", tmp_path / "labels" / "a.png", 3)
    ((read, truth),) = find_items(str(tmp_path))[0].planes()
    np.testing.assert_array_equal(read, image)
    np.testing.assert_array_equal(truth, labels)
    assert truth.dtype == np.int32


def test_two_folders(tmp_path):
    write_pair(tmp_path / "raw" / "deep" / "a.png", tmp_path / "drawn" / "deep" / "a_mask.png", 0)
    (item,) = find_items(f"{tmp_path / 'raw'}::{tmp_path / 'drawn'}")
    assert (item.name, item.modality) == ("deep/a", "raw")


def test_labels_beside_their_images(tmp_path):
    for number in range(3):
        write_pair(tmp_path / f"a{number}.png", tmp_path / f"a{number}_mask.png", number)
    write_pair(tmp_path / "lonely.png", tmp_path / "elsewhere.png", 9)
    items = find_items(str(tmp_path))
    assert [(item.image.name, item.labels.name) for item in items] == [(f"a{n}.png", f"a{n}_mask.png") for n in range(3)]


def test_a_stack_gives_its_planes(tmp_path):
    stack = np.arange(3 * 20 * 30, dtype=np.uint16).reshape(3, 20, 30)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "z.tif", stack, metadata={"axes": "ZYX"}, ome=True)
    pairs = list(find_items(str(tmp_path))[0].planes())
    assert len(pairs) == 3
    np.testing.assert_array_equal(pairs[2][0], stack[2])


def test_what_is_no_dataset(tmp_path):
    with pytest.raises(ReadError, match="is no folder; give a folder of images and masks"):
        find_items(str(tmp_path / "missing"))
    with pytest.raises(InputError, match="has neither images/ and masks/ nor files like"):
        find_items(str(tmp_path))
