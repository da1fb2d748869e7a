"""A run gives the same files whether images go through memory or in blocks, and whether or not it was killed in between."""

from __future__ import annotations

import copy
import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

import napari_unet_seg as nus
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.core.scale import UNASKED
from napari_unet_seg.io import batch_large, writers
from napari_unet_seg.io.batch import Plan, iter_batch
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.inputs import find_inputs
from napari_unet_seg.io.quantities import Quantity, Wishes
from tests.core.test_class_work import model as class_model
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


def test_class_maps_of_nuclei_are_the_same_in_blocks(images: Path, monkeypatch: pytest.MonkeyPatch):
    options = {"formats": ("classes", "tiff", "csv")}
    run("memory", **options)
    monkeypatch.setattr(batch_large, "LARGE_PLANE", 100)
    monkeypatch.setattr("napari_unet_seg.core.segment.iter_segment", None)
    outcomes = run("blocks", **options)
    assert not any(outcome.error for outcome in outcomes)
    memory, written = files("memory"), files("blocks")
    assert list(written) == list(memory)
    assert [name for name in memory if written[name] != memory[name]] == []
    assert [outcome.outputs for outcome in run("blocks", **options, resume=True)] == [outcome.outputs for outcome in outcomes]


@pytest.mark.parametrize("formats", [("classes", "csv", "overlay"), ("zarr", "classes", "csv"), ("csv",), ("overlay",)])
def test_classes_by_a_model_of_classes_are_the_same_in_blocks(images: Path, monkeypatch: pytest.MonkeyPatch, formats: tuple[str, ...]):
    def go(output: str, **more: Any) -> tuple[Outcome, ...]:
        return nus.drain(iter_batch(plan(output, formats=formats, **more), class_model(), "cpu"))

    in_memory = go("memory")
    monkeypatch.setattr(batch_large, "LARGE_PLANE", 100)
    monkeypatch.setattr("napari_unet_seg.core.segment.iter_segment", None)
    blocks = go("blocks")
    assert not any(outcome.error for outcome in blocks)
    for one, other in zip(blocks, in_memory, strict=True):
        assert one.classes == pytest.approx(other.classes)
        assert (one.found, one.planes, one.warnings) == (other.found, other.planes, other.warnings)
    memory, written = files("memory"), files("blocks")
    zarrs = {name for name in {*memory, *written} if ".zarr/" in name}
    assert set(written) - zarrs == set(memory) - zarrs
    differing = {name for name in set(memory) - zarrs if written[name] != memory[name]}
    assert all(name.endswith(".csv") for name in differing)
    for name in differing:  # sums are rounded in another order
        pd.testing.assert_frame_equal(pd.read_csv(Path("blocks") / name), pd.read_csv(Path("memory") / name), rtol=1e-9)
    if "csv" in formats and len(formats) > 1:
        monkeypatch.setattr("napari_unet_seg.io.out_of_core.iter_segment_to", None)
        assert [outcome.classes for outcome in go("blocks", resume=True)] == [outcome.classes for outcome in blocks]


def test_names_of_classes_are_words_whatever_they_look_like(images: Path, in_blocks: None):
    network = copy.deepcopy(class_model().network)
    network.settings = dataclasses.replace(network.settings, classes=("background", "1", "NA"))
    named = nus.Model(network, name="types")
    made = nus.drain(iter_batch(plan("blocks", formats=("classes", "csv")), named, "cpu"))
    assert not any(outcome.error for outcome in made)
    assert {name for outcome in made for name in outcome.classes} == {"1", "NA"}
    table = pd.read_csv("blocks/classes.csv", keep_default_na=False, dtype={"class": str})
    assert set(table["class"]) == {"1", "NA"}
    again = nus.drain(iter_batch(plan("blocks", formats=("classes", "csv"), resume=True), named, "cpu"))
    assert [outcome.classes for outcome in again] == [outcome.classes for outcome in made]


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
            patch.setattr("napari_unet_seg.io.table_writer.write_table", kill)
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


def test_what_was_left_to_the_user_is_told_again_of_what_is_kept(images: Path, monkeypatch: pytest.MonkeyPatch):
    little = discs((240, 260), 40)[0].reshape(120, 2, 130, 2).mean((1, 3)).astype(np.uint16)
    tifffile.imwrite("data/little.tif", little)
    monkeypatch.setattr("napari_unet_seg.core.scale.MOST_UNASKED", 1000)
    options = {"measure": (), "formats": ("tiff", "csv")}
    (first,) = run("out", "data/little.tif", **options)
    (kept,) = run("out", "data/little.tif", resume=True, **options)
    assert UNASKED in first.warnings
    assert kept.warnings == first.warnings


def test_what_another_version_made_is_kept_and_told_of(images: Path, monkeypatch: pytest.MonkeyPatch):
    run("out", "data/0.ome.tif")
    monkeypatch.setattr("napari_unet_seg.io.kept.__version__", "99")
    (kept,) = run("out", "data/0.ome.tif", resume=True)
    assert any("version 0" in sentence for sentence in kept.warnings)
    assert not kept.error


def test_tables_of_nuclei_do_not_outlive_their_images(images: Path):
    run("out")
    assert Path("out/nuclei.csv").exists()
    nus.drain(iter_batch(plan("out", overwrite=True), class_model(), "cpu"))
    assert not Path("out/nuclei.csv").exists()
    assert Path("out/classes.csv").exists()


def test_a_table_of_nuclei_stays_beside_class_maps_that_replace_nothing(images: Path):
    run("out", formats=("tiff",))
    before = Path("out/nuclei.csv").read_bytes()
    nus.drain(iter_batch(plan("out", resume=True, formats=("classes",)), class_model(), "cpu"))
    assert Path("out/nuclei.csv").read_bytes() == before
    assert Path("out/classes.csv").exists()
