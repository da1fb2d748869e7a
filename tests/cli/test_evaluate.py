"""``evaluate``: pairs, tables, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import pytest
import tifffile

import napari_unet_seg as nus
from tests.tiny import discs

if TYPE_CHECKING:
    from tests.cli.conftest import Run

TRUTH = np.zeros((20, 30), np.uint16)
TRUTH[2:8, 2:8], TRUTH[10:16, 2:8], TRUTH[2:8, 20:26] = 1, 2, 3
FOUND = TRUTH.copy()
FOUND[TRUTH == 3] = 0
FOUND[2:8, 2:5] = 9  # half of the first nucleus


@pytest.fixture
def folders(run: Run) -> None:
    for folder in ("truth", "found"):
        Path(folder).mkdir()
    Path("truth/a.png").write_bytes(imagecodecs.png_encode(TRUTH))
    tifffile.imwrite("found/a.labels.tif", FOUND.astype(np.int32))
    Path("truth/b.png").write_bytes(imagecodecs.png_encode(TRUTH))
    tifffile.imwrite("found/b.labels.tif", TRUTH.astype(np.int32))


def pooled() -> nus.Scores:
    return nus.evaluate(TRUTH, FOUND) + nus.evaluate(TRUTH, TRUTH)


def test_json_holds_pooled_and_mean_figures(run: Run, folders: None):
    result = run("evaluate", "truth", "found", "--json")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert record["images"] == 2
    assert record["thresholds"] == list(pooled().thresholds)
    assert record["ap"] == [pooled().ap(at) for at in pooled().thresholds]
    assert record["pq"][0] == pooled().pq(0.5)
    assert record["mean_ap"] == pooled().mean_ap()
    one = nus.evaluate(TRUTH, FOUND)
    assert record["ap_per_image"][-1] == pytest.approx((one.ap(0.95) + 1) / 2)
    assert record["mean_ap_per_image"] == pytest.approx((one.mean_ap() + 1) / 2)
    assert record["per_image"]["b"]["mean_ap"] == 1
    assert (record["tp"][0], record["fp"][0], record["fn"][0]) == (pooled().tp[0], pooled().fp[0], pooled().fn[0])
    assert record["unpaired"] == []
    assert record["errors"] == {}


def test_the_table_has_a_line_a_threshold(run: Run, folders: None):
    lines = run("evaluate", "truth", "found").stdout.splitlines()
    assert lines[0].split() == ["IoU", "AP", "pooled", "AP", "per", "image", "precision", "recall", "F1", "PQ", "TP", "FP", "FN"]
    first = lines[1].split()
    assert first[0] == "0.50"
    assert float(first[1]) == pytest.approx(pooled().ap(0.5), abs=5e-4)
    assert [float(value) for value in first[3:7]] == pytest.approx(
        [pooled().precision(0.5), pooled().recall(0.5), pooled().f1(0.5), pooled().pq(0.5)], abs=5e-4
    )
    assert first[7:] == [str(pooled().tp[0]), str(pooled().fp[0]), str(pooled().fn[0])]
    assert len(lines) == 1 + 10 + 1 + 2
    assert f"{pooled().mean_ap():.3f} pooled" in lines[-2]
    assert lines[-1] == "2 images, 6 nuclei in the truth, 6 in the prediction"


def test_one_of_something_is_not_called_many(run: Run, folders: None):
    for folder in ("truth", "found"):
        Path(f"{folder}1").mkdir()
        tifffile.imwrite(f"{folder}1/one.tif", np.pad(np.ones((6, 6), np.uint16), 3))
    lines = run("evaluate", "truth1", "found1").stdout.splitlines()
    assert lines[-1] == "1 image, 1 nucleus in the truth, 1 in the prediction"


def test_two_files_will_do(run: Run, folders: None):
    result = run("evaluate", "truth/a.png", "found/b.labels.tif", "--json")
    assert json.loads(result.stdout)["mean_ap"] == 1


def test_files_without_a_partner_are_named(run: Run, folders: None):
    for number in range(12):
        tifffile.imwrite(f"truth/only{number:02}.tif", TRUTH)
    result = run("evaluate", "truth", "found")
    assert result.exit_code == 0
    assert "12 of the truth without a partner, left out: only00.tif, only01.tif" in result.stderr
    assert "only09.tif and 2 more." in result.stderr
    record = json.loads(run("evaluate", "truth", "found", "--json").stdout)
    assert len(record["unpaired"]) == 12
    assert "truth/only11.tif" in record["unpaired"]


def test_a_pair_that_cannot_be_compared_is_named_and_the_rest_is_done(run: Run, folders: None):
    tifffile.imwrite("truth/c.tif", TRUTH[:-1])
    tifffile.imwrite("found/c.labels.tif", FOUND)
    Path("truth/d.tif").write_bytes(b"nothing")
    tifffile.imwrite("found/d.labels.tif", FOUND)
    tifffile.imwrite("truth/e.tif", np.zeros((20, 30, 3), np.uint8), photometric="rgb")
    tifffile.imwrite("found/e.labels.tif", FOUND)
    result = run("evaluate", "truth", "found", "--json")
    assert result.exit_code == 1
    record = json.loads(result.stdout)
    assert record["images"] == 2
    assert list(record["errors"]) == ["c", "d", "e"]
    assert "Error: c: The truth has shape (19, 30)" in result.stderr
    assert "colour" in record["errors"]["e"]


def test_nothing_that_pairs_is_a_usage_error(run: Run, folders: None):
    Path("empty").mkdir()
    result = run("evaluate", "truth", "empty")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No file in truth (2 images) has a partner in empty (0 images)" in result.stderr


def test_a_missing_folder_is_named(run: Run, folders: None):
    assert run("evaluate", "nope1", "nope2").exit_code == 2
    result = run("evaluate", "truth", "none")
    assert result.exit_code == 2
    assert "none does not exist" in result.stderr


def test_predictions_of_this_program_can_be_judged(run: Run, model: str):
    from tests.tiny import discs

    for folder in ("images", "masks"):
        Path(folder).mkdir()
    image, labels = discs()
    tifffile.imwrite("images/x.ome.tif", image, metadata={"axes": "YX"})
    tifffile.imwrite("masks/x_mask.tif", labels)
    run("segment", "images", "-o", "out", "-m", model, "--format", "tiff,classes,csv,rois,geojson")
    record = json.loads(run("evaluate", "masks", "out", "--json").stdout)
    assert record["ap"][0] > 0.8


def test_an_image_in_the_place_of_labels_is_refused(run: Run):
    image, labels = discs()
    tifffile.imwrite("image.tif", image)
    tifffile.imwrite("labels.tif", labels)
    result = run("evaluate", "labels.tif", "image.tif")
    assert result.exit_code == 1
    assert "image.tif looks like an image of intensities; give labels" in result.stderr
    assert run("evaluate", "labels.tif", "labels.tif").exit_code == 0
