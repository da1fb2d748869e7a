"""Labels that napari cannot edit are corrected in a part of their own, which is written back."""

from __future__ import annotations

import contextlib

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_unet_seg.core.measure import add_physical, measure_plane
from napari_unet_seg.errors import InputError, WriteError
from napari_unet_seg.gui import crop as crop_module
from napari_unet_seg.gui.crop import corrected_rows, crop_steps, view_box, write_steps
from napari_unet_seg.gui.crop_panel import origin_of
from napari_unet_seg.gui.images_of import image_plane
from napari_unet_seg.progress import drain
from tests.core.test_doubts import grid
from tests.gui.conftest import WAIT_MS, ready
from tests.gui.mouse import click, drag

FULL = (slice(0, 1000), slice(0, 1000))


def levels(shape=(512, 512), kind="numpy", tmp_path=None):
    """Discs, 32 pixels apart, at three levels."""
    largest = grid(shape)
    arrays = [largest, largest[1::2, 1::2].copy(), largest[2::4, 2::4].copy()]
    if kind == "dask":
        return [da.from_array(array, chunks=100) for array in arrays]
    if kind == "zarr":
        stores = [zarr.create_array(str(tmp_path / str(k)), data=array, chunks=(100, 100)) for k, array in enumerate(arrays)]
        return [zarr.open_array(store.store_path.store, mode="r+") for store in stores]
    return arrays


VIEW = (slice(100, 200), slice(130, 220))


def opened(arrays, view=VIEW, index=()):
    return drain(crop_steps(arrays[0], index, view))


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_every_nucleus_in_view_is_whole_and_the_others_are_hidden(kind, tmp_path):
    arrays = levels(kind=kind, tmp_path=tmp_path)
    truth = np.asarray(arrays[0])
    crop = opened(arrays)
    inside = truth[crop.box]
    assert crop.labels.dtype == np.int32
    assert set(np.unique(truth[VIEW])) <= set(np.unique(crop.labels))
    for number in np.unique(crop.labels)[1:]:
        assert (crop.labels == number).sum() == (truth == number).sum()
    assert np.array_equal(np.where(crop.hidden, inside, crop.labels), inside)
    assert crop.highest == 256


def test_a_nucleus_that_goes_far_beyond_the_view_is_whole():
    labels = np.zeros((700, 700), np.int64)
    labels[350, 20:680] = 5
    crop = opened([labels], (slice(340, 360), slice(340, 360)))
    assert (crop.labels == 5).sum() == 660


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_what_is_written_back_is_in_every_level(kind, tmp_path):
    arrays = levels(kind=kind, tmp_path=tmp_path)
    truth = np.asarray(arrays[0]).copy()
    crop = opened(arrays)
    labels = crop.labels.copy()
    gone = int(labels[50, 50] or np.unique(labels)[1])
    labels[labels == gone] = 0
    labels[60:64, 60:70] = 900
    drain(write_steps(arrays, crop, labels))
    expected = truth.copy()
    expected[crop.box] = np.where(crop.hidden, truth[crop.box], labels)
    assert np.array_equal(np.asarray(arrays[0]), expected)
    assert np.array_equal(np.asarray(arrays[1]), expected[1::2, 1::2])
    assert np.array_equal(np.asarray(arrays[2]), expected[2::4, 2::4])


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_who_quits_meanwhile_leaves_all_levels_as_they_were_or_all_anew(steps):
    arrays = levels()
    before = [array.copy() for array in arrays]
    crop = opened(arrays)
    writing = write_steps(arrays, crop, crop.labels * 0)
    with contextlib.closing(writing), contextlib.suppress(StopIteration):
        for _ in range(steps):
            next(writing)
    changed = [not np.array_equal(array, old) for array, old in zip(arrays, before, strict=True)]
    assert changed == [steps > 1] * 3


def test_planes_of_a_stack_are_opened_and_written_one_by_one():
    stack = np.stack([grid((256, 256)), grid((256, 256)) * 2])
    before = stack.copy()
    crop = opened([stack], index=(1,), view=(slice(60, 120), slice(60, 120)))
    drain(write_steps([stack], crop, crop.labels * 0))
    assert np.array_equal(stack[0], before[0])
    assert not stack[1][60:120, 60:120].any()


def test_what_cannot_be_opened_or_written_is_told(tmp_path, monkeypatch):
    arrays = levels(kind="zarr", tmp_path=tmp_path)
    crop = opened(arrays)
    read_only = [zarr.open_array(array.store_path.store, mode="r") for array in arrays]
    with pytest.raises(WriteError, match="save the corrected part"):
        drain(write_steps(read_only, crop, crop.labels))
    monkeypatch.setattr(crop_module, "MOST_PIXELS", 1000)
    with pytest.raises(InputError, match="zoom in"):
        opened(arrays)
    with pytest.raises(InputError, match="2,147,483,647"):
        drain(crop_steps(np.full((8, 8), 2**40), (), (slice(0, 2), slice(0, 2))))


def test_the_part_in_view():
    assert view_box(np.array([[-5.0, 10.2], [700.4, 30]]), (512, 512)) == (slice(0, 512), slice(10, 31))
    with pytest.raises(InputError, match="in view"):
        view_box(np.array([[-50.0, 10], [-5, 30]]), (512, 512))


