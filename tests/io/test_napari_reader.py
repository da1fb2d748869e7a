"""napari gets layers that are named, scaled and coloured; nobody is asked which reader to take, and our own labels come back as ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import napari.settings
import napari_builtins
import numpy as np
import pytest
import tifffile
import zarr
from napari.components import ViewerModel
from napari.errors import MultipleReaderError, ReaderPluginError
from napari.layers import Image, Labels, Layer
from napari.plugins import _npe2
from npe2 import PluginManifest

import napari_unet_seg
from napari_unet_seg.errors import ReadError
from napari_unet_seg.io import image as image_module
from napari_unet_seg.io.image import ImageFile
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.napari_reader import (
    FILE_KEY,
    FILENAME_PATTERNS,
    PLUGIN,
    axis_labels,
    layers_of,
    napari_get_reader,
    prefer_own_reader,
    read_layers,
)
from napari_unet_seg.io.tiff_writer import write_tiff
from napari_unet_seg.io.writers import write_labels
from napari_unet_seg.io.zarr_writer import write_zarr

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 9, (3, 20, 30), "int32")
INFO = LabelsInfo(axes="ZYX", scale={"Z": 2.0, "Y": 0.25, "X": 0.5}, provenance={"model": "nuclei-v1"})
MANIFEST = PluginManifest.from_file(Path(napari_unet_seg.__file__).with_name("napari.yaml"))


@pytest.fixture
def labels_file(tmp_path: Path) -> Path:
    write_tiff(tmp_path / "cells.labels.tif", LABELS, INFO)
    return tmp_path / "cells.labels.tif"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Any:
    """napari's settings as they are after it is installed, and nothing written to those of whoever runs the tests."""
    monkeypatch.setattr(napari.settings, "_SETTINGS", None)
    return napari.settings.get_settings(path=None).plugins


@pytest.fixture
def viewer(npe2pm: Any, settings: Any) -> Iterator[ViewerModel]:
    """A viewer of a napari that has its own plugin and ours."""
    npe2pm.register(PluginManifest.from_file(Path(napari_builtins.__file__).with_name("builtins.yaml")))
    npe2pm.register(MANIFEST)
    assert not settings.extension2reader
    return ViewerModel()


# -- who is asked ----------------------------------------------------------------------------------------------------------------------
# The window opens files with plugin=None: choose for me. (From Python the default is napari's own reader.)


def test_manifest_claims_what_is_ours_and_nothing_else():
    (reader,) = MANIFEST.contributions.readers
    assert tuple(reader.filename_patterns) == FILENAME_PATTERNS
    assert not reader.accepts_directories
    assert MANIFEST.on_activate == f"{prefer_own_reader.__module__}:{prefer_own_reader.__name__}"


@pytest.mark.usefixtures("viewer")
@pytest.mark.parametrize(
    "name", ["a.tif", "a.TIFF", "a.ome.tif", "a.ome.tiff", "a.btf", "a.svs", "a.png", "a.jpg", "labels.tif", "a.labels.png"]
)
def test_there_is_no_choice_for_files_of_others(name: str):
    assert list(_npe2.get_readers(name)) == ["napari"]


@pytest.mark.usefixtures("viewer")
@pytest.mark.parametrize("name", ["folder", "a.zarr", "a.labels.zarr"])
def test_there_is_no_choice_for_folders(tmp_path: Path, name: str):
    (tmp_path / name).mkdir()
    assert list(_npe2.get_readers(tmp_path / name)) == ["napari"]


@pytest.mark.usefixtures("viewer")
@pytest.mark.parametrize("name", ["a.labels.tif", "a.labels.tiff", "a b 1.5um.LABELS.TIF", "a.classes.tif"])
def test_ours_are_offered_to_us(name: str):
    assert sorted(_npe2.get_readers(name)) == ["napari", PLUGIN]


def test_plain_tiff_opens_as_it_did_before(tmp_path: Path, viewer: ViewerModel):
    tifffile.imwrite(tmp_path / "a.tif", LABELS.astype(np.uint8), photometric="minisblack")
    prefer_own_reader()
    (layer,) = viewer.open(tmp_path / "a.tif", plugin=None)
    assert layer.source.reader_plugin == "napari"


