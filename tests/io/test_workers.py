"""Blocks on the workers of a real cluster of processes, of which one is killed in the middle of its work."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from types import SimpleNamespace

import dask
import dask.array as da
import numpy as np
import pytest
import zarr

import napari_unet_seg as nus
from napari_unet_seg.errors import ComputeError, SettingsError
from napari_unet_seg.io import workers
from napari_unet_seg.io.block_job import Job
from napari_unet_seg.io.workers import Cluster, open_workers
from tests.tiny import discs, tiny_model

SETTINGS = nus.SegmentSettings(tile=96)


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    quiet = {"dashboard_address": ":0", "silence_logs": 50}
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, memory_limit=0, **quiet) as cluster:
        yield cluster


def test_a_lost_worker_costs_its_blocks_alone(tmp_path, cluster, monkeypatch):
    from distributed import Client

    image = np.tile(discs((200, 230), 60)[0], (2, 2))
    finished: Counter[str] = Counter()
    send = Cluster.each

    def counting(self, bench, step, numbers):
        finished[step] += len(numbers)
        yield from send(self, bench, step, numbers)

    monkeypatch.setattr(Cluster, "each", counting)
    options = nus.OutOfCore(block=150, scheduler=cluster.scheduler_address)
    steps = nus.iter_segment_to(image, tmp_path / "x.zarr", tiny_model(), "cpu", SETTINGS, options)
    for _ in range(5):
        step = next(steps)
    with Client(cluster, set_as_default=False) as client:
        victim = next(iter(client.run(os.getpid).values()))
        os.kill(victim, signal.SIGKILL)
        stored = nus.drain(steps)
        assert victim not in client.run(os.getpid).values(), "another worker took its place"
    assert step.total == sum(finished.values()), "no step was begun anew"
    np.testing.assert_array_equal(
        zarr.open_array(tmp_path / "x.zarr" / "0")[...], nus.segment(image, tiny_model(), "cpu", settings=SETTINGS)
    )
    assert stored.provenance["device"] == "cpu"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv", "x.zarr"]


class Blocks:
    """Counts how many steps are done at a time; each waits until as many as can be have begun."""

    is_warm = True

    def __init__(self, abreast, broken=None):
        self.rested, self.now, self.most, self.broken = 0, 0, 0, broken
        self.done, self.lock, self.gate = [], threading.Lock(), threading.Barrier(abreast)

    def rest(self):
        self.rested += 1
        self.is_warm = False

    def do(self, step, number):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        if number < self.gate.parties:
            self.gate.wait(10)
        if number == self.broken:
            raise ComputeError(f"Block {number} is broken.")
        with self.lock:
            self.now -= 1
            self.done.append(number)


@pytest.mark.parametrize(("step", "abreast"), [("maps", 1), ("hills", 2), ("nuclei", 2), ("written", 1), ("rows", 2)])
def test_some_blocks_are_worked_on_at_a_time_here_and_tiles_one_by_one(step, abreast, monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 2)
    bench = Blocks(abreast)
    assert sorted(workers.Here().each(bench, step, range(7))) == sorted(bench.done) == list(range(7))
    assert bench.most == abreast
    assert bench.rested == (abreast > 1), "memory of the network is given back before"


def test_an_error_of_a_block_or_an_end_leaves_no_thread(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 16)
    bench = Blocks(workers._ABREAST, broken=1)
    with pytest.raises(ComputeError, match="Block 1 is broken"):
        list(workers.Here().each(bench, "hills", range(50)))
    stopped = workers.Here().each(Blocks(workers._ABREAST), "hills", range(50))
    next(stopped)
    stopped.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("napari-unet-seg-block")]


def test_an_error_on_a_worker_comes_back(tmp_path, cluster):
    fails = da.zeros((128, 128)).map_blocks(np.linalg.cholesky, dtype=float)
    options = nus.OutOfCore(scheduler=cluster.scheduler_address, measure={"wrong": fails})
    with pytest.raises(np.linalg.LinAlgError):
        nus.segment_to(discs()[0], tmp_path / "x.zarr", tiny_model(), "cpu", SETTINGS, options)
    assert [path.name for path in tmp_path.iterdir()] == [".x.zarr.unfinished"], "kept for going on"


def test_a_block_that_ends_worker_after_worker_is_told(monkeypatch):
    import distributed

    class Client:
        loop = None

        def map(self, *args, **options):
            return []

        def cancel(self, futures):
            pass

    def killing(futures, loop):
        raise distributed.KilledWorker("block-7", None, 4)

    monkeypatch.setattr(distributed, "as_completed", killing)
    monkeypatch.setattr(Cluster, "_sent", lambda self, bench: ("", 0))
    with pytest.raises(ComputeError, match="block-7"):
        list(Cluster(Client()).each(None, "maps", [7]))


def test_workers_are_told_of_each_plane_though_benches_come_and_go(tmp_path):
    sender = Cluster(None)
    for place in range(20):
        folder = tmp_path / str(place)
        bench = SimpleNamespace(job=Job((), None, (), folder, "cpu", None, None, folder, folder))
        assert sender._sent(bench)[0] == str(folder / "job.pickle")
        del bench  # its place in memory is the next one's


def test_threads_of_a_worker_take_turns(monkeypatch):
    """Each sets dask's scheduler, which is that of the process, and puts the former one back."""
    done = []

    class Bench:
        def is_done(self, step, number):
            return False

        def do(self, step, number):
            if number == 0:
                second.start()
                second.join(timeout=0.2)
                assert second.is_alive()
            done.append((number, dask.config.get("scheduler")))

    monkeypatch.setattr(workers, "_bench", lambda *job: Bench())
    second = threading.Thread(target=workers._do, args=(1, ("", 0), "maps"))
    workers._do(0, ("", 0), "maps")
    second.join()
    assert done == [(0, "synchronous"), (1, "synchronous")]
    assert dask.config.get("scheduler", None) is None


def test_without_the_library_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SettingsError, match=r"pip install 'napari-unet-seg\[cluster\]'"), open_workers("tcp://127.0.0.1:1"):
        pass


def test_this_process_needs_no_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with open_workers(workers.LOCAL) as here:
        assert isinstance(here, workers.Here)
