"""Adding a missed nucleus: from the maps behind a layer, or with the model."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.gui import addition
from napari_unet_seg.gui.addition import NOTHING_HERE, add_steps, find_spot, settings_of
from napari_unet_seg.gui.edit_history import EditHistory
from napari_unet_seg.gui.images_of import NO_IMAGE, image_plane
from napari_unet_seg.gui.kept_maps import MAPS_KEY, KeptMaps, MapCache
from napari_unet_seg.io.labels_info import PROVENANCE_KEY
from napari_unet_seg.progress import Progress, drain
from napari_unet_seg.settings import SegmentSettings
from tests.core.test_outline import maps_of, overlap
from tests.gui.conftest import WAIT_MS, ready
from tests.gui.mouse import click
from tests.tiny import discs, tiny_model, whole_plane

FAINT = (40, 60, 9)
"""A nucleus that the thresholds miss."""


@pytest.fixture
def maps():
    return maps_of([(20, 20, 9, 0.95), (*FAINT, 0.4)])


@pytest.fixture
def layer(viewer, maps):
    """Labels with one of two nuclei, and the maps behind them."""
    labels = (maps[0] <= 0.45).astype(np.int32)
    layer = viewer.add_labels(labels, name="nuclei", features=measure_plane(labels, 1 - maps[0]))
    kept = KeptMaps(MapCache())
    kept.put((), whole_plane(maps))
    layer.metadata[MAPS_KEY] = kept
    return layer


def test_a_click_adds_what_the_maps_show(viewer, layer, correct, qtbot):
    widget = correct()
    ready(widget, qtbot)
    before = layer.data.copy()
    widget.tools.choose("add")
    click(viewer, layer, (40, 60))
    assert overlap(layer.data == 2, *FAINT) > 0.85
    assert np.array_equal(layer.data == 1, before == 1)
    assert widget.count.text() == "2 nuclei"
    assert 0.2 < layer.features.set_index("index")["score"][2] < 0.5
    widget.undo()
    assert np.array_equal(layer.data, before)
    assert widget.count.text() == "1 nucleus"
    click(viewer, layer, (70, 20))
    assert widget.message.text.text() == NOTHING_HERE
    assert np.array_equal(layer.data, before)


@pytest.fixture
def model(monkeypatch):
    """The tiny model stands for every model."""
    monkeypatch.setattr(addition, "_model", lambda provenance: tiny_model())


@pytest.fixture
def missing(viewer, model):
    """An image, and its labels without the first nucleus, whose middle is given."""
    image, labels = discs()
    viewer.add_image(image, name="dapi")
    places = np.argwhere(labels == 1)
    layer = viewer.add_labels(np.where(labels == 1, 0, labels), name="nuclei")
    return layer, labels == 1, tuple(int(place) for place in places.mean(axis=0))


def test_without_maps_the_model_looks_at_the_spot(viewer, missing, correct, qtbot):
    layer, truth, middle = missing
    before = layer.data.copy()
    widget = correct()
    ready(widget, qtbot)
    widget.tools.choose("add")
    with qtbot.waitSignal(widget.adding.finished, timeout=WAIT_MS):
        click(viewer, layer, middle)
    new = layer.data == before.max() + 1
    assert (new & truth).sum() / (new | truth).sum() > 0.7
    assert np.array_equal(np.where(new, 0, layer.data), before)
    widget.undo()
    assert np.array_equal(layer.data, before)
    ground = np.argwhere(before == 0)
    far = ground[np.abs(ground[:, None] - np.argwhere(before | truth)[None]).max(axis=2).min(axis=1).argmax()]
    with qtbot.waitSignal(widget.adding.finished, timeout=WAIT_MS):
        click(viewer, layer, tuple(far))
    assert np.array_equal(layer.data, before)
    assert widget.message.text.text() == NOTHING_HERE


def test_without_an_image_it_says_so(viewer, correct, qtbot):
    layer = viewer.add_labels(np.zeros((64, 64), np.int32))
    viewer.add_image(np.zeros((32, 64)))
    viewer.layers.selection.active = layer
    widget = correct()
    ready(widget, qtbot)
    widget.tools.choose("add")
    click(viewer, layer, (5, 5))
    assert widget.message.text.text() == NO_IMAGE
    assert not widget.adding.running


def test_an_edit_in_the_way_keeps_its_pixels(viewer, missing, correct, qtbot):
    layer, _, middle = missing
    widget = correct()
    ready(widget, qtbot)
    widget.tools.choose("add")
    click(viewer, layer, middle)
    layer.paint(middle, 3)
    painted = layer.data == 3
    qtbot.waitUntil(lambda: not widget.adding.running, timeout=WAIT_MS)
    assert (layer.data[painted] == 3).all()


@pytest.fixture
def history_of(qtbot):
    from qtpy.QtCore import QObject

    owner = QObject()
    return lambda layer: EditHistory(layer, owner)


def test_the_limits_of_the_run_are_used(viewer, missing, history_of, monkeypatch):
    layer, _, middle = missing
    seen = []
    from napari_unet_seg.core import predict

    def watched(image, model, device, settings):
        seen.append((image.shape, settings))
        return np.ones((4, *image.shape), np.float32)

    monkeypatch.setattr(predict, "predict", watched)
    made = {"limits": [{"low": 300.0, "high": 2500.0, "polarity": "bright"}], "settings": {"probability": 0.7}, "input": "dapi"}
    for provenance in (made, {}):
        layer.metadata[PROVENANCE_KEY] = provenance
        history = history_of(layer)
        spot = find_spot(history, (), middle)
        drain(add_steps(spot, image_plane(viewer, history, ()), provenance))
    (shape, known), (_, estimated) = seen
    assert (known.low, known.high, known.polarity, known.probability) == (300, 2500, "bright", 0.7)
    assert estimated.high > estimated.low
    assert max(shape) <= 128
    assert isinstance(next(add_steps(spot, image_plane(viewer, history, ()), {})), Progress)


def test_settings_of_another_version_are_the_usual_ones():
    assert settings_of({}) == SegmentSettings()
    assert settings_of({"settings": {"magic": 1}}) == SegmentSettings()
    assert settings_of({"settings": {"splitting": 0.5}}).splitting == 0.5


@pytest.mark.parametrize(
    ("image", "options", "labels", "index"),
    [
        ((64, 80), {}, (64, 80), ()),
        ((64, 80, 3), {"rgb": True}, (64, 80), ()),
        ((5, 64, 80), {"axis_labels": ("z", "y", "x")}, (5, 64, 80), (3,)),
        ((2, 64, 80), {"axis_labels": ("c", "y", "x")}, (64, 80), ()),
        ((5, 2, 64, 80), {"axis_labels": ("z", "c", "y", "x")}, (5, 1, 64, 80), (3, 0)),
    ],
)
def test_the_image_below_labels_is_found(viewer, history_of, image, options, labels, index):
    pixels = np.arange(np.prod(image), dtype=np.uint32).reshape(image)
    viewer.add_image(np.zeros((7, 7)), name="dapi")
    viewer.add_image(pixels, name="other", **options)
    history = history_of(viewer.add_labels(np.zeros(labels, np.int32)))
    found = image_plane(viewer, history, index)
    assert found.gray().shape == (64, 80)
    assert found.number == (index[0] if index else 0)
    if image[0] == 5:
        assert found.gray()[0, 0] == pixels[(3,) + (0,) * (len(image) - 1)]


def test_the_image_of_the_run_comes_first_then_one_that_shows_nuclei(viewer, history_of):
    for name in ("actin", "DAPI", "gfp"):
        viewer.add_image(np.zeros((8, 8)), name=name)
    layer = viewer.add_labels(np.zeros((8, 8), np.int32))
    history = history_of(layer)
    assert image_plane(viewer, history, ()).source.name == "DAPI"
    layer.metadata[PROVENANCE_KEY] = {"input": "gfp"}
    assert image_plane(viewer, history, ()).source.name == "gfp"
