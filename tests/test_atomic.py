"""Nothing here is simulated: disks are full, processes killed, folders closed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from napari_unet_seg import atomic
from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.errors import WriteError
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.writers import write_labels

SOURCE = Path(atomic.__file__).parents[1]
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs signals and limits of POSIX")
ENDINGS = [".labels.tif", ".rois.zip", ".labels.csv", ".labels.geojson", ".labels.zarr"]

WRITE_NOISE = """
import sys
import numpy as np
from napari_unet_seg.errors import WriteError
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.writers import write_labels
noise = np.random.default_rng(0).permutation(600 * 600).reshape(600, 600).astype(np.int32)
try:
    write_labels(sys.argv[1], noise, info=LabelsInfo())
except WriteError as error:
    print(error)
    sys.exit(7)
"""

WRITE_AND_HANG = """
import sys
import dask.array as da
import numpy as np
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.writers import write_labels

def block(block_id):
    if block_id[0] == 2:
        print("in the middle", flush=True)
        sys.stdin.read()
    return np.full((1, 64, 64), 1 + block_id[0], np.int32)

labels = da.map_blocks(block, chunks=((1,) * 4, (64,), (64,)), dtype=np.int32, meta=np.empty((0, 0, 0), np.int32))
write_labels(sys.argv[1], labels, info=LabelsInfo(axes="ZYX"))
"""


def python(script, *arguments, prefix=(), **options):
    command = [*prefix, sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(SOURCE)}, text=True, stdout=subprocess.PIPE, **options)


def small_labels():
    labels = np.zeros((8, 8), np.int32)
    labels[2:5, 2:5] = 3
    return labels


def content(path):
    """All bytes of a file or folder."""
    if path.is_dir():
        return {str(inside.relative_to(path)): inside.read_bytes() for inside in sorted(path.rglob("*")) if inside.is_file()}
    return path.read_bytes()


@contextmanager
def someone_else():
    """Give up the rights of root, to whom no folder is closed."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_any_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def stopped_half_way():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_half_way()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_takes_the_place_of_a_folder(tmp_path):
    path = tmp_path / "a.zarr"
    (path / "inside").mkdir(parents=True)
    (path / "inside" / "old").touch()
    with atomic_path(path) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
        assert (path / "inside" / "old").exists()
    assert os.listdir(path) == ["new"]
    assert os.listdir(tmp_path) == ["a.zarr"]


def test_a_link_is_followed(tmp_path):
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    link.symlink_to(real)
    with atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


@POSIX
def test_the_rights_of_the_old_file_are_kept(tmp_path):
    path = tmp_path / "a.txt"
    path.touch()
    path.chmod(0o640)
    with atomic_path(path) as temporary:
        temporary.write_text("new")
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing/a.csv", "its folder does not exist"), ("file/a.csv", "a part of the path is a file"), ("folder", "a folder has that name")],
)
def test_the_reason_is_said_in_words(tmp_path, path, reason):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError, match=reason) as caught, atomic_path(tmp_path / path) as temporary:
        temporary.write_text("new")
    assert str(tmp_path / path) in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(WriteError, match="the name is too long"), atomic_path(tmp_path / ("n" * 250)) as temporary:
        temporary.write_text("new")


