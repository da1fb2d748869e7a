"""An image in blocks from beginning to end: the plan that a run may go on with, where the image lies, and what is written at last."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np
import pandas as pd
import pytest

import napari_unet_seg as nus
from napari_unet_seg.core.scale import UNASKED
from napari_unet_seg.core.segment import prepare
from napari_unet_seg.errors import SettingsError, WriteError
from napari_unet_seg.io.block_image import ImageRun, unfinished_of
from napari_unet_seg.io.block_options import OutOfCore
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.workers import Here
from tests.tiny import discs, tiny_model

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = nus.SegmentSettings(tile=96, precision="float32")
IMAGE = discs((100, 130), 12)[0]
CLUSTER = "tcp://127.0.0.1:9"


def run(target: Path, image=IMAGE, axes: str | None = None, **options: object) -> ImageRun:
    """Return a run that this process does, whatever the scheduler is called."""
    work = prepare(image, tiny_model(), "cpu", axes, None, SETTINGS)
    return ImageRun(work, target, OutOfCore(**options), Here())


def begun(target: Path, **options: object) -> dict[str, object]:
    """Begin a run, and return its plan."""
    steps = run(target, **options).iter()
    next(steps)
    steps.close()
    return json.loads((unfinished_of(target) / "plan.json").read_text())


def test_what_is_unfinished_lies_hidden_beside_the_target(tmp_path: Path):
    assert unfinished_of(tmp_path / "a" / "x.labels.zarr") == tmp_path / "a" / ".x.labels.zarr.unfinished"


@pytest.mark.parametrize(("target", "name"), [("x.zarr", "x"), ("x.labels.zarr", "x"), ("x.labels.tif", "x"), ("a.b.tif", "a.b")])
def test_labels_are_called_after_the_file(tmp_path: Path, target: str, name: str):
    assert run(tmp_path / target).info.name == name


def test_making_a_run_touches_nothing(tmp_path: Path):
    run(tmp_path / "x.zarr")
    assert not list(tmp_path.iterdir())


def test_the_plan_says_what_decides_the_result(tmp_path: Path):
    plan = begun(tmp_path / "x.zarr", block=64, scale={"Y": 0.5, "X": 0.5}, measure={"own": IMAGE}, ring=2.0)
    assert plan["image"][:3] == ["YX", [100, 130], "uint16"]
    assert (plan["block"], plan["scale"], plan["measured"]) == (64, {"Y": 0.5, "X": 0.5}, ["own", 2.0])
    assert plan["computed"] == ["cpu", "torch.float32"]
    assert set(plan) == {"image", "model", "settings", "block", "measured", "scale", "computed", "version", "classes"}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"block": 32}, "block"),
        ({"ring": 5.0}, "measured"),
        ({"scale": {"Y": 2.0, "X": 2.0}}, "scale"),
        ({"scheduler": CLUSTER}, "computed"),
        ({"block": 32, "measure": {"own": IMAGE}}, "block, measured"),
    ],
)
def test_going_on_in_another_way_is_refused_by_name(tmp_path: Path, change: dict[str, object], names: str):
    begun(tmp_path / "x.zarr")
    before = sorted(unfinished_of(tmp_path / "x.zarr").rglob("*"))
    with pytest.raises(SettingsError, match=rf"unfinished was made in another way \({names}\); go on as it began, or begin anew"):
        begun(tmp_path / "x.zarr", resume=True, **change)
    assert sorted(unfinished_of(tmp_path / "x.zarr").rglob("*")) == before, "what is there is left alone"


def test_what_holds_for_many_planes_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_unet_seg.core.scale.MOST_UNASKED", 100)
    little, seen = np.stack([IMAGE[::2, ::2]] * 2), []
    nus.drain(run(tmp_path / "x.zarr", little, "ZYX").iter(), seen.append)
    assert [step.notice for step in seen if step.notice] == [UNASKED]


def test_what_does_not_decide_labels_may_change(tmp_path: Path):
    begun(tmp_path / "x.zarr")
    stored = nus.drain(run(tmp_path / "x.zarr", resume=True, about={"who": "me"}, table=tmp_path / "other.csv", overwrite=True).iter())
    assert stored.provenance["who"] == "me"
    assert stored.table == tmp_path / "other.csv"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.csv", "x.zarr"]


def test_a_folder_that_was_killed_before_its_plan_is_begun_anew(tmp_path: Path):
    """The plan is written last: without it, labels or model may be cut off."""
    begun(tmp_path / "x.zarr")
    folder = unfinished_of(tmp_path / "x.zarr")
    (folder / "plan.json").unlink()
    (folder / "labels.zarr" / "zarr.json").write_text("{")
    stored = nus.drain(run(tmp_path / "x.zarr", resume=True).iter())
    assert stored.count > 5
    assert not folder.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteError, match=r"file.+ cannot be made: .+; choose another place"):
        begun(tmp_path / "file" / "x.zarr")


def test_the_provenance_survives_in_both_formats(tmp_path: Path):
    for name in ("x.zarr", "x.tif"):
        stored = nus.drain(run(tmp_path / name, overwrite=True, about={"input": "slide.svs"}).iter())
        written = open_image(tmp_path / name).provenance
        assert written["input"] == stored.provenance["input"] == "slide.svs"
        assert (written["device"], written["precision"]) == ("cpu", "float32")


def test_labels_of_a_region_lie_on_the_pixels_of_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Those of a large plane are cut to the region in memory, and say where it lies; in a file that would shift them."""
    monkeypatch.setattr("napari_unet_seg.core.grid.MOST_PIXELS", 8000)
    monkeypatch.setattr("napari_unet_seg.core.grid.MARGIN", 0)
    region = (((10.0, 10.0), (10.0, 60.0), (60.0, 60.0), (60.0, 10.0)),)
    work = prepare(IMAGE, tiny_model(), "cpu", settings=dataclasses.replace(SETTINGS, region=region))
    assert not work.grid.is_full
    stored = nus.drain(ImageRun(work, tmp_path / "x.zarr", OutOfCore(), Here()).iter())
    assert stored.shape == IMAGE.shape
    assert "grid" not in stored.provenance


