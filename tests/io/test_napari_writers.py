from __future__ import annotations

import json
from pathlib import Path

import napari_builtins
import npe2
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from napari.layers import Labels
from npe2.manifest.utils import import_python_name

from napari_unet_seg.errors import InputError, WriteError
from napari_unet_seg.io import napari_writers
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.napari_writers import info_of_layer, write_csv, write_geojson, write_rois, write_tiff, write_zarr
from tests.io.shapes import awkward_labels

PACKAGE = Path(napari_writers.__file__).parents[1]


def layer(**options):
    """The state of a layer as napari hands it to a writer."""
    options.setdefault("data", awkward_labels())
    data, attributes, kind = Labels(**options).as_layer_data_tuple()
    assert kind == "labels"
    return data, attributes


def test_what_a_layer_says_about_itself():
    features = pd.DataFrame({"index": [1], "score": [0.5]})
    _, attributes = layer(
        data=np.zeros((2, 3, 4, 5), np.int32),
        scale=(2, 1500, 0.3, 0.3),
        units=("min", "nm", "um", "um"),
        axis_labels=("t", "z", "y", "x"),
        name="Kerne",
        features=features,
        metadata={"napari_unet_seg": {"model": "m"}, "other": 1},
    )
    info = info_of_layer(attributes)
    assert info == LabelsInfo("TZYX", {"T": 120.0, "Z": 1.5, "Y": 0.3, "X": 0.3}, "Kerne", {"model": "m"})
    pd.testing.assert_frame_equal(info.features, features)


def test_a_layer_that_says_nothing():
    _, attributes = layer(data=np.zeros((2, 3, 4), np.int32), scale=(3, 2, 2))
    info = info_of_layer(attributes)
    assert info == LabelsInfo("ZYX", {}, attributes["name"], {})
    assert info_of_layer({}) == LabelsInfo()


@pytest.mark.parametrize(
    ("labels", "axes"),
    [
        (("time", "row", "column"), "TYX"),
        (("Channel", "Y", "X"), "CYX"),
        (("frame", "slice", "y", "x"), "TZYX"),
        (("a", "b", "y", "x"), "TZYX"),
    ],
)
def test_axis_labels(labels, axes):
    _, attributes = layer(data=np.zeros((2,) * len(labels), np.int32), axis_labels=labels)
    assert info_of_layer(attributes).axes == axes


@pytest.mark.parametrize("unit", ["pixel", "second", "degree"])
def test_a_scale_that_is_no_length_is_not_known(unit):
    _, attributes = layer(scale=(0.5, 0.5), units=(unit, unit))
    assert info_of_layer(attributes).scale == {}
    assert info_of_layer(attributes | {"units": ("no such unit", object())}).scale == {}


def test_too_many_dimensions():
    with pytest.raises(InputError, match="6 dimensions; files of labels have at most 5"):
        info_of_layer({"scale": (1,) * 6})


@pytest.mark.parametrize(
    ("writer", "ending"),
    [
        (write_tiff, ".labels.tif"),
        (write_zarr, ".labels.zarr"),
        (write_rois, ".rois.zip"),
        (write_csv, ".labels.csv"),
        (write_geojson, ".labels.geojson"),
    ],
)
def test_a_name_without_an_ending_gets_one_but_replaces_nothing(tmp_path, writer, ending):
    data, attributes = layer()
    (written,) = writer(str(tmp_path / "DAPI 0.5"), data, attributes)
    assert written == str(tmp_path / "DAPI 0.5") + ending
    assert Path(written).exists()
    with pytest.raises(WriteError, match="it exists already; type its whole name"):
        writer(str(tmp_path / "DAPI 0.5"), data, attributes)
    assert writer(written, data, attributes) == [written]  # napari has asked


def test_a_multiscale_layer_is_written_at_full_size(tmp_path):
    labels = np.pad(awkward_labels(), ((0, 60), (0, 40)))
    data, attributes = layer(data=[labels, labels[::2, ::2]], multiscale=True)
    write_tiff(str(tmp_path / "x.tif"), data, attributes)
    assert np.array_equal(tifffile.imread(tmp_path / "x.tif"), labels)


def test_the_8_bit_layer_of_naparis_own_button(tmp_path):
    data, attributes = layer(data=np.eye(5, dtype=np.uint8) * 255)
    write_zarr(str(tmp_path / "x.zarr"), data, attributes)
    assert np.array_equal(zarr.open_array(tmp_path / "x.zarr" / "0", mode="r")[...], data)


@pytest.fixture
def plugins():
    """napari's own writers and then ours: of two that fit a name equally well, napari takes the one that it knew first."""
    manager = npe2.PluginManager()
    manager.register(npe2.PluginManifest.from_file(Path(napari_builtins.__file__).parent / "builtins.yaml"))
    manager.register(npe2.PluginManifest.from_file(PACKAGE / "napari.yaml"))
    return manager


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("a.labels.tif", "napari-unet-seg.write_tiff"),
        ("a.labels.zarr", "napari-unet-seg.write_zarr"),
        ("a.zarr", "napari-unet-seg.write_zarr"),
        ("a.rois.zip", "napari-unet-seg.write_rois"),
        ("a.zip", "napari-unet-seg.write_rois"),
        ("a.labels.csv", "napari-unet-seg.write_csv"),
        ("a.csv", "napari-unet-seg.write_csv"),
        ("a.geojson", "napari-unet-seg.write_geojson"),
        ("a.tif", "napari.write_labels"),  # napari's, unless ours is chosen
        ("a.npz", "napari.write_labels"),
    ],
)
def test_napari_picks_the_writer_by_the_ending(plugins, name, command):
    writer, path = plugins.get_writer(name, ["labels"])
    assert (writer.command, path) == (command, name)


@pytest.mark.parametrize("name", ["a.tif", "a.tiff", "a.labels.tif", "a.csv", "a.zip", "a.geojson", "a.zarr"])
def test_napari_saves_with_the_writer_that_was_chosen(plugins, tmp_path, name):
    writer, path = plugins.get_writer(str(tmp_path / name), ["labels"], "napari-unet-seg")
    function = import_python_name(plugins.get_command(writer.command).python_name)
    data, attributes = layer(scale=(0.5, 0.5), units=("um", "um"), metadata={"napari_unet_seg": {"model": "m"}})
    assert function(path, data, attributes) == [path]
    if ".tif" in name:
        with tifffile.TiffFile(path) as tiff:
            assert "PhysicalSizeX" in tiff.ome_metadata
            assert json.loads(tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Description"]) == {"napari_unet_seg": {"model": "m"}}


@pytest.mark.parametrize("kind", ["image", "points", "shapes"])
def test_only_labels_layers_are_offered(plugins, kind):
    assert not [writer for writer in plugins.iter_compatible_writers([kind]) if writer.plugin_name == "napari-unet-seg"]


def test_scale_and_units_may_be_arrays_as_napari_gives_them():
    attributes = {"scale": np.array([0.5, 0.25]), "units": np.array(["micrometer", "micrometer"]), "axis_labels": ("y", "x")}
    assert info_of_layer(attributes).scale == {"Y": 0.5, "X": 0.25}
