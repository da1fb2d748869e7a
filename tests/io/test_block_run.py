"""A plane on its way: what is begun anew, what is kept, how it is numbered, and what the user is told."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr

import napari_unet_seg as nus
from napari_unet_seg.core.axes import resolve_axes
from napari_unet_seg.core.block_plane import Look
from napari_unet_seg.core.normalize import estimate_limits
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.core.scale import UNASKED
from napari_unet_seg.io.block_job import MAPS, NUCLEI, ROWS, STEPS, WRITTEN, Bench, Job
from napari_unet_seg.io.block_run import STAGE, TASKS, PlaneRun
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.workers import _ABREAST, Here
from napari_unet_seg.io.zarr_writer import create_zarr
from tests.tiny import discs, tiny_model

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = nus.SegmentSettings(tile=96)
IMAGE = discs((120, 180), 20)[0]
LARGE = np.kron(discs((60, 70), 5)[0], np.ones((5, 5), np.uint16))
LITTLE = discs((240, 260), 40)[0].reshape(120, 2, 130, 2).mean((1, 3)).astype(np.uint16)


class Counting(Here):
    """Does everything here, and notes what."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []

    def each(self, bench, step, numbers):
        for number in super().each(bench, step, numbers):
            self.done.append((step, number))
            yield number


class Plane:
    """One plane that can be run again and again in the same folder."""

    def __init__(self, folder: Path, image: np.ndarray = IMAGE, settings: nus.SegmentSettings = SETTINGS) -> None:
        create_zarr(folder / "labels.zarr", image.shape, np.uint32, LabelsInfo("YX"))
        seen = Look(estimate_limits(image, settings), block=80)
        files = {"model": folder / "unused", "folder": folder / "plane", "labels": folder / "labels.zarr" / "0"}
        self.job = Job((image,), resolve_axes(image), (), device="cpu", settings=settings, seen=seen, **files)
        self.predictor = Predictor(tiny_model(), "cpu", settings)
        self.reports: list[nus.Progress] = []

    def steps(self, workers: Here, before: int = 0, told: bool = False):
        return PlaneRun(self.job, self.predictor, workers).iter_plane(before, told)

    def run(self, before: int = 0, told: bool = False):
        """Return what the plane came to, and what was done for it."""
        workers = Counting()
        self.reports = []
        return nus.drain(self.steps(workers, before, told), self.reports.append), workers.done

    @property
    def labels(self) -> np.ndarray:
        return zarr.open_array(self.job.labels, mode="r")[...]

    @property
    def notices(self) -> list[str]:
        return [report.notice for report in self.reports if report.notice]


@pytest.fixture
def plane(tmp_path: Path) -> Plane:
    return Plane(tmp_path)


@pytest.fixture
def large(tmp_path: Path) -> Plane:
    """Nuclei five times as large as the model knows."""
    return Plane(tmp_path, LARGE)


def test_each_step_has_words_of_its_own():
    assert set(TASKS) == set(STEPS)
    assert len(set(TASKS.values())) == len(TASKS)
    assert TASKS[MAPS] == STAGE


def test_steps_follow_each_other_and_are_counted_through(plane: Plane):
    done, worked = plane.run()
    assert [step for step, _ in worked] == sorted((step for step, _ in worked), key=STEPS.index)
    assert [report.stage for report in plane.reports] == [TASKS[step] for step, _ in worked]
    assert [report.done for report in plane.reports] == list(range(1, len(worked) + 1))
    assert plane.reports[-1].done == plane.reports[-1].total
    assert done.count == plane.labels.max() > 5
    assert done.diameter == 0


def test_what_lay_between_is_cleared_away(plane: Plane):
    done, _ = plane.run()
    assert sorted(path.name for path in done.bench.store.folder.iterdir()) == ["done", ROWS, WRITTEN]


def test_a_finished_plane_is_not_done_again(plane: Plane):
    first, _ = plane.run()
    again, worked = plane.run()
    assert worked == []
    assert plane.reports == []
    assert (again.count, again.diameter) == (first.count, first.diameter)


def test_numbers_go_on_from_the_planes_before(plane: Plane):
    first, _ = plane.run()
    labels = plane.labels
    after, worked = plane.run(before=100)
    assert {step for step, _ in worked} == set(STEPS), "the numbers of a finished plane would be wrong here"
    assert after.count == first.count
    np.testing.assert_array_equal(plane.labels, np.where(labels > 0, labels + 100, 0))
    rows = [after.bench.store.get(f"{ROWS}/{number}")["label"] for number in range(after.bench.count(ROWS))]
    assert min(row.min() for row in rows if row.size) == 101


@pytest.mark.parametrize("damaged", [f"{ROWS}/0", f"{WRITTEN}/0", "done"])
def test_a_finished_plane_that_was_damaged_is_made_anew(plane: Plane, damaged: str):
    first, _ = plane.run()
    labels = plane.labels
    path = first.bench.store.folder / damaged
    path.write_bytes(path.read_bytes()[:-1])
    again, worked = plane.run()
    assert worked
    assert again.count == first.count
    np.testing.assert_array_equal(plane.labels, labels)