def test_our_labels_open_as_labels_without_a_question(labels_file: Path, viewer: ViewerModel):
    prefer_own_reader()
    (layer,) = viewer.open(labels_file, plugin=None)
    assert layer.source.reader_plugin == PLUGIN
    assert isinstance(layer, Labels)
    assert layer.data.dtype == np.int32
    np.testing.assert_array_equal(layer.data, LABELS)
    assert layer.name == "cells.labels"
    assert layer.scale.tolist() == [2.0, 0.25, 0.5]
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    assert layer.axis_labels == ("z", "y", "x")
    assert layer.metadata["napari_unet_seg"] == {"model": "nuclei-v1"}


def test_without_a_preference_napari_would_ask(labels_file: Path, viewer: ViewerModel, settings: Any):
    with pytest.raises(MultipleReaderError):
        viewer.open(labels_file, plugin=None)
    viewer.open(labels_file, plugin=PLUGIN)  # what the answer to that question does: the first use activates the plugin
    assert settings.extension2reader == dict.fromkeys(FILENAME_PATTERNS, PLUGIN)
    (layer,) = viewer.open(labels_file, plugin=None)
    assert layer.source.reader_plugin == PLUGIN


def test_choice_of_the_user_is_kept(labels_file: Path, viewer: ViewerModel, settings: Any):
    settings.extension2reader = {"*.labels.tif": "napari"}
    prefer_own_reader()
    assert settings.extension2reader == {"*.labels.tif": "napari"} | dict.fromkeys(FILENAME_PATTERNS[1:], PLUGIN)
    (layer,) = viewer.open(labels_file, plugin=None)
    assert layer.source.reader_plugin == "napari"


def test_choice_for_all_tiffs_does_not_count_for_ours(labels_file: Path, viewer: ViewerModel, settings: Any):
    settings.extension2reader = {"*.tif": "napari", "*.png": "other"}
    prefer_own_reader()
    prefer_own_reader()  # again, at the next start
    assert settings.extension2reader == {"*.tif": "napari", "*.png": "other"} | dict.fromkeys(FILENAME_PATTERNS, PLUGIN)
    (layer,) = viewer.open(labels_file, plugin=None)
    assert layer.source.reader_plugin == PLUGIN


def test_choice_that_would_warn_at_each_tiff_is_narrowed(tmp_path: Path, viewer: ViewerModel, settings: Any):
    settings.extension2reader = {"*.tif": PLUGIN}  # what "Remember this choice" stores for one of our files
    prefer_own_reader()
    assert settings.extension2reader == dict.fromkeys(FILENAME_PATTERNS, PLUGIN)
    tifffile.imwrite(tmp_path / "a.tif", LABELS[0].astype(np.uint8))
    viewer.open(tmp_path / "a.tif", plugin=None)  # warnings are errors here


def test_damaged_labels_are_named(labels_file: Path, viewer: ViewerModel):
    labels_file.write_bytes(labels_file.read_bytes()[:-300])
    prefer_own_reader()
    with pytest.raises(ReaderPluginError) as failed:
        viewer.open(labels_file, plugin=None)
    assert isinstance(failed.value.original_error, ReadError)
    assert str(failed.value.original_error).startswith("cells.labels.tif is ")


# -- layers ----------------------------------------------------------------------------------------------------------------------------


def create(image: ImageFile) -> list[Layer]:
    return [Layer.create(*layer) for layer in layers_of(image_module._complete(image))]


