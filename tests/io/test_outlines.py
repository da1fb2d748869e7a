from __future__ import annotations

import time

import dask.array as da
import numpy as np
import pytest
import shapely
from scipy import ndimage

from napari_unet_seg.io import labels_info
from napari_unet_seg.io.outlines import trace_outlines
from tests.io.shapes import areas, awkward_labels, many_labels


def geometry(polygons):
    return shapely.MultiPolygon([shapely.Polygon(shell, holes) for shell, *holes in polygons])


def plain(outline):
    return outline.label, [[ring.tolist() for ring in polygon] for polygon in outline.polygons]


def assert_exact(labels):
    """Each outline is valid, oriented, and covers the nucleus' pixels and no others."""
    outlines = list(trace_outlines(labels))
    assert [outline.label for outline in outlines] == np.unique(labels[labels > 0]).tolist()
    y, x = np.indices(labels.shape)
    for outline in outlines:
        mask = labels == outline.label
        shape = geometry(outline.polygons)
        assert shape.is_valid
        assert all(part.is_valid and part.exterior.is_ccw for part in shape.geoms)
        assert not any(hole.is_ccw for part in shape.geoms for hole in part.interiors)
        assert shape.area == mask.sum()
        assert np.array_equal(shapely.contains_xy(shape, x + 0.5, y + 0.5), mask)
        assert len(outline.polygons) == ndimage.label(mask)[1]


def test_awkward_labels():
    assert_exact(awkward_labels())


@pytest.mark.parametrize("seed", range(60))
def test_noise_has_every_way_to_meet_at_a_corner(seed):
    generator = np.random.default_rng(seed)
    shape = generator.integers(1, 16, 2)
    assert_exact(generator.integers(0, generator.integers(2, 5), shape).astype(np.int32))


def test_pixel_corners():
    labels = np.zeros((5, 7), np.int32)
    labels[2, 3:5] = 4
    (outline,) = trace_outlines(labels)
    assert plain(outline) == (4, [[[[3, 2], [5, 2], [5, 3], [3, 3]]]])


def test_bands_and_batches_change_nothing(monkeypatch):
    labels = np.random.default_rng(0).integers(0, 6, (37, 23)).astype(np.int32)
    whole = [plain(outline) for outline in trace_outlines(labels)]
    monkeypatch.setattr(labels_info, "_BAND_PIXELS", 23)
    monkeypatch.setattr("napari_unet_seg.io.outlines._BATCH", 10)
    for source in (labels, da.from_array(labels, chunks=(5, 4)), labels.astype(np.uint8), labels.astype(np.int64)):
        assert [plain(outline) for outline in trace_outlines(source)] == whole


def test_chunks_are_read_once():
    reads = []

    def read(block, block_info):
        reads.append(block_info[0]["chunk-location"])
        return block

    labels = many_labels(20)
    lazy = da.from_array(labels, chunks=(16, 60)).map_blocks(read, dtype=np.int32, meta=np.empty((0, 0), np.int32))
    assert len(list(trace_outlines(lazy))) == 400
    assert sorted(reads) == sorted(set(reads))


def test_no_nuclei():
    assert list(trace_outlines(np.zeros((3, 4), np.int32))) == []


def test_labels_at_the_end_of_32_bits():
    labels = np.array([[2**32 - 1, 0, 7]], np.uint32)
    assert {outline.label for outline in trace_outlines(labels)} == {7, 2**32 - 1}


def test_many_nuclei_in_seconds():
    labels = many_labels()
    start = time.process_time()
    found = {outline.label: len(outline.polygons[0][0]) for outline in trace_outlines(labels)}
    assert time.process_time() - start < 20  # 2 s measured; a per-nucleus scan of the image would take hours
    assert found == dict.fromkeys(areas(labels), 4)