def test_the_table_has_micrometres_only_where_both_are_known(tmp_path: Path):
    tables = {}
    for name, scale in {"both": {"Y": 0.5, "X": 0.5}, "one": {"Y": 0.5}, "none": {}}.items():
        tables[name] = pd.read_csv(nus.drain(run(tmp_path / f"{name}.zarr", scale=scale).iter()).table)
    assert {name: "area_um2" in table for name, table in tables.items()} == {"both": True, "one": False, "none": False}
    np.testing.assert_allclose(tables["both"]["area_um2"], tables["none"]["area"] / 4)


def test_planes_are_kept_apart_and_counted_through(tmp_path: Path):
    stack = np.stack([IMAGE, np.zeros_like(IMAGE), IMAGE[::-1]])
    reports: list[nus.Progress] = []
    steps = run(tmp_path / "x.zarr", stack, "ZYX").iter()
    while len({path.name for path in unfinished_of(tmp_path / "x.zarr").glob("plane*")}) < 3:
        reports.append(next(steps))
    folders = sorted(path.name for path in unfinished_of(tmp_path / "x.zarr").glob("plane*"))
    assert folders == ["plane-00000", "plane-00001", "plane-00002"]
    stored = nus.drain(steps, reports.append)
    counted = [report.done for report in reports if not report.notice]
    assert counted == list(range(1, reports[0].total + 1))
    table = pd.read_csv(stored.table)
    assert sorted(table["plane_z"].unique()) == [0, 2]
    assert table["label"].tolist() == list(range(1, stored.count + 1))


class TestACluster:
    def test_pixels_of_this_process_are_put_where_workers_find_them(self, tmp_path: Path):
        one = run(tmp_path / "x.zarr", scheduler=CLUSTER)
        one._begin()
        (level,) = one._levels()
        assert isinstance(level, da.Array)
        np.testing.assert_array_equal(level.compute(), IMAGE)
        assert (one.folder / "image.zarr").is_dir()

    def test_an_image_that_is_read_lazily_is_not_copied(self, tmp_path: Path):
        one = run(tmp_path / "x.zarr", da.from_array(IMAGE, chunks=50), scheduler=CLUSTER)
        one._begin()
        assert one._levels() is one.work.levels
        assert not (one.folder / "image.zarr").exists()

    def test_this_process_needs_no_copy(self, tmp_path: Path):
        one = run(tmp_path / "x.zarr")
        assert one._levels() is one.work.levels

    @pytest.mark.parametrize("asked", ["auto", "cpu"])
    def test_workers_choose_a_device_unless_one_is_asked_for(self, tmp_path: Path, asked: str):
        work = prepare(IMAGE, tiny_model(), asked)
        one = ImageRun(work, tmp_path / "x.zarr", OutOfCore(scheduler=CLUSTER), Here())
        assert one._job((IMAGE,), ()).device == asked
        assert run(tmp_path / "x.zarr")._job((IMAGE,), ()).device == "cpu"

    def test_all_workers_agree_on_the_tiles(self, tmp_path: Path):
        work = prepare(IMAGE, tiny_model(), "cpu")
        one = ImageRun(work, tmp_path / "x.zarr", OutOfCore(scheduler=CLUSTER), Here())
        assert work.settings.tile == 0
        assert one._job((IMAGE,), ()).settings.tile > 0

    def test_copy_and_blocks_are_gone_at_the_end(self, tmp_path: Path):
        stored = nus.drain(run(tmp_path / "x.zarr", scheduler=CLUSTER).iter())
        assert stored.count > 5
        assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv", "x.zarr"]
