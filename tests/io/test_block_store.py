"""Results of blocks are whole, missing or known to be damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_unet_seg.errors import ReadError, WriteError
from napari_unet_seg.io.block_store import BlockStore

ARRAYS = {
    "a": np.arange(6).reshape(2, 3),
    "transposed": np.arange(6).reshape(2, 3).T,
    "scalar": np.array(2.5),
    "none": np.zeros((0, 4), bool),
    "half": np.ones((2, 2), np.float16),
    "large": np.full((300, 300), 7, np.uint32),
}


@pytest.fixture
def store(tmp_path: Path) -> BlockStore:
    store = BlockStore(tmp_path / "blocks")
    store.put("step/1", ARRAYS)
    return store


def test_arrays_come_back_as_they_were(store: BlockStore):
    found = store.get("step/1")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)


def test_equal_results_are_equal_bytes(store: BlockStore):
    first = (store.folder / "step" / "1").read_bytes()
    store.put("step/1", ARRAYS)
    assert (store.folder / "step" / "1").read_bytes() == first
    assert len(first) < 2000, "compressed"


def test_nothing_else_lies_there(store: BlockStore):
    assert [path.name for path in (store.folder / "step").iterdir()] == ["1"]


@pytest.mark.parametrize("place", [0, 15, 16, 40, -1])
def test_each_flipped_bit_is_found(store: BlockStore, place: int):
    path = store.folder / "step" / "1"
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)
    with pytest.raises(ReadError, match="missing or damaged"):
        store.get("step/1")
    assert not store.check("step/1")
    assert not path.exists(), "it is made anew"


@pytest.mark.parametrize("length", [0, 10, 50])
def test_what_is_cut_off_is_found(store: BlockStore, length: int):
    path = store.folder / "step" / "1"
    path.write_bytes(path.read_bytes()[:length])
    assert not store.check("step/1")


def test_what_is_missing_is_missing(store: BlockStore):
    assert store.check("step/1")
    assert not store.check("step/2")
    with pytest.raises(ReadError, match="--resume"):
        store.get("step/2")


def test_folders_and_single_results_are_dropped(store: BlockStore):
    store.put("done", {"count": np.array(3)})
    store.put("other/1", {"count": np.array(3)})
    store.drop("step", "done", "never there")
    assert sorted(path.name for path in store.folder.iterdir()) == ["other"]


def test_a_file_in_the_way_is_told(store: BlockStore):
    with pytest.raises(WriteError, match="was not written"):
        store.put("step/1/deeper", ARRAYS)