def test_rows_of_the_part_are_in_pixels_of_the_whole():
    arrays = levels()
    crop = opened(arrays)
    labels = crop.labels.copy()
    number = int(np.unique(labels)[1])
    labels[labels == number] = 900
    table, numbers = corrected_rows(crop, labels, arrays[0].shape)
    whole = measure_plane(arrays[0]).set_index("index").loc[number]
    assert numbers == {number, 900}
    assert table["index"].tolist() == [900]
    for name in ("area", "centroid_y", "centroid_x", "solidity", "touches_border"):
        assert table[name][0] == pytest.approx(whole[name])


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_a_pyramid_is_corrected_in_a_part_and_written_back(viewer, correct, qtbot, tmp_path, kind):
    arrays = levels(kind=kind, tmp_path=tmp_path)
    table = measure_plane(np.asarray(arrays[0]))
    whole = viewer.add_labels(arrays, name="slide", multiscale=True, features=table, scale=(0.5, 0.5), translate=(7, 8))
    widget = correct()
    assert "Correct here" in widget.about.text()
    assert widget.crops.here_button.isVisible()
    assert not widget.panel.buttons["delete"].isEnabled()
    with qtbot.waitSignal(widget.crops.job.finished, timeout=WAIT_MS):
        widget.crops.here_button.click()
    part = viewer.layers.selection.active
    assert part.name == "slide (part)"
    box = origin_of(part).crop.box
    assert part.data_to_world((0, 0)) == pytest.approx(whole.data_to_world((box[0].start, box[1].start)))
    ready(widget, qtbot)
    widget.tools.choose("split")
    y, x = 16 - box[0].start + 32 * 5, 16 - box[1].start + 32 * 5
    drag(viewer, part, [(y - 12, x), (y + 12, x)])
    widget.tools.choose("delete")
    click(viewer, part, (y, x + 32))
    assert 257 in part.data
    with qtbot.waitSignal(widget.crops.job.finished, timeout=WAIT_MS):
        widget.crops.back_button.click()
    assert [layer.name for layer in viewer.layers if "marks" not in layer.name] == ["slide"]
    after = np.asarray(whole.data[0])
    assert after[176, 180] in (86, 257)
    assert not after[176, 208]
    assert np.array_equal(np.asarray(whole.data[1]), after[1::2, 1::2])
    numbers = np.unique(after)[1:]
    assert sorted(whole.features["index"]) == numbers.tolist()
    assert 257 in numbers
    assert len(numbers) == 256
    assert whole.metadata["napari_unet_seg"]["edited"] is True


def test_what_is_painted_while_a_part_is_written_back_is_not_lost(viewer, correct, qtbot):
    arrays = levels()
    table = add_physical(measure_plane(arrays[0]), (0.5, 0.5))
    units = {"scale": (0.5, 0.5), "units": ("um", "um")}
    whole = viewer.add_labels(arrays, name="slide", multiscale=True, features=table, **units)
    widget = correct()
    with qtbot.waitSignal(widget.crops.job.finished, timeout=WAIT_MS):
        widget.crops.here_button.click()
    part = viewer.layers.selection.active
    ready(widget, qtbot)
    number = int(np.unique(part.data)[1])
    part.data[np.nonzero(part.data == number)[0][0]] = 0
    with qtbot.waitSignal(widget.crops.job.finished, timeout=WAIT_MS):
        widget.crops.write_back()
        part.data[0, 0] = 900
    assert part in viewer.layers
    assert "once more" in widget.message.text.text()
    assert 900 not in np.asarray(whole.data[0])
    row = whole.features.set_index("index").loc[number]
    assert row["area"] == (np.asarray(whole.data[0]) == number).sum() < table.set_index("index")["area"][number]
    assert row["area_um2"] == pytest.approx(row["area"] / 4)
    with qtbot.waitSignal(widget.crops.job.finished, timeout=WAIT_MS):
        widget.crops.write_back()
    assert part not in viewer.layers
    assert 900 in np.asarray(whole.data[0])


def test_a_part_of_a_closed_layer_is_not_lost(viewer, correct, qtbot):
    whole = viewer.add_labels(levels(), name="slide", multiscale=True)
    widget = correct()
    with qtbot.waitSignal(widget.crops.job.finished, timeout=WAIT_MS):
        widget.crops.here_button.click()
    part = viewer.layers.selection.active
    viewer.layers.remove(whole)
    widget.crops.back_button.click()
    assert "closed" in widget.message.text.text()
    assert part in viewer.layers


def test_the_image_below_a_part_is_that_part_of_the_image(viewer, correct, qtbot):
    image = np.random.default_rng(0).integers(0, 999, (512, 512)).astype(np.uint16)
    viewer.add_image([image, image[::2, ::2]], name="slide", multiscale=True)
    viewer.add_labels(levels(), name="slide nuclei", multiscale=True)
    widget = correct()
    with qtbot.waitSignal(widget.crops.job.finished, timeout=WAIT_MS):
        widget.crops.here_button.click()
    ready(widget, qtbot)
    box = origin_of(viewer.layers.selection.active).crop.box
    found = image_plane(viewer, widget.history, ())
    assert np.array_equal(np.asarray(found.read()), image[box])
    assert found.whole().shape == image.shape
