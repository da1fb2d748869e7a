"""Class maps in a run over files: measured in every plane, and with tables of their own name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

import napari_unet_seg as nus
from napari_unet_seg.errors import WriteError
from napari_unet_seg.io.batch import Plan, iter_batch
from napari_unet_seg.io.inputs import find_inputs
from tests.core.test_class_work import model
from tests.tiny import discs


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    planes = np.stack([discs((64, 80), 6, seed)[0] for seed in range(2)])
    tifffile.imwrite("data/stack.ome.tif", np.stack([planes, planes // 2], axis=1), metadata={"axes": "ZCYX"})
    tifffile.imwrite("data/plane.tif", planes[0])
    return tmp_path


def run(*inputs: str, **options) -> None:
    found = find_inputs([*inputs])
    plan = Plan(found.sources, Path("out"), summary=found.many, **{"formats": ("tiff", "csv"), "measure": ("0",), "channel": "0"} | options)
    outcomes = nus.drain(iter_batch(plan, model(), "cpu"))
    assert [outcome.error for outcome in outcomes] == [""] * len(outcomes)


def test_every_plane_of_a_class_map_is_measured(images: Path):
    run("data/stack.ome.tif")
    table, classes = pd.read_csv("out/stack.labels.csv"), tifffile.imread("out/stack.classes.tif")
    (mean,) = (name for name in table if name.startswith("mean_"))
    assert table["plane_z"].nunique() == 2
    pixels = tifffile.imread("data/stack.ome.tif")[:, 0].astype(float)
    for row in table.to_dict("records"):
        there = classes[row["plane_z"]] == row["label"]
        assert row[mean] == pytest.approx(pixels[row["plane_z"]][there].mean())


def test_the_table_of_a_folder_is_called_by_what_is_in_it(images: Path):
    Path("data/plane.tif").rename("data/a.tif")
    Path("data/stack.ome.tif").unlink()
    tifffile.imwrite("data/b.tif", tifffile.imread("data/a.tif")[::-1])
    run("data", measure=(), channel="")
    assert {path.name for path in Path("out").iterdir() if path.suffix == ".csv"} >= {"classes.csv", "images.csv"}
    assert not Path("out/nuclei.csv").exists()
    assert {"file", "class"} <= set(pd.read_csv("out/classes.csv"))
    Path("out/images.csv").unlink()
    with pytest.raises(WriteError, match=r"classes\.csv exists already"):
        run("data", measure=(), channel="")
