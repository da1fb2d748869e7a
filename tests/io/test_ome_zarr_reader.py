"""OME-Zarr of each version is read, from the library that defines it and from our own writer; and what holds no image says so."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_unet_seg.errors import ReadError
from napari_unet_seg.io import image as image_module
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.zarr_writer import write_zarr

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 4000, (2, 3, 40, 50), "uint16")  # (C, Z, Y, X)
AXES = [
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "nanometer"},
    {"name": "x", "type": "space", "unit": "millimeter"},
]
OMERO = {
    "channels": [
        {"label": "DAPI", "color": "0000FF", "window": {"start": 10, "end": 900, "min": 0, "max": 65535}},
        {"label": "GFP", "color": "00ff00", "window": {"start": 5, "end": 5}},
    ]
}


def multiscales(axes: Any, *scales: list[float], version: str = "0.5", **more: Any) -> dict[str, Any]:
    datasets = [{"path": f"level/{i}", "coordinateTransformations": [{"type": "scale", "scale": scale}]} for i, scale in enumerate(scales)]
    return {"version": version, "axes": axes, "datasets": datasets} | more


def write_group(path: Path, metadata: dict[str, Any], *levels: np.ndarray, version: int = 3) -> zarr.Group:
    group = zarr.create_group(path, zarr_format=version)
    for i, level in enumerate(levels):
        array = group.create_array(f"level/{i}", shape=level.shape, dtype=level.dtype, chunks=(1,) * (level.ndim - 2) + (200, 200))
        array[...] = level
    group.attrs.update({"ome": {"version": "0.5", **metadata}} if version == 3 else metadata)
    return group


def refusal(path: Path) -> str:
    with pytest.raises(ReadError) as refused:
        open_image(path)
    return str(refused.value)


@pytest.mark.parametrize("version", [2, 3], ids=["v0.4", "v0.5"])
def test_pyramid_with_names_colours_and_sizes(tmp_path: Path, version: int):
    path = tmp_path / "a.zarr"
    steps = [1.0, 2.0, 250.0, 0.0005]
    found = multiscales(AXES, steps, [1.0, 2.0, 500.0, 0.001])
    small = PIXELS[..., ::2, ::2]
    write_group(path, {"multiscales": [found], "omero": OMERO}, PIXELS, small, version=version)
    image = open_image(path)
    assert image.axes == "CZYX"
    assert image.scale == pytest.approx({"Z": 2.0, "Y": 0.25, "X": 0.5})
    assert image.channel_names == ("DAPI", "GFP")
    assert image.colors == ("#0000ff", "#00ff00")
    assert image.contrast_limits == ((10, 900), None)
    assert not image.is_labels
    for level, expected in zip(image.levels, (PIXELS, small), strict=True):
        assert isinstance(level, da.Array)
        np.testing.assert_array_equal(level.compute(), expected)


def test_library_of_the_format_writes_what_is_read(tmp_path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library, on its own internals
        from ome_zarr.writer import write_image  # takes seconds to import

        sizes = {"scale": {"z": 2.0, "y": 0.25, "x": 500.0}, "axes_units": {"z": "micrometer", "y": "micrometer", "x": "nanometer"}}
        write_image(PIXELS, str(tmp_path / "a.zarr"), axes="czyx", scale_factors=[2], method="nearest", **sizes)
    image = open_image(tmp_path / "a.zarr")
    assert image.axes == "CZYX"
    assert image.scale == pytest.approx({"Z": 2.0, "Y": 0.25, "X": 0.5})
    assert [level.shape for level in image.levels] == [(2, 3, 40, 50), (2, 3, 20, 25)]
    np.testing.assert_array_equal(image.levels[0].compute(), PIXELS)


def test_small_chunks_are_read_together(tmp_path: Path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(2, 4096, 3000), chunks=(1, 64, 64), dtype="uint16")
    array[1, 4000, 2999] = 7
    data = open_image(tmp_path / "a.zarr").data
    assert data.chunksize == (1, 2048, 2048)
    assert data[1, 4000, 2990:].compute().tolist() == [0] * 9 + [7]


def test_transformation_of_all_levels_counts_too(tmp_path: Path):
    axes = [{"name": "t", "type": "time", "unit": "millisecond"}, *AXES[1:]]
    whole = [{"type": "scale", "scale": [100.0, 1.0, 1.0, 1.0]}, {"type": "translation", "translation": [1.0, 1.0, 1.0, 1.0]}]
    found = multiscales(axes, [5.0, 2.0, 250.0, 0.0005], coordinateTransformations=whole)
    write_group(tmp_path / "a.zarr", {"multiscales": [found]}, PIXELS)
    image = open_image(tmp_path / "a.zarr")
    assert image.axes == "TZYX"
    assert image.scale == pytest.approx({"T": 0.5, "Z": 2.0, "Y": 0.25, "X": 0.5})


def test_steps_without_a_unit_are_no_size(tmp_path: Path):
    axes = [{"name": axis["name"], "type": axis["type"]} for axis in AXES]
    write_group(tmp_path / "a.zarr", {"multiscales": [multiscales(axes, [1.0, 2.0, 3.0, 4.0])]}, PIXELS)
    assert open_image(tmp_path / "a.zarr").scale == {}


@pytest.mark.parametrize("axes", [None, ["c", "z", "y", "x"]], ids=["v0.1", "v0.3"])
def test_older_versions(tmp_path: Path, axes: list[str] | None):
    found: dict[str, Any] = {"version": "0.3", "datasets": [{"path": "level/0"}]}
    if axes:
        found["axes"] = axes
    write_group(tmp_path / "a.zarr", {"multiscales": [found]}, PIXELS, version=2)
    image = open_image(tmp_path / "a.zarr")
    assert image.axes == "CZYX"
    assert image.scale == {}
    np.testing.assert_array_equal(image.data.compute(), PIXELS)


def test_axes_with_other_names(tmp_path: Path):
    axes = [{"name": "wave", "type": "channel"}, {"name": "angle", "type": "angle"}, *AXES[2:]]
    write_group(tmp_path / "a.zarr", {"multiscales": [multiscales(axes, [1.0] * 4)]}, PIXELS)
    assert open_image(tmp_path / "a.zarr").axes == "CQYX"


# -- labels ----------------------------------------------------------------------------------------------------------------------------

PROVENANCE = {"model": "nuclei-v1", "settings": {"probability": 0.5}}
LABELS = RANDOM.integers(0, 100_000, (3, 1100, 1200), "int32")


@pytest.mark.parametrize("name", ["a.labels.zarr", "renamed.zarr"])
def test_labels_of_ours_come_back(tmp_path: Path, name: str):
    info = LabelsInfo(axes="ZYX", scale={"Z": 2.0, "Y": 0.25, "X": 0.125}, provenance=PROVENANCE)
    write_zarr(tmp_path / name, LABELS, info)
    image = open_image(tmp_path / name)
    assert image.is_labels
    assert image.axes == "ZYX"
    assert image.scale == pytest.approx(dict(info.scale))
    assert image.provenance == PROVENANCE
    assert isinstance(image.data, np.ndarray)  # of the pyramid only what can be edited
    assert image.data.dtype == np.int32
    np.testing.assert_array_equal(image.data, LABELS)


def test_large_labels_stay_a_lazy_pyramid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(image_module, "LAZY_BYTES", 1000)
    write_zarr(tmp_path / "a.labels.zarr", LABELS, LabelsInfo(axes="ZYX"))
    image = open_image(tmp_path / "a.labels.zarr")
    assert image.is_labels
    assert [level.shape for level in image.levels] == [(3, 1100, 1200), (3, 550, 600)]
    assert all(isinstance(level, da.Array) and level.dtype == np.int32 for level in image.levels)
    np.testing.assert_array_equal(image.levels[1].compute(), LABELS[:, ::2, ::2])
    assert [type(level) for level in image.stored] == [zarr.Array] * 2
    write_zarr(tmp_path / "b.labels.zarr", LABELS[None], LabelsInfo(axes="CZYX"))
    assert open_image(tmp_path / "b.labels.zarr").levels[0].shape == (1, 3, 1100, 1200)


def test_labels_beside_an_image_are_read_from_their_folder(tmp_path: Path):
    path = tmp_path / "a.zarr"
    write_group(path, {"multiscales": [multiscales(AXES, [1.0] * 4)]}, PIXELS)
    labels = {"multiscales": [multiscales(AXES[2:], [1.0, 1.0])], "image-label": {}}
    write_group(path / "labels" / "nuclei", labels, LABELS[0])
    assert not open_image(path).is_labels
    image = open_image(path / "labels" / "nuclei")
    assert image.is_labels
    np.testing.assert_array_equal(image.data, LABELS[0])


def test_folder_with_nothing_but_labels(tmp_path: Path):
    path = tmp_path / "a.labels.zarr"
    zarr.create_group(path)
    zarr.create_group(path / "labels").attrs.update({"ome": {"labels": ["nuclei"]}})
    write_group(path / "labels" / "nuclei", {"multiscales": [multiscales(AXES[2:], [1.0, 1.0])]}, LABELS[0])
    image = open_image(path)
    assert image.is_labels
    np.testing.assert_array_equal(image.data, LABELS[0])


# -- folders around images, and plain arrays -------------------------------------------------------------------------------------------


def test_first_of_several_converted_images(tmp_path: Path):
    root = zarr.create_group(tmp_path / "a.zarr")
    root.attrs.update({"ome": {"version": "0.5", "bioformats2raw.layout": 3}})
    for name in ("0", "1"):
        write_group(tmp_path / "a.zarr" / name, {"multiscales": [multiscales(AXES, [1.0] * 4)]}, PIXELS)
    image = open_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(image.data.compute(), PIXELS)
    assert image.notice == "a.zarr holds several images; the first is opened, and the others are in a.zarr/1 and so on."


def test_plate_is_refused_and_its_well_is_read(tmp_path: Path):
    path = tmp_path / "plate.zarr"
    zarr.create_group(path).attrs.update({"ome": {"plate": {"wells": [{"path": "B/3"}], "rows": [], "columns": []}}})
    zarr.create_group(path / "B" / "3").attrs.update({"ome": {"well": {"images": [{"path": "0"}]}}})
    write_group(path / "B" / "3" / "0", {"multiscales": [multiscales(AXES, [1.0] * 4)]}, PIXELS)
    assert refusal(path) == "plate.zarr is a plate of many images; open one of them, such as plate.zarr/B/3/0."
    for inside in ("B/3", "B/3/0"):
        np.testing.assert_array_equal(open_image(path / inside).data.compute(), PIXELS)


def test_plain_array(tmp_path: Path):
    zarr.create_array(tmp_path / "a.zarr", data=PIXELS[0])
    image = open_image(tmp_path / "a.zarr")
    assert image.axes == "QYX"
    np.testing.assert_array_equal(image.data.compute(), PIXELS[0])


@pytest.mark.parametrize(
    ("shape", "dtype", "axes"),
    [
        ((40, 50, 3), "uint8", "YXS"),
        ((40, 50, 4), "uint8", "YXS"),
        ((2, 40, 50, 3), "uint8", "QYXS"),
        ((40, 50, 3), "uint16", "QYX"),  # colours have 8 bits
        ((40, 50, 2), "uint8", "QYX"),
        ((40, 3), "uint8", "YX"),
    ],
)
@pytest.mark.parametrize("version", [2, 3])
def test_plain_array_of_colours(tmp_path: Path, version: int, shape: tuple[int, ...], dtype: str, axes: str):
    pixels = RANDOM.integers(0, 255, shape, dtype)
    zarr.create_array(tmp_path / "a.zarr", data=pixels, zarr_format=version)
    image = open_image(tmp_path / "a.zarr")
    assert image.axes == axes
    np.testing.assert_array_equal(image.data.compute(), pixels)


def test_plain_array_with_names(tmp_path: Path):
    zarr.create_array(tmp_path / "a.zarr", data=PIXELS[0].transpose(1, 2, 0), dimension_names=["y", "x", "t"])
    image = open_image(tmp_path / "a.zarr")
    assert image.axes == "TYX"
    np.testing.assert_array_equal(image.data.compute(), PIXELS[0])


def test_line_of_numbers_is_refused(tmp_path: Path):
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(5))
    assert refusal(tmp_path / "a.zarr") == "a.zarr holds an array of shape (5,), which is no image: it needs two dimensions at least."


def test_folder_without_an_image_is_refused(tmp_path: Path):
    zarr.create_group(tmp_path / "a.zarr")
    assert refusal(tmp_path / "a.zarr") == "a.zarr holds no image: nothing in it has the 'multiscales' metadata of an OME-Zarr."


@pytest.mark.parametrize("damage", ["metadata", "array", "datasets", "multiscales"])
def test_damaged_folder_is_refused(tmp_path: Path, damage: str):
    path = tmp_path / "a.zarr"
    write_group(path, {"multiscales": [multiscales(AXES, [1.0] * 4)]}, PIXELS)
    file = path / "zarr.json"
    content = json.loads(file.read_text())
    if damage == "metadata":
        file.write_text(file.read_text()[:-20])
    elif damage == "array":
        (path / "level" / "0" / "zarr.json").unlink()
    else:
        content["attributes"]["ome"]["multiscales"] = [] if damage == "multiscales" else [{"datasets": "none"}]
        file.write_text(json.dumps(content))
    assert refusal(path).startswith("a.zarr is damaged and cannot be read; copy it again")