def test_three_channels_are_three_layers(tmp_path: Path):
    pixels = RANDOM.integers(0, 4000, (3, 20, 30), "uint16")
    metadata = {
        "axes": "CYX",
        "PhysicalSizeX": 500,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.25,
        "Channel": {"Name": ["DAPI", "GFP", "Cy5"], "Color": [65535, 16711935, 0x12345600]},
    }
    tifffile.imwrite(tmp_path / "cells.ome.tif", pixels, metadata=metadata, photometric="minisblack")
    layers = [Layer.create(*layer) for layer in read_layers(tmp_path / "cells.ome.tif")]
    assert [layer.name for layer in layers] == ["DAPI (cells)", "GFP (cells)", "Cy5 (cells)"]
    assert [layer.colormap.name for layer in layers] == ["blue", "green", "#123456"]
    assert [layer.blending for layer in layers] == ["translucent_no_depth", "additive", "additive"]
    for layer, plane in zip(layers, pixels, strict=True):
        assert isinstance(layer, Image)
        np.testing.assert_array_equal(layer.data, plane)
        assert layer.scale.tolist() == [0.25, 0.5]
        assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
        assert layer.axis_labels == ("y", "x")
    record = {"path": str(tmp_path / "cells.ome.tif"), "axes": "CYX", "channel": 1}
    assert layers[1].metadata == {"axes": "YX", "channel": "GFP", FILE_KEY: record}


def test_limits_of_the_file_are_used():
    image = ImageFile(Path("a.tif"), np.zeros((2, 4, 5), np.uint16), "CYX", contrast_limits=((10, 900), None))
    first, second = create(image)
    assert first.contrast_limits == [10, 900]
    assert second.contrast_limits != [10, 900]


@pytest.mark.parametrize(
    ("count", "colors"), [(1, ["gray"]), (2, ["magenta", "green"]), (7, ["cyan", "magenta", "yellow", "blue", "green", "red", "cyan"])]
)
def test_channels_without_a_colour_can_be_told_apart(count: int, colors: list[str]):
    layers = create(ImageFile(Path("a.tif"), np.zeros((count, 4, 5), np.uint8), "CYX"))
    assert [layer.colormap.name for layer in layers] == colors


def test_colours_are_one_layer():
    (layer,) = create(ImageFile(Path("a.tif"), np.zeros((2, 4, 5, 3), np.uint8), "IYXS", scale={"Y": 0.5, "X": 0.5}))
    assert layer.rgb
    assert layer.axis_labels == ("plane", "y", "x")
    assert layer.scale.tolist() == [1, 0.5, 0.5]
    assert [str(unit) for unit in layer.units] == ["pixel", "micrometer", "micrometer"]


def test_time_is_in_seconds():
    (layer,) = create(ImageFile(Path("a.tif"), np.zeros((2, 4, 5)), "TYX", scale={"T": 30.0, "Y": 0.5, "X": 0.5}))
    assert layer.scale.tolist() == [30, 0.5, 0.5]
    assert [str(unit) for unit in layer.units] == ["second", "micrometer", "micrometer"]


def test_pyramid_is_one_multiscale_layer_a_channel(data_dir: Path):
    path = data_dir / "formats/derived/pyramid_3ch_u16_zstd_bigtiff.ome.tif"
    layers = [Layer.create(*layer) for layer in read_layers(path)]
    assert len(layers) == 3
    for i, layer in enumerate(layers):
        assert layer.multiscale
        assert [level.shape for level in layer.data] == [(1112, 402), (556, 201), (278, 101)]
        np.testing.assert_array_equal(layer.data[0], tifffile.imread(path, level=0)[i])
        assert layer.scale.tolist() == [0.3, 0.3]


def test_large_image_stays_lazy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(image_module, "LAZY_BYTES", 100)
    tifffile.imwrite(tmp_path / "a.tif", LABELS.astype(np.uint16), photometric="minisblack")
    ((data, _, _),) = read_layers(tmp_path / "a.tif")
    assert not isinstance(data, np.ndarray)
    np.testing.assert_array_equal(data.compute(), LABELS)


def test_layers_of_all_kinds_live_in_one_viewer():
    # napari compares units and labels of layers with one another.
    viewer = ViewerModel()
    for data, axes, scale in (
        (np.zeros((2, 4, 5)), "TYX", {"T": 30.0, "Y": 0.5, "X": 0.5}),
        (np.zeros((2, 4, 5, 3), np.uint8), "QYXS", {}),
        (np.zeros((3, 2, 4, 5)), "CZYX", {"Z": 2.0, "Y": 0.5, "X": 0.5}),
        (np.zeros((4, 5)), "YX", {}),
    ):
        for layer in create(ImageFile(Path("a.tif"), data, axes, scale=scale)):
            viewer.add_layer(layer)
    assert len(viewer.layers) == 6


