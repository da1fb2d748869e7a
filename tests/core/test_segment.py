"""From any image to labels, through the public functions, with a network that knows discs."""

from __future__ import annotations

import dataclasses
import json

import dask.array as da
import numpy as np
import pytest
import zarr

import napari_unet_seg as nus
from napari_unet_seg.core import plane as plane_module
from napari_unet_seg.core import segment as segment_module
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.core.scale import UNASKED
from napari_unet_seg.errors import ComputeError, InputError, SettingsError, UnetSegError
from tests.tiny import discs, tiny_model

REAL_DTYPES = ["?", "u1", "i1", "<u2", ">u2", "<i2", ">i4", "<u4", "<i8", "<u8", "<f2", ">f4", "<f8", ">f8"]


def segment(image, **options):
    return nus.segment(image, tiny_model(), "cpu", **options)


def test_finds_each_disc_and_splits_those_that_touch():
    image, truth = discs((256, 256), count=50, seed=11)
    scores = nus.evaluate(truth, segment(image))
    assert scores.ap(0.5) >= 0.95
    assert scores.ap(0.8) >= 0.9


@pytest.mark.parametrize("dtype", REAL_DTYPES)
def test_every_real_dtype_gives_the_same_nuclei(dtype):
    image, truth = discs((128, 128), seed=2)
    span = 100 if np.dtype(dtype).itemsize == 1 else 3000
    scaled = image.clip(0, 2500) / 2500 * span - (span / 2 if np.dtype(dtype).kind in "if" else 0)
    converted = image > 1000 if dtype == "?" else scaled.astype(dtype)
    found = segment(converted)
    assert found.dtype == np.int32
    assert nus.evaluate(truth, found).ap(0.5) >= 0.9


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((40, 50), np.uint8),
        np.full((40, 50), 65535, np.uint16),
        np.full((40, 50), -3.5),
        np.full((40, 50), np.nan),
        np.full((40, 50), np.inf),
        np.zeros((1, 1), bool),
        np.ones((1, 200), np.float32),
    ],
    ids=["zeros", "white", "negative", "nan", "infinite", "pixel", "line"],
)
def test_images_that_show_nothing_give_no_nuclei(image):
    labels = segment(image)
    assert labels.shape == image.shape
    assert labels.max() == 0


def test_nan_and_infinities_in_an_image_spoil_nothing_else():
    image, truth = discs((128, 128), seed=2)
    spoiled = image.astype(np.float32)
    ground = np.argwhere(truth == 0)[::97]
    spoiled[ground[:, 0], ground[:, 1]] = np.tile([np.nan, np.inf, -np.inf], len(ground))[: len(ground)]
    original = spoiled.copy()
    assert nus.evaluate(truth, segment(np.nan_to_num(image.astype(np.float32)))).ap(0.5) == 1
    assert segment(spoiled).shape == image.shape
    np.testing.assert_array_equal(spoiled, original)


@pytest.mark.parametrize(
    ("image", "options", "sentence"),
    [
        (np.zeros((0, 5)), {}, r"\(0, 5\)"),
        (np.zeros((3, 8, 9, 5, 2)), {}, r"\(3, 8, 9, 5, 2\).*axes"),
        (np.zeros(5), {}, r"\(5,\)"),
        (np.zeros((8, 8), complex), {}, "complex128"),
        (np.zeros((8, 8), "U3"), {}, "<U3"),
        (np.zeros((3, 8, 9)), {"axes": "CYX"}, "3 channels"),
        (np.zeros((3, 8, 9)), {"axes": "CYX", "channel": 3}, "channel is 3"),
        (np.zeros((8, 9)), {"axes": "ZYX"}, "'ZYX'"),
    ],
)
def test_bad_images_are_refused_with_the_value(image, options, sentence):
    with pytest.raises(InputError, match=sentence):
        segment(image, **options)


def test_stack_plane_by_plane_with_unique_numbers():
    planes = [discs((96, 96), seed=seed) for seed in range(6)]
    stack = np.stack([image for image, _ in planes]).reshape(2, 3, 96, 96)
    result = nus.drain(nus.iter_segment(stack, tiny_model(), "cpu", axes="TZYX"))
    assert result.labels.shape == (2, 3, 96, 96)
    assert set(np.unique(result.labels)) - {0} == set(result.features["label"]) == set(range(1, result.count + 1))
    for position, (image, _) in enumerate(planes):
        plane, alone = result.labels[divmod(position, 3)], segment(image)
        np.testing.assert_array_equal(plane > 0, alone > 0)
    rows = result.features[(result.features["plane_t"] == 1) & (result.features["plane_z"] == 0)]
    assert set(rows["label"]) == set(np.unique(result.labels[1, 0])) - {0}