def test_only_what_is_missing_is_done(plane: Plane):
    steps = plane.steps(Here())
    stages = [next(steps).stage for _ in range(8)]
    steps.close()
    _, worked = plane.run()
    before = plane.reports[0].done - 1
    assert 8 <= before < 8 + _ABREAST, "what others were at when it was stopped is finished, and no more"
    assert len(worked) == plane.reports[-1].total - before
    assert stages[0] == STAGE


def test_a_plane_of_nothing_has_no_nuclei(tmp_path: Path):
    plane = Plane(tmp_path, np.zeros((90, 100), np.uint8))
    done, worked = plane.run()
    assert (done.count, plane.labels.max()) == (0, 0)
    assert {step for step, _ in worked} == set(STEPS)


class TestLargeNuclei:
    def test_the_plane_is_looked_at_again_and_this_is_said(self, large: Plane):
        done, _ = large.run()
        assert done.diameter > 3 * large.predictor.known_diameter
        assert large.notices == [f"Nuclei of about {done.diameter:.0f} px across: such planes are rescaled to the size the model knows."]
        assert done.count == nus.segment(LARGE, tiny_model(), "cpu", settings=SETTINGS).max() > 1
        assert not (large.job.folder / "full" / NUCLEI).exists(), "what the first look left is cleared away"

    def test_of_several_planes_it_is_said_once(self, large: Plane):
        done, _ = large.run(told=True)
        assert done.diameter > 0
        assert large.notices == []

    def test_the_scale_that_was_chosen_is_kept(self, large: Plane):
        steps = large.steps(Here())
        while not next(steps).notice:
            pass
        steps.close()
        done, worked = large.run()
        assert {step for step, _ in worked} == {WRITTEN, ROWS}
        assert large.notices == [], "it was told before the run was interrupted"
        assert done.diameter > 0

    def test_a_finished_one_is_found_at_its_scale(self, large: Plane):
        first, _ = large.run()
        again, worked = large.run()
        assert worked == []
        assert again.diameter == first.diameter

    def test_a_diameter_that_was_given_is_not_estimated(self, tmp_path: Path):
        plane = Plane(tmp_path, LARGE, dataclasses.replace(SETTINGS, diameter=85.0))
        done, _ = plane.run()
        assert done.diameter == 85.0
        assert plane.notices == []
        assert not (plane.job.folder / "rescaled").exists()

    def test_a_second_look_that_finds_much_less_is_not_believed(self, large: Plane, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("napari_unet_seg.core.scale.LEAST_REDUCED", 1e6)
        done, _ = large.run()
        assert done.diameter == 0
        assert large.notices == []
        assert not list((large.job.folder / "rescaled").iterdir())


class TestSmallNuclei:
    def test_the_plane_is_enlarged_as_it_is_in_memory(self, tmp_path: Path):
        plane = Plane(tmp_path, LITTLE)
        done, _ = plane.run()
        whole = nus.drain(nus.iter_segment(LITTLE, tiny_model(), "cpu", settings=SETTINGS))
        assert 0 < done.diameter < plane.predictor.known_diameter / 1.5
        assert done.diameter == pytest.approx(whole.provenance["diameters"][0], abs=0.01)
        assert done.count == whole.labels.max() > 1

    def test_a_large_plane_is_left_as_it_is_and_this_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("napari_unet_seg.core.scale.MOST_UNASKED", 2 * LITTLE.size)
        plane = Plane(tmp_path, LITTLE)
        done, _ = plane.run()
        assert done.diameter == 0
        assert plane.notices == [UNASKED]
        again, worked = plane.run()
        assert (worked, again.diameter) == ([], 0)


def test_tiles_are_those_that_the_job_says_also_here(plane: Plane):
    run = PlaneRun(plane.job, Predictor(tiny_model(), "cpu"), Counting())
    assert run.predictor.tile == SETTINGS.tile


def test_memory_of_the_network_and_of_the_first_look_is_given_back(large: Plane, monkeypatch: pytest.MonkeyPatch):
    given: list[str] = []
    monkeypatch.setattr("napari_unet_seg.core.processor.release_memory", lambda: given.append("network"))
    rested: list[tuple[int, int]] = []
    real = Bench.rest

    def rest(self: Bench) -> None:
        before = self._maps.cache_info().currsize
        real(self)
        rested.append((before, self._maps.cache_info().currsize))

    monkeypatch.setattr(Bench, "rest", rest)
    done, _ = large.run()
    assert done.diameter > 0  # it was looked at twice
    assert len(given) == len(rested) >= 3  # after the network of each look, and before the second
    assert any(before for before, _ in rested)
    assert {after for _, after in rested} == {0}
