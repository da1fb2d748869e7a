"""A run over real files, with a network that knows discs."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tifffile

import napari_unet_seg as nus
from napari_unet_seg.core import plane
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.errors import ComputeError, DeviceError, InputError, ModelError, SettingsError, WriteError
from napari_unet_seg.io import batch, batch_image
from napari_unet_seg.io import writers as writers_module
from napari_unet_seg.io.batch import FORMATS, Plan, iter_batch, make_folder
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.inputs import find_inputs
from napari_unet_seg.io.quantities import Quantity, Wishes
from napari_unet_seg.io.room import Place
from tests.tiny import discs, tiny_model

if TYPE_CHECKING:
    from napari_unet_seg.io.summary import Outcome

MICROMETRES = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path


def write(path: str, data: np.ndarray | None = None, **metadata: Any) -> np.ndarray:
    data = discs()[0] if data is None else data
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, data, metadata=metadata or None)
    return data


def plan(*given: str, **options: Any) -> Plan:
    found = find_inputs(given or ["data"], "out")
    return Plan(found.sources, Path("out"), **({"summary": found.many} | options))


def run(*given: str, **options: Any) -> tuple[Outcome, ...]:
    return nus.drain(iter_batch(plan(*given, **options), tiny_model(), "cpu"))


def names(folder: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def test_a_folder_gives_labels_tables_and_a_contact_sheet(folder):
    image = write("data/a.ome.tif", axes="YX", **MICROMETRES)
    write("data/sub/b.tif", discs(seed=1)[0])
    first, second = run()
    assert names("out") == [
        "a.labels.csv",
        "a.labels.tif",
        "contact_sheet.png",
        "images.csv",
        "nuclei.csv",
        "sub/b.labels.csv",
        "sub/b.labels.tif",
    ]
    expected = nus.segment(image, tiny_model(), "cpu")
    np.testing.assert_array_equal(open_image("out/a.labels.tif").data, expected)
    assert first.nuclei == expected.max() > 5
    assert first.outputs == (Path("out/a.labels.tif"), Path("out/a.labels.csv"))
    assert (first.planes, first.megapixels, first.device, first.error) == (1, 128 * 128 / 1e6, "cpu", "")
    assert first.per_mm2 == pytest.approx(first.nuclei / (64 * 64) * 1e6)
    assert second.per_mm2 is None
    assert first.seconds > 0
    nuclei = pd.read_csv("out/nuclei.csv")
    assert nuclei.groupby("file").size().to_dict() == {"a.ome.tif": first.nuclei, "sub/b.tif": second.nuclei}
    assert nuclei["area_um2"].notna().sum() == first.nuclei
    images = pd.read_csv("out/images.csv")
    assert images["touching_border"].tolist() == [first.touching_border, second.touching_border]


def test_labels_tell_how_they_were_made_and_keep_the_pixel_size(folder):
    write("data/a.ome.tif", axes="YX", **MICROMETRES)
    run(wishes=Wishes({"probability": 0.6}))
    labels = open_image("out/a.labels.tif")
    assert labels.scale == {"Y": 0.5, "X": 0.5}
    assert labels.provenance["input"] == "a.ome.tif"
    assert labels.provenance["model_sha256"] == tiny_model().sha256
    assert labels.provenance["settings"]["probability"] == 0.6


def test_a_single_image_gets_no_tables_over_all(folder):
    write("data/a.tif")
    run("data/a.tif")
    assert names("out") == ["a.labels.csv", "a.labels.tif"]


def test_every_format_is_written(folder):
    write("data/a.tif")
    (outcome,) = run("data/a.tif", formats=tuple(FORMATS), wishes=Wishes({"track": "overlap"}))
    assert [path.name for path in outcome.outputs] == [f"a{ending}" for name, ending in FORMATS.items() if name != "trackmate"]
    assert all(path.exists() for path in outcome.outputs)
    assert len(json.loads(Path("out/a.labels.geojson").read_text())["features"]) == outcome.nuclei
    assert set(np.unique(tifffile.imread("out/a.classes.tif"))) == {0, 1, 2}


def test_a_bad_file_is_named_and_the_rest_is_finished(folder):
    write("data/b.tif")
    Path("data/a.tif").write_bytes(b"II*\0 nothing")
    write("data/c.ome.tif", np.zeros((2, 32, 32), np.uint8), axes="CYX", Channel={"Name": ["GFP", "RFP"]})
    write("data/d.tif", np.zeros((16, 16), np.complex64))
    damaged, good, channels, numbers = run()
    assert good.nuclei
    assert "a.tif" in damaged.error
    assert "2 channels (0: GFP, 1: RFP)" in channels.error
    assert "complex" in numbers.error
    assert names("out") == ["b.labels.csv", "b.labels.tif", "contact_sheet.png", "images.csv", "nuclei.csv"]
    assert pd.read_csv("out/images.csv")["error"].notna().sum() == 3


def test_an_unexpected_error_of_a_library_ends_one_image_only(folder, monkeypatch: pytest.MonkeyPatch):
    write("data/a.tif")
    write("data/b.tif")
    real = open_image

    def odd(path: Path) -> Any:
        if path.name == "a.tif":
            raise KeyError("no such tag")
        return real(path)

    monkeypatch.setattr("napari_unet_seg.io.image.open_image", odd)
    first, second = run()
    assert first.error == "It failed unexpectedly (KeyError: 'no such tag')."
    assert second.nuclei


def test_existing_results_are_refused_before_any_work_and_replaced_if_wished(folder, monkeypatch: pytest.MonkeyPatch):
    write("data/a.tif")
    write("data/b.tif")
    make_folder(Path("out"))
    Path("out/a.labels.csv").write_text("mine")
    first, second = run(summary=False)
    assert "a.labels.csv exists already" in first.error
    assert second.nuclei
    assert Path("out/a.labels.csv").read_text() == "mine"
    assert not Path("out/a.labels.tif").exists()
    assert all(not outcome.error for outcome in run(overwrite=True))
    assert Path("out/a.labels.csv").read_text().startswith("label,")
    with pytest.raises(WriteError, match=r"nuclei\.csv exists already"):
        run()


def test_labels_are_no_images(folder):
    write("data/a.tif")
    run("data/a.tif", formats=("tiff",))
    Path("out/a.labels.tif").rename("data/renamed.tif")
    (outcome,) = nus.drain(iter_batch(Plan(find_inputs(["data/renamed.tif"]).sources, Path("out")), tiny_model(), "cpu"))
    assert "renamed.tif holds labels" in outcome.error


def test_stacks_count_outlines_per_plane(folder):
    stack = np.stack([discs(seed=seed)[0] for seed in range(3)])
    write("data/a.ome.tif", stack, axes="ZYX")
    (outcome,) = run("data/a.ome.tif")
    assert outcome.planes == 3
    assert outcome.found == f"{outcome.nuclei} outlines in 3 planes"
    table = pd.read_csv("out/a.labels.csv")
    assert sorted(table["plane_z"].unique()) == [0, 1, 2]
    assert table["label"].is_unique


def test_channels_are_chosen_and_measured(folder):
    image, _ = discs()
    write("data/a.ome.tif", np.stack([image // 2, image]), axes="CYX", Channel={"Name": ["GFP", "DAPI"]})
    (outcome,) = run("data/a.ome.tif", measure=("GFP", "1"))
    assert outcome.error == ""
    labels, table = open_image("out/a.labels.tif").data, pd.read_csv("out/a.labels.csv")
    provenance = open_image("out/a.labels.tif").provenance
    assert (provenance["channel"], provenance["channel_name"]) == (1, "DAPI")
    assert outcome.warnings == ("Channel 1 (DAPI) is taken for the nuclei by its name; --channel chooses another.",)
    assert table["mean_GFP"][0] == pytest.approx((image // 2)[labels == 1].mean())
    assert table["sum_DAPI"].tolist() == pytest.approx([int(image[labels == label].sum()) for label in table["label"]])
    assert "score" in table


def test_measuring_an_image_without_nuclei_gives_an_empty_table(folder):
    write("data/a.ome.tif", np.zeros((2, 40, 40), np.uint8), axes="CYX", Channel={"Name": ["GFP", "DAPI"]})
    (outcome,) = run("data/a.ome.tif", measure=("GFP",))
    assert outcome.error == ""
    assert outcome.nuclei == 0
    assert outcome.warnings[1].startswith("Nothing stands out in this image")
    assert outcome.warnings[-1] == "No nuclei were found."
    assert len(pd.read_csv("out/a.labels.csv")) == 0


def test_a_colour_image_without_the_channel_is_segmented_all_the_same(folder):
    image, _ = discs()
    write("data/a.tif", np.stack([(image / 12).clip(0, 255).astype(np.uint8)] * 3, -1))
    (outcome,) = run("data/a.tif", measure=("0", "green"))
    assert outcome.error == ""
    assert "'0' is not measured, since this is a colour image; it has red, green and blue." in outcome.warnings
    assert "mean_green" in pd.read_csv("out/a.labels.csv")


def test_rings_are_measured_in_pixels_or_micrometres(folder):
    write("data/a.ome.tif", axes="YX", **MICROMETRES)
    run("data/a.ome.tif", measure=("all",), ring=Quantity(2, True))
    table = pd.read_csv("out/a.labels.csv")
    labels = open_image("out/a.labels.tif").data
    expected = nus.measure(labels, {"0": discs()[0]}, ring=4)
    np.testing.assert_allclose(table["ring_mean_0"], expected["ring_mean_0"])
    np.testing.assert_allclose(table["ratio_0"], expected["ratio_0"])
    (outcome,) = run("data/a.ome.tif", measure=("all",), ring=Quantity(0.1, True), overwrite=True)
    assert "1 px or more" in outcome.error
    with pytest.raises(InputError, match="name them"):
        run("data/a.ome.tif", ring=Quantity(3))


def test_tables_of_an_earlier_folder_run_stay_and_are_named(folder):
    write("data/a.tif")
    write("data/b.tif")
    run()
    before = Path("out/nuclei.csv").read_bytes(), Path("out/images.csv").read_bytes()
    write("data/a.tif", discs(seed=5)[0])
    notices = [progress.notice for progress in iter_batch(plan("data/a.tif", overwrite=True), tiny_model(), "cpu")]
    expected = "nuclei.csv and images.csv in out are of an earlier run over a folder, and stay as they are."
    assert [notice for notice in notices if notice] == [expected]
    assert (Path("out/nuclei.csv").read_bytes(), Path("out/images.csv").read_bytes()) == before


def test_a_missing_channel_is_told_before_the_network_runs(folder):
    write("data/a.tif")
    stages = [progress.stage for progress in iter_batch(plan("data/a.tif", measure=("RFP",)), tiny_model(), "cpu")]
    assert stages == ["Segmenting"]  # only the end of the image; no tile


def test_sizes_in_micrometres_need_a_pixel_size_image_by_image(folder):
    write("data/a.ome.tif", axes="YX", **MICROMETRES)
    write("data/b.tif")
    sizes = {"min_area": Quantity(60, True)}
    known, unknown = run(wishes=Wishes({}, sizes))
    assert pd.read_csv("out/a.labels.csv")["area"].min() >= 240
    assert known.error == ""
    assert "pixel size" in unknown.error


def test_progress_counts_images_and_tiles_and_hands_out_results(folder):
    write("data/a.tif")
    write("data/b.tif")
    steps = list(iter_batch(plan(wishes=Wishes({"tile": 64})), tiny_model(), "cpu"))
    assert [step.total for step in steps] == [2] * len(steps)
    amounts = [step.done + step.metrics.get("part", 0) for step in steps]
    assert amounts == sorted(amounts)
    assert len(amounts) == 2 * (4 + 1)
    assert {step.stage for step in steps} == {"Segmenting a.tif", "Segmenting b.tif", "Segmenting"}
    finished = [step.preview for step in steps if step.preview is not None]
    assert [outcome.source.relative.name for outcome in finished] == ["a.tif", "b.tif"]


def test_closing_leaves_what_is_done_and_nothing_unfinished(folder):
    for name in "abcdefghij":
        write(f"data/{name}.tif")
    steps = iter_batch(plan(), tiny_model(), "cpu")
    for step in steps:
        if step.done == 1 and step.preview is None:
            steps.close()
    done = [name.removesuffix(".labels.tif") for name in names("out") if name.endswith(".labels.tif")]
    assert "a" in done
    assert "j" not in done  # some of those between were being written
    files = [f"{name}.labels.{ending}" for name in done for ending in ("csv", "tif")]
    assert names("out") == sorted([*files, "contact_sheet.png", "images.csv", "nuclei.csv"])
    assert pd.read_csv("out/images.csv")["file"].tolist() == [f"{name}.tif" for name in done]
    assert len(pd.read_csv("out/nuclei.csv")) == sum(len(pd.read_csv(f"out/{name}.labels.csv")) for name in done)


def test_closing_before_an_image_is_finished_keeps_the_tables_of_before(folder):
    write("data/a.tif")
    run()
    before = Path("out/images.csv").stat().st_mtime_ns
    steps = iter_batch(plan(overwrite=True, wishes=Wishes({"tile": 64})), tiny_model(), "cpu")
    assert next(steps).preview is None  # after the first of four tiles
    steps.close()
    assert Path("out/images.csv").stat().st_mtime_ns == before


def test_a_picture_that_fails_is_a_warning_and_not_a_failure(folder, monkeypatch: pytest.MonkeyPatch):
    write("data/a.tif")
    write("data/b.tif")

    def odd(*_: object) -> None:
        raise ValueError("no picture")

    monkeypatch.setattr("napari_unet_seg.io.overlay.draw_overlay", odd)
    monkeypatch.setattr("napari_unet_seg.io.contact_sheet.write_png", odd)
    with pytest.raises(WriteError, match="contact_sheet"):
        run()
    images = pd.read_csv("out/images.csv")
    assert images["error"].isna().all()
    assert images["nuclei"].min() > 0
    assert images["warnings"].str.contains("The contact sheet lacks its picture: .*no picture").all()
    assert {"a.labels.tif", "b.labels.tif", "nuclei.csv"} <= set(names("out"))


def test_a_run_over_fewer_images_leaves_no_page_of_the_one_before(folder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_unet_seg.io.contact_sheet.PER_PAGE", 1)
    write("data/a.tif")
    write("data/b.tif")
    run()
    assert "contact_sheet_002.png" in names("out")
    Path("data/b.tif").unlink()
    run(overwrite=True)
    assert [name for name in names("out") if "sheet" in name] == ["contact_sheet.png"]


def test_polarity_and_limits_of_the_first_plane_are_in_the_table(folder):
    image = write("data/a.tif")
    write("data/b.tif", image.max() - image)
    first, second = run()
    table = pd.read_csv("out/images.csv")
    assert table["polarity"].tolist() == ["bright", "dark"]
    limits = open_image("out/a.labels.tif").provenance["limits"][0]
    assert (first.polarity, first.low, first.high) == (limits["polarity"], limits["low"], limits["high"])
    assert table["high"].tolist() == [first.high, second.high]


def test_notices_of_the_reader_reach_the_table(folder):
    with tifffile.TiffWriter("data/a.tif") as tif:
        tif.write(discs()[0], metadata=None)
        tif.write(np.zeros((8, 9), np.float32), metadata=None)
    (outcome,) = run("data")
    assert "a.tif holds 2 images of different sizes" in outcome.warnings[0]
    assert pd.read_csv("out/images.csv")["warnings"][0] == outcome.warnings[0]


@pytest.mark.parametrize(
    ("options", "model", "device", "error"),
    [
        ({"formats": ("tiff", "bmp")}, None, "cpu", InputError),
        ({"formats": ()}, None, "cpu", InputError),
        ({"sources": ()}, None, "cpu", InputError),
        ({}, "no-such-model", "cpu", ModelError),
        ({}, None, "abacus", DeviceError),
        ({"wishes": Wishes({"polarity": "odd"})}, None, "cpu", SettingsError),
        ({"wishes": Wishes({}, {"min_area": Quantity(9), "max_area": Quantity(3)})}, None, "cpu", SettingsError),
    ],
)
def test_what_cannot_be_used_is_refused_before_any_work(folder, options: dict[str, Any], model: str | None, device: str, error: type):
    write("data/a.tif")
    made = Plan(**({"sources": plan().sources, "output": Path("out")} | options))
    with pytest.raises(error):
        next(iter_batch(made, model or tiny_model(), device))
    assert not Path("out").exists()


def test_a_folder_that_cannot_be_made_is_named(folder):
    write("data/a.tif")
    Path("out").write_text("a file")
    with pytest.raises(WriteError, match="The folder out cannot be made"):
        run()


def writers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("napari-unet-seg-")]


def test_an_error_of_writing_stands_in_the_row_of_its_own_image(folder, monkeypatch: pytest.MonkeyPatch):
    """Writing goes on beside the next image, and must not be told of that one."""
    for name in "abcd":
        write(f"data/{name}.tif")
    real = writers_module.write_labels

    def full(path: Path, *rest: Any, **more: Any) -> None:
        if path.name.startswith("b."):
            raise WriteError(f"{path} was not written, because the disk is full.")
        real(path, *rest, **more)

    monkeypatch.setattr(writers_module, "write_labels", full)
    outcomes = run()
    assert [bool(outcome.error) for outcome in outcomes] == [False, True, False, False]
    assert "disk is full" in outcomes[1].error
    table = pd.read_csv("out/images.csv")
    assert table["file"].tolist() == ["a.tif", "b.tif", "c.tif", "d.tif"]
    assert table["error"].notna().tolist() == [False, True, False, False]
    assert set(pd.read_csv("out/nuclei.csv")["file"]) == {"a.tif", "c.tif", "d.tif"}
    assert writers() == []


def test_the_next_image_does_not_wait_for_the_disk(folder, monkeypatch: pytest.MonkeyPatch):
    """The first is written only once the second is being opened: if it were waited for, that would never be."""
    for name in "ab":
        write(f"data/{name}.tif")
    second, late = threading.Event(), []
    written = batch_image.write_outputs

    def tell(path: Path) -> Any:
        if path.name == "b.tif":
            second.set()
        return open_image(path)

    def wait(*given: Any) -> Any:
        late.append(not second.wait(20))
        return written(*given)

    monkeypatch.setattr("napari_unet_seg.io.image.open_image", tell)
    monkeypatch.setattr(batch_image, "write_outputs", wait)
    run()
    assert late == [False, False]


def test_the_network_stays_in_one_thread_and_the_rest_leaves_it(folder, monkeypatch: pytest.MonkeyPatch):
    for name in "abcd":
        write(f"data/{name}.tif")
    network, decoder = set(), set()
    ran, decoded = Predictor.run, plane.decode

    def run_here(self: Predictor, window: Any) -> Any:
        network.add(threading.current_thread())
        return ran(self, window)

    def decode_there(*given: Any) -> Any:
        decoder.add(threading.current_thread())
        return decoded(*given)

    monkeypatch.setattr(Predictor, "run", run_here)
    monkeypatch.setattr(plane, "decode", decode_there)
    assert [outcome.error for outcome in run()] == [""] * 4
    assert network == {threading.current_thread()}
    assert decoder
    assert not decoder & network


def test_an_error_of_the_network_ends_one_image_only(folder, monkeypatch: pytest.MonkeyPatch):
    for name in "abc":
        write(f"data/{name}.tif", discs()[0][: 96 if name == "b" else 128])
    real = Predictor.run

    def fail(self: Predictor, window: Any) -> Any:
        if window.shape[0] == 96:
            raise ComputeError("The network failed.")
        return real(self, window)

    monkeypatch.setattr(Predictor, "run", fail)
    assert [outcome.error for outcome in run()] == ["", "The network failed.", ""]
    assert writers() == []


def test_many_images_give_what_each_gives_alone(folder):
    """Whatever runs beside whatever: the same bytes."""
    for seed in range(9):
        write(f"data/{seed}.tif", discs(seed=seed)[0])
    run(formats=tuple(FORMATS), wishes=Wishes({"track": "overlap"}))
    for seed in range(9):
        alone = Plan(find_inputs([f"data/{seed}.tif"]).sources, Path("alone"), tuple(FORMATS), wishes=Wishes({"track": "overlap"}))
        nus.drain(iter_batch(alone, tiny_model(), "cpu"))
    assert len(names("alone")) > 9 * len(FORMATS) - 9
    for name in names("alone"):
        assert (Path("alone") / name).read_bytes() == (Path("out") / name).read_bytes(), name
    rows = [line for seed in range(9) for line in Path(f"alone/{seed}.labels.csv").read_text().splitlines()[1:]]
    assert [line.partition(",")[2] for line in Path("out/nuclei.csv").read_text().splitlines()[1:]] == rows


def test_large_results_do_not_wait_beside_each_other(folder, monkeypatch: pytest.MonkeyPatch):
    for name in "abc":
        write(f"data/{name}.tif")
    monkeypatch.setattr(batch, "_ROOM", 0)
    story = [(step.stage, step.preview is not None) for step in iter_batch(plan(), tiny_model(), "cpu")]
    assert [finished for _, finished in story] == [False, True] * 3


def test_a_large_result_is_let_go_before_the_next_image(folder, monkeypatch: pytest.MonkeyPatch):
    for name in "abc":
        write(f"data/{name}.tif")
    results: list[weakref.ref[Any]] = []
    entered, written = Place.enter, batch_image.write_outputs
    left: list[Any] = []

    def look(self: Any, pixels: int) -> None:
        entered(self, pixels)
        gc.collect()
        left.extend(found for result in results if (found := result()) is not None)

    def note(made: Any, image: Any, result: Any) -> Any:
        results.append(weakref.ref(result))
        return written(made, image, result)

    monkeypatch.setattr(Place, "enter", look)
    monkeypatch.setattr(batch_image, "write_outputs", note)
    monkeypatch.setattr(batch, "_ROOM", 0)
    assert [outcome.error for outcome in run()] == [""] * 3
    assert len(results) == 3
    assert left == []


def test_a_cancelled_run_leaves_no_thread(folder):
    for name in "abcdefgh":
        write(f"data/{name}.tif")
    steps = iter_batch(plan(), tiny_model(), "cpu")
    next(step for step in steps if step.done == 2)
    steps.close()
    assert writers() == []
    assert not list(Path("out").glob(".*"))


def test_large_files_are_not_read_long_before_there_is_room_for_them(folder: Path, monkeypatch: pytest.MonkeyPatch):
    for name in "abcde":
        write(f"data/{name}.tif")
    log: list[str] = []
    leave = Place.leave

    def _read(path: Path) -> Any:
        log.append(f"read {path.stem}")
        return open_image(path)

    def _leave(place: Place) -> None:
        log.append(f"left {'abcde'[place._number]}")
        leave(place)

    monkeypatch.setattr("napari_unet_seg.io.image.open_image", _read)
    monkeypatch.setattr(Place, "leave", _leave)
    monkeypatch.setattr(batch, "cores", lambda: 6)
    monkeypatch.setattr(batch, "_ROOM", 0)
    monkeypatch.setattr(batch_image, "_READ_ALONE", 0)
    assert not any(outcome.error for outcome in run())
    for before, later in zip("abc", "cde", strict=True):  # one alone is read and waits
        assert log.index(f"left {before}") < log.index(f"read {later}")
