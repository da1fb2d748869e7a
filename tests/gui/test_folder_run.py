"""Which images of a folder are meant, what is asked of the engine, and what comes of it."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from napari_unet_seg.errors import InputError, WriteError
from napari_unet_seg.gui.folder_run import (
    NO_FOLDER,
    NOTHING,
    Found,
    Order,
    can_go_on,
    check_order,
    look_steps,
    matches,
    run_steps,
    sheet_pages,
    wishes_of,
)
from napari_unet_seg.gui.trying import Trial, try_images
from napari_unet_seg.io.inputs import Source
from napari_unet_seg.io.summary import Outcome
from napari_unet_seg.progress import drain
from napari_unet_seg.settings import SegmentSettings
from tests.tiny import discs, tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model().save(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "images"
    (root / "sub").mkdir(parents=True)
    tifffile.imwrite(root / "a_DAPI.tif", discs(seed=0)[0])
    tifffile.imwrite(root / "sub" / "b_dapi.tif", discs(seed=1)[0])
    tifffile.imwrite(root / "sub" / "c_GFP.tif", discs(seed=2)[0])
    return root


def look(folder, pattern="", output=None) -> Found:
    return drain(look_steps(folder, pattern, output or folder / "nuclei"))


def names(found):
    return [source.shown for source in found.sources]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", True),
        ("dapi", True),
        ("*_DAPI.tif", True),
        ("plate1/*", True),
        ("DAPI.png", False),
        ("*.png", False),
        ("plate2", False),
        (" a_ ", True),
    ],
)
def test_a_part_of_the_name_or_a_pattern(tmp_path, pattern, expected):
    source = Source(tmp_path / "plate1/a_DAPI.tif", (tmp_path / "plate1/a_DAPI.tif").relative_to(tmp_path))
    assert matches(source, pattern) is expected


def test_subfolders_are_searched_and_results_left_out(folder):
    (folder / "nuclei").mkdir()
    tifffile.imwrite(folder / "nuclei" / "a.labels.tif", np.zeros((4, 4), np.int32))
    assert names(look(folder)) == ["a_DAPI.tif", "sub/b_dapi.tif", "sub/c_GFP.tif"]
    assert names(look(folder, "dapi")) == ["a_DAPI.tif", "sub/b_dapi.tif"]


def test_what_is_wrong_with_a_folder_is_said(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    assert look(tmp_path / "nowhere").trouble == NO_FOLDER
    assert look(tmp_path / "empty").trouble == NOTHING
    assert "3 images" in look(folder, "*.czi").trouble


def test_channels_of_the_first_image_and_earlier_tables_are_told(folder):
    assert look(folder).channels == ()
    tifffile.imwrite(folder / "0.ome.tif", np.zeros((2, 8, 8), np.uint8), metadata={"axes": "CYX", "Channel": {"Name": ["GFP", "DAPI"]}})
    (folder / "nuclei").mkdir()
    (folder / "nuclei" / "images.csv").write_text("file\n")
    found = look(folder)
    assert found.channels == ("GFP", "DAPI")
    assert found.earlier.startswith("images.csv in ")
    (folder / "0.ome.tif").write_bytes(b"II*\0")
    assert look(folder).channels == (), "a first image that cannot be read is told by the run"


def test_what_was_done_before_is_counted(folder):
    formats = ("tiff", "csv")
    assert look(folder).count_done(formats) == 0
    (folder / "nuclei" / "sub").mkdir(parents=True)
    for name in ("a_DAPI.labels.tif", "a_DAPI.labels.csv", "sub/b_dapi.labels.tif", "sub/c_GFP.labels.csv"):
        (folder / "nuclei" / name).write_text("")
    found = look(folder)
    assert (found.count_done(formats), found.count_replaced(formats)) == (1, 1), "labels without their table are made again"
    assert (found.count_done((*formats, "rois")), found.count_replaced((*formats, "rois"))) == (0, 2)
    assert [can_go_on(formats) for formats in (("tiff", "csv"), ("csv", "zarr"), ("tiff",), ("csv", "rois"))] == [True, True, False, False]


def order(folder, model, **options):
    options = {"formats": ("tiff", "csv"), "trial": Trial(model, "cpu"), **options}
    return Order(look(folder).sources, folder / "nuclei", **options)


def test_a_run_is_that_of_the_command_line(folder, model):
    reports = []
    (folder / "sub" / "bad.tif").write_bytes(b"II*\0 nothing")
    outcomes = drain(run_steps(order(folder, model, measure=True)), reports.append)
    previews = [report.preview for report in reports if isinstance(report.preview, Outcome)]
    assert [outcome.source.shown for outcome in previews] == ["a_DAPI.tif", "sub/b_dapi.tif", "sub/bad.tif", "sub/c_GFP.tif"]
    assert [bool(outcome.error) for outcome in outcomes] == [False, False, True, False]
    written = {path.name for path in (folder / "nuclei").iterdir()}
    assert written == {"a_DAPI.labels.tif", "a_DAPI.labels.csv", "sub", "nuclei.csv", "images.csv", "contact_sheet.png"}
    assert sheet_pages(folder / "nuclei") == [folder / "nuclei" / "contact_sheet.png"]
    assert "mean_" in (folder / "nuclei" / "nuclei.csv").read_text().partition("\n")[0]
    with pytest.raises(WriteError):
        drain(run_steps(order(folder, model)))
    assert drain(run_steps(order(folder, model, overwrite=True)))[0].nuclei == outcomes[0].nuclei


def test_settings_that_are_not_the_models_own_are_wishes(folder, model):
    defaults = SegmentSettings(probability=0.4)
    wanted = replace(defaults, min_area=10_000, track="overlap")
    wishes = wishes_of(wanted, defaults)
    assert dict(wishes.values) == {"min_area": 10_000, "track": "overlap"}
    assert wishes_of(defaults, defaults).values == {}
    outcomes = drain(run_steps(order(folder, model, trial=Trial(model, "cpu", wishes=wishes))))
    assert [outcome.nuclei for outcome in outcomes] == [0, 0, 0]


def test_an_order_without_images_or_results_is_refused(folder, model):
    with pytest.raises(InputError, match="no image"):
        check_order(replace(order(folder, model), sources=()))
    with pytest.raises(InputError, match="tick"):
        check_order(order(folder, model, formats=()))


def test_a_trial_uses_the_settings_and_the_channel_and_writes_nothing(folder, model):
    paths = [source.path for source in look(folder).sources]
    before = sorted(folder.rglob("*"))
    tried = drain(try_images(paths, Trial(model, "cpu"), random.Random(0)))
    assert [one.name for one in tried] == ["a_DAPI.tif", "b_dapi.tif", "c_GFP.tif"]
    assert all(one.count and one.picture is not None for one in tried)
    none = drain(try_images(paths, Trial(model, "cpu", wishes=wishes_of(SegmentSettings(min_area=10_000), SegmentSettings()))))
    assert [one.count for one in none] == [0, 0, 0]
    assert sorted(folder.rglob("*")) == before
    two = np.stack([discs()[0], np.full((128, 128), 300, np.uint16)])
    tifffile.imwrite(folder / "two.ome.tif", two, metadata={"axes": "CYX", "Channel": {"Name": ["one", "other"]}})
    right, wrong, missing = (drain(try_images([folder / "two.ome.tif"], Trial(model, "cpu", name)))[0] for name in ("one", "other", "DAPI"))
    assert right.count > 0 == wrong.count
    assert "DAPI" in missing.trouble
