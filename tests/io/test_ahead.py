from __future__ import annotations

import threading
from pathlib import Path

import pytest

from napari_unet_seg.errors import ReadError
from napari_unet_seg.io import image
from napari_unet_seg.io.ahead import Ahead

PATHS = [Path(name) for name in "abc"]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch):
    """Stands for the files: tells which were opened, by which thread."""

    class Disk:
        def __init__(self) -> None:
            self.opened: dict[str, threading.Thread] = {}
            self.done = threading.Semaphore(0)
            self.bad = ""

        def __call__(self, path: Path) -> str:
            self.opened[path.name] = threading.current_thread()
            self.done.release()
            if path.name == self.bad:
                raise ReadError(f"{path} is damaged.")
            return f"image {path}"

    disk = Disk()
    monkeypatch.setattr(image, "open_image", disk)
    return disk


def wait(disk, count):
    for _ in range(count):
        assert disk.done.acquire(timeout=10)


def test_the_next_image_is_opened_beside_the_present_one(disk):
    ahead = Ahead(PATHS)
    assert ahead.open(PATHS[0]) == "image a"
    wait(disk, 2)
    assert set(disk.opened) == {"a", "b"}, "never more than one ahead"
    assert disk.opened["a"] is threading.current_thread()
    assert disk.opened["b"] is not threading.current_thread()
    assert [ahead.open(path) for path in PATHS[1:]] == ["image b", "image c"]
    ahead.close()
    assert len(disk.opened) == 3


def test_a_bad_image_is_told_when_its_turn_comes(disk):
    disk.bad = "b"
    ahead = Ahead(PATHS)
    assert ahead.open(PATHS[0]) == "image a"
    wait(disk, 2)
    with pytest.raises(ReadError, match="damaged"):
        ahead.open(PATHS[1])
    assert ahead.open(PATHS[2]) == "image c"
    ahead.close()


def test_an_image_that_is_left_out_does_no_harm(disk):
    ahead = Ahead(PATHS)
    ahead.open(PATHS[0])
    assert ahead.open(PATHS[2]) == "image c"
    ahead.close()


def test_one_image_needs_no_thread(disk):
    ahead = Ahead(PATHS[:1])
    assert ahead.open(PATHS[0]) == "image a"
    ahead.close()
    assert list(disk.opened) == ["a"]
