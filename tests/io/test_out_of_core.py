"""Labels from blocks are those of the whole image, number by number; a killed run goes on, and damage is found."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

import napari_unet_seg as nus
from napari_unet_seg.core.measure import add_physical
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.errors import InputError, OutOfMemoryError, SettingsError, WriteError
from napari_unet_seg.io import block_image
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.labels_info import LabelsInfo
from napari_unet_seg.io.writers import write_labels
from tests.tiny import discs, tiny_model

SETTINGS = nus.SegmentSettings(tile=96)
LARGE = np.kron(discs((150, 170), 30)[0], np.ones((2, 2), np.uint16))
"""Nuclei twice as large as the model knows."""
IMAGE = np.concatenate([discs((200, 230), 60, seed)[0] for seed in (0, 1)], axis=1)


def whole(image=IMAGE, settings=SETTINGS, **options) -> nus.Segmentation:
    return nus.drain(nus.iter_segment(image, tiny_model(), "cpu", settings=settings, **options))


def store(target: Path, image=IMAGE, settings=SETTINGS, **options):
    return nus.segment_to(image, target, tiny_model(), "cpu", settings, nus.OutOfCore(**options))


def labels_in(path: Path) -> np.ndarray:
    return zarr.open_array(path / "0", mode="r")[...]


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("block", [64, 150, 1000])
def test_labels_and_table_are_those_of_the_whole(tmp_path: Path, block: int):
    expected, stored = whole(), store(tmp_path / "x.labels.zarr", block=block)
    assert expected.count > 60
    found = labels_in(stored.path)
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, expected.labels)
    assert (stored.count, stored.shape) == (expected.count, IMAGE.shape)
    assert stored.touching_border == expected.features["touches_border"].sum()
    assert stored.provenance == expected.provenance
    table = pd.read_csv(stored.table)
    pd.testing.assert_frame_equal(table, expected.features.drop(columns="index"), check_exact=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.labels.csv", "x.labels.zarr"]


@pytest.mark.parametrize("block", [64, 111, 256])
def test_labels_of_a_rescaled_image_are_those_of_the_whole(tmp_path: Path, block: int):
    """Maps that were interpolated otherwise in every block would part nuclei elsewhere."""
    expected, stored = whole(LARGE), store(tmp_path / "x.labels.zarr", LARGE, block=block)
    assert expected.provenance["diameters"][0] > 25
    assert stored.provenance == expected.provenance
    np.testing.assert_array_equal(labels_in(stored.path), expected.labels)


def test_files_are_those_of_the_whole(tmp_path: Path):
    scale = {"Y": 0.5, "X": 0.5}
    stored = store(tmp_path / "x.labels.tif", block=128, scale=scale, measure={"own": IMAGE}, ring=3.0)
    expected = whole()
    features = expected.features.merge(nus.core.measure.measure_intensities(expected.labels, {"own": IMAGE}, 3.0), on="label")
    made = expected.provenance | {"measured": ["own"], "ring": 3.0}
    info = LabelsInfo("YX", scale, "x", made, add_physical(features, (0.5, 0.5)))
    for name in ("y.labels.tif", "y.labels.csv"):
        write_labels(tmp_path / name, expected.labels, info=info)
    assert stored.path.read_bytes() == (tmp_path / "y.labels.tif").read_bytes()
    assert stored.table.read_text() == (tmp_path / "y.labels.csv").read_text()


def test_planes_of_a_movie_go_one_by_one(tmp_path: Path):
    stack = np.stack([discs((90, 100), 10, seed)[0] for seed in range(6)]).reshape(3, 2, 90, 100)
    expected = whole(stack, axes="ZTYX")
    stored = store(tmp_path / "x.zarr", stack, axes="ZTYX", block=64)
    np.testing.assert_array_equal(labels_in(stored.path), expected.labels.transpose(1, 0, 2, 3))  # the file has time first
    table = pd.read_csv(stored.table)
    pd.testing.assert_frame_equal(table[["label", "plane_z", "plane_t"]], expected.features[["label", "plane_z", "plane_t"]])
    assert stored.provenance == expected.provenance
    in_tiff = store(tmp_path / "x.tif", stack, axes="ZTYX", block=64)
    np.testing.assert_array_equal(open_image(in_tiff.path).data, expected.labels)


def test_a_channel_of_a_projected_stack(tmp_path: Path):
    stack = np.stack([np.zeros((5, 128, 128), np.uint16), np.stack([discs(seed=seed)[0] for seed in range(5)])], axis=1)
    settings = dataclasses.replace(SETTINGS, stack="maximum")
    stored = store(tmp_path / "x.zarr", da.from_array(stack, chunks=(1, 1, 64, 64)), settings, axes="ZCYX", channel=1, block=64)
    np.testing.assert_array_equal(labels_in(stored.path), whole(stack, settings, axes="ZCYX", channel=1).labels)


@pytest.mark.parametrize("diameter", [0.0, 60.0])
def test_large_nuclei_are_reduced_alike(tmp_path: Path, diameter: float):
    image = np.kron(discs((100, 120), 10)[0], np.ones((5, 5), np.uint16))
    settings = dataclasses.replace(SETTINGS, diameter=diameter)
    expected, stored = whole(image, settings), store(tmp_path / "x.zarr", image, settings, block=200)
    np.testing.assert_array_equal(labels_in(stored.path), expected.labels)
    assert stored.provenance["diameters"] == expected.provenance["diameters"]
    assert stored.provenance["diameters"][0] > 0
    # A resampled map may be off by its last bit, since interpolation rounds by the shape of what it is given.
    np.testing.assert_allclose(pd.read_csv(stored.table)["score"], expected.features["score"], atol=1e-4)


def test_a_region_holds_the_same_nuclei(tmp_path: Path):
    region = (((20.0, 30.0), (20.0, 170.0), (140.0, 150.0), (120.0, 20.0)),)
    settings = dataclasses.replace(SETTINGS, region=region)
    found = labels_in(store(tmp_path / "x.zarr", IMAGE, settings, block=64).path)
    expected = whole(settings=settings).labels
    np.testing.assert_array_equal(found > 0, expected > 0)
    pairs = {(int(a), int(b)) for a, b in zip(found[found > 0], expected[found > 0], strict=True)}
    assert len(pairs) == found.max() == expected.max() > 5


def test_an_image_of_nothing(tmp_path: Path):
    notices = []
    steps = nus.iter_segment_to(np.zeros((70, 90), np.uint8), tmp_path / "x.zarr", tiny_model(), "cpu", SETTINGS)
    stored = nus.drain(steps, lambda progress: notices.append(progress.notice))
    assert (stored.count, labels_in(stored.path).max()) == (0, 0)
    assert any("Nothing stands out" in notice for notice in notices)
    assert len(pd.read_csv(stored.table)) == 0
    assert "area" in pd.read_csv(stored.table)


def test_a_file_tells_channels_and_pixel_size(tmp_path: Path):
    channels = np.stack([IMAGE // 3, IMAGE])
    metadata = {"axes": "CYX", "Channel": {"Name": ["GFP", "DAPI"]}, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "x.ome.tif", channels, metadata=metadata)
    stored = store(tmp_path / "x.zarr", tmp_path / "x.ome.tif", measure=("GFP",))
    np.testing.assert_array_equal(labels_in(stored.path), whole().labels)
    assert {"mean_GFP", "area_um2"} <= set(pd.read_csv(stored.table))
    assert stored.provenance["input"] == "x.ome.tif"
    assert stored.provenance["channel_name"] == "DAPI"


def test_of_a_measured_channel_blocks_alone_are_read(tmp_path: Path):
    read = []

    class Noting(np.ndarray):
        def __getitem__(self, index):
            read.append(np.asarray(self)[index].size)
            return np.asarray(self)[index]

    image = np.tile(IMAGE, (2, 1))
    store(tmp_path / "x.zarr", image, block=64, measure={"own": image.view(Noting)})
    assert len(read) > 20
    assert max(read) < image.size / 10


def test_progress_counts_everything_once(tmp_path: Path):
    seen = []
    nus.drain(nus.iter_segment_to(IMAGE, tmp_path / "x.zarr", tiny_model(), "cpu", SETTINGS, nus.OutOfCore(block=150)), seen.append)
    assert [progress.done for progress in seen] == list(range(1, seen[0].total + 1))
    assert len({progress.total for progress in seen}) == 1


def test_memory_that_runs_out_makes_tiles_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run, sizes = Predictor.run, []

    def small(self: Predictor, window: np.ndarray) -> np.ndarray:
        sizes.append(window.shape)
        if window.shape[0] > 300:
            raise OutOfMemoryError("too large")
        return run(self, window)

    monkeypatch.setattr(Predictor, "run", small)
    settings = dataclasses.replace(SETTINGS, tile=512)
    image = np.tile(IMAGE, (3, 1))
    stored = store(tmp_path / "x.zarr", image, settings)
    assert any(size[0] > 300 for size in sizes)
    monkeypatch.undo()
    assert abs(stored.count - whole(image, settings).count) <= 1  # other tiles round in another way


def interrupted(target: Path, after: int, **options) -> None:
    steps = nus.iter_segment_to(IMAGE, target, tiny_model(), "cpu", SETTINGS, nus.OutOfCore(block=128, **options))
    for _ in range(after):
        next(steps)
    steps.close()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    store(folder / "x.zarr", block=128)
    return files_in(folder)


@pytest.mark.parametrize("after", [1, 10, 18, 26, 32, 39])
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, uninterrupted, monkeypatch: pytest.MonkeyPatch, after: int):
    interrupted(tmp_path / "x.zarr", after)
    assert [path.name for path in tmp_path.iterdir()] == [".x.zarr.unfinished"]
    if after >= 15:
        monkeypatch.setattr(Predictor, "_start", None)  # every tile is done: the network must not run again
    store(tmp_path / "x.zarr", block=128, resume=True)
    assert files_in(tmp_path) == uninterrupted


STEPS = ("maps", "hills", "shares", "nuclei", "reports", "numbers", "written", "rows", "0/c")


@pytest.mark.parametrize(("step", "damage"), [*((step, "flip") for step in STEPS), ("maps", "cut"), ("nuclei", "delete")])
def test_damage_is_found_and_made_anew(tmp_path: Path, uninterrupted, step: str, damage: str):
    interrupted(tmp_path / "x.zarr", 39)
    place = next((tmp_path / ".x.zarr.unfinished").rglob(step))
    victim = next(path for path in sorted(place.rglob("*")) if path.is_file())
    content = victim.read_bytes()
    flipped = content[:-3] + bytes([content[-3] ^ 255]) + content[-2:]
    victim.write_bytes({"flip": flipped, "cut": content[: len(content) // 2], "delete": b""}[damage])
    if damage == "delete":
        victim.unlink()
    store(tmp_path / "x.zarr", block=128, resume=True)
    assert files_in(tmp_path) == uninterrupted


def test_a_process_that_is_killed_leaves_what_can_be_gone_on_with(tmp_path: Path, uninterrupted):
    np.save(tmp_path / "image.npy", IMAGE)
    model = tiny_model().save(tmp_path / "tiny")
    script = f"""if True:
        import numpy as np, napari_unet_seg as nus
        image, settings = np.load({str(tmp_path / "image.npy")!r}), nus.SegmentSettings(tile=96)
        steps = nus.iter_segment_to(image, {str(tmp_path / "out" / "x.zarr")!r}, {str(model)!r}, "cpu", settings, nus.OutOfCore(block=128))
        for progress in steps:
            print(progress.done, flush=True)
    """
    (tmp_path / "out").mkdir()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert [process.stdout.readline() for _ in range(9)][-1] == "9\n"
        process.kill()
    nus.segment_to(IMAGE, tmp_path / "out" / "x.zarr", model, "cpu", SETTINGS, nus.OutOfCore(block=128, resume=True))
    assert files_in(tmp_path / "out") == uninterrupted


def test_a_run_that_was_killed_at_the_very_end_goes_on(tmp_path: Path, uninterrupted, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr("napari_unet_seg.io.block_image.finish_zarr", None)
        with pytest.raises(TypeError):
            store(tmp_path / "x.zarr", block=128)
    chunk = next((tmp_path / ".x.zarr.unfinished").rglob("c/0/0"))
    chunk.write_bytes(chunk.read_bytes()[:-4])
    store(tmp_path / "x.zarr", block=128, resume=True)
    assert files_in(tmp_path) == uninterrupted


@pytest.mark.parametrize("deleted", [[], ["model.safetensors"], ["plan.json", "plane/full/done"]])
def test_a_run_that_was_killed_while_it_cleared_away_is_finished(
    tmp_path: Path, uninterrupted, monkeypatch: pytest.MonkeyPatch, deleted: list[str]
):
    """The labels are in their place already, so that what is left cannot be gone on with."""

    def clear_some(folder: Path) -> None:
        for name in deleted:
            (folder / name).unlink(missing_ok=True)

    with monkeypatch.context() as patch:
        patch.setattr(block_image, "_clear_away", clear_some)
        store(tmp_path / "x.zarr", block=128)
    assert (tmp_path / ".x.zarr.unfinished").exists()
    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "_start", None)
        store(tmp_path / "x.zarr", block=128, resume=True)
    assert files_in(tmp_path) == uninterrupted


@pytest.mark.parametrize("count", [1, 2])
def test_a_full_disk_is_told_and_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int):
    """The first write is that of the largest level, the second one of the pyramid."""
    image, written, fill = np.tile(IMAGE[:, :230], (6, 1)), [], zarr.Array.__setitem__

    def full(self: zarr.Array, place: object, values: object) -> None:
        written.append(place)
        if len(written) == count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fill(self, place, values)

    with monkeypatch.context() as patch:
        patch.setattr(zarr.Array, "__setitem__", full)
        with pytest.raises(WriteError, match="No space left on device; free some space and go on with --resume"):
            store(tmp_path / "x.zarr", image)
    store(tmp_path / "x.zarr", image, resume=True)
    (tmp_path / "whole").mkdir()
    store(tmp_path / "whole" / "x.zarr", image)
    assert files_in(tmp_path / "x.zarr") == files_in(tmp_path / "whole" / "x.zarr")


def test_what_a_run_left_is_gone_on_with_or_begun_anew_as_is_asked(tmp_path: Path):
    interrupted(tmp_path / "x.zarr", 5)
    with pytest.raises(WriteError, match=r"left unfinished; go on with it \(--resume\), or begin anew \(--overwrite\)"):
        store(tmp_path / "x.zarr", block=128)
    total = []
    options = nus.OutOfCore(block=128, overwrite=True)
    nus.drain(nus.iter_segment_to(IMAGE, tmp_path / "x.zarr", tiny_model(), "cpu", SETTINGS, options), total.append)
    assert len(total) == total[0].total


def test_a_run_made_in_another_way_is_refused(tmp_path: Path):
    interrupted(tmp_path / "x.zarr", 5)
    with pytest.raises(SettingsError, match=r"another way \(settings\)"):
        store(tmp_path / "x.zarr", settings=dataclasses.replace(SETTINGS, probability=0.7), block=128, resume=True)
    with pytest.raises(SettingsError, match=r"another way \(image, block\)"):
        store(tmp_path / "x.zarr", IMAGE[:-1], resume=True)
    with pytest.raises(SettingsError, match=r"another way \(image\)"):
        store(tmp_path / "x.zarr", IMAGE[::-1], block=128, resume=True)
    store(tmp_path / "x.zarr", IMAGE[::-1], block=128, resume=True, overwrite=True)
    np.testing.assert_array_equal(labels_in(tmp_path / "x.zarr"), whole(IMAGE[::-1]).labels)


def test_what_is_there_is_kept(tmp_path: Path):
    target = tmp_path / "x.zarr"
    store(target)
    with pytest.raises(WriteError, match="exists already"):
        store(target)
    store(target, overwrite=True)
    other = tmp_path / "image.zarr"
    zarr.create_group(other)
    with pytest.raises(WriteError, match="something other than labels"):
        store(other, overwrite=True)


def test_table_and_labels_need_two_names(tmp_path: Path):
    with pytest.raises(WriteError, match=r"would both be .+x\.zarr; give the table another name, such as x\.csv"):
        store(tmp_path / "x.zarr", table=tmp_path / "x.zarr")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"target": "x.png"}, WriteError, "ending"),
        ({"measure": ("DAPI",)}, InputError, "as arrays by name"),
        ({"measure": {"own": IMAGE[:50]}}, InputError, r"'own' has shape \(50, 460\), and the labels \(200, 460\)"),
        ({"channel": "DAPI"}, InputError, "'DAPI', and an array has no names"),
        ({"block": -1}, SettingsError, "block is -1"),
        ({"block": 1}, SettingsError, "block is 1; it must be at least 32 pixels"),
        ({"scale": {"Y": -0.5, "X": 0.5}}, InputError, "scale along Y is -0.5; it must be positive"),
        ({"scale": {"Z": float("nan")}}, InputError, "scale along Z is nan"),
        ({"ring": 0.5}, SettingsError, "ring is 0.5 px wide"),
        ({"table": "nowhere/x.csv"}, WriteError, "folder of the table .+ does not exist"),
        ({"scheduler": "tcp://127.0.0.1:9"}, SettingsError, "No scheduler"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], error: type, match: str):
    monkeypatch.setattr("napari_unet_seg.io.workers._WAIT", "1s")
    target = tmp_path / str(change.pop("target", "x.zarr"))
    with pytest.raises(error, match=match):
        store(target, **change)
    assert not list(tmp_path.iterdir())


def test_an_ending_in_capitals_is_the_same_format(tmp_path: Path):
    np.testing.assert_array_equal(labels_in(store(tmp_path / "x.ZARR").path), whole().labels)
    with pytest.raises(WriteError, match="exists already"):
        store(tmp_path / "x.ZARR")
    (tmp_path / "other.ZARR").mkdir()
    (tmp_path / "other.ZARR" / "mine.txt").write_text("not labels")
    with pytest.raises(WriteError, match="something other than labels"):
        store(tmp_path / "other.ZARR", overwrite=True)


@pytest.mark.parametrize("ending", [".zarr", ".tif"])
def test_what_is_finished_is_kept_as_long_as_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str):
    first = store(tmp_path / f"x{ending}")
    before = files_in(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "_start", None)
        assert store(tmp_path / f"x{ending}", resume=True) == first
    with pytest.raises(SettingsError, match="channels"):
        store(tmp_path / f"x{ending}", measure={"own": IMAGE}, resume=True)
    with pytest.raises(SettingsError, match="other settings"):
        store(tmp_path / f"x{ending}", settings=dataclasses.replace(SETTINGS, min_area=30), resume=True)
    victim = tmp_path / "x.zarr" / "0" / "c" / "0" / "0" if ending == ".zarr" else first.path
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    assert store(tmp_path / f"x{ending}", resume=True) == first
    assert files_in(tmp_path) == before


def test_a_run_that_was_killed_while_it_began_begins_anew(tmp_path: Path, uninterrupted):
    interrupted(tmp_path / "x.zarr", 2)
    (tmp_path / ".x.zarr.unfinished" / "plan.json").write_text('{"image": [')
    store(tmp_path / "x.zarr", block=128, resume=True)
    assert files_in(tmp_path) == uninterrupted


def test_the_plan_is_readable(tmp_path: Path):
    interrupted(tmp_path / "x.zarr", 2)
    plan = json.loads((tmp_path / ".x.zarr.unfinished" / "plan.json").read_text())
    assert plan["model"] == tiny_model().sha256
    assert plan["settings"]["tile"] == 96


def test_what_another_version_began_is_not_gone_on_with_and_what_it_finished_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "x.labels.zarr"
    steps = nus.iter_segment_to(IMAGE, target, tiny_model(), "cpu", SETTINGS)
    next(steps)
    steps.close()
    with monkeypatch.context() as patch:
        patch.setattr(block_image, "__version__", "99")
        with pytest.raises(SettingsError, match="version"):
            store(target, resume=True)
    store(target, resume=True)
    monkeypatch.setattr("napari_unet_seg.io.kept.__version__", "99")
    again = nus.iter_segment_to(IMAGE, target, tiny_model(), "cpu", SETTINGS, nus.OutOfCore(resume=True))
    assert ["It is kept as version" in progress.notice for progress in again] == [True]
