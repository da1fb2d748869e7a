"""Who works on the blocks of a plane: this process, or the workers of a dask cluster.

A cluster's workers read the image and write results themselves, on a disk that all of them reach; over the network go names and numbers
alone. What a lost worker had finished is on the disk, so that its loss costs the blocks that it had in hand.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from napari_unet_seg.core.bands import cores
from napari_unet_seg.errors import ComputeError, SettingsError

if TYPE_CHECKING:
    from distributed import Client

    from napari_unet_seg.io.block_job import Bench, Job

LOCAL = "local"
"""Stands for this process."""
_ABREAST = 3
"""Blocks that are decoded at a time in this process, each of which takes up to 300 MB: on many cores, what one does by itself counts."""
_WAIT = "20s"
"""How long the scheduler of a cluster may take to answer."""
_ONE = threading.Lock()
"""A worker of several threads does one step at a time: dask's configuration is that of the process, and memory that of one block."""


class Workers(Protocol):
    """Those who do the steps of blocks."""

    def each(self, bench: Bench, step: str, numbers: Sequence[int]) -> Iterator[int]:
        """Do a step for some tiles, blocks or cells; yields each number when it is done, in any order."""
        ...

    def device(self, bench: Bench) -> tuple[str, str]:
        """Return the device that computes, and the number format of the network on it."""
        ...


class Here:
    """Everything is done in this process: the network sees one tile after the other, and some blocks are decoded or measured at a time."""

    def each(self, bench: Bench, step: str, numbers: Sequence[int]) -> Iterator[int]:
        """Do a step for each number; see `Workers`. When it is closed, blocks that are worked on are finished."""
        from napari_unet_seg.io.block_job import HILLS, NUCLEI, ROWS

        lanes = min(cores(), _ABREAST, len(numbers)) if step in (HILLS, NUCLEI, ROWS) else 1
        if lanes < 2:
            for number in numbers:
                bench.do(step, number)
                yield number
            return
        if bench.is_warm:
            bench.rest()
        with ThreadPoolExecutor(lanes, thread_name_prefix="napari-unet-seg-block") as executor:
            futures = {executor.submit(bench.do, step, number): number for number in numbers}
            try:
                for future in as_completed(futures):
                    future.result()
                    yield futures[future]
            finally:
                for future in futures:
                    future.cancel()

    def device(self, bench: Bench) -> tuple[str, str]:
        """Return the device of this process; see `Workers`."""
        return _device_of(bench)


class Cluster:
    """The workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
        Connected to its scheduler.
    """

    def __init__(self, client: Client) -> None:
        """Start without a known worker."""
        self._client = client
        self._known: dict[Path, tuple[str, int]] = {}

    def each(self, bench: Bench, step: str, numbers: Sequence[int]) -> Iterator[int]:
        """Do a step on all workers; see `Workers`.

        Raises
        ------
        ComputeError
            If a block ended one worker after the other.
        """
        from distributed import KilledWorker, as_completed

        futures = self._client.map(_do, numbers, job=self._sent(bench), step=step, pure=False)
        try:
            for future in as_completed(futures, loop=self._client.loop):  # type: ignore[no-untyped-call]
                yield future.result()
        except KilledWorker as error:
            raise ComputeError(f"Several workers were lost at one block ({error.task}); give them more memory.") from error
        finally:
            self._client.cancel(futures)  # type: ignore[no-untyped-call]

    def device(self, bench: Bench) -> tuple[str, str]:
        """Return the device of a worker; waits until there is one; see `Workers`."""
        found: tuple[str, str] = self._client.submit(_worker_device, self._sent(bench), pure=False).result()
        return found

    def _sent(self, bench: Bench) -> tuple[str, int]:
        """Write what workers must know of a job to where they find it: its file, and when that was written."""
        import cloudpickle

        folder = bench.job.folder
        if folder not in self._known:
            path = folder / "job.pickle"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cloudpickle.dumps(bench.job))
            self._known[folder] = (str(path), path.stat().st_mtime_ns)
        return self._known[folder]


@contextmanager
def open_workers(scheduler: str) -> Iterator[Workers]:
    """Find the workers.

    Parameters
    ----------
    scheduler : str
        ``"local"`` for this process, or the address of a scheduler of dask.distributed such as ``"tcp://10.0.0.5:8786"``.

    Yields
    ------
    Workers

    Raises
    ------
    SettingsError
        If dask.distributed is not installed, or no scheduler answers.
    """
    if scheduler == LOCAL:
        yield Here()
        return
    try:
        from distributed import Client
    except ImportError as error:
        message = "Blocks can be sent to other computers only with dask.distributed; install it: pip install 'napari-unet-seg[cluster]'."
        raise SettingsError(message) from error
    try:
        client = Client(scheduler, timeout=_WAIT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise SettingsError(f"No scheduler of dask answers at {scheduler!r}; start one (dask scheduler), and give its address.") from error
    try:
        yield Cluster(client)
    finally:
        client.close()  # type: ignore[no-untyped-call]


def check_workers(scheduler: str) -> None:
    """Raise `SettingsError` if there are no workers to be had, before any work; parameters and errors as of `open_workers`."""
    with open_workers(scheduler):
        pass


def _do(number: int, job: tuple[str, int], step: str) -> int:
    """Do a step on a worker, unless one that is lost by now had finished it."""
    import dask

    with _ONE, dask.config.set(scheduler="synchronous"):  # else reading the image would ask the cluster for it
        bench = _bench(*job)
        if not bench.is_done(step, number):
            bench.do(step, number)
    return number


def _worker_device(job: tuple[str, int]) -> tuple[str, str]:
    return _device_of(_bench(*job))


def _device_of(bench: Bench) -> tuple[str, str]:
    predictor: Any = bench.predictor
    return predictor.device.name, str(predictor.dtype).removeprefix("torch.")


@lru_cache(maxsize=2)
def _bench(path: str, written: int) -> Bench:
    """Return the bench of a job in this process; `written` tells a later job in the same place from an earlier one."""
    del written
    from napari_unet_seg.io.block_classes import open_bench

    job: Job = pickle.loads(Path(path).read_bytes())
    return open_bench(job)
