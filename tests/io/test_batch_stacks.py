"""Stacks and movies in a run over files: linked, followed, measured, counted and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import tifffile

import napari_unet_seg as nus
from napari_unet_seg.errors import InputError
from napari_unet_seg.io.batch import Plan, iter_batch
from napari_unet_seg.io.batch_large import NO_RINGS_IN_3D
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.inputs import find_inputs
from napari_unet_seg.io.quantities import Quantity, Wishes
from napari_unet_seg.io.summary import Outcome, summed
from tests.tiny import discs, tiny_model

SIZES = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 1.5, "TimeIncrement": 60.0}
UNITS = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm", "PhysicalSizeZUnit": "µm", "TimeIncrementUnit": "s"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    plane = discs((96, 96), count=6, seed=3)[0]
    Path("data").mkdir()
    for axes, count in (("ZYX", 3), ("TYX", 2)):
        tifffile.imwrite(f"data/{axes}.ome.tif", np.stack([plane] * count), metadata={"axes": axes, **SIZES, **UNITS})
    return tmp_path


def run(name: str, values: dict[str, Any], **options: Any) -> Outcome:
    sources = find_inputs([f"data/{name}.ome.tif"]).sources
    plan = Plan(sources, Path("out"), wishes=Wishes(values), **{"overwrite": True, **options})
    return nus.drain(iter_batch(plan, tiny_model(), "cpu"))[0]


def test_a_stack_is_linked_with_the_distance_that_its_file_tells(files):
    outcome = run("ZYX", {"stack": "linked"}, measure=("all",), ring=Quantity(3.0))
    labels = open_image("out/ZYX.labels.tif")
    table = pd.read_csv("out/ZYX.labels.csv")
    assert labels.provenance["settings"]["spacing"] == 3
    assert outcome.found == f"{len(table)} nuclei in 3D (3 planes)"
    assert sorted(np.unique(labels.data))[1:] == table["label"].tolist()
    assert table["volume_um3"].tolist() == pytest.approx((table["volume"] * 1.5 * 0.25).tolist())
    image = open_image("data/ZYX.ome.tif").data
    (mean,) = [name for name in table if name.startswith("mean_")]
    assert table[mean].tolist() == pytest.approx([image[labels.data == number].mean() for number in table["label"]])
    assert NO_RINGS_IN_3D in outcome.warnings
    assert outcome.per_mm2 == pytest.approx(len(table) / (48 * 48) * 1e6), "of the area that was seen, not of each plane"


def test_a_movie_is_followed_and_written_for_trackmate(files):
    outcome = run("TYX", {"track": "overlap"}, formats=("csv", "trackmate"))
    table = pd.read_csv("out/TYX.labels.csv")
    count = table["track"].nunique()
    assert (outcome.found, outcome.tracks, outcome.nuclei) == (f"{count} tracks over 2 times", count, len(table))
    assert (outcome.planes, outcome.times) == (1, 2)
    root = ElementTree.parse("out/TYX.tracks.xml").getroot()
    assert len(list(root.iter("Spot"))) == len(table)
    assert root.find("Settings/ImageData").get("filename") == "TYX.ome.tif"


def test_times_are_not_called_planes(files):
    outcome = run("TYX", {})
    assert outcome.found == f"{outcome.nuclei} outlines at 2 times"
    assert run("ZYX", {}).found.endswith("outlines in 3 planes")


def test_tracks_need_to_be_followed_before_they_are_written(files):
    with pytest.raises(InputError, match="--track overlap"):
        run("TYX", {}, formats=("trackmate",))


def test_the_table_of_images_says_how_many_times_and_tracks(files):
    run("TYX", {"track": "overlap"}, summary=True)
    row = pd.read_csv("out/images.csv").iloc[0]
    assert (row["planes"], row["times"]) == (1, 2)
    assert row["tracks"] == pd.read_csv("out/nuclei.csv")["track"].nunique()


def test_sums_are_called_what_they_are(files):
    stack, movie = run("ZYX", {"stack": "linked"}), run("TYX", {"track": "overlap"})
    assert summed([stack]) == f"{stack.nuclei} nuclei"
    assert summed([movie]) == f"{movie.tracks} tracks"
    assert summed([stack, movie]).endswith(" outlines")
