from __future__ import annotations

import copy
import gc
import pickle

import numpy as np
import pytest
from napari.layers import Labels

from napari_unet_seg.gui.kept_maps import MAPS_KEY, KeptMaps, MapCache, maps_of
from napari_unet_seg.io.napari_writers import info_of_layer, write_tiff
from tests.tiny import whole_plane

SIZE = 4 * 8 * 8 * 2
"""Bytes of the maps of one plane."""


def maps(value=0.0, shape=(8, 8)):
    return whole_plane(np.full((4, *shape), value, np.float16))


@pytest.fixture
def cache():
    return MapCache(3 * SIZE)


def test_planes_are_found_by_their_place_in_the_layer(cache):
    kept = KeptMaps(cache, singles=(1,))
    kept.describe("TCZYX", (2, 1, 8, 8))
    kept.put((0, 0), maps(0.25))
    assert kept.axes == "TZYX"
    assert kept.plane((0, 0, 0)).dtype == np.float16
    assert kept.plane((0, 0, 0))[0, 0, 0] == 0.25
    assert kept.plane((1, 0, 0)) is None
    assert not kept.complete
    kept.put((1, 0), maps())
    assert kept.complete


def test_maps_of_other_pixels_than_the_labels_are_not_complete(cache):
    kept = KeptMaps(cache)
    kept.describe("YX", (16, 16))
    kept.put((), maps())
    assert not kept.complete


def test_the_plane_that_was_not_used_for_the_longest_goes(cache):
    first, second = KeptMaps(cache), KeptMaps(cache)
    for index in range(2):
        first.put((index,), maps(index))
    second.put((), maps(2))
    assert cache.size == 3 * SIZE
    assert first.plane((0,)) is not None
    second.put((1,), maps(3))
    assert cache.size == 3 * SIZE
    assert first.plane((1,)) is None
    assert first.plane((0,)) is not None
    assert second.plane(()) is not None


def test_what_does_not_fit_at_all_is_not_kept_and_drives_nothing_out():
    cache = MapCache(SIZE)
    kept = KeptMaps(cache)
    kept.put((), maps())
    kept.put((1,), maps(shape=(9, 8)))
    assert kept.plane((1,)) is None
    assert kept.plane(()) is not None


def test_maps_go_with_their_layer(cache):
    layer = Labels(np.zeros((8, 8), int), metadata={MAPS_KEY: KeptMaps(cache)})
    maps_of(layer).put((), maps())
    assert cache.size == SIZE
    del layer
    gc.collect()
    assert cache.size == 0


def test_other_layers_have_none():
    assert maps_of(Labels(np.zeros((8, 8), int))) is None
    assert maps_of(Labels(np.zeros((8, 8), int), metadata={MAPS_KEY: "?"})) is None


def test_a_copied_layer_shares_them_and_another_process_gets_none(cache):
    kept = KeptMaps(cache, singles=(1,))
    kept.put((), maps())
    assert copy.deepcopy({MAPS_KEY: kept})[MAPS_KEY] is kept
    sent = pickle.loads(pickle.dumps(kept))
    assert (sent.planes, sent.singles) == ({}, (1,))


def test_writers_leave_them_out(cache, tmp_path):
    kept = KeptMaps(cache)
    kept.put((), maps())
    layer = Labels(np.ones((8, 8), np.int32), metadata={MAPS_KEY: kept, "napari_unet_seg": {"model": "tiny"}})
    data, attributes, _ = layer.as_layer_data_tuple()
    assert info_of_layer(attributes).provenance == {"model": "tiny"}
    assert write_tiff(str(tmp_path / "a.labels.tif"), data, attributes)
