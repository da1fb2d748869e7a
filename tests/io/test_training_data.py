"""Images and labels from folders, as training takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from napari_unet_seg.core.numbering import compact
from napari_unet_seg.errors import InputError, ReadError
from napari_unet_seg.io.training_data import group_name, read_training_set

LABELS = np.zeros((16, 20), np.uint16)
LABELS[2:6, 2:6], LABELS[8:12, 8:12] = 1, 2


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("images", "labels", "known"):
        (tmp_path / name).mkdir()
    return tmp_path


def write(path: Path, data: Any, **options: Any) -> None:
    if path.suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(data))
    else:
        tifffile.imwrite(path, data, **options)


def read(folders: Path, **options: Any):
    return read_training_set(folders / "images", folders / "labels", **options)


def test_numbers_beyond_int32_stay_apart(folders: Path):
    write(folders / "images/a.tif", LABELS)
    write(folders / "labels/a.tif", np.where(LABELS, LABELS + np.uint64(2**32), 0).astype(np.uint64))
    (labels,) = read(folders).labels
    assert labels.dtype == np.int32
    assert (labels == compact(LABELS)[1]).all()


def test_images_and_labels_of_any_format_are_paired(folders: Path):
    colour = np.random.default_rng(0).integers(0, 255, (16, 20, 3), np.uint8)
    write(folders / "images/a.png", colour)
    write(folders / "images/b.ome.tif", LABELS * 100)
    write(folders / "labels/a_mask.png", LABELS)
    write(folders / "labels/b.labels.tif", LABELS.astype(np.int32))
    found = read(folders)
    assert [image.shape for image in found.images] == [(16, 20, 3), (16, 20)]
    assert all(labels.dtype == np.int32 and (labels == LABELS).all() for labels in found.labels)
    assert found.known is None
    assert found.notices == []


def test_stacks_are_taken_apart(folders: Path):
    write(folders / "images/a.tif", np.stack([LABELS * 10, LABELS * 20]), imagej=True, metadata={"axes": "ZYX"})
    write(folders / "labels/a.tif", np.stack([LABELS, LABELS]), imagej=True, metadata={"axes": "ZYX"})
    found = read(folders)
    assert [int(image.max()) for image in found.images] == [20, 40]
    assert len(found.labels) == 2


def test_the_channel_of_nuclei_is_taken(folders: Path):
    pair = np.stack([LABELS * 0, LABELS * 10])
    write(folders / "images/a.ome.tif", pair, metadata={"axes": "CYX", "Channel": {"Name": ["GFP", "DAPI"]}})
    write(folders / "labels/a.tif", LABELS)
    assert read(folders).images[0].max() == 20
    assert read(folders, channel="GFP").images[0].max() == 0


def test_masks_say_where_labels_can_be_believed(folders: Path):
    for name in "ab":
        write(folders / f"images/{name}.tif", LABELS)
        write(folders / f"labels/{name}.tif", LABELS)
    write(folders / "known/a.png", (LABELS == 0).astype(np.uint8) * 255)
    with pytest.raises(InputError, match=r"b\.tif has no mask"):
        read(folders, known=folders / "known")
    write(folders / "known/b_known.png", np.ones_like(LABELS))
    known = read(folders, known=folders / "known").known
    assert known is not None
    np.testing.assert_array_equal(known[0], LABELS == 0)
    assert known[1].all()


def test_single_files_will_do(folders: Path):
    write(folders / "i.tif", LABELS)
    write(folders / "l.png", LABELS)
    write(folders / "l_known.png", LABELS)
    found = read_training_set(folders / "i.tif", folders / "l.png")
    assert len(found.images) == 1


def test_files_without_a_partner_are_named(folders: Path):
    for name in ("images/a.tif", "labels/a.tif", "images/alone.tif"):
        write(folders / name, LABELS)
    (notice,) = read(folders).notices
    assert "alone.tif" in notice


def test_a_black_and_white_mask_is_noticed(folders: Path):
    write(folders / "images/a.tif", LABELS)
    write(folders / "labels/a.png", (LABELS > 0).astype(np.uint8) * 255)
    (notice,) = read(folders).notices
    assert "a.png has one number for several separate parts" in notice


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((16, 19), np.uint16), r"shapes \[\(16, 19\)\].*\[\(16, 20\)\]"),
        (np.zeros((16, 20), np.float32), "dtype float32"),
        (np.zeros((16, 20, 3), np.uint8), "colours or channels"),
    ],
)
def test_labels_that_do_not_fit_are_refused(folders: Path, labels: np.ndarray, words: str):
    write(folders / "images/a.tif", LABELS)
    write(folders / "labels/a.tif", labels)
    with pytest.raises(InputError, match=words):
        read(folders)


def test_a_damaged_file_is_named(folders: Path):
    write(folders / "images/a.tif", LABELS)
    (folders / "labels/a.tif").write_bytes(b"II*\0")
    with pytest.raises(ReadError, match=r"a\.tif"):
        read(folders)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("a/slide3_tile_07", "a/slide3"),
        ("well-B2_x512_y0", "well-B2"),
        ("exp1_t003_z01", "exp1"),
        ("sample.roi2", "sample"),
        ("image_001", "image_001"),
        ("0012c9", "0012c9"),
        ("z3", "z3"),
        ("plate1_A02_s1_w1", "plate1_A02_s1_w1"),
    ],
)
def test_parts_of_a_field_have_its_name(name: str, group: str):
    assert group_name(name) == group


def test_planes_of_a_stack_and_tiles_of_a_field_are_one_group(folders: Path):
    write(folders / "images/a.tif", np.stack([LABELS, LABELS]), imagej=True, metadata={"axes": "ZYX"})
    write(folders / "labels/a.tif", np.stack([LABELS, LABELS]), imagej=True, metadata={"axes": "ZYX"})
    for name in ("b_tile1", "b_tile2", "c"):
        write(folders / f"images/{name}.tif", LABELS)
        write(folders / f"labels/{name}.tif", LABELS)
    assert read(folders).groups == ["a", "a", "b", "b", "c"]


@pytest.mark.parametrize(("count", "grouped"), [(3, False), (4, True)])
def test_many_subfolders_are_groups(folders: Path, count: int, grouped: bool):
    for number in range(count):
        for folder in ("images", "labels"):
            (folders / folder / f"animal{number}").mkdir()
            for name in "ab":
                write(folders / folder / f"animal{number}/{name}.tif", LABELS)
    assert len(set(read(folders).groups)) == (count if grouped else 2 * count)


def test_masks_of_background_may_be_missing(folders: Path):
    (folders / "ground").mkdir()
    for name in "ab":
        write(folders / f"images/{name}.tif", LABELS)
        write(folders / f"labels/{name}.tif", LABELS)
    write(folders / "ground/a.png", (LABELS == 0).astype(np.uint8))
    ground = read(folders, ground=folders / "ground").ground
    assert ground is not None
    np.testing.assert_array_equal(ground[0], LABELS == 0)
    assert not ground[1].any()
    assert read(folders).ground is None
