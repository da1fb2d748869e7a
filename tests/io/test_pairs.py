"""Files paired by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_unet_seg.errors import InputError, ReadError
from napari_unet_seg.io.pairs import pair_files, pair_name


@pytest.mark.parametrize(
    "name",
    ["x.tif", "x.ome.tif", "x.labels.tif", "x.labels.zarr", "x_mask.png", "x_Masks.png", "x-label.tif", "x.ome_labels.tif", "x_gt.tiff"],
)
def test_what_is_added_for_labels_is_dropped(name: str):
    assert pair_name(name) == "x"


@pytest.mark.parametrize(
    ("name", "stem"), [("mask.png", "mask"), ("unmask.png", "unmask"), ("a.b.tif", "a.b"), ("x_mask_2.png", "x_mask_2")]
)
def test_the_rest_of_a_name_stays(name: str, stem: str):
    assert pair_name(name) == stem


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_folders_are_paired_and_the_rest_is_named(tmp_path: Path):
    truth = make(tmp_path / "truth", "a.png", "sub/b.png", "alone.png")
    predicted = make(
        tmp_path / "predicted", "a.labels.tif", "a.classes.tif", "a.labels.csv", "sub/b.ome.labels.tif", "b.tif", "contact_sheet.png"
    )
    pairs = pair_files(truth, predicted)
    assert [(name, one.name, other.name) for name, one, other in pairs.matched] == [
        ("a", "a.png", "a.labels.tif"),
        ("sub/b", "b.png", "b.ome.labels.tif"),
    ]
    assert [path.name for path in pairs.first] == ["alone.png"]
    assert [path.name for path in pairs.second] == ["b.tif"]


def test_two_files_are_a_pair_whatever_they_are_called(tmp_path: Path):
    folder = make(tmp_path, "truth.png", "other.tif")
    ((_, one, other),) = pair_files(folder / "truth.png", folder / "other.tif").matched
    assert (one.name, other.name) == ("truth.png", "other.tif")


def test_zarr_folders_count_as_files(tmp_path: Path):
    folder = make(tmp_path, "a.zarr/zarr.json", "b.zarr/zarr.json")
    assert len(pair_files(folder / "a.zarr", folder / "b.zarr").matched) == 1


def test_two_files_of_one_name_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"x\.tif and .*x_mask\.tif are both called 'x'"):
        pair_files(make(tmp_path / "a", "x.tif", "x_mask.tif"), make(tmp_path / "b", "x.tif"))


def test_nothing_that_pairs_is_refused_with_the_counts(tmp_path: Path):
    with pytest.raises(InputError, match=r"\(1 images\) .*\(2 images\)"):
        pair_files(make(tmp_path / "a", "x.tif"), make(tmp_path / "b", "y.tif", "z.tif"))


def test_what_does_not_exist_or_fit_is_refused(tmp_path: Path):
    folder = make(tmp_path / "a", "x.tif")
    with pytest.raises(ReadError, match="does not exist"):
        pair_files(folder, tmp_path / "none")
    with pytest.raises(ReadError, match="two files or two folders"):
        pair_files(folder, folder / "x.tif")
