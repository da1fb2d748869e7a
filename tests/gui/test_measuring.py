"""Which channels share a grid with the nuclei, and what a measurement makes of a layer."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import zarr
from napari.layers import Image, Labels

from napari_unet_seg.core.measure import measure, measure_plane
from napari_unet_seg.gui.measuring import VOLUMES, list_measurable, measure_steps, request_of
from napari_unet_seg.progress import drain
from tests.tiny import discs

PLACE = {"scale": (0.5, 0.5), "units": ("um", "um")}


def nuclei(**options):
    return Labels(discs()[1], name="nuclei", **(PLACE | options))


def take(labels, images, ring=0.0):
    chosen = [one for one in list_measurable(images, labels) if not one.why_not]
    return drain(measure_steps(request_of(labels, chosen, ring)))


class TestGrid:
    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({}, ""),
            ({"data": np.zeros((64, 128))}, "It has 128 × 64 px, and the nuclei have 128 × 128 px."),
            (
                {"data": np.zeros((3, 128, 128)), "scale": (1, 0.5, 0.5), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")},
                "It has 3 planes",
            ),
            ({"scale": (0.25, 0.25)}, "another size"),
            ({"translate": (0, 3)}, "shifted"),
            ({"rotate": 20}, "turned"),
            ({"affine": np.diag([2, 2, 1])}, "turned or stretched"),
            ({"scale": (0.5000001, 0.5)}, ""),
        ],
    )
    def test_channels_that_lie_elsewhere_say_why(self, options, reason):
        options = {"data": np.zeros((128, 128)), "units": ("um", "um"), "scale": (0.5, 0.5)} | options
        (found,) = list_measurable([Image(name="other", **options)], nuclei())
        assert reason in found.why_not
        assert bool(found.why_not) == bool(reason)

    def test_channels_of_a_layer_are_offered_one_by_one(self):
        image = discs()[0]
        stack = Image(np.stack([image, 2 * image]), name="cells", axis_labels=("c", "y", "x"), scale=(1, 0.5, 0.5), units=("um",) * 3)
        assert [one.title for one in list_measurable([stack], nuclei())] == ["cells 1", "cells 2"]
        features = take(nuclei(), [stack]).features
        assert np.allclose(features["mean_cells 2"], 2 * features["mean_cells 1"])

    def test_colours_are_offered_one_by_one(self):
        image = discs()[0]
        colour = Image(np.stack([image // 256, image // 128, image // 64], -1).astype(np.uint8), name="tissue", rgb=True, **PLACE)
        features = take(nuclei(), [colour]).features
        assert features["mean_tissue green"][0] == pytest.approx((image // 128)[discs()[1] == 1].mean())

    def test_equal_names_are_told_apart(self):
        image = discs()[0]
        titles = [one.title for one in list_measurable([Image(image, name="a", **PLACE) for _ in range(3)], nuclei())]
        assert titles == ["a", "a (2)", "a (3)"]

    def test_labels_that_keep_a_dimension_of_the_channels_fit(self):
        image, labels = discs()
        layer = Image(np.stack([[image, 2 * image]] * 3), name="cells", axis_labels=("z", "c", "y", "x"))
        kept = Labels(
            np.stack([labels, labels + 20 * (labels > 0), labels + 40 * (labels > 0)])[:, None],
            scale=(1, 2, 1, 1),
            translate=(0, 0.5, 0, 0),
        )
        features = take(kept, [layer]).features
        assert len(features) == 36
        assert np.allclose(features["mean_cells 2"], 2 * features["mean_cells 1"])

    @pytest.mark.parametrize("kind", ["dask", "zarr", "pyramid"])
    def test_lazy_images_are_measured(self, kind):
        image = discs()[0]
        lazy = {"dask": da.from_array(image, chunks=50), "zarr": zarr.array(image), "pyramid": [image, image[::2, ::2]]}[kind]
        expected = measure(discs()[1], {"a": image})
        assert np.allclose(take(nuclei(), [Image(lazy, name="a", **PLACE)]).features["mean_a"], expected["mean_a"])

    def test_a_pyramid_of_labels_is_measured_at_its_largest_level(self):
        labels = discs()[1]
        pyramid = Labels([labels, labels[::2, ::2]], **PLACE)
        assert len(take(pyramid, [Image(discs()[0], name="a", **PLACE)]).features) == labels.max()


class TestTable:
    def test_a_layer_without_features_gets_the_whole_table(self):
        features = take(nuclei(), [Image(discs()[0], name="a", **PLACE)], ring=3).features
        expected = measure(discs()[1], {"a": discs()[0]}, (0.5, 0.5), ring=3)
        pd.testing.assert_frame_equal(features[list(expected)], expected, check_dtype=False)
        assert features["index"].tolist() == features["label"].tolist()

    def test_what_was_known_stays_as_it_was_and_in_its_place(self):
        image, labels = discs()
        known = measure_plane(labels, image / 4000).assign(mine="x")
        features = take(nuclei(features=known), [Image(image, name="a", **PLACE)]).features
        pd.testing.assert_frame_equal(features[list(known)], known)
        assert list(features)[: len(known.columns)] == list(known)
        assert {"mean_a", "area_um2"} <= set(features)

    def test_corrected_nuclei_are_measured_again_and_erased_ones_go(self):
        image, labels = discs()
        known = measure_plane(labels, image / 4000)
        labels = labels.copy()
        labels[labels == 2] = 0
        labels[labels == 3] = 4
        features = take(Labels(labels, features=known, **PLACE), [Image(image, name="a", **PLACE)]).features
        assert 2 not in features["label"].tolist()
        merged = features.set_index("label").loc[4]
        assert merged["area"] == np.count_nonzero(labels == 4)
        assert np.isnan(merged["score"])
        assert merged["mean_a"] == pytest.approx(image[labels == 4].mean())

    def test_what_was_measured_before_is_replaced(self):
        image = discs()[0]
        layer = nuclei()
        layer.features = take(layer, [Image(image, name="a", **PLACE)], ring=3).features
        layer.scale = (1.0, 1.0)
        features = take(layer, [Image(image, name="b", scale=(1, 1), units=("um", "um"))]).features
        assert not {"mean_a", "ring_area"} & set(features)
        assert np.array_equal(features["area_um2"], features["area"])

    def test_planes_of_a_stack_are_measured_one_by_one(self):
        labels = np.stack([discs()[1], np.where(discs(seed=1)[1], discs(seed=1)[1] + 100, 0)])
        image = np.stack([discs()[0], discs(seed=1)[0]])
        measured = take(Labels(labels), [Image(image, name="a")])
        assert measured.notice == ""
        assert sorted(measured.features["plane_0"].unique()) == [0, 1]

    def test_nuclei_through_several_planes_are_measured_as_a_whole(self):
        labels = np.stack([discs()[1]] * 3)
        image = np.stack([discs()[0], 2 * discs()[0], 3 * discs()[0]])
        measured = take(Labels(labels), [Image(image, name="a")], ring=3)
        assert measured.notice == VOLUMES
        first = measured.features.iloc[0]
        assert first["volume"] == 3 * np.count_nonzero(discs()[1] == 1)
        assert first["median_a"] == np.median(image[labels == 1])
        assert "ring_area" not in measured.features
        again = Labels(labels, features=measured.features)
        pd.testing.assert_frame_equal(take(again, [Image(image, name="a")]).features, measured.features)

    def test_no_nuclei_give_an_empty_table(self):
        features = take(Labels(np.zeros((9, 9), np.int32)), [Image(np.zeros((9, 9)), name="a")]).features
        assert len(features) == 0
        assert {"label", "index", "mean_a"} <= set(features)
