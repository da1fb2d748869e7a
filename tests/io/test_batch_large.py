"""A run gives the same files whether images go through memory or in blocks, and whether or not it was killed in between."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import zarr

import napari_unet_seg as nus
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.io import batch_large, writers
from napari_unet_seg.io.batch import Plan, iter_batch
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.inputs import find_inputs
from napari_unet_seg.io.quantities import Quantity, Wishes
from tests.tiny import discs, tiny_model

if TYPE_CHECKING:
    from napari_unet_seg.io.summary import Outcome


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three images with channels and pixel size, one of them a movie, and one of nothing."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    for seed in range(2):
        channels = np.stack([discs((150, 170), 30, seed)[0] // (2 - number) for number in range(2)])
        named = {"axes": "CYX", "Channel": {"Name": ["GFP", "DAPI"]}} | sizes
        tifffile.imwrite(f"data/{seed}.ome.tif", channels, metadata=named)
    movie = np.stack([discs((80, 90), 8, seed)[0] for seed in range(3)])
    names = {"Channel": {"Name": ["GFP", "DAPI"]}}
    tifffile.imwrite("data/movie.ome.tif", np.stack([movie, movie], axis=1), metadata={"axes": "TCYX"} | names)
    tifffile.imwrite("data/nothing.ome.tif", np.zeros((2, 40, 50), np.uint16), metadata={"axes": "CYX"} | names)
    return tmp_path


@pytest.fixture
def in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_large, "LARGE_PLANE", 100)


def plan(output: str, inputs: str = "data", **options) -> Plan:
    found = find_inputs([inputs])
    return Plan(found.sources, Path(output), summary=found.many, **{"measure": ("GFP",), "wishes": Wishes({"tile": 64})} | options)


def run(output: str, inputs: str = "data", **options) -> tuple[Outcome, ...]:
    return nus.drain(iter_batch(plan(output, inputs, **options), tiny_model(), "cpu"))


def files(folder: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def without_time(outcome: Outcome) -> Outcome:
    return dataclasses.replace(outcome, seconds=0.0, outputs=())


def test_files_are_the_same_in_blocks(images: Path, monkeypatch: pytest.MonkeyPatch):
    options = {"formats": ("tiff", "csv", "rois", "geojson", "overlay"), "ring": Quantity(3.0)}
    in_memory = run("memory", **options)
    monkeypatch.setattr(batch_large, "LARGE_PLANE", 100)
    monkeypatch.setattr("napari_unet_seg.core.segment.iter_segment", None)
    blocks = run("blocks", **options)
    assert not any(outcome.error for outcome in in_memory)
    assert list(map(without_time, blocks)) == list(map(without_time, in_memory))
    assert sum(outcome.nuclei for outcome in blocks) > 50
    memory, written = files("memory"), files("blocks")
    assert list(written) == list(memory)
    assert [name for name in memory if written[name] != memory[name]] == []


def test_zarr_of_one_image(images: Path, in_blocks: None):
    (outcome,) = run("out", "data/movie.ome.tif", formats=("zarr",))
    assert [path.name for path in Path("out").iterdir()] == ["movie.labels.zarr"]
    labels = zarr.open_array("out/movie.labels.zarr/0")[...]
    assert (labels.max(), labels.shape, outcome.planes) == (outcome.nuclei, (3, 80, 90), 1)
    assert open_image("out/movie.labels.zarr").provenance["channel_name"] == "DAPI"


def test_formats_without_labels_leave_none_behind(images: Path, in_blocks: None):
    (outcome,) = run("out", "data/0.ome.tif", formats=("geojson", "overlay"))
    assert outcome.nuclei > 5
    assert sorted(path.name for path in Path("out").iterdir()) == ["0.labels.geojson", "0.overlay.png"]


def test_labels_that_a_killed_run_hid_are_in_nobodys_way(images: Path, in_blocks: None):
    Path("out").mkdir()
    run("other", "data/1.ome.tif", formats=("zarr",))
    os.replace("other/1.labels.zarr", "out/.0.labels.zarr")
    (outcome,) = run("out", "data/0.ome.tif", formats=("geojson",))
    assert not outcome.error
    assert [path.name for path in Path("out").iterdir()] == ["0.labels.geojson"]


def test_a_table_of_another_run_is_left_alone(images: Path, in_blocks: None):
    Path("out").mkdir()
    Path("out/0.labels.csv").write_text("mine")
    run("out", "data/0.ome.tif", formats=("tiff",))
    assert Path("out/0.labels.csv").read_text() == "mine"


def test_class_maps_stay_in_memory(images: Path, in_blocks: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_unet_seg.io.out_of_core.iter_segment_to", None)
    (outcome,) = run("out", "data/movie.ome.tif", formats=("tiff", "classes"))
    assert not outcome.error
    assert batch_large.IN_MEMORY in outcome.warnings


@pytest.mark.parametrize("change", [{"track": "overlap"}, {"track": "overlap", "stack": "linked"}])
def test_what_is_linked_is_the_same_in_blocks(images: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]):
    options = {"formats": ("tiff", "csv", "trackmate"), "wishes": Wishes({"tile": 64} | change)}
    in_memory = run("memory", "data/movie.ome.tif", **options)
    monkeypatch.setattr(batch_large, "LARGE_PLANE", 100)
    blocks = run("blocks", "data/movie.ome.tif", **options)
    assert not in_memory[0].error
    assert list(map(without_time, blocks)) == list(map(without_time, in_memory))
    memory, written = files("memory"), files("blocks")
    assert {name: written.get(name) == content for name, content in memory.items()} == dict.fromkeys(memory, True)


@pytest.mark.parametrize("large", [False, True])
def test_a_killed_run_over_a_folder_goes_on(images: Path, monkeypatch: pytest.MonkeyPatch, large: bool):
    monkeypatch.setattr(batch_large, "LARGE_PLANE", 100 if large else batch_large.LARGE_PLANE)
    run("whole")
    steps = iter_batch(plan("out"), tiny_model(), "cpu")
    for progress in steps:
        if progress.done == 1 and progress.metrics.get("part", 0) > 0.5:  # in the middle of the second image
            steps.close()
    kept = Path("out/0.labels.tif").stat().st_mtime_ns
    again = nus.drain(iter_batch(plan("out", resume=True), tiny_model(), "cpu"))
    assert [outcome.error for outcome in again] == [""] * 4
    assert Path("out/0.labels.tif").stat().st_mtime_ns == kept
    assert files("out") == files("whole")
    monkeypatch.setattr(Predictor, "_start", None)
    nus.drain(iter_batch(plan("out", resume=True), tiny_model(), "cpu"))  # all is there: the network does not run
    assert files("out") == files("whole")


def test_results_of_other_settings_are_not_taken_for_finished(images: Path):
    run("out", "data/0.ome.tif")
    (outcome,) = run("out", "data/0.ome.tif", wishes=Wishes({"tile": 64, "probability": 0.8}), resume=True)
    assert "made with other settings, channels or another model" in outcome.error


@pytest.mark.parametrize("change", [{"channel": "GFP"}, {"measure": ("DAPI",)}, {"ring": Quantity(5.0)}, {"wishes": Wishes({"tile": 96})}])
def test_results_of_other_wishes_are_refused_or_replaced(images: Path, change: dict[str, Any]):
    first = {"channel": "DAPI", "ring": Quantity(3.0)}
    run("out", "data/0.ome.tif", **first)
    (outcome,) = run("out", "data/0.ome.tif", **first | change, resume=True)
    assert "made with other settings, channels" in outcome.error
    (outcome,) = run("out", "data/0.ome.tif", **first | change, resume=True, overwrite=True)
    assert not outcome.error
    run("whole", "data/0.ome.tif", **first | change)
    assert files("out") == files("whole")


@pytest.mark.parametrize("finished", [False, True])
def test_results_of_another_image_in_its_place_are_refused_or_replaced(images: Path, in_blocks: None, finished: bool):
    steps = iter_batch(plan("out", "data/0.ome.tif"), tiny_model(), "cpu")
    for progress in steps:
        if not finished and progress.metrics.get("part", 0) > 0.5:
            steps.close()
    os.replace("data/1.ome.tif", "data/0.ome.tif")
    (outcome,) = run("out", "data/0.ome.tif", resume=True)
    assert ("earlier state of the image" if finished else "made in another way (image)") in outcome.error
    (outcome,) = run("out", "data/0.ome.tif", resume=True, overwrite=True)
    assert not outcome.error
    run("whole", "data/0.ome.tif")
    assert files("out") == files("whole")


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("killed", [".csv", ".zip"])
def test_files_of_an_earlier_run_are_not_taken_for_those_of_a_killed_one(
    images: Path, monkeypatch: pytest.MonkeyPatch, killed: str, large: bool
):
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(batch_large, "LARGE_PLANE", 100 if large else batch_large.LARGE_PLANE)
    options = {"formats": ("tiff", "csv", "rois"), "overwrite": True}
    run("out", "data/0.ome.tif", **options)
    options["wishes"] = Wishes({"tile": 64, "probability": 0.7})
    with monkeypatch.context() as patch:
        patch.setitem(writers._WRITERS, killed, kill)
        if killed == ".csv":
            patch.setattr("napari_unet_seg.io.block_image.write_bands", kill)
        with pytest.raises(KeyboardInterrupt):
            run("out", "data/0.ome.tif", **options)
    (outcome,) = run("out", "data/0.ome.tif", **options, resume=True)
    assert not outcome.error
    run("whole", "data/0.ome.tif", **options)
    assert files("out") == files("whole")


def test_without_a_table_an_image_is_segmented_again(images: Path):
    first = run("out", "data/0.ome.tif", formats=("tiff",))
    os.utime("out/0.labels.tif", ns=(0, 0))
    again = run("out", "data/0.ome.tif", formats=("tiff",), resume=True)
    assert list(map(without_time, first)) == list(map(without_time, again))
    assert Path("out/0.labels.tif").stat().st_mtime_ns > 0


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("wishes", [{"stack": "linked"}, {"stack": "maximum"}, {"stack": "linked", "track": "overlap"}])
def test_a_finished_stack_is_kept_with_all_that_was_told_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wishes: dict[str, str], large: bool
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch_large, "LARGE_PLANE", 100 if large else batch_large.LARGE_PLANE)
    Path("data").mkdir()
    stack = np.repeat([[[discs((60, 70), 6)[0]]]], 3, axis=1).repeat(2, axis=2)
    tifffile.imwrite("data/stack.ome.tif", stack, metadata={"axes": "TZCYX", "Channel": {"Name": ["GFP", "DAPI"]}})
    options = {"formats": ("csv", "zarr", "tiff"), "wishes": Wishes({"tile": 64} | wishes), "ring": Quantity(3.0)}
    (first,) = run("out", "data/stack.ome.tif", **options)
    before = files("out")
    monkeypatch.setattr(Predictor, "_start", None)
    (again,) = run("out", "data/stack.ome.tif", **options, resume=True)
    assert not first.error
    assert without_time(again) == without_time(first)
    assert files("out") == before
