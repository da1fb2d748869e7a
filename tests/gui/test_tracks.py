"""Linked stacks and followed movies in a real viewer: rows, words, colours, tracks, and what sliders and files make of them."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from napari.layers import Tracks

from napari_unet_seg.errors import InputError
from napari_unet_seg.gui import stack_picker
from napari_unet_seg.gui.exporting import export_steps, request_of
from napari_unet_seg.gui.nucleus_words import summary_words
from napari_unet_seg.gui.orders import run_description
from napari_unet_seg.gui.palette import palette
from napari_unet_seg.gui.stack_picker import plane_spacing
from napari_unet_seg.gui.tracks import MOST_COLOURED, has_tracks, show_tracks, track_colours, track_data
from napari_unet_seg.io.run_text import as_command, as_python
from napari_unet_seg.progress import drain
from tests.tiny import discs

PLANE = discs((96, 96), count=6, seed=3)[0]
MICROMETRES = ("um", "um", "um")


def choose(box, value):
    box.setCurrentIndex(box.findData(value))


@pytest.fixture
def movie(viewer, tiny):
    """Nuclei at three times, followed."""
    data = np.stack([PLANE, np.roll(PLANE, 2, axis=0), np.roll(PLANE, 4, axis=0)])
    layer = viewer.add_image(data, name="movie", axis_labels=("t", "y", "x"), scale=(60, 0.5, 0.5), units=("s", "um", "um"))
    choose(tiny.stack.times, "overlap")
    return layer


@pytest.fixture
def stack(viewer, tiny):
    """Nuclei through three planes, linked."""
    layer = viewer.add_image(np.stack([PLANE] * 3), name="stack", axis_labels=("z", "y", "x"), scale=(1.5, 0.5, 0.5), units=MICROMETRES)
    choose(tiny.stack.box, "linked")
    return layer


class TestRows:
    @pytest.mark.parametrize(
        ("labels", "slices", "times"), [("zyx", True, False), ("tyx", False, True), ("tzyx", True, True), ("cyx", False, False)]
    )
    def test_they_are_there_for_what_has_a_use_for_them(self, widget, viewer, labels, slices, times):
        shape = tuple({"t": 2, "z": 5, "c": 3}.get(axis, 64) for axis in labels)
        viewer.add_image(np.zeros(shape), axis_labels=tuple(labels))
        choose(widget.stack.box, "linked")
        choose(widget.stack.times, "overlap")
        assert (widget.stack.box.isHidden(), widget.stack.times.isHidden()) == (not slices, not times)
        settings = widget.settings(widget.images.layer)
        assert (settings.stack, settings.track) == ("linked" if slices else "planes", "overlap" if times else "none")

    def test_the_distance_of_the_slices_comes_from_the_layer(self, widget, viewer, stack):
        assert plane_spacing(stack) == 3
        assert widget.settings(stack).spacing == 3
        choose(widget.stack.box, "planes")
        assert widget.settings(stack).spacing == 0, "who links nothing need not know it"
        for scale, units, spacing in (((1, 1, 1), None, 0), ((4, 2, 2), None, 2), ((1, 1, 1), MICROMETRES, 1)):
            layer = viewer.add_image(np.zeros((3, 8, 8)), axis_labels=("z", "y", "x"), scale=scale, units=units)
            assert plane_spacing(layer) == spacing
        assert plane_spacing(viewer.add_image(np.zeros((8, 8)))) == 0

    def test_laptrack_is_offered_where_it_is_installed(self, widget, monkeypatch):
        for there in (True, False):
            monkeypatch.setattr(stack_picker, "is_installed", lambda there=there: there)
            picker = stack_picker.StackPicker(widget)
            assert (picker.times.findData("laptrack") >= 0) is there


class TestStack:
    def test_nuclei_in_3d_are_counted_measured_and_follow_the_sliders(self, tiny, viewer, stack, segmented, settled):
        labels = segmented(tiny)
        count = len(labels.features)
        assert tiny.status.result.text() == f"{count} nuclei in 3D (3 planes)"
        assert np.array_equal(labels.data[0], labels.data[2])
        assert labels.features["volume_um3"].tolist() == pytest.approx((labels.features["volume"] * 1.5 * 0.25).tolist())
        assert tiny.tracks_button.isHidden()
        tiny.form.rows["min_area"].set(250)
        settled(tiny)
        fewer = len(labels.features)
        assert 0 < fewer < count
        assert tiny.status.result.text().startswith(f"{fewer} nucle")
        assert sorted(np.unique(labels.data[labels.data > 0])) == labels.features["label"].tolist() == list(range(1, fewer + 1))
        assert labels.metadata["napari_unet_seg"]["settings"]["stack"] == "linked"

    def test_the_run_is_copied_with_the_distance(self, tiny, stack):
        run = run_description(tiny, stack)
        assert "--stack linked --spacing 3.0" in as_command(run)
        assert "stack='linked'" in as_python(run)
        assert "spacing=3.0" in as_python(run)

    def test_a_corrected_nucleus_is_measured_again_when_it_is_saved(self, tiny, stack, segmented, tmp_path):
        labels = segmented(tiny)
        before = labels.features.set_index("label")
        labels.data[2][labels.data[2] == 1] = 0
        paths = drain(export_steps(request_of(labels, {"csv": tmp_path / "x.labels.csv"})))
        saved = pd.read_csv(paths[0]).set_index("label")
        assert saved.loc[1, "planes"] == 2
        assert saved.loc[1, "volume"] == (labels.data == 1).sum() < before.loc[1, "volume"]
        assert saved.loc[1, "volume_um3"] == pytest.approx(saved.loc[1, "volume"] * 0.375)
        assert np.isnan(saved.loc[1, "score"])
        assert saved.loc[2:, list(before.drop(columns="index"))].equals(before.drop(columns="index").loc[2:])


class TestMovie:
    def test_tracks_are_counted_and_have_one_colour(self, tiny, movie, segmented):
        labels = segmented(tiny)
        count = labels.features["track"].nunique()
        assert tiny.status.result.text() == f"{count} tracks over 3 times"
        rows = labels.features[labels.features["track"] == 1]
        assert len(rows) == 3
        assert len({tuple(labels.get_color(number)) for number in rows["label"]}) == 1
        others = labels.features[labels.features["track"] == 2]
        assert tuple(labels.get_color(others["label"].iloc[0])) != tuple(labels.get_color(rows["label"].iloc[0]))

    def test_the_button_shows_the_paths(self, tiny, viewer, movie, segmented, settled):
        assert tiny.tracks_button.isHidden()
        labels = segmented(tiny)
        assert not tiny.tracks_button.isHidden()
        tiny.tracks_button.click()
        (tracks,) = [layer for layer in viewer.layers if isinstance(layer, Tracks)]
        assert tracks.name == "movie nuclei tracks"
        assert len(tracks.data) == len(labels.features)
        assert np.array_equal(tracks.scale, labels.scale)
        tiny.form.rows["min_area"].set(250)
        settled(tiny)
        tiny.tracks_button.click()
        (again,) = [layer for layer in viewer.layers if isinstance(layer, Tracks)]
        assert len(again.data) == len(labels.features) < len(tracks.data)
        viewer.layers.remove(labels)
        assert tiny.tracks_button.isHidden()

    def test_tracks_are_saved_for_trackmate(self, tiny, movie, segmented, tmp_path):
        labels = segmented(tiny)
        (path,) = drain(export_steps(request_of(labels, {"trackmate": tmp_path / "x.tracks.xml"})))
        root = ElementTree.parse(path).getroot()
        assert len(list(root.iter("Spot"))) == len(labels.features)
        assert root.find("Settings/ImageData").get("timeinterval") == "60.0"

    def test_times_are_called_times_where_they_are_not_followed(self, tiny, movie, segmented):
        choose(tiny.stack.times, "none")
        labels = segmented(tiny)
        assert tiny.status.result.text() == f"{len(labels.features)} outlines at 3 times"


def table(**columns):
    base = {"label": [1, 2, 3, 4], "plane_t": [0, 0, 1, 1], "centroid_y": [1.0, 2, 3, 4], "centroid_x": [5.0, 6, 7, 8]}
    return pd.DataFrame({**base, "track": [1, 2, 1, 3], "parent": [0, 0, 0, 2], **columns})


def test_paths_have_a_coordinate_for_each_axis_and_mothers():
    data, graph = track_data(table(), "TYX")
    assert data.tolist() == [[1, 0, 1, 5], [1, 1, 3, 7], [2, 0, 2, 6], [3, 1, 4, 8]]
    assert graph == {3: [2]}
    deep, _ = track_data(table(centroid_z=[9.0] * 4), "TZYX")
    assert deep[0].tolist() == [1, 0, 9, 1, 5]
    in_planes, _ = track_data(table(plane_z=[2] * 4), "TQYX")
    assert in_planes.shape == (4, 5)
    painted, _ = track_data(table(track=[1, None, 1, 3]), "TYX")
    assert len(painted) == 3, "a nucleus that was painted since has no path"


def test_paths_along_another_axis_than_time_are_refused(viewer):
    layer = viewer.add_labels(np.zeros((3, 2, 16, 16), int), axis_labels=("z", "t", "y", "x"), features=table(centroid_z=[1.0] * 4))
    with pytest.raises(InputError, match="time is the first axis"):
        show_tracks(viewer, layer)
    assert list(viewer.layers) == [layer]


def test_colours_are_those_of_tracks_unless_there_are_too_many():
    colours = palette(True)
    mapped = track_colours(table(), colours)
    assert np.array_equal(mapped.colors[1], mapped.colors[3])
    assert not np.array_equal(mapped.colors[1], mapped.colors[2])
    assert not mapped.colors[0].any()
    assert track_colours(table(label=[1, 2, 3, MOST_COLOURED + 1]), colours) is None
    assert track_colours(table().drop(columns="track"), colours) is None
    assert not has_tracks(None)


def test_the_summary_of_a_movie_of_another_program_has_its_words(tiny, movie, segmented):
    labels = segmented(tiny)
    info = replace(request_of(labels, {}).info, features=None)
    assert summary_words(labels.features[["label", "area"]], labels.data.shape, info)[0].endswith("outlines at 3 times")
