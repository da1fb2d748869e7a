from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.layers import Labels

from napari_unet_seg.errors import WriteError
from napari_unet_seg.gui.exporting import FORMATS, class_map, export_steps, file_name, has_classes, request_of
from napari_unet_seg.gui.kept_maps import MAPS_KEY, KeptMaps, MapCache
from napari_unet_seg.io.batch import FORMATS as BATCH
from napari_unet_seg.io.image import open_image
from napari_unet_seg.progress import drain
from tests.tiny import discs, whole_plane


def maps_of(planes, singles=()):
    maps = KeptMaps(MapCache(), singles)
    maps.describe("ZYX" if len(planes) > 1 else "YX", (len(planes), 2, 3) if len(planes) > 1 else (2, 3))
    for number, plane in enumerate(planes):
        shares = np.stack([plane == value for value in range(3)] + [plane * 0])
        maps.put((number,) if len(planes) > 1 else (), whole_plane(shares))
    return maps


def test_endings_are_those_of_the_command_line():
    assert {one.key: one.ending for one in FORMATS} == {key: ending for key, ending in BATCH.items() if key != "overlay"}


@pytest.mark.parametrize(("name", "file"), [("dapi nuclei", "dapi nuclei"), ("a/b: c?", "a_b_ c_"), (" .", "nuclei"), ("", "nuclei")])
def test_names_of_layers_become_names_of_files(name, file):
    assert file_name(name) == file


def test_progress_names_each_file(tmp_path):
    layer = Labels(discs()[1], scale=(0.5, 0.5), units=("um", "um"))
    paths = {"tiff": tmp_path / "x.labels.tif", "rois": tmp_path / "x.rois.zip"}
    steps = []
    assert drain(export_steps(request_of(layer, paths)), steps.append) == tuple(paths.values())
    assert [(step.stage, step.done, step.total) for step in steps] == [("Saving x.labels.tif", 0, 2), ("Saving x.rois.zip", 1, 2)]
    assert open_image(paths["tiff"]).scale == {"Y": 0.5, "X": 0.5}


def test_a_pyramid_is_saved_from_its_largest_level(tmp_path):
    labels = discs()[1]
    drain(export_steps(request_of(Labels([labels, labels[::2, ::2]]), {"tiff": tmp_path / "x.labels.tif"})))
    assert np.array_equal(open_image(tmp_path / "x.labels.tif").data, labels)


def test_files_that_were_saved_before_an_error_stay(tmp_path):
    paths = {"tiff": tmp_path / "x.labels.tif", "csv": tmp_path / "none" / "x.labels.csv"}
    with pytest.raises(WriteError, match="folder does not exist"):
        drain(export_steps(request_of(Labels(discs()[1]), paths)))
    assert paths["tiff"].exists()


@pytest.mark.parametrize("singles", [(), (1,), (1, 2)])
def test_the_class_map_is_what_the_network_saw(singles):
    planes = [np.array([[0, 1, 2], [2, 1, 0]]), np.array([[1, 1, 1], [0, 0, 2]])]
    shape = (2, *[1] * len(singles), 2, 3)
    found = class_map(maps_of(planes, singles), shape)
    assert np.array_equal(found, np.stack(planes).reshape(shape))
    assert found.dtype == np.uint8


def test_classes_are_there_while_all_maps_are():
    layer = Labels(np.zeros((2, 3), np.int32))
    assert not has_classes(layer)
    layer.metadata[MAPS_KEY] = maps = maps_of([np.zeros((2, 3), int)])
    assert has_classes(layer)
    maps.planes.clear()
    assert not has_classes(layer)
    assert request_of(layer, {"classes": Path("x")}).maps is maps


def test_the_distance_is_no_class_of_a_model_with_two():
    maps = KeptMaps(MapCache())
    maps.describe("YX", (1, 2))
    maps.put((), whole_plane(np.array([[[0.9, 0.4]], [[0.1, 0.6]], [[0.0, 1.0]]])))
    assert class_map(maps, (1, 2)).tolist() == [[0, 1]]
