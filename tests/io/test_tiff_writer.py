from __future__ import annotations

import json
from xml.etree import ElementTree

import dask.array as da
import numpy as np
import pytest
import tifffile
from napari_builtins.io import napari_get_reader
from PIL import Image

from napari_unet_seg.errors import InputError
from napari_unet_seg.io import tiff_writer
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.tiff_writer import write_classes, write_tiff
from tests.io.imagej import run_macro
from tests.io.shapes import awkward_labels, many_labels

OME = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"


def read(path):
    """Pixels and axes, as tifffile understands them."""
    with tifffile.TiffFile(path) as tiff:
        return tiff.asarray(), tiff.series[0].axes


def ome_of(path):
    with tifffile.TiffFile(path) as tiff:
        image = ElementTree.fromstring(tiff.ome_metadata).find(f"{OME}Image")
    return image, image.find(f"{OME}Pixels")


@pytest.mark.parametrize("dtype", ["bool", "uint8", ">u2", "int32", ">i4", "uint32", "int64", "uint64"])
def test_every_whole_number_type_is_read_back_equal(tmp_path, dtype):
    labels = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 200, (37, 53)).astype(dtype)
    path = tmp_path / "x.labels.tif"
    write_tiff(path, labels, LabelsInfo())
    pixels, axes = read(path)
    assert pixels.dtype == np.int32
    assert np.array_equal(pixels, labels)
    assert axes == "YX"
    with Image.open(path) as image:  # libtiff
        assert np.array_equal(np.asarray(image), labels)


def test_the_order_in_memory_does_not_matter(tmp_path):
    labels = awkward_labels()
    write_tiff(tmp_path / "x.tif", labels.T, LabelsInfo())
    assert np.array_equal(read(tmp_path / "x.tif")[0], labels.T)
    write_tiff(tmp_path / "y.tif", np.asfortranarray(labels)[::-2, ::3], LabelsInfo())
    assert np.array_equal(read(tmp_path / "y.tif")[0], labels[::-2, ::3])


def test_labels_that_need_unsigned_numbers(tmp_path):
    labels = np.array([[0, 2**32 - 1], [1, 0]], np.uint32)
    write_tiff(tmp_path / "x.tif", labels, LabelsInfo())
    pixels, _ = read(tmp_path / "x.tif")
    assert pixels.dtype == np.uint32
    assert np.array_equal(pixels, labels)


@pytest.mark.parametrize("axes", ["ZYX", "TYX", "QYX", "TZYX", "ZTYX", "TCZYX"])
def test_stacks(tmp_path, axes):
    shape = (2, 3, 4, 16, 18)[5 - len(axes) :]
    labels = np.random.default_rng(0).integers(0, 90_000, shape).astype(np.int32)
    for given in (labels, da.from_array(labels, chunks=(1,) * (len(axes) - 2) + (5, 7))):
        write_tiff(tmp_path / "x.tif", given, LabelsInfo(axes=axes))
        pixels, stored = read(tmp_path / "x.tif")
        assert np.array_equal(pixels, labels)
        assert stored == axes.replace("Q", "Z")


@pytest.mark.parametrize("width", [1, 3, 4])
def test_narrow_images_are_not_taken_for_colour(tmp_path, width):
    labels = np.arange(5 * 3 * width).reshape(5, 3, width)
    write_tiff(tmp_path / "x.tif", labels, LabelsInfo(axes="ZYX"))
    pixels, axes = read(tmp_path / "x.tif")
    assert np.array_equal(pixels, labels.squeeze() if axes != "ZYX" else labels)