def test_failing_to_read_the_source_is_not_called_failing_to_write(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_bytes((tmp_path / "source.tif").read_bytes())


@POSIX
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_closed_folder(ending):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / f"x{ending}"
        write_labels(path, small_labels(), info=LabelsInfo())
        before = content(path)
        Path(name).chmod(0o555)
        with someone_else(), pytest.raises(WriteError, match=r"permission was denied.* unchanged"):
            write_labels(path, small_labels() * 2, info=LabelsInfo())
        Path(name).chmod(0o755)
        assert content(path) == before
        assert os.listdir(name) == [path.name]


@POSIX
def test_a_write_protected_file_is_respected(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("mine")
    path.chmod(0o444)
    if os.geteuid() == 0:  # root may write what it likes; what matters is that the answer is heard
        monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(WriteError, match="permission was denied"), atomic_path(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "mine"


@POSIX
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_larger_than_allowed(tmp_path, ending):
    import resource

    path = tmp_path / f"x{ending}"
    write_labels(path, small_labels(), info=LabelsInfo())
    before = content(path)
    limit = (50_000, 50_000)
    process = python(WRITE_NOISE, str(path), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 7, said
    assert "larger than is allowed" in said
    assert "unchanged" in said
    assert content(path) == before
    assert os.listdir(tmp_path) == [path.name]


WRITE_SLOWLY_AND_FAIL = """
import sys, threading, time
import dask.array as da
import dask.system
import numpy as np
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.writers import write_labels

dask.system.CPU_COUNT = 2  # wherever it is tested
begun = threading.Barrier(2, timeout=60)

def block(block_id):
    begun.wait()
    if block_id[0] == 0:
        raise RuntimeError("this block cannot be read")
    time.sleep(1)
    return np.ones((1, 64, 64), np.int32)

labels = da.map_blocks(block, chunks=((1,) * 2, (64,), (64,)), dtype=np.int32, meta=np.empty((0, 0, 0), np.int32))
try:
    write_labels(sys.argv[1], labels, info=LabelsInfo(axes="ZYX"))
except RuntimeError as error:
    print(error)
time.sleep(2)
"""


def test_nothing_is_written_any_more_once_the_folder_is_removed(tmp_path):
    path = tmp_path / "x.labels.zarr"
    said, _ = python(WRITE_SLOWLY_AND_FAIL, str(path)).communicate(timeout=120)
    assert said.strip().endswith("this block cannot be read"), said
    assert os.listdir(tmp_path) == []


def namespace():
    """How to start a process with mounts of its own, as root or, where the system allows it, as anybody; None if it does not."""
    ways = (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"])
    for way in ways if shutil.which("unshare") else ():
        if not subprocess.run([*way, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False).returncode:
            return way
    return None


@pytest.mark.skipif(sys.platform != "linux", reason="needs a small disk, which Linux can make of memory")
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk(tmp_path, ending):
    way = namespace()
    if way is None:
        pytest.skip("needs the right to mount a small disk")
    disk, old, after = tmp_path / "disk", tmp_path / f"x{ending}", tmp_path / "after"
    disk.mkdir()
    write_labels(old, small_labels(), info=LabelsInfo())
    shell = 'mount -t tmpfs -o size=320k tmpfs "$1"; cp -r "$2" "$1"; shift 3; "$@"; code=$?; cp -r "$D" "$A"; exit $code'
    prefix = ["env", f"D={disk}", f"A={after}", *way, "sh", "-c", shell, "sh", str(disk), str(old), "--"]
    process = python(WRITE_NOISE, str(disk / old.name), prefix=prefix)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 7, said
    assert "the disk is full: free some space" in said
    assert "unchanged" in said
    assert os.listdir(after) == [old.name]
    assert content(after / old.name) == content(old)


@POSIX
@pytest.mark.parametrize("ending", [".labels.tif", ".rois.zip", ".labels.zarr"])
def test_a_killed_process(tmp_path, ending):
    path = tmp_path / f"x{ending}"
    write_labels(path, small_labels(), info=LabelsInfo())
    before = content(path)
    process = python(WRITE_AND_HANG, str(path), stdin=subprocess.PIPE)
    assert process.stdout.readline() == "in the middle\n"
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert content(path) == before
    assert len(os.listdir(tmp_path)) == 2  # the hidden half; a dead process cannot clear it away ...
    atomic._sweep.cache_clear()
    write_labels(path, small_labels(), info=LabelsInfo())
    assert os.listdir(tmp_path) == [path.name]  # ... but the next one does


def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@POSIX
def test_a_folder_whose_replacement_never_came_is_put_back(tmp_path):
    aside = tmp_path / f".a.zarr.{atomic._HOST}-{dead_process()}-0.replaced"
    aside.mkdir()
    (aside / "old").touch()
    with atomic_path(tmp_path / "other") as temporary:
        temporary.touch()
    assert os.listdir(tmp_path / "a.zarr") == ["old"]


@POSIX
def test_what_a_living_process_or_another_machine_writes_is_left_alone(tmp_path):
    living = tmp_path / f".a.tif.{atomic._HOST}-{os.getppid()}-0.partial"
    elsewhere = tmp_path / f".a.tif.elsewhere-{dead_process()}-0.partial"
    living.touch()
    elsewhere.touch()
    with atomic_path(tmp_path / "a.tif") as temporary:
        temporary.touch()
    assert living.exists()
    assert elsewhere.exists()
