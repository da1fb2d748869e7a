"""What is written of class maps."""

from __future__ import annotations

import pytest

from napari_unet_seg.errors import InputError
from napari_unet_seg.io.batch import FORMATS
from napari_unet_seg.io.class_formats import INSTEAD, class_formats
from napari_unet_seg.io.inputs import Source
from napari_unet_seg.io.summary import Outcome


def test_labels_become_a_class_map_and_the_rest_stays():
    assert class_formats(("tiff", "csv"), "types") == ("classes", "csv")
    assert class_formats(("classes", "tiff", "zarr", "overlay"), "types") == ("classes", "zarr", "overlay")
    assert set(INSTEAD) < set(FORMATS)


@pytest.mark.parametrize("name", sorted(set(FORMATS) - set(INSTEAD)))
def test_what_is_of_nuclei_alone_is_refused_with_what_there_is(name: str):
    with pytest.raises(InputError, match=f"so that there are no {name}; use one or more of classes, zarr, csv, overlay"):
        class_formats(("csv", name), "types")


def test_shares_are_told_instead_of_nuclei(tmp_path):
    source = Source(tmp_path, tmp_path)
    assert Outcome(source, classes={"stroma": 0.251, "blood": 0.749}).found == "stroma 25 %, blood 75 %"
    assert Outcome(source, classes={}).found == "background alone"
    assert Outcome(source, nuclei=2).found == "2 nuclei"
