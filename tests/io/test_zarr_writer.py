from __future__ import annotations

import json

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from napari_builtins.io import napari_get_reader
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v05.image_label import ImageLabel

from napari_unet_seg.errors import WriteError
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.zarr_writer import write_zarr
from tests.io.shapes import awkward_labels, many_labels


def ome_of(path):
    return json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]["ome"]


def noise(*shape):
    return np.random.default_rng(0).integers(0, 90_000, shape).astype(np.int32)


def test_the_format_is_valid(tmp_path):
    path = tmp_path / "x.labels.zarr"
    write_zarr(path, noise(2, 3, 40, 50), LabelsInfo(axes="TZYX", scale={"T": 2.0, "Z": 1.5, "Y": 0.5, "X": 0.25}))
    ImageLabel.from_zarr(zarr.open_group(path, mode="r"))  # the schema of the specification; raises
    (multiscale,) = ome_of(path)["multiscales"]
    assert multiscale["axes"] == [
        {"name": "t", "type": "time", "unit": "second"},
        {"name": "z", "type": "space", "unit": "micrometer"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    assert multiscale["datasets"] == [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2.0, 1.5, 0.5, 0.25]}]}]


@pytest.mark.parametrize("shape", [(1023, 1025), (2, 1500, 2100)])
def test_levels_hold_labels_of_the_first(tmp_path, shape):
    labels, path = noise(*shape), tmp_path / "x.zarr"
    for given in (labels, da.from_array(labels, chunks=(1,) * (len(shape) - 2) + (700, 900)), [labels, labels[..., ::2, ::2]]):
        write_zarr(path, given, LabelsInfo(axes="ZYX"[-len(shape) :], scale={"Y": 0.5, "X": 0.5}))
        group = zarr.open_group(path, mode="r")
        datasets = ome_of(path)["multiscales"][0]["datasets"]
        assert [dataset["path"] for dataset in datasets] == [str(level) for level in range(len(datasets))]
        assert max(group[datasets[-1]["path"]].shape) <= 1024 < max(group[datasets[-2]["path"]].shape)
        for level, dataset in enumerate(datasets):
            array = group[dataset["path"]]
            assert array.dtype == np.int32
            assert max(array.chunks) <= 1024
            assert array.metadata.dimension_names == tuple("zyx"[-len(shape) :])
            assert np.array_equal(array[...], labels[..., :: 2**level, :: 2**level])
            assert dataset["coordinateTransformations"][0]["scale"][-2:] == [0.5 * 2**level] * 2


def test_what_is_in_memory_is_written_here_and_not_by_a_cluster(tmp_path):
    def _elsewhere(*_, **__):
        raise AssertionError("sent away")

    path, labels = tmp_path / "x.zarr", noise(40, 50)
    with dask.config.set(scheduler=_elsewhere):  # as for who has connected to a cluster
        write_zarr(path, labels, LabelsInfo(axes="YX"))
    assert np.array_equal(zarr.open_group(path, mode="r")["0"][...], labels)


@pytest.mark.parametrize(("axes", "stored"), [("ZTYX", "tzyx"), ("QYX", "zyx"), ("ZCYX", "czyx")])
def test_axes_are_put_in_the_order_of_the_format(tmp_path, axes, stored):
    labels = noise(2, 3, 8, 9)[0 if len(axes) == 3 else slice(None)]
    write_zarr(tmp_path / "x.zarr", labels, LabelsInfo(axes=axes))
    array = zarr.open_array(tmp_path / "x.zarr" / "0", mode="r")
    assert array.metadata.dimension_names == tuple(stored)
    assert np.array_equal(array[...], labels.swapaxes(0, 1) if len(axes) == 4 else labels)
    ImageLabel.from_zarr(zarr.open_group(tmp_path / "x.zarr", mode="r"))


def test_a_size_that_is_not_known_has_no_unit(tmp_path):
    write_zarr(tmp_path / "x.zarr", noise(4, 5), LabelsInfo())
    assert ome_of(tmp_path / "x.zarr")["multiscales"][0]["axes"] == [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]


def test_other_programs_read_it(tmp_path):
    labels, path = np.pad(awkward_labels(), ((0, 1200), (0, 0))), tmp_path / "x.labels.zarr"
    write_zarr(path, labels, LabelsInfo(name="Kerne"))
    ((levels, *_),) = napari_get_reader(str(path))(str(path))
    assert np.array_equal(np.asarray(levels[0]), labels)
    assert len(levels) == 2
    node = next(iter(Reader(parse_url(path))()))
    assert np.array_equal(np.asarray(node.data[0]), labels)
    assert node.metadata["name"] == "Kerne"


def test_many_nuclei_and_provenance(tmp_path):
    labels = many_labels().astype(np.uint64)
    labels[0, 0] = 2**32 - 1
    write_zarr(tmp_path / "x.zarr", labels, LabelsInfo(provenance={"model": "m"}))
    group = zarr.open_group(tmp_path / "x.zarr", mode="r")
    assert group.attrs["napari_unet_seg"] == {"model": "m"}
    assert group["0"].dtype == np.uint32
    assert np.array_equal(group["0"][...], labels)


def test_labels_replace_labels(tmp_path):
    path = tmp_path / "x.zarr"
    write_zarr(path, noise(1500, 20), LabelsInfo())
    write_zarr(path, noise(7, 8), LabelsInfo())
    assert sorted(zarr.open_group(path, mode="r").array_keys()) == ["0"]


@pytest.mark.parametrize("made_by", ["image", "anything", "broken"])
def test_a_folder_with_something_else_is_never_replaced(tmp_path, made_by):
    path = tmp_path / "image.zarr"
    if made_by == "image":
        zarr.create_group(path, attributes={"ome": {"version": "0.5", "multiscales": []}})
    else:
        path.mkdir()
        (path / ("zarr.json" if made_by == "broken" else "thesis.doc")).write_text("{")
    before = sorted(path.rglob("*"))
    with pytest.raises(WriteError, match="holds something other than labels"):
        write_zarr(path, noise(4, 5), LabelsInfo())
    assert sorted(path.rglob("*")) == before


def test_an_empty_folder_may_be_used(tmp_path):
    (tmp_path / "x.zarr").mkdir()
    write_zarr(tmp_path / "x.zarr", noise(4, 5), LabelsInfo())
    assert zarr.open_array(tmp_path / "x.zarr" / "0", mode="r").shape == (4, 5)


def test_labels_read_lazily_from_the_folder_that_they_replace(tmp_path):
    path, labels = tmp_path / "x.zarr", noise(30, 40)
    write_zarr(path, labels, LabelsInfo())
    write_zarr(path, da.from_zarr(zarr.open_array(path / "0", mode="r")), LabelsInfo())
    assert np.array_equal(zarr.open_array(path / "0", mode="r")[...], labels)
