"""What TrackMate's reader asks for is in the file, and positions, outlines and families are right."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from napari_unet_seg.core.measure import measure
from napari_unet_seg.errors import InputError
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.trackmate_writer import write_trackmate
from napari_unet_seg.io.writers import write_labels
from tests.volumes import measure_volumes

SCALE = {"T": 600.0, "Y": 0.5, "X": 0.25}


@pytest.fixture
def movie():
    """A nucleus that divides at the third time, and one that is there once."""
    labels = np.zeros((4, 20, 30), np.int32)
    labels[0, 8:12, 10:20] = 1
    labels[1, 8:12, 10:20] = 2
    labels[2, 8:12, 6:12], labels[2, 8:12, 18:24] = 3, 4
    labels[3, 8:12, 6:12], labels[3, 8:12, 18:24] = 5, 6
    labels[3, 0:3, 0:3] = 7
    table = measure(labels).rename(columns={"plane_0": "plane_t"})
    return labels, table.assign(track=[1, 1, 2, 3, 2, 3, 4], parent=[0, 0, 1, 1, 1, 1, 0])


def write(path, labels, info):
    write_trackmate(path, labels, info)
    return ElementTree.parse(path).getroot()


def test_every_element_is_there_that_trackmate_reads(tmp_path, movie):
    labels, table = movie
    root = write(tmp_path / "x.tracks.xml", labels, LabelsInfo("TYX", SCALE, provenance={"input": "a/movie.tif"}, features=table))
    assert root.tag == "TrackMate"
    assert [child.tag for child in root] == ["Model", "Settings", "GUIState"]
    assert dict(root.find("Model").attrib) == {"spatialunits": "µm", "timeunits": "sec"}
    for name in ("FeatureDeclarations/SpotFeatures", "AllSpots", "AllTracks", "FilteredTracks"):
        assert root.find(f"Model/{name}") is not None
    names = ("InitialSpotFilter", "SpotFilterCollection", "TrackFilterCollection", "DetectorSettings", "TrackerSettings")
    assert all(root.find(f"Settings/{name}") is not None for name in (*names, "AnalyzerCollection/EdgeAnalyzers"))
    image = root.find("Settings/ImageData").attrib
    assert (image["filename"], image["width"], image["height"], image["nframes"], image["nslices"]) == ("movie.tif", "30", "20", "4", "1")
    assert [float(image[name]) for name in ("pixelwidth", "pixelheight", "timeinterval")] == [0.25, 0.5, 600]
    whole = root.find("Settings/BasicSettings").attrib
    assert [int(whole[name]) for name in ("xstart", "xend", "yend", "zend", "tend")] == [0, 29, 19, 0, 3]
    declared = {feature.get("feature") for feature in root.iterfind("Model/FeatureDeclarations/SpotFeatures/Feature")}
    spot = root.find("Model/AllSpots/SpotsInFrame/Spot")
    assert declared == set(spot.attrib) - {"ID", "name", "ROI_N_POINTS"}


def test_spots_lie_where_the_nuclei_are(tmp_path, movie):
    labels, table = movie
    root = write(tmp_path / "x.xml", labels, LabelsInfo("TYX", SCALE, features=table))
    frames = root.findall("Model/AllSpots/SpotsInFrame")
    assert [(frame.get("frame"), len(frame)) for frame in frames] == [("0", 1), ("1", 1), ("2", 2), ("3", 3)]
    assert root.find("Model/AllSpots").get("nspots") == "7"
    spot = frames[2][0].attrib
    assert spot["ID"] == "3"
    place = [float(spot[f"POSITION_{axis}"]) for axis in "XYZT"]
    assert place == pytest.approx([8.5 * 0.25, 9.5 * 0.5, 0, 1200])
    assert float(spot["RADIUS"]) == pytest.approx((24 * 0.125 / np.pi) ** 0.5)
    assert all(np.isfinite(float(spot[name])) for name in spot if name != "name")


def test_outlines_lie_around_the_centre(tmp_path, movie):
    labels, table = movie
    root = write(tmp_path / "x.xml", labels, LabelsInfo("TYX", SCALE, features=table))
    spot = root.find("Model/AllSpots/SpotsInFrame/Spot")
    points = np.array(spot.text.split(), float).reshape(-1, 2)
    assert len(points) == int(spot.get("ROI_N_POINTS")) == 4
    assert not spot.text[0].isspace(), "TrackMate splits the text at spaces, and a first one would be a number"
    assert points.max(axis=0).tolist() == pytest.approx([5 * 0.25, 2 * 0.5])
    assert points.min(axis=0).tolist() == pytest.approx([-5 * 0.25, -2 * 0.5])


def test_a_family_is_one_track_with_its_links(tmp_path, movie):
    labels, table = movie
    root = write(tmp_path / "x.xml", labels, LabelsInfo("TYX", SCALE, features=table))
    (track,) = root.findall("Model/AllTracks/Track")
    edges = {(int(edge.get("SPOT_SOURCE_ID")), int(edge.get("SPOT_TARGET_ID"))) for edge in track}
    assert edges == {(1, 2), (2, 3), (3, 5), (2, 4), (4, 6)}
    assert [one.get("TRACK_ID") for one in root.findall("Model/FilteredTracks/TrackID")] == [track.get("TRACK_ID")] == ["1"]


def test_without_sizes_places_are_in_pixels_and_frames(tmp_path, movie):
    labels, table = movie
    root = write(tmp_path / "x.xml", labels, LabelsInfo("TYX", features=table))
    assert dict(root.find("Model").attrib) == {"spatialunits": "pixel", "timeunits": "frame"}
    assert float(root.find("Model/AllSpots/SpotsInFrame/Spot").get("POSITION_X")) == 14.5


def test_nuclei_in_3d_have_a_height_and_the_radius_of_their_volume(tmp_path):
    labels = np.zeros((2, 3, 10, 10), np.int32)
    labels[0, 1:, 2:5, 2:5], labels[1, 1:, 2:5, 2:5] = 1, 2
    table = pd.concat([measure_volumes(volume).assign(plane_t=time) for time, volume in enumerate(labels)]).assign(track=1, parent=0)
    root = write(tmp_path / "x.xml", labels, LabelsInfo("TZYX", {"Z": 2.0, "Y": 0.5, "X": 0.5}, features=table))
    spot = root.find("Model/AllSpots/SpotsInFrame/Spot")
    assert float(spot.get("POSITION_Z")) == 3
    assert float(spot.get("RADIUS")) == pytest.approx((3 * 18 * 0.5 / (4 * np.pi)) ** (1 / 3))
    assert spot.get("ROI_N_POINTS") is None


def test_nuclei_that_were_erased_or_painted_since_do_no_harm(tmp_path, movie):
    labels, table = movie
    labels = labels.copy()
    labels[labels == 2] = 0
    labels[0, 15:18, 2:6] = 9
    root = write(tmp_path / "x.xml", labels, LabelsInfo("TYX", features=table))
    assert {spot.get("ID") for spot in root.iter("Spot")} == {"1", "3", "4", "5", "6", "7"}
    edges = {(edge.get("SPOT_SOURCE_ID"), edge.get("SPOT_TARGET_ID")) for edge in root.iter("Edge")}
    assert edges == {("1", "3"), ("1", "4"), ("3", "5"), ("4", "6")}


def test_nuclei_that_were_not_followed_are_refused(tmp_path, movie):
    labels, table = movie
    with pytest.raises(InputError, match="not followed"):
        write_labels(tmp_path / "x.tracks.xml", labels, info=LabelsInfo("TYX", features=table.drop(columns="track")))
    assert not list(tmp_path.iterdir())
