from __future__ import annotations

import zipfile

import numpy as np
import pytest
import roifile

from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.roi_writer import write_rois
from tests.io.imagej import run_macro
from tests.io.shapes import areas, awkward_labels, many_labels

MEASURE = """
roiManager("open", "{path}");
for (i = 0; i < roiManager("count"); i++) {{
    setSlice(1);
    roiManager("select", i);
    getStatistics(area);
    getSelectionBounds(x, y, width, height);
    Stack.getPosition(channel, slice, frame);
    say(call("ij.plugin.frame.RoiManager.getName", "" + i) + " " + area + " " + x + " " + y + " " + slice + " " + frame);
}}
"""


def in_imagej(path, image, folder):
    """What ImageJ finds on an image: for each ROI its name, area, left, top, slice and frame."""
    lines = run_macro(f"{image}\n{MEASURE.format(path=path)}", folder)
    return {name: [round(float(value)) for value in values] for name, *values in lines}


def image(labels, frames=1, slices=1):
    height, width = labels.shape[-2:]
    return f'newImage("HyperStack", "8-bit grayscale-mode", {width}, {height}, 1, {slices}, {frames});'


def test_imagej_finds_each_nucleus_with_its_area(tmp_path):
    labels = awkward_labels()
    write_rois(tmp_path / "x.rois.zip", labels, LabelsInfo())
    found = in_imagej(tmp_path / "x.rois.zip", image(labels), tmp_path)
    assert {int(name): values[0] for name, values in found.items()} == areas(labels)
    for name, (_, left, top, *_) in found.items():
        rows, columns = np.nonzero(labels == int(name))
        assert (left, top) == (columns.min(), rows.min())


@pytest.mark.parametrize("shift", [50_000, 61_000])
def test_far_right_in_a_slide(tmp_path, shift):
    labels = np.pad(awkward_labels(), ((0, 0), (shift, 0)))
    write_rois(tmp_path / "x.rois.zip", labels, LabelsInfo())
    found = in_imagej(tmp_path / "x.rois.zip", image(labels), tmp_path)
    assert {int(name): values[0] for name, values in found.items()} == areas(labels)
    assert min(left for _, left, *_ in found.values()) == shift


@pytest.mark.parametrize(("axes", "frames", "slices"), [("ZYX", 1, 3), ("QYX", 1, 3), ("TYX", 3, 1)])
def test_a_stack_shows_each_roi_in_its_plane(tmp_path, axes, frames, slices):
    labels = np.zeros((3, 20, 20), np.int32)
    labels[0, 2:4, 2:4] = labels[2, 3:6, 3:6] = 7  # one nucleus through the stack
    labels[1, 10:12, 10:12] = 8
    write_rois(tmp_path / "x.rois.zip", labels, LabelsInfo(axes=axes))
    found = in_imagej(tmp_path / "x.rois.zip", image(labels, frames, slices), tmp_path)
    letter = axes[0].lower().replace("q", "z")
    place = 4 if letter == "t" else 3
    assert {name: (values[0], values[place]) for name, values in found.items()} == {
        f"7_{letter}1": (4, 1),
        f"8_{letter}2": (4, 2),
        f"7_{letter}3": (9, 3),
    }


def test_a_hyperstack_shows_each_roi_in_its_slice_and_frame(tmp_path):
    labels = np.zeros((2, 3, 20, 20), np.int32)
    labels[0, 2, 2:4, 2:4] = 1
    labels[1, 1, 4:8, 4:8] = 2
    labels[1, 1, 6, 6] = 0
    write_rois(tmp_path / "x.rois.zip", labels, LabelsInfo(axes="TZYX"))
    found = in_imagej(tmp_path / "x.rois.zip", image(labels, 2, 3), tmp_path)
    assert found == {"1_t1_z3": [4, 2, 2, 3, 1], "2_t2_z2": [15, 4, 4, 2, 2]}


def test_many_nuclei(tmp_path):
    labels = many_labels()
    path = tmp_path / "x.rois.zip"
    write_rois(path, labels, LabelsInfo())
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        last = roifile.ImagejRoi.frombytes(archive.read(names[-1]))
    assert names == [f"{label}.roi" for label in areas(labels)]
    assert last.coordinates().tolist() == [[792, 792], [794, 792], [794, 794], [792, 794]]
    assert run_macro(f'newImage("a", "8-bit", 9, 9, 1); roiManager("open", "{path}"); say(roiManager("count"));', tmp_path) == [["70225"]]


def test_no_nuclei(tmp_path):
    write_rois(tmp_path / "x.rois.zip", np.zeros((4, 5), int), LabelsInfo())
    with zipfile.ZipFile(tmp_path / "x.rois.zip") as archive:
        assert archive.namelist() == []