def test_channel_is_chosen_and_leaves_the_shape():
    image, truth = discs((96, 128), seed=3)
    channels = np.stack([np.zeros_like(image), image])
    np.testing.assert_array_equal(segment(channels, axes="CYX", channel=1), segment(image))
    np.testing.assert_array_equal(segment(np.moveaxis(channels, 0, -1), axes="YXC", channel=1), segment(image))
    assert segment(channels, axes="CYX", channel=0).max() == 0
    assert truth.any()


def test_colour_on_dark_and_on_bright_ground():
    image, truth = discs((128, 128), seed=3)
    gray = (image / image.max() * 200).astype(np.uint8)
    blue = np.stack([np.zeros_like(gray), np.zeros_like(gray), gray, np.full_like(gray, 255)], axis=-1)
    stained = np.stack([245 - gray, 235 - gray // 2, 245 - gray // 4], axis=-1).astype(np.uint8)
    for picture in (blue, stained):
        assert nus.evaluate(truth, segment(picture)).ap(0.5) >= 0.9


def test_lazy_arrays_and_pyramids_give_what_the_array_gives(tmp_path):
    image, _ = discs((160, 130), seed=5)
    stored = zarr.create_array(tmp_path / "image.zarr", shape=image.shape, chunks=(64, 64), dtype=image.dtype)
    stored[:] = image
    expected = segment(image)
    for lazy in (da.from_array(image, chunks=50), stored, [image, image[::2, ::2]], image.tolist()):
        np.testing.assert_array_equal(segment(lazy), expected)


def test_tiles_are_read_as_they_come_not_the_whole(monkeypatch):
    """A lazy image is never in memory whole: no read is larger than a window."""
    image, _ = discs((400, 400), count=60, seed=5)
    largest = []
    lazy = da.from_array(image, chunks=100).map_blocks(lambda block: (largest.append(block.size), block)[1], dtype=image.dtype)
    steps = nus.iter_segment(lazy, tiny_model(), "cpu", settings=nus.SegmentSettings(tile=64, low=0, high=3000, polarity="bright"))
    largest.clear()
    next(steps)
    assert 0 < sum(largest) < image.size


def test_progress_counts_the_tiles_of_all_planes():
    stack = np.stack([discs((150, 150), seed=seed)[0] for seed in range(2)])
    seen = []
    nus.drain(nus.iter_segment(stack, tiny_model(), "cpu", settings=nus.SegmentSettings(tile=64)), seen.append)
    assert [progress.done for progress in seen] == list(range(1, 19))
    assert {progress.total for progress in seen} == {18}


def test_closing_cancels_at_the_next_tile(monkeypatch):
    image, _ = discs((200, 200), seed=0)
    runs = []
    run = segment_module.Predictor.run
    monkeypatch.setattr(segment_module.Predictor, "run", lambda self, window: (runs.append(1), run(self, window))[1])
    steps = nus.iter_segment(image, tiny_model(), "cpu", settings=nus.SegmentSettings(tile=64))
    next(steps)
    steps.close()
    assert len(runs) == 1


def enlarged(factor, **options):
    image, truth = discs(**options)
    block = np.ones((factor, factor), int)
    return np.kron(image, block).astype(image.dtype), np.kron(truth, block).astype(np.int32)


def test_very_large_nuclei_are_found_at_a_smaller_scale_with_one_notice():
    image, truth = enlarged(5, shape=(96, 96), count=8, seed=1)
    seen = []
    result = nus.drain(nus.iter_segment(image, tiny_model(), "cpu"), seen.append)
    assert nus.evaluate(truth, result.labels).ap(0.7) == 1
    assert result.provenance["diameters"] == [pytest.approx(5 * 17, rel=0.3)]
    assert [progress.notice.split(":")[1] for progress in seen if progress.notice] == [
        " such planes are rescaled to the size the model knows."
    ]


def reduced(factor, **options):
    image, truth = discs(**options)
    blocks = (image.shape[0] // factor, factor, image.shape[1] // factor, factor)
    return image.reshape(blocks).mean((1, 3)).astype(image.dtype), truth[::factor, ::factor]


def test_small_nuclei_are_found_at_a_larger_scale_with_one_notice():
    image, truth = reduced(2, shape=(256, 256), count=40, seed=1)
    seen = []
    result = nus.drain(nus.iter_segment(image, tiny_model(), "cpu", settings=nus.SegmentSettings(min_area=5)), seen.append)
    assert result.labels.shape == truth.shape
    assert nus.evaluate(truth, result.labels).ap(0.5) == 1
    assert result.provenance["diameters"] == [pytest.approx(17 / 2, rel=0.2)]
    assert [progress.notice.split(":")[1] for progress in seen if progress.notice] == [
        " such planes are rescaled to the size the model knows."
    ]


def test_a_model_that_knows_two_sizes_is_shown_the_nearest(monkeypatch):
    """Small nuclei at the larger size would take twelve times the pixels; a large image would not be enlarged at all."""
    known = tiny_model()
    model = dataclasses.replace(known, card=known.card | {"diameter": 60.0, "smallest_diameter": 17.0})
    image, truth = reduced(2, shape=(256, 256), count=40, seed=1)
    monkeypatch.setattr("napari_unet_seg.core.scale.MOST_UNASKED", 8 * image.size)
    result = nus.drain(nus.iter_segment(image, model, "cpu", settings=nus.SegmentSettings(min_area=5)))
    assert result.provenance["diameters"] == [pytest.approx(17 / 2, rel=0.2)]
    assert nus.evaluate(truth, result.labels).ap(0.5) == 1
    assert Predictor(model, "cpu").factor_for(120.0) == 60 / 120


def test_a_sentence_that_holds_for_many_planes_is_told_once(monkeypatch):
    image, _ = reduced(2, shape=(256, 256), count=40, seed=1)
    monkeypatch.setattr("napari_unet_seg.core.scale.MOST_UNASKED", 2 * image.size)
    seen = []
    nus.drain(nus.iter_segment(np.stack([image] * 3), tiny_model(), "cpu", axes="ZYX"), seen.append)
    assert [progress.notice for progress in seen if progress.notice] == [UNASKED]


def test_a_large_image_of_small_nuclei_is_enlarged_only_when_asked(monkeypatch):
    image, _ = reduced(2, shape=(256, 256), count=40, seed=1)
    monkeypatch.setattr("napari_unet_seg.core.scale.MOST_UNASKED", 2 * image.size)
    seen = []
    result = nus.drain(nus.iter_segment(image, tiny_model(), "cpu"), seen.append)
    assert result.provenance["diameters"] == [0]
    assert [progress.notice for progress in seen if progress.notice] == [UNASKED]
    asked = nus.SegmentSettings(diameter=8)
    assert nus.drain(nus.iter_segment(image, tiny_model(), "cpu", settings=asked)).provenance["diameters"] == [8]


def test_nuclei_of_known_size_and_a_given_diameter_are_left_alone():
    image, _ = discs((96, 96))
    for settings, diameter in ((None, 0), (nus.SegmentSettings(diameter=20), 20)):
        result = nus.drain(nus.iter_segment(image, tiny_model(), "cpu", settings=settings))
        assert result.provenance["diameters"] == [diameter]


def test_each_plane_of_a_stack_has_its_own_scale():
    """One plane of large nuclei must not hide the small nuclei of the others."""
    image, truth = enlarged(5, shape=(96, 96), count=8, seed=1)
    small, small_truth = discs(image.shape, count=60, seed=1)
    seen = []
    stack = np.stack([image, small, image])
    result = nus.drain(nus.iter_segment(stack, tiny_model(), "cpu"), seen.append)
    for plane, expected in zip(result.labels, (truth, small_truth, truth), strict=True):
        assert nus.evaluate(expected, plane).ap(0.5) > 0.9
    assert [diameter > 0 for diameter in result.provenance["diameters"]] == [True, False, True]
    assert sum(bool(progress.notice) for progress in seen) == 1


def test_a_diameter_that_is_a_slip_is_refused():
    with pytest.raises(SettingsError, match="would be enlarged to"):
        segment(np.zeros((2048, 2048), np.uint8), settings=nus.SegmentSettings(diameter=0.1))
    unknown = nus.Model(tiny_model().network, {}, name="mine")
    with pytest.raises(SettingsError, match="'mine' does not say which diameter"):
        nus.segment(np.zeros((32, 32)), unknown, "cpu", settings=nus.SegmentSettings(diameter=10))


def test_provenance_says_what_made_the_labels_and_can_be_stored():
    image, _ = discs((96, 96))
    settings = nus.SegmentSettings(probability=0.4, tile=64)
    first, second = (nus.drain(nus.iter_segment(image, tiny_model(), "cpu", settings=settings)).provenance for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
    assert first["model"] == "tiny"
    assert first["model_sha256"] == tiny_model().sha256
    assert first["settings"]["probability"] == 0.4
    assert first["limits"][0]["high"] > first["limits"][0]["low"]


def test_a_runtime_error_anywhere_becomes_one_of_ours(monkeypatch):
    """A napari worker swallows RuntimeError: its buttons would stay grey for ever."""

    def broken(*_):
        raise RuntimeError("a chunk is damaged")

    lazy = da.from_array(np.zeros((64, 64)), chunks=32).map_blocks(broken, dtype=float, meta=np.zeros((0, 0)))
    fixed = nus.SegmentSettings(low=0, high=1, polarity="bright")  # then tiles are the first to be read
    for settings in (None, fixed):
        with pytest.raises(UnetSegError, match="a chunk is damaged"):
            segment(lazy, settings=settings)
    monkeypatch.setattr(plane_module, "decode", broken)
    with pytest.raises(ComputeError, match="a chunk is damaged"):
        segment(np.zeros((64, 64)))


def test_a_model_without_a_distance_map_gives_its_class_map():
    """Its last map is a class, and must not be taken for the distance without a word."""
    from napari_unet_seg.core.unet import UNet

    model = nus.Model(UNet(nus.NetworkSettings(width=4, depth=1, distance=False)).eval(), name="classes")
    result = nus.drain(nus.iter_segment(discs((32, 32), 2)[0], model, "cpu"))
    assert np.array_equal(result.labels, result.classes)
    assert result.class_names == ("background", "foreground", "outline")


def test_class_map_agrees_with_the_labels():
    image, truth = discs((128, 128), seed=2)
    result = nus.drain(nus.iter_segment(image, tiny_model(), "cpu"))
    assert result.classes.dtype == np.uint8
    assert set(np.unique(result.classes)) == {0, 1, 2}
    assert np.mean((result.classes > 0) == (truth > 0)) > 0.97


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"min_area": 90, "exclude_border": True},
        {"region": (((20.0, 10.0), (20.0, 90.0), (70.0, 90.0), (70.0, 10.0)),)},
        {"region": (((5.0, 5.0), (5.0, 40.0), (60.0, 5.0)), ((90.0, 60.0), (140.0, 60.0), (140.0, 100.0))), "exclude_border": True},
    ],
    ids=str,
)
def test_labels_alone_are_those_that_are_measured(settings):
    image, _ = discs((150, 120), count=25, seed=2)
    settings = nus.SegmentSettings(**settings)
    measured = nus.drain(nus.iter_segment(image, tiny_model(), "cpu", settings=settings))
    assert len(measured.features) == measured.labels.max() > 0
    np.testing.assert_array_equal(nus.segment(image, tiny_model(), "cpu", settings=settings), measured.labels)


@pytest.mark.parametrize("settings", [{}, {"stack": "linked"}, {"track": "overlap"}], ids=str)
def test_labels_alone_of_a_stack_are_those_that_are_measured(settings):
    planes = [discs((96, 80), count=8, seed=seed)[0] for seed in (1, 2, 3)]
    planes[1][:] = 0  # a plane without a nucleus
    image, settings = np.stack(planes), nus.SegmentSettings(**settings)
    axes = "TYX" if settings.track != "none" else "ZYX"
    measured = nus.drain(nus.iter_segment(image, tiny_model(), "cpu", axes=axes, settings=settings))
    assert measured.labels.max() > 5
    np.testing.assert_array_equal(nus.segment(image, tiny_model(), "cpu", axes=axes, settings=settings), measured.labels)
