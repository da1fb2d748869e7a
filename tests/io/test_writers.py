from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

from napari_unet_seg.errors import InputError, WriteError
from napari_unet_seg.io import writers
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.writers import write_labels
from tests.io.shapes import awkward_labels

NAMES = ["x.labels.tif", "x.classes.tif", "x.rois.zip", "x.labels.csv", "x.labels.geojson", "x.labels.zarr"]

WRITE = """
import sys
import numpy as np
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.writers import write_labels
labels = np.arange(2 * 30 * 40).reshape(2, 30, 40) % 200
info = LabelsInfo("ZYX", {"Y": 0.3, "X": 0.3, "Z": 1}, "nuclei", {"model": "m", "settings": {"tile": 0}})
for path in sys.argv[1:]:
    write_labels(path, labels, info=info)
"""


def content(path):
    if path.is_dir():
        return {str(inside.relative_to(path)): inside.read_bytes() for inside in sorted(path.rglob("*")) if inside.is_file()}
    return path.read_bytes()


def test_equal_runs_give_equal_bytes(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(Path(writers.__file__).parents[2])}
    for run, seed in (("first", "1"), ("second", "2")):
        (tmp_path / run).mkdir()
        paths = [str(tmp_path / run / name) for name in NAMES]
        subprocess.run([sys.executable, "-c", WRITE, *paths], env=environment | {"PYTHONHASHSEED": seed}, check=True, timeout=120)
    for name in NAMES:
        assert content(tmp_path / "first" / name) == content(tmp_path / "second" / name), name


@pytest.mark.parametrize("name", NAMES)
def test_lazy_labels_and_pyramids_give_the_same_file(tmp_path, name):
    labels = np.stack([awkward_labels(), awkward_labels() * 2]) % 256
    (tmp_path / "lazy").mkdir()
    (tmp_path / "pyramid").mkdir()
    info = LabelsInfo(axes="TYX")
    write_labels(tmp_path / name, labels, info=info)
    write_labels(tmp_path / "lazy" / name, da.from_array(labels, chunks=(1, 16, 32)), info=info)
    write_labels(tmp_path / "pyramid" / name, [labels, labels[:, ::2, ::2]], info=info)
    assert content(tmp_path / "lazy" / name) == content(tmp_path / name)
    assert content(tmp_path / "pyramid" / name) == content(tmp_path / name)


@pytest.mark.parametrize("name", ["A.B.TIFF", "x.classes.tiff", "X.ZIP", "x.csv", "x.GeoJSON", "x.Zarr"])
def test_the_ending_chooses_the_format(tmp_path, name):
    path = tmp_path / name
    write_labels(path, awkward_labels() % 200, info=LabelsInfo())
    readers = {
        ".tiff": tifffile.imread,
        ".zip": lambda path: path.read_bytes().index(b"PK"),
        ".csv": pd.read_csv,
        ".geojson": lambda path: path.read_text().index("FeatureCollection"),
        ".zarr": lambda path: zarr.open_group(path, mode="r")["0"],
    }
    readers[path.suffix.lower()](path)


def test_the_class_map_has_an_ending_of_its_own(tmp_path):
    for name, dtype in (("x.classes.tif", np.uint8), ("x.labels.tif", np.int32), ("x.tif", np.int32)):
        write_labels(tmp_path / name, np.eye(4, dtype=int), info=LabelsInfo())
        assert tifffile.imread(tmp_path / name).dtype == dtype


@pytest.mark.parametrize("name", ["x.png", "tif", "x", "x.tif.bak"])
def test_other_endings_are_refused(tmp_path, name):
    with pytest.raises(WriteError, match=r"its ending names no format; use one of .*\.tif"):
        write_labels(tmp_path / name, awkward_labels(), info=LabelsInfo())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("labels", [np.full((3, 4), -1), np.full((3, 4), 0.5), np.zeros((3, 0), int), np.zeros((2, 3, 4), int)])
def test_bad_labels_lose_nothing(tmp_path, name, labels):
    path = tmp_path / name
    write_labels(path, np.eye(4, dtype=int), info=LabelsInfo())
    before = content(path)
    with pytest.raises(InputError):
        write_labels(path, labels, info=LabelsInfo())
    assert content(path) == before
    assert os.listdir(tmp_path) == [name]


def test_importing_the_writers_loads_nothing_heavy():
    heavy = {"torch", "pandas", "dask", "zarr", "tifffile", "roifile"}
    script = f"import sys, napari_unet_seg.io.writers, napari_unet_seg.io.napari_writers; print({heavy} & set(sys.modules))"
    environment = os.environ | {"PYTHONPATH": str(Path(writers.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
