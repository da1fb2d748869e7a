"""What is said about a model that is given to other programs."""

from __future__ import annotations

import pytest

import napari_unet_seg as nus
from napari_unet_seg.core.unet import UNet
from napari_unet_seg.io.model_words import citations, describe_model, documentation
from tests.tiny import tiny_model


def model(**card):
    return nus.Model(tiny_model().network, card, name="mine")


def of_classes():
    settings = nus.NetworkSettings(width=4, depth=2, classes=("background", "stroma", "blood"), distance=False)
    return nus.Model(UNet(settings).eval(), name="types")


def test_the_title_comes_first():
    assert describe_model(model(title="Spheroids")) == "Spheroids: a U-Net that finds nuclei in planes of one channel."
    assert describe_model(model()).startswith("A model of a user of napari-unet-seg: ")
    assert "tells background, stroma, blood apart" in describe_model(of_classes())


def test_a_long_title_is_cut_to_what_a_site_shows():
    assert len(describe_model(model(title="x" * 5000))) == 512


@pytest.mark.parametrize(
    ("card", "count"), [({}, 1), ({"data": "Data Science Bowl 2018"}, 2), ({"base": "nuclei-v2"}, 2), ({"base": "mine", "data": "own"}, 1)]
)
def test_data_are_cited_where_they_taught(card, count):
    cited = citations(model(**card))
    assert len(cited) == count
    assert all(one["doi"].startswith("10.") for one in cited)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"images": 12, "data": "own images", "steps": 300}, "12 images. own images. 300 steps."),
        ({"base": "nuclei-v2"}, "It started from nuclei-v2."),
        ({}, "The model does not say what it learned from."),
        ({"limits": ["Only spheroids."]}, "- Only spheroids."),
        ({"limits": "Only spheroids."}, "- Only spheroids."),
        ({"diameter": 31}, "about 31 pixels across"),
        ({"figures": {"data": "fold 0", "all": {"AP": 0.8, "images": 3}}}, "| all | 0.8 | 3 |"),
        ({"figures": {"data": "fold 0"}}, "Measured on: fold 0."),
    ],
)
def test_the_documentation_says_what_the_card_says(card, said):
    assert said in documentation(model(**card))


def test_the_documentation_says_how_maps_become_nuclei_or_classes():
    assert "seed a watershed" in documentation(model())
    assert "multiples of 8" in documentation(model())
    assert "Each pixel belongs to the class whose map is highest there." in documentation(of_classes())
    assert "## Limits" not in documentation(model())
