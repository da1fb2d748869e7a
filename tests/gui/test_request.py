from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.layers import Image

from napari_unet_seg.core import checkpoint
from napari_unet_seg.errors import ModelError
from napari_unet_seg.gui.layers import layer_channels, read_source
from napari_unet_seg.gui.request import PREPARING, Content, Request, segment_steps
from napari_unet_seg.progress import Progress, drain
from napari_unet_seg.settings import SegmentSettings
from tests.tiny import discs, tiny_model


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with the small network, which takes the place of the user's own."""
    folder = tmp_path_factory.mktemp("models")
    tiny_model().save(folder / "tiny")
    return folder


@pytest.fixture(autouse=True)
def registered(models, monkeypatch):
    monkeypatch.setattr(checkpoint, "user_folder", lambda: models)


def request(layer, channel=None, model="tiny", settings=None, previous=None):
    return Request(read_source(layer, channel), model, "cpu", settings or SegmentSettings(), previous)


def test_a_run_finds_the_nuclei_and_says_what_made_them():
    image, truth = discs()
    steps = []
    outcome = drain(segment_steps(request(Image(image, name="dapi"))), steps.append)
    assert steps[0] == Progress(PREPARING, 0, 0)
    assert steps[-1].done == steps[-1].total
    assert outcome.count == truth.max() == len(outcome.content.features)
    assert outcome.content.features["index"].tolist() == np.unique(outcome.content.labels)[1:].tolist()
    assert {"model": "tiny", "input": "dapi", "device": "cpu"}.items() <= outcome.provenance.items()
    assert outcome.fingerprint == outcome.content.fingerprint()
    assert outcome.previous is None
    assert outcome.seconds > 0


def test_equal_runs_are_equal():
    image, _ = discs()
    one, other = (drain(segment_steps(request(Image(image, name="dapi")))) for _ in range(2))
    assert one.fingerprint == other.fingerprint
    assert one.provenance == other.provenance


def test_measures_are_physical_when_the_pixel_is_known():
    image, _ = discs()
    known = drain(segment_steps(request(Image(image, scale=(0.5, 0.5), units=("um", "um"))))).content.features
    assert np.allclose(known["area_um2"], known["area"] / 4)
    assert "area_um2" not in drain(segment_steps(request(Image(image)))).content.features


def test_settings_are_used():
    image, _ = discs()
    outcome = drain(segment_steps(request(Image(image), settings=SegmentSettings(min_area=100_000))))
    assert outcome.count == 0
    assert outcome.provenance["settings"]["min_area"] == 100_000


@pytest.mark.parametrize("axes", ["cyx", "zcyx", "czyx"])
def test_the_chosen_channel_is_segmented(axes):
    image, truth = discs()
    planes = [image, image] if "z" in axes else [image]
    shown = np.stack([np.stack(planes), np.full((len(planes), 128, 128), 300, image.dtype)])  # (C, Z, Y, X)
    shown = shown[:, 0] if axes == "cyx" else np.moveaxis(shown, 0, axes.index("c"))
    layer = Image(shown, axis_labels=tuple(axes))
    first, second = (drain(segment_steps(request(layer, channel))) for channel in layer_channels(layer))
    assert first.count == truth.max() * len(planes)
    assert second.count == 0
    assert first.content.labels.shape == {"cyx": (128, 128), "zcyx": (2, 1, 128, 128), "czyx": (2, 128, 128)}[axes]


def test_numbers_are_unique_over_a_stack():
    image, truth = discs()
    outcome = drain(segment_steps(request(Image(np.stack([image, image]), axis_labels=("z", "y", "x")))))
    assert outcome.count == 2 * truth.max()
    first, second = (set(np.unique(plane)) - {0} for plane in outcome.content.labels)
    assert not first & second
    assert set(outcome.content.features["plane_z"]) == {0, 1}


def test_colour_and_levels_go_through():
    image, truth = discs()
    gray = (image / image.max() * 255).astype(np.uint8)
    colour = drain(segment_steps(request(Image(np.stack([gray] * 3, axis=-1), rgb=True))))
    levels = drain(segment_steps(request(Image([image, image[::2, ::2]], multiscale=True))))
    assert colour.count == levels.count == truth.max()
    assert colour.content.labels.shape == levels.content.labels.shape == image.shape


def test_errors_of_the_engine_come_through():
    with pytest.raises(ModelError, match="no model named 'nobody'"):
        drain(segment_steps(request(Image(np.zeros((8, 9))), model="nobody")))


class TestContent:
    def content(self, **columns):
        labels = np.arange(12, dtype=np.int32).reshape(3, 4)
        return Content(labels, pd.DataFrame({"index": [1, 2], "area": [3.0, 4.0]} | columns))

    def test_a_copy_has_the_same_fingerprint(self):
        content = self.content()
        assert Content(content.labels.copy(order="F"), content.features.copy()).fingerprint() == content.fingerprint()

    @pytest.mark.parametrize(
        "change",
        [
            lambda c: c.labels.__setitem__((2, 3), 99),
            lambda c: c.features.__setitem__("mine", ["a", "b"]),
            lambda c: c.features.__setitem__("area", [3.0, 5.0]),
            lambda c: c.features.insert(0, "number", [1, 2]),
            lambda c: c.features.pop("area"),
        ],
    )
    def test_every_change_changes_it(self, change):
        content = self.content()
        before = content.fingerprint()
        change(content)
        assert content.fingerprint() != before

    def test_the_shape_counts(self):
        content = self.content()
        assert Content(content.labels.reshape(4, 3), content.features).fingerprint() != content.fingerprint()

    def test_the_layer_that_may_be_replaced_is_looked_at_after_the_run(self):
        image, _ = discs()
        previous = self.content()
        steps = segment_steps(request(Image(image), previous=previous))
        next(steps)
        previous.labels[0, 0] = 77
        assert drain(steps).previous == previous.fingerprint()
