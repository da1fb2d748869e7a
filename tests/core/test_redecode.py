"""The maps of a run give its labels again, and other settings what another run gives."""

from __future__ import annotations

import numpy as np
import pytest

import napari_unet_seg as nus
from napari_unet_seg.core.decoding import Decoding
from napari_unet_seg.core.instances import instances
from napari_unet_seg.core.redecode import MapStack, iter_redecode
from napari_unet_seg.core.segment import iter_work, prepare
from napari_unet_seg.errors import InputError
from napari_unet_seg.settings import DECODING, SegmentSettings, field_options
from tests.tiny import discs, tiny_model

OTHER = {"probability": 0.8, "splitting": 0.7, "min_area": 150, "max_area": 250, "fill_holes": False, "exclude_border": True}


def run(image, settings=None):
    """A run and its maps."""
    kept = {}
    found = nus.drain(iter_work(prepare(image, tiny_model(), "cpu", settings=settings), kept.__setitem__))
    return found, kept


@pytest.fixture(scope="module")
def stack():
    return np.stack([discs((96, 96), seed=seed)[0] for seed in range(3)])


@pytest.fixture(scope="module")
def made(stack):
    return run(stack)


def again(made, settings, **options):
    found, kept = made
    labels, features = nus.drain(iter_redecode(MapStack("ZYX", found.labels.shape, kept.get, **options), settings))
    return labels, features


def test_a_run_hands_out_the_maps_of_each_plane(made):
    _, kept = made
    assert list(kept) == [(0,), (1,), (2,)]
    assert {(maps.whole.dtype.name, maps.whole.shape) for maps in kept.values()} == {("float16", (4, 96, 96))}


def test_the_same_settings_give_the_same(made):
    labels, features = again(made, SegmentSettings())
    assert np.array_equal(labels, made[0].labels)
    assert features.equals(made[0].features)


@pytest.mark.parametrize("name", DECODING)
def test_other_settings_give_what_another_run_gives(stack, made, name):
    settings = SegmentSettings(**{name: OTHER[name]})
    expected, _ = run(stack, settings)
    labels, features = again(made, settings)
    assert np.array_equal(labels, expected.labels)
    assert features.equals(expected.features)


def test_every_setting_either_needs_the_network_or_is_tested_here():
    assert sorted(DECODING) == sorted(OTHER)
    assert set(DECODING) < set(field_options(SegmentSettings))


def test_planes_that_are_decoded_already_are_taken_as_they_are(made):
    blank = np.zeros((96, 96), np.int32)
    labels, features = again(made, SegmentSettings(), decoded={(1,): blank})
    assert labels[1].max() == 0
    assert set(features["plane_z"]) == {0, 2}


def test_maps_that_are_gone_are_told(made):
    with pytest.raises(InputError, match="let go"):
        again((made[0], {(0,): made[1][(0,)]}), SegmentSettings())


def test_scaled_planes_keep_the_maps_they_were_decoded_from():
    """Of automatic scale, too: the maps are those of the plane that was taken."""
    image = np.kron(discs((96, 96), count=8, seed=1)[0], np.ones((5, 5), int)).astype(np.uint16)
    found, kept = run(image)
    assert found.provenance["diameters"][0] > 50
    labels, features = nus.drain(iter_redecode(MapStack("YX", found.labels.shape, kept.get), SegmentSettings()))
    assert np.array_equal(labels, found.labels)
    assert features.equals(found.features)


def test_decoding_again_is_decoding(made):
    """Whatever order the settings come in, what is remembered changes nothing."""
    maps = made[1][(0,)].whole
    decoding = Decoding(maps)
    random = np.random.default_rng(0)
    for _ in range(25):
        names = random.choice(DECODING, size=random.integers(0, 4), replace=False)
        settings = SegmentSettings(**{name: OTHER[name] for name in names})
        labels = decoding.labels(settings)
        assert np.array_equal(labels, instances(maps, settings))
        labels[:] = 99  # it belongs to the caller
