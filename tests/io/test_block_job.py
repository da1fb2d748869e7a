"""What each step of a block leaves behind, and that only a whole result counts as done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr

import napari_unet_seg as nus
from napari_unet_seg.core.axes import resolve_axes
from napari_unet_seg.core.block_plane import Look
from napari_unet_seg.core.normalize import estimate_limits
from napari_unet_seg.errors import ReadError
from napari_unet_seg.io.block_job import HILLS, MAPS, NUCLEI, NUMBERS, REPORTS, ROWS, SHARES, STEPS, WRITTEN, Bench, Job
from napari_unet_seg.io.block_run import PlaneRun
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.workers import Here
from napari_unet_seg.io.zarr_writer import create_zarr
from tests.tiny import discs, tiny_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., Job]

SETTINGS = nus.SegmentSettings(tile=96)
IMAGE = discs((150, 210), 30)[0]
KEPT = (MAPS, HILLS, SHARES, NUCLEI, REPORTS, NUMBERS)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a job for an image, and the labels that it writes."""
    model = tiny_model().save(tmp_path / "tiny")

    def make(image: np.ndarray = IMAGE, block: int = 100, **options: object) -> Job:
        settings = options.pop("settings", SETTINGS)
        seen = Look(estimate_limits(image, settings), block=block)
        create_zarr(tmp_path / "labels.zarr", image.shape, np.uint32, LabelsInfo("YX"))
        files = {"model": model, "folder": tmp_path / "plane", "labels": tmp_path / "labels.zarr" / "0"}
        return Job((image,), resolve_axes(image), (), device="cpu", settings=settings, seen=seen, **files, **options)

    return make


