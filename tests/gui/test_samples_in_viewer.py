"""Every sample opens in a real viewer as the menu opens it: images with scale and units, and their truth, hidden."""

from __future__ import annotations

import npe2
import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_unet_seg.io.samples import OF_CLASSES, SAMPLES

PLUGIN = "napari-unet-seg"
PUBLIC = ("bbbc039", "bbbc038")
"""These are downloaded: see test_public_sets.py."""


def samples():
    plugins = npe2.PluginManager.instance()
    plugins.discover()
    return {sample.key: sample for sample in plugins.get_manifest(PLUGIN).contributions.sample_data}


def test_each_file_is_in_the_menu():
    assert len(samples()) == len(SAMPLES) + 1 + len(PUBLIC)
    assert {"fluorescence", "histology", *SAMPLES[2:], OF_CLASSES, *PUBLIC} == samples().keys()
    assert all("download" in samples()[key].display_name for key in PUBLIC)


@pytest.mark.parametrize("key", ["fluorescence", "histology", *SAMPLES[2:], OF_CLASSES])
def test_it_opens_with_its_truth(viewer, key):
    *images, truth = viewer.open_sample(PLUGIN, key)
    assert all(isinstance(layer, Image) and layer.visible for layer in images)
    assert isinstance(truth, Labels)
    assert truth.name.endswith(" truth")
    assert not truth.visible
    assert truth.data.max() == 4 if key == OF_CLASSES else truth.data.max() >= 40
    for image in images:
        assert np.array_equal(image.scale, truth.scale)
        assert image.units == truth.units
        assert "pixel" not in map(str, image.units)
        assert np.array_equal(image.extent.world, truth.extent.world)
    assert len(images) == (2 if key == "cells" else 1)


def test_the_menu_has_them(viewer):
    menu = next(
        action.menu() for action in viewer.window.file_menu.actions() if action.menu() and "Sample" in action.text().replace("&", "")
    )
    [ours] = [action.menu() for action in menu.actions() if action.menu() and action.text() == "U-Net Segmentation"]
    titles = [action.text().replace("&&", "&") for action in ours.actions()]
    assert titles == [sample.display_name for sample in samples().values()]
