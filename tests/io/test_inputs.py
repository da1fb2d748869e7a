"""Files, folders and patterns become images with the names of their outputs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_unet_seg.errors import InputError
from napari_unet_seg.io import inputs
from napari_unet_seg.io.inputs import drop_suffix, find_inputs, is_result


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with images, results, other files, hidden files and a zarr; the working folder is above it."""
    for name in (
        "data/b.tif",
        "data/a.ome.tif",
        "data/sub/deep/c.PNG",
        "data/sub/a.ome.tif",
        "data/notes.txt",
        "data/._a.ome.tif",
        "data/.hidden/x.tif",
        "data/z.ome.zarr/zarr.json",
        "data/z.ome.zarr/0/c.tif",
        "data/b.labels.tif",
        "data/b.classes.tif",
        "data/b.rois.zip",
        "data/b.overlay.png",
        "data/contact_sheet.png",
        "data/b.labels.zarr/zarr.json",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def relatives(*given: str, output: str | None = None) -> list[str]:
    return [source.relative.as_posix() for source in find_inputs(given, output).sources]


def test_a_folder_gives_its_images_with_their_relative_paths(tree):
    assert relatives("data") == ["a.ome.tif", "b.tif", "z.ome.zarr", "sub/a.ome.tif", "sub/deep/c.PNG"]


def test_results_are_left_out_and_counted(tree):
    found = find_inputs(["data"])
    assert found.results == 5  # the zip has no image's ending
    assert find_inputs(["data/b.labels.tif", "data/b.rois.zip"]).sources == ()


@pytest.mark.parametrize("name", ["x.labels.tif", "x.LABELS.csv", "x.labels.zarr", "x.classes.tif", "x.rois.zip", "contact_sheet_002.png"])
def test_what_the_program_writes_is_a_result(name: str):
    assert is_result(Path(name))


@pytest.mark.parametrize("name", ["labels.tif", "x_labels.tif", "classes.png", "x.zip"])
def test_other_names_are_no_results(name: str):
    assert not is_result(Path(name))


def test_a_file_alone_is_called_by_its_name(tree):
    (source,) = find_inputs(["data/sub/deep/c.PNG"]).sources
    assert (source.path, source.relative, source.stem) == (Path("data/sub/deep/c.PNG"), Path("c.PNG"), Path("c"))


def test_a_zarr_is_one_input_and_not_a_folder(tree):
    found = find_inputs(["data/z.ome.zarr"])
    assert [source.stem for source in found.sources] == [Path("z")]
    assert not found.many


def test_a_zarr_can_be_given_from_inside(tree, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tree / "data" / "z.ome.zarr")
    assert relatives(".") == ["z.ome.zarr"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("data/*.tif", ["a.ome.tif", "b.tif"]),
        ("data/**/a*", ["a.ome.tif", "sub/a.ome.tif"]),
        ("data/**/*.tif", ["a.ome.tif", "b.tif", "sub/a.ome.tif"]),
        ("data/s*", ["sub/a.ome.tif", "sub/deep/c.PNG"]),
        ("dat?/sub/*", ["data/sub/a.ome.tif", "data/sub/deep/c.PNG"]),
        ("data/[z]*", ["z.ome.zarr"]),
    ],
)
def test_patterns_keep_the_paths_below_their_fixed_part(tree, pattern: str, expected: list[str]):
    assert relatives(pattern) == expected


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tree):
    (tree / "img[1].tif").touch()
    assert relatives("img[1].tif") == ["img[1].tif"]


def test_the_same_image_twice_is_done_once(tree):
    assert relatives("data", "data/b.tif", str(tree / "data" / "b.tif")).count("b.tif") == 1


def test_the_output_folder_inside_the_input_is_left_out(tree):
    (tree / "data/out").mkdir()
    (tree / "data/out/picture.png").touch()
    assert "out/picture.png" in relatives("data")
    assert "out/picture.png" not in relatives("data", output="data/out")
    assert relatives("data/**/*.png", output="data/out") == []


@pytest.mark.parametrize(
    ("given", "sentence"),
    [("data/nothing.tif", "does not exist"), ("data/*.jpg", "matches no images"), ("empty", "holds no images")],
)
def test_an_input_without_images_is_named(tree, given: str, sentence: str):
    (tree / "empty").mkdir()
    found = find_inputs([given, "data/b.tif"])
    ((named, why),) = found.missing
    assert named == given
    assert why.startswith(given)
    assert sentence in why
    assert len(found.sources) == 1


@pytest.mark.parametrize(
    ("given", "many"),
    [(["data/b.tif"], False), (["data/b.tif", "data/a.ome.tif"], True), (["data"], True), (["data/b*.tif"], True)],
)
def test_a_run_over_many_is_told_from_a_single_image(tree, given: list[str], many: bool):
    assert find_inputs(given).many is many


def test_equal_output_names_are_refused_with_both_inputs(tree):
    with pytest.raises(InputError, match=r"data/a\.ome\.tif and data/sub/a\.ome\.tif would both be written as a\.labels"):
        find_inputs(["data/a.ome.tif", "data/sub/a.ome.tif"])


def test_endings_alone_do_not_make_a_name(tree):
    (tree / "data/b.png").touch()
    with pytest.raises(InputError, match="both"):
        find_inputs(["data"])


def test_case_counts_only_where_the_disk_tells_it_apart(tree, monkeypatch: pytest.MonkeyPatch):
    (tree / "other").mkdir()
    (tree / "other/B.tif").touch()
    given = ["data/b.tif", "other/B.tif"]
    monkeypatch.setattr(inputs.sys, "platform", "linux")
    assert len(find_inputs(given).sources) == 2
    monkeypatch.setattr(inputs.sys, "platform", "win32")
    with pytest.raises(InputError):
        find_inputs(given)


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.tif", "a"), ("a.ome.tiff", "a"), ("a.OME.ZARR", "a"), ("a.b.tif", "a.b"), ("plain", "plain"), (".ome.tif", ".ome")],
)
def test_endings_are_dropped(name: str, stem: str):
    assert drop_suffix(name) == stem


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_is_called_by_its_own_name(tree):
    (tree / "link.tif").symlink_to(tree / "data/b.tif")
    assert relatives("link.tif") == ["link.tif"]