@pytest.fixture
def finished(make: Make, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A plane of which every step is done, with all that lay between."""
    job = make()
    bench = Bench(job)
    monkeypatch.setattr("napari_unet_seg.io.block_store.BlockStore.drop", lambda self, *names: None)
    monkeypatch.setattr(PlaneRun, "_bench", lambda self, name, diameter=0.0: bench)
    nus.drain(PlaneRun(job, bench.predictor, Here()).iter_plane(0, told=True))
    monkeypatch.undo()
    return bench


def damage(bench: Bench, name: str) -> None:
    path = bench.store.folder / name
    path.write_bytes(path.read_bytes()[:-1])


def test_each_step_has_its_own_number_of_pieces(make: Make):
    bench = Bench(make())
    assert {step: bench.count(step) for step in STEPS} == {
        MAPS: len(bench.plane.tiles),
        HILLS: 6,
        NUCLEI: 6,
        WRITTEN: 1,  # cells of whole chunks of the file, whatever the blocks
        ROWS: 6,
    }
    assert bench.count(MAPS) > 1


def test_nothing_is_done_at_first(make: Make):
    bench = Bench(make())
    assert not any(bench.is_done(step, number) for step in STEPS for number in range(bench.count(step)))
    assert not bench.job.folder.exists(), "a look alone writes nothing"


def test_a_step_of_a_tile_is_done_and_no_other(make: Make):
    bench = Bench(make())
    bench.do(MAPS, 1)
    assert [bench.is_done(MAPS, number) for number in range(3)] == [False, True, False]
    maps = bench.store.get("maps/1")["maps"]
    rows, columns = bench.plane.tiles.cell(1)
    assert (maps.dtype, maps.shape) == (np.float16, (2, rows.stop - rows.start, columns.stop - columns.start))


def test_a_tile_that_need_not_be_seen_costs_a_number(make: Make, monkeypatch: pytest.MonkeyPatch):
    bench = Bench(make())
    monkeypatch.setattr(bench.plane, "blank", lambda number: 0.75)
    monkeypatch.setattr(bench.plane, "run", None)
    bench.do(MAPS, 0)
    assert list(bench.store.get("maps/0")) == ["background"]
    maps = bench._load_maps(0)
    assert (maps[0] == 0.75).all()
    assert not maps[1].any()


def test_a_step_without_the_one_before_says_what_is_missing(make: Make):
    bench = Bench(make())
    with pytest.raises(ReadError, match=r"maps.+ is missing or damaged; run again with --resume"):
        bench.do(HILLS, 0)
    with pytest.raises(ReadError, match=r"shares.+ is missing"):
        bench.do(NUCLEI, 0)
    with pytest.raises(ReadError, match=r"numbers.+ is missing"):
        bench.do(WRITTEN, 0)


def test_maps_are_read_from_the_disk_once(make: Make, monkeypatch: pytest.MonkeyPatch):
    bench = Bench(make())
    for number in range(bench.count(MAPS)):
        bench.do(MAPS, number)
    asked, get = [], bench.store.get
    monkeypatch.setattr(bench.store, "get", lambda name: asked.append(name) or get(name))
    bench.do(HILLS, 0)
    bench.do(HILLS, 1)
    assert len(asked) == len(set(asked)) > 1


def test_a_damaged_result_is_not_done(finished: Bench):
    assert all(finished.is_done(step, number) for step in STEPS for number in range(finished.count(step)))
    for step in STEPS:
        damage(finished, f"{step}/0")
        assert not finished.is_done(step, 0), step


def test_nuclei_without_their_report_are_not_done(finished: Bench):
    damage(finished, f"{REPORTS}/1")
    assert not finished.is_done(NUCLEI, 1)
    finished.do(NUCLEI, 1)
    assert finished.is_done(NUCLEI, 1)


def test_labels_that_somebody_changed_are_not_done(finished: Bench):
    labels = zarr.open_array(finished.job.labels, mode="r+")
    labels[3, 4] += 1
    assert finished.store.check(f"{WRITTEN}/0"), "the note that they were written is whole"
    assert not finished.is_done(WRITTEN, 0)
    finished.do(WRITTEN, 0)
    assert finished.is_done(WRITTEN, 0)
    np.testing.assert_array_equal(labels[...], nus.segment(IMAGE, tiny_model(), "cpu", settings=SETTINGS))


def test_a_chunk_that_cannot_be_decoded_is_not_done(finished: Bench):
    chunk = next(path for path in (finished.job.labels / "c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])
    assert not finished.is_done(WRITTEN, 0)


def test_doing_a_step_again_gives_the_same_bytes(finished: Bench):
    for step in STEPS:
        path = finished.store.folder / step / "0"
        before = path.read_bytes()
        finished.do(step, 0)
        assert path.read_bytes() == before, step


def test_each_nucleus_has_one_row_in_the_block_that_owns_it(finished: Bench):
    rows = [finished.store.get(f"{ROWS}/{number}") for number in range(finished.count(ROWS))]
    labels = np.concatenate([row["label"] for row in rows])
    assert sorted(labels.tolist()) == list(range(1, len(labels) + 1))
    shown = [np.count_nonzero(finished.store.get(f"{NUMBERS}/{number}")["numbers"]) for number in range(finished.count(NUCLEI))]
    assert sum(shown) > len(labels), "one that is cut by an edge of a block is shown by both, and counted once"


def test_a_block_without_nuclei_has_an_empty_table_of_the_same_columns(make: Make):
    image = IMAGE.copy()
    image[:, 95:] = 300
    job = make(image)
    bench = Bench(job)
    done = nus.drain(PlaneRun(job, bench.predictor, Here()).iter_plane(0, told=True))
    empty, full = (done.bench.store.get(f"{ROWS}/{number}") for number in (2, 0))
    assert list(empty) == list(full)
    assert {len(column) for column in empty.values()} == {0}
    assert full["label"].size > 3


def test_channels_and_rings_are_measured_in_each_block(make: Make):
    job = make(channels={"own": IMAGE, "flat": np.full(IMAGE.shape, 7, np.uint8)}, ring=3.0)
    done = nus.drain(PlaneRun(job, Bench(job).predictor, Here()).iter_plane(0, told=True))
    rows = [done.bench.store.get(f"{ROWS}/{number}") for number in range(done.bench.count(ROWS))]
    filled = [row for row in rows if row["label"].size]
    assert all((row["mean_flat"] == 7).all() for row in filled)
    assert all((row["mean_own"] > 300).all() for row in filled)
    assert all((row["ring_area"] > 0).all() for row in filled)


def test_jobs_with_other_blocks_give_the_same_labels(make: Make):
    job = make(block=60)
    nus.drain(PlaneRun(job, Bench(job).predictor, Here()).iter_plane(0, told=True))
    expected = nus.segment(IMAGE, tiny_model(), "cpu", settings=SETTINGS)
    np.testing.assert_array_equal(zarr.open_array(job.labels)[...], expected)
    assert expected.max() > 15