@pytest.mark.parametrize(
    ("axes", "labels"),
    [("YX", ("y", "x")), ("TCZYXS", ("t", "c", "z", "y", "x")), ("QYX", ("plane", "y", "x")), ("QIYX", ("plane", "plane 2", "y", "x"))],
)
def test_axis_labels(axes: str, labels: tuple[str, ...]):
    assert axis_labels(axes) == labels


def test_notice_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shown: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_info", shown.append)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.zeros((8, 9), np.uint8))
        writer.write(np.zeros((18, 19), np.uint8))
    read_layers(tmp_path / "a.tif")
    assert shown == ["a.tif holds 2 images of different sizes; the first is opened."]


# -- the function of the contract ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.tif", "a.OME.TIFF", "a.svs", "a.png", "a.jpeg", "a.zarr", "a.zarr/"])
def test_reader_takes_what_can_be_read(name: str):
    assert napari_get_reader(name) is not None


@pytest.mark.parametrize("name", ["a.czi", "a.txt", "a", "", []])
def test_reader_leaves_the_rest(name: str | list[str]):
    assert napari_get_reader(name) is None


def test_reader_opens_ome_zarr(tmp_path: Path):
    write_zarr(tmp_path / "a.labels.zarr", LABELS, INFO)
    read = napari_get_reader(str(tmp_path / "a.labels.zarr"))
    assert read is not None
    ((data, options, kind),) = read(str(tmp_path / "a.labels.zarr"))
    assert kind == "labels"
    assert options["metadata"]["napari_unet_seg"] == {"model": "nuclei-v1"}
    np.testing.assert_array_equal(data, LABELS)


def test_files_are_stacked(labels_file: Path, viewer: ViewerModel):
    second = labels_file.with_name("b.labels.tif")
    write_tiff(second, LABELS + 1, INFO)
    prefer_own_reader()
    (layer,) = viewer.open([labels_file, second], stack=True, plugin=None)
    assert isinstance(layer, Labels)
    np.testing.assert_array_equal(layer.data, np.stack([LABELS, LABELS + 1]))
    assert layer.scale.tolist() == [1, 2.0, 0.25, 0.5]
    assert [str(unit) for unit in layer.units] == ["pixel", "micrometer", "micrometer", "micrometer"]
    assert layer.axis_labels == ("plane", "z", "y", "x")


@pytest.mark.parametrize(("shape", "reason"), [((3, 20, 31), "different shapes"), ((2, 3, 20, 30), "different numbers of channels")])
def test_files_that_differ_are_not_stacked(tmp_path: Path, shape: tuple[int, ...], reason: str):
    paths = [str(tmp_path / "a.tif"), str(tmp_path / "b.tif")]
    tifffile.imwrite(paths[0], np.zeros((3, 20, 30), np.uint8), photometric="minisblack", metadata={"axes": "ZYX"})
    tifffile.imwrite(paths[1], np.zeros(shape, np.uint8), photometric="minisblack", metadata={"axes": "CZYX"[-len(shape) :]})
    read = napari_get_reader(paths)
    assert read is not None
    with pytest.raises(ReadError, match=reason):
        read(paths)


def test_large_labels_are_read_chunk_by_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of dask arrays napari reads blocks that are larger than chunks, and keeps them in a cache."""
    labels = np.pad(np.arange(1, 401, dtype=np.int32).reshape(20, 20), ((600, 500), (700, 400)))
    write_zarr(tmp_path / "x.labels.zarr", labels, LabelsInfo("YX", {"Y": 0.5, "X": 0.5}))
    monkeypatch.setattr(image_module, "LAZY_BYTES", 1000)
    ((levels, options, kind),) = read_layers(tmp_path / "x.labels.zarr")
    assert kind == "labels"
    assert [type(level) for level in levels] == [zarr.Array] * 2
    layer = Labels(levels, **options)
    assert layer.multiscale
    assert layer.data[0].chunks == (512, 512)
    np.testing.assert_array_equal(np.asarray(layer.data[0]), labels)
    write_labels(tmp_path / "again.labels.tif", list(layer.data), info=LabelsInfo("YX"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "again.labels.tif"), labels)
