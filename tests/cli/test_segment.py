"""``segment``: options, results, what goes to which stream, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

import napari_unet_seg as nus
from napari_unet_seg.core.predict import Predictor
from napari_unet_seg.errors import OutOfMemoryError
from napari_unet_seg.io.image import open_image
from tests.cli.conftest import Run, many_images, read_terminal, start
from tests.tiny import discs, tiny_model


def test_an_image_becomes_labels_and_a_table(run: Run, images: list[Path], model: str):
    result = run("segment", "data/a.tif", "--output", "out", "--model", model, "--device", "cpu")
    assert result.exit_code == 0
    assert result.stderr == ""
    labels = open_image("out/a.labels.tif").data
    np.testing.assert_array_equal(labels, nus.segment(discs()[0], tiny_model(), "cpu"))
    assert result.stdout.startswith(f"data/a.tif: {labels.max()} nuclei, ")
    assert result.stdout.endswith("out/a.labels.tif\n")
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.labels.csv", "a.labels.tif"]


def test_a_folder_ends_with_a_sum(run: Run, images: list[Path], model: str):
    result = run("segment", "data", "-o", "out", "-m", model)
    assert result.exit_code == 0
    total = len(pd.read_csv("out/nuclei.csv"))
    assert result.stderr == f"2 images, {total} nuclei; tables and contact sheet in out\n"
    assert Path("out/sub/b.labels.tif").exists()
    assert Path("out/contact_sheet.png").exists()


def test_json_is_one_object_per_input(run: Run, images: list[Path], model: str):
    Path("data/bad.tif").write_bytes(b"nothing")
    result = run("segment", "data/*.tif", "missing.tif", "-o", "out", "-m", model, "--json")
    assert result.exit_code == 1
    missing, good, bad = map(json.loads, result.stdout.splitlines())
    table = pd.read_csv("out/nuclei.csv")
    assert good | {"seconds": 0} == {
        "path": "data/a.tif",
        "output": "out/a.labels.tif",
        "outputs": ["out/a.labels.tif", "out/a.labels.csv"],
        "nuclei": len(table),
        "tracks": None,
        "seconds": 0,
        "megapixels": 0.016384,
        "polarity": "bright",
        **{name: open_image("out/a.labels.tif").provenance["limits"][0][name] for name in ("low", "high")},
        "device": nus.core.device.choose_device().name,
        "model": "tiny",
        "model_sha256": tiny_model().sha256,
        "warnings": [],
        "error": None,
    }
    assert good["seconds"] > 0
    assert (bad["path"], bad["output"], bad["nuclei"]) == ("data/bad.tif", None, None)
    assert "bad.tif" in bad["error"]
    assert (missing["path"], missing["output"]) == ("missing.tif", None)
    assert "does not exist" in missing["error"]
    assert {tuple(record) for record in (missing, good, bad)} == {tuple(good)}
    assert "Error: missing.tif does not exist" in result.stderr
    assert "Error: data/bad.tif: bad.tif" in result.stderr


def test_one_bad_file_is_named_and_the_rest_is_finished(run: Run, images: list[Path], model: str):
    images[0].write_bytes(images[0].read_bytes()[:300])
    result = run("segment", "data", "-o", "out", "-m", model)
    assert result.exit_code == 1
    assert "Error: data/a.tif: a.tif is" in result.stderr
    assert "1 image, " in result.stderr
    assert "; 1 failed; " in result.stderr
    assert Path("out/sub/b.labels.tif").exists()


def test_settings_reach_the_engine(run: Run, images: list[Path], model: str):
    words = "--probability 0.6 --splitting 0.5 --min-area 30px2 --max-area 5000 --diameter 17px --no-fill-holes --exclude-border"
    more = "--limits 200,2500 --polarity bright --tile 64 --precision float32 --stack maximum --no-skip-glass --format tiff"
    more += " --spacing 2 --track overlap"
    result = run("segment", "data/a.tif", "-o", "out", "-m", model, *words.split(), *more.split())
    assert result.exit_code == 0
    settings = open_image("out/a.labels.tif").provenance["settings"]
    wanted = {
        "probability": 0.6,
        "splitting": 0.5,
        "min_area": 30,
        "max_area": 5000,
        "diameter": 17,
        "fill_holes": False,
        "exclude_border": True,
    }
    wanted |= {"low": 200, "high": 2500, "polarity": "bright", "tile": 64, "precision": "float32"}
    assert settings == wanted | {"stack": "maximum", "spacing": 2, "track": "overlap", "skip_glass": False, "region": []}
    assert not Path("out/a.labels.csv").exists()


def test_limits_can_be_made_automatic_again(run: Run, images: list[Path], tmp_path: Path):
    fixed = nus.Model(tiny_model().network, tiny_model().card, nus.SegmentSettings(low=5, high=9), "fixed").save("fixed")
    run("segment", "data/a.tif", "-o", "out", "-m", str(fixed.absolute()), "--limits", "auto")
    assert open_image("out/a.labels.tif").provenance["settings"]["high"] == 0


def test_channels_by_name_are_segmented_and_measured(run: Run, model: str):
    image = discs()[0]
    tifffile.imwrite("x.ome.tif", np.stack([image // 3, image]), metadata={"axes": "CYX", "Channel": {"Name": ["GFP", "DAPI"]}})
    assert run("segment", "x.ome.tif", "-o", "out", "-m", model, "--channel", "dapi", "--measure", "GFP, DAPI").exit_code == 0
    assert {"mean_GFP", "std_DAPI"} <= set(pd.read_csv("out/x.labels.csv").columns)


def test_every_channel_is_measured_in_nuclei_and_rings(run: Run, model: str):
    image = discs()[0]
    tifffile.imwrite("x.ome.tif", np.stack([image // 3, image]), metadata={"axes": "CYX", "Channel": {"Name": ["GFP", "DAPI"]}})
    assert run("segment", "x.ome.tif", "-o", "out", "-m", model, "--measure", "all", "--ring", "3px").exit_code == 0
    table = pd.read_csv("out/x.labels.csv")
    assert {"mean_GFP", "ring_mean_GFP", "ratio_DAPI", "ring_area"} <= set(table.columns)
    assert (table["ratio_DAPI"] > 2).all()
    assert run("segment", "x.ome.tif", "-o", "out2", "-m", model, "--ring", "3px").exit_code == 2


def test_several_channels_without_a_dye_are_listed(run: Run, model: str):
    tifffile.imwrite("x.ome.tif", np.zeros((2, 32, 32), np.uint8), metadata={"axes": "CYX", "Channel": {"Name": ["GFP", "RFP"]}})
    result = run("segment", "x.ome.tif", "-o", "out", "-m", model)
    assert result.exit_code == 1
    assert "x.ome.tif has 2 channels (0: GFP, 1: RFP); name the one that shows nuclei (--channel)." in result.stderr


def test_warnings_go_to_standard_error(run: Run, model: str):
    tifffile.imwrite("flat.tif", np.full((40, 40), 7, np.uint8))
    result = run("segment", "flat.tif", "-o", "out", "-m", model)
    assert result.exit_code == 0
    assert "flat.tif: No nuclei were found." in result.stderr
    assert "flat.tif: 0 nuclei" in result.stdout


def test_a_notice_is_told_once(run: Run, images: list[Path], model: str, monkeypatch: pytest.MonkeyPatch):
    real = Predictor.run

    def small_memory(self: Predictor, window: np.ndarray) -> np.ndarray:
        if window.shape[0] > 300:
            raise OutOfMemoryError("too large")
        return real(self, window)

    monkeypatch.setattr(Predictor, "run", small_memory)
    tifffile.imwrite("large.tif", np.tile(discs()[0], (3, 3)))
    result = run("segment", "large.tif", "-o", "out", "-m", model, "--json", "--tile", "512")
    assert result.exit_code == 0
    assert result.stderr.count("Memory ran out") == len(json.loads(result.stdout)["warnings"]) > 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("data/a.tif", "output"),
        ("-o out", "INPUT"),
        ("data/a.tif -o out --probability 2", "probability"),
        ("data/a.tif -o out --polarity odd", "polarity is 'odd'; it must be one of 'auto', 'bright', 'dark'"),
        ("data/a.tif -o out --min-area 8km2", "'8km2' is not an area"),
        ("data/a.tif -o out --diameter wide", "'wide' is not a length"),
        ("data/a.tif -o out --limits 9,3", "The limits are '9,3'"),
        ("data/a.tif -o out --limits 3", "The limits are '3'"),
        ("data/a.tif -o out --format tiff,bmp", "'bmp' is no format"),
        ("data/a.tif -o out --device abacus", "abacus"),
        ("data/a.tif -o out --model no-such-model", "no model named 'no-such-model'"),
        ("data/a.tif -o out --model ./none.safetensors", "no model file"),
        ("data/a.tif data/sub/a.tif -o out", "data/a.tif and data/sub/a.tif would both be written as a.labels"),
        ("none.tif -o out", "none.tif does not exist"),
        ("*.svs -o out", "matches no images"),
        ("data/a.labels.tif -o out", "no image among the inputs"),
    ],
)
def test_usage_errors_are_told_before_any_work(run: Run, images: list[Path], model: str, words: str, sentence: str):
    tifffile.imwrite("data/sub/a.tif", discs()[0])
    tifffile.imwrite("data/a.labels.tif", discs()[1])
    chosen = [] if "--model" in words else ["--model", model]
    result = run("segment", *words.split(), *chosen)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert sentence in result.stderr
    assert not Path("out").exists()


def test_results_are_replaced_only_if_asked(run: Run, images: list[Path], model: str):
    first = run("segment", "data/a.tif", "-o", "out", "-m", model)
    before = Path("out/a.labels.tif").stat().st_mtime_ns
    second = run("segment", "data/a.tif", "-o", "out", "-m", model)
    assert (first.exit_code, second.exit_code) == (0, 1)
    assert "a.labels.tif exists already; choose another folder, or allow overwriting (--overwrite)." in second.stderr
    assert Path("out/a.labels.tif").stat().st_mtime_ns == before
    assert run("segment", "data/a.tif", "-o", "out", "-m", model, "--overwrite").exit_code == 0
    assert Path("out/a.labels.tif").stat().st_mtime_ns > before


def test_a_second_run_over_a_folder_is_refused_in_one_line(run: Run, images: list[Path], model: str):
    run("segment", "data", "-o", "out", "-m", model)
    result = run("segment", "data", "-o", "out", "-m", model)
    assert result.exit_code == 2
    assert result.stderr == "Error: out/nuclei.csv exists already; choose another folder, or allow overwriting (--overwrite).\n"
    assert run("segment", "data", "-o", "out", "-m", model, "--overwrite").exit_code == 0


def test_json_tells_of_a_run_without_any_image(run: Run, model: str):
    result = run("segment", "nope.tif", "-o", "out", "-m", model, "--json")
    assert result.exit_code == 2
    record = json.loads(result.stdout)
    assert (record["path"], record["output"], record["model"]) == ("nope.tif", None, "tiny")
    assert record["error"] == "nope.tif does not exist; check the path."
    assert not Path("out").exists()


def test_a_folder_that_cannot_be_made_is_a_usage_error(run: Run, images: list[Path], model: str):
    Path("out").write_text("a file")
    result = run("segment", "data", "-o", "out", "-m", model)
    assert result.exit_code == 2
    assert "The folder out cannot be made" in result.stderr


def test_results_beside_the_images_are_no_inputs_of_the_next_run(run: Run, images: list[Path], model: str):
    run("segment", "data", "-o", "data", "-m", model, "--format", "tiff,classes,zarr,overlay")
    result = run("segment", "data", "-o", "data", "-m", model, "--overwrite")
    assert result.exit_code == 0
    assert "9 results of this program among the inputs are left out." in result.stderr
    assert len(pd.read_csv("data/images.csv")) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_names_that_are_no_text_are_no_reason_to_fail(run: Run, model: str):
    name = os.fsdecode(b"caf\xe9.tif")
    tifffile.imwrite(name, discs()[0])
    result = run("segment", name, "-o", "out", "-m", model)
    assert result.exit_code == 0
    assert "caf?.tif: " in result.stdout
    record = json.loads(run("segment", name, "-o", "out", "-m", model, "--overwrite", "--json").stdout)
    assert record["path"] == name


def test_standard_output_of_a_real_run_is_json_alone(images: list[Path], model: str):
    with start("segment", "data/a.tif", "-o", "out", "-m", model, "--json") as process:
        reader = subprocess.run([sys.executable, "-m", "json.tool"], stdin=process.stdout, capture_output=True, text=True, check=False)
        assert process.wait() == 0
    assert reader.returncode == 0
    assert json.loads(reader.stdout)["nuclei"] == open_image("out/a.labels.tif").data.max()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_leaves_whole_files_and_says_how_many_are_done(run: Run, model: str):
    many_images(Path("data"), 120)
    with start("segment", "data", "-o", "out", "-m", model) as process:
        assert process.stdout is not None
        assert "nuclei" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    done = 1 + len(output.splitlines())
    told = re.search(r"Interrupted: (\d+) of 120 images are done; no file is unfinished\.", errors)
    assert told is not None
    assert done <= int(told[1]) <= done + 1  # it may come between counting an image and telling of it
    assert "Traceback" not in errors
    assert done < 120
    summary = {"contact_sheet.png", "images.csv", "nuclei.csv"}
    assert summary <= {path.name for path in Path("out").iterdir()}
    beside = 9  # images that were being written, or waited to be told of
    assert done <= len(pd.read_csv("out/images.csv")) <= done + beside
    written = sorted(path.name for path in Path("out").iterdir() if path.name not in summary)
    assert not [name for name in written if name.startswith(".") or not name.endswith((".labels.tif", ".labels.csv"))]
    assert done <= len({name.split(".")[0] for name in written}) <= done + beside
    for name in written:
        assert open_image(Path("out") / name).is_labels if name.endswith(".tif") else len(pd.read_csv(Path("out") / name))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("as_json", [False, True])
def test_the_bar_shows_on_a_terminal_alone(images: list[Path], model: str, as_json: bool):
    import pty

    leader, follower = pty.openpty()
    words = ["segment", "data", "-o", "out", "-m", model, *(["--json"] if as_json else [])]
    with start(*words, stderr=follower) as process:
        os.close(follower)
        shown = read_terminal(leader)
        assert process.stdout is not None
        output = process.stdout.read()
        assert process.wait() == 0
    os.close(leader)
    assert ("Segmenting a.tif" in shown) is not as_json
    assert ("%" in shown) is not as_json
    assert len(output.splitlines()) == 2
    assert "\x1b" not in output


def test_a_region_of_qupath_is_segmented_alone(run: Run, images: list[Path], model: str):
    Path("r.geojson").write_text('{"type": "Polygon", "coordinates": [[[0, 0], [70, 0], [70, 128], [0, 128]]]}')
    assert run("segment", "data/a.tif", "-o", "whole", "-m", model).exit_code == 0
    result = run("segment", "data/a.tif", "-o", "part", "-m", model, "--region", "r.geojson")
    assert result.exit_code == 0
    whole, part = (open_image(f"{folder}/a.labels.tif") for folder in ("whole", "part"))
    table = pd.read_csv("whole/a.labels.csv")
    inside = table[table["centroid_x"] < 69.5]
    assert 0 < len(inside) < len(table)
    np.testing.assert_array_equal(part.data > 0, np.isin(whole.data, inside["label"]))
    assert len(pd.read_csv("part/a.labels.csv")) == len(inside)
    assert part.provenance["settings"]["region"] == [[[-0.5, -0.5], [-0.5, 69.5], [127.5, 69.5], [127.5, -0.5]]]


def test_a_region_that_is_none_is_told_before_any_work(run: Run, images: list[Path], model: str):
    Path("bad.geojson").write_text("{")
    for name, sentence in (("bad.geojson", "no GeoJSON"), ("none.geojson", "cannot be read")):
        result = run("segment", "data/a.tif", "-o", "out", "-m", model, "--region", name)
        assert result.exit_code == 2
        assert sentence in result.stderr
    assert not Path("out").exists()
    Path("far.geojson").write_text('{"type": "Polygon", "coordinates": [[[900, 900], [970, 900], [970, 990]]]}')
    result = run("segment", "data/a.tif", "-o", "out", "-m", model, "--region", "far.geojson")
    assert result.exit_code == 1
    assert "lies outside of the image of 128 × 128 pixels" in result.stderr


def test_a_stack_is_projected_and_measured_so(run: Run, images: list[Path], model: str):
    image = discs()[0]
    stack = np.stack([np.where(np.arange(128) % 2, image, 0), np.where(np.arange(128) % 2, 0, image)]).astype(np.uint16)
    tifffile.imwrite("z.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    tifffile.imwrite("flat.tif", image)
    for name, options in (("z", ["--stack", "maximum"]), ("flat", [])):
        words = ["segment", f"{name}.tif", "-o", "out", "-m", model, "--measure", "0", "--format", "tiff,csv,overlay", *options]
        assert run(*words).exit_code == 0
    np.testing.assert_array_equal(open_image("out/z.labels.tif").data, open_image("out/flat.labels.tif").data)
    pd.testing.assert_frame_equal(pd.read_csv("out/z.labels.csv"), pd.read_csv("out/flat.labels.csv"))
    assert run("segment", "z.tif", "-o", "planes", "-m", model).exit_code == 0
    assert open_image("planes/z.labels.tif").data.shape == stack.shape


def test_a_run_that_was_interrupted_goes_on(run: Run, images: list[Path], model: str):
    run("segment", "data", "-o", "whole", "-m", model)
    run("segment", "data", "-o", "out", "-m", model)
    Path("out/sub/b.labels.csv").unlink()
    before = Path("out/a.labels.tif").stat().st_mtime_ns
    assert run("segment", "data", "-o", "out", "-m", model).exit_code == 2, "what is there is not replaced unasked"
    assert run("segment", "data", "-o", "out", "-m", model, "--resume").exit_code == 0
    assert Path("out/a.labels.tif").stat().st_mtime_ns == before
    whole, out = ({path.name: path.read_bytes() for path in sorted(Path(name).rglob("*.*"))} for name in ("whole", "out"))
    assert out == whole


def test_a_cluster_that_does_not_answer_is_told_before_any_work(run: Run, images: list[Path], model: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_unet_seg.io.workers._WAIT", "1s")
    result = run("segment", "data", "-o", "out", "-m", model, "--scheduler", "tcp://127.0.0.1:9")
    assert result.exit_code == 2
    assert "No scheduler of dask answers at 'tcp://127.0.0.1:9'" in result.stderr
    assert not Path("out").exists()


def test_blocks_on_a_cluster_give_the_same_files(run: Run, images: list[Path], model: str):
    from distributed import LocalCluster

    run("segment", "data", "-o", "here", "-m", model, "--device", "cpu")
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", memory_limit=0) as cluster:
        result = run("segment", "data", "-o", "there", "-m", model, "--device", "cpu", "--scheduler", cluster.scheduler_address)
    assert result.exit_code == 0
    here, there = ({path.name: path.read_bytes() for path in sorted(Path(name).rglob("*.*"))} for name in ("here", "there"))
    assert there == here


def test_what_is_counted_in_stacks_and_movies_is_said(run: Run, images: list[Path], model: str):
    plane = discs((96, 96), count=6, seed=3)[0]
    for axes in ("ZYX", "TYX"):
        tifffile.imwrite(f"{axes}.ome.tif", np.stack([plane] * 3), metadata={"axes": axes})
    stack = run("segment", "ZYX.ome.tif", "-o", "out", "-m", model, "--stack", "linked", "--spacing", "3")
    assert " nuclei in 3D (3 planes), " in stack.stdout
    movie = run("segment", "TYX.ome.tif", "-o", "out", "-m", model, "--track", "overlap", "--format", "csv,trackmate")
    assert " tracks over 3 times, " in movie.stdout
    assert Path("out/TYX.tracks.xml").exists()
    plain = run("segment", "TYX.ome.tif", "-o", "other", "-m", model)
    assert " outlines at 3 times, " in plain.stdout
    refused = run("segment", "TYX.ome.tif", "-o", "third", "-m", model, "--format", "trackmate")
    assert (refused.exit_code, "--track overlap" in refused.stderr) == (2, True)