def test_sizes_name_and_provenance(tmp_path):
    provenance = {"model": "nuclei-v1", "limits": [0.5, 20.0], "note": 'größer < "3" & so'}
    info = LabelsInfo("TZYX", {"T": 60.0, "Z": 1.5, "Y": 0.325, "X": 0.3}, "Kerne <µ>", provenance)
    write_tiff(tmp_path / "x.tif", np.ones((2, 3, 4, 5), int), info)
    image, pixels = ome_of(tmp_path / "x.tif")
    assert image.get("Name") == "Kerne <µ>"
    assert json.loads(image.find(f"{OME}Description").text) == {"napari_unet_seg": provenance}
    sizes = {axis: (float(pixels.get(f"PhysicalSize{axis}")), pixels.get(f"PhysicalSize{axis}Unit")) for axis in "ZYX"}
    assert sizes == {"Z": (1.5, "µm"), "Y": (0.325, "µm"), "X": (0.3, "µm")}
    assert (pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit")) == ("60.0", "s")
    with tifffile.TiffFile(tmp_path / "x.tif") as tiff:
        tags = tiff.pages[0].tags
        assert tags["ResolutionUnit"].value == 3
        for name, size in (("XResolution", 0.3), ("YResolution", 0.325)):
            pixels, centimetres = tags[name].value
            assert 10_000 * centimetres / pixels == pytest.approx(size)


def test_an_unknown_size_is_not_invented(tmp_path):
    write_tiff(tmp_path / "x.tif", np.ones((4, 5), int), LabelsInfo())
    _, pixels = ome_of(tmp_path / "x.tif")
    assert not [name for name in pixels.attrib if name.startswith("PhysicalSize")]
    with tifffile.TiffFile(tmp_path / "x.tif") as tiff:
        assert tiff.pages[0].tags["ResolutionUnit"].value == 1


def test_class_map(tmp_path):
    classes = np.random.default_rng(0).integers(0, 3, (3, 20, 30)).astype(np.int32)
    write_classes(tmp_path / "x.classes.tif", classes, LabelsInfo(axes="TYX"))
    pixels, axes = read(tmp_path / "x.classes.tif")
    assert pixels.dtype == np.uint8
    assert axes == "TYX"
    assert np.array_equal(pixels, classes)


def test_a_class_map_ends_at_255(tmp_path):
    with pytest.raises(InputError, match="hold 256, and the file's numbers end at 255"):
        write_classes(tmp_path / "x.classes.tif", np.full((2, 2), 256), LabelsInfo())
    assert not list(tmp_path.iterdir())


def test_files_beyond_4_gigabytes_are_bigtiff(tmp_path, monkeypatch):
    labels = awkward_labels()
    for limit, expected in ((labels.size * 4, False), (labels.size * 4 - 1, True)):
        monkeypatch.setattr(tiff_writer, "_CLASSIC_LIMIT", limit)
        write_tiff(tmp_path / "x.tif", labels, LabelsInfo())
        with tifffile.TiffFile(tmp_path / "x.tif") as tiff:
            assert tiff.is_bigtiff is expected
            assert np.array_equal(tiff.asarray(), labels)


@pytest.mark.parametrize("shape", [(1300, 700), (2, 600, 1100)])
def test_large_planes_are_tiled_with_a_pyramid(tmp_path, monkeypatch, shape):
    monkeypatch.setattr(tiff_writer, "_TILED_FROM", 2**19)
    labels = np.random.default_rng(0).integers(0, 90_000, shape).astype(np.int32)
    info = LabelsInfo("ZYX"[-len(shape) :], {"Y": 0.5, "X": 0.5}, provenance={"model": "m"})
    for given in (labels, da.from_array(labels, chunks=(1,) * (len(shape) - 2) + (500, 300))):
        write_tiff(tmp_path / "x.tif", given, info)
        with tifffile.TiffFile(tmp_path / "x.tif") as tiff:
            levels = tiff.series[0].levels
            assert tiff.pages[0].is_tiled
            assert len(levels) == 2
            assert np.array_equal(levels[0].asarray(), labels)
            assert np.array_equal(levels[1].asarray(), labels[..., ::2, ::2])
        assert ome_of(tmp_path / "x.tif")[1].get("PhysicalSizeX") == "0.5"


def test_napari_reads_it(tmp_path):
    labels = np.stack([awkward_labels(), awkward_labels()])
    path = str(tmp_path / "x.labels.tif")
    write_tiff(path, labels, LabelsInfo(axes="ZYX"))
    ((data, *_),) = napari_get_reader(path)(path)
    assert np.array_equal(data, labels)


def test_imagej_opens_it_with_its_pixel_size(tmp_path):
    labels = many_labels()
    write_tiff(tmp_path / "plane.labels.tif", labels, LabelsInfo(scale={"Y": 0.5, "X": 0.325}))
    stack = np.stack([np.zeros_like(labels), labels, labels * 200])
    write_tiff(tmp_path / "stack.labels.tif", stack, LabelsInfo(axes="ZYX", scale={"Z": 1, "Y": 0.5, "X": 0.325}))
    write_tiff(tmp_path / "unknown.labels.tif", labels * 0, LabelsInfo())
    macro = """
    function report(name) {
        open(name); getPixelSize(unit, width, height); setSlice(nSlices); getStatistics(area, mean, min, max);
        if (unit == getInfo("micrometer.abbreviation")) unit = "um";
        if (unit == " ") unit = "unknown";
        pixels = "" + nSlices + " " + getWidth() + " " + getHeight() + " " + bitDepth() + " " + d2s(max, 0);
        say(pixels + " " + unit + " " + width + " " + height);
    }
    """
    macro += "".join(f'report("{tmp_path / name}.labels.tif");\n' for name in ("plane", "stack", "unknown"))
    plane, stacked, unknown = run_macro(macro, tmp_path)
    height, width = (str(size) for size in labels.shape)
    assert plane == ["1", width, height, "32", str(265**2), "um", "0.325", "0.5"]
    assert stacked == ["3", width, height, "32", str(265**2 * 200), "um", "0.325", "0.5"]
    assert unknown == ["1", width, height, "32", "0", "unknown", "1", "1"]
