"""A run written down: both texts, run as they are, give the labels of the run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

import napari_unet_seg as nus
from napari_unet_seg.cli import app
from napari_unet_seg.core import checkpoint
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.region_writer import write_region
from napari_unet_seg.io.run_text import PLACEHOLDER, RESULTS, Run, as_command, as_python
from tests.tiny import discs, tiny_model

REGION = (((9.5, -0.5), (9.5, 70.25), (127.5, 70.25), (127.5, -0.5)),)
CHANGED = {"probability": 0.7, "diameter": 16.5, "min_area": 30, "exclude_border": True, "fill_holes": False, "low": -50.0, "high": 2400.0}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder with the model "tiny" beside it."""
    (tmp_path / "models").mkdir()
    tiny_model().save(tmp_path / "models" / "tiny")
    monkeypatch.setattr(checkpoint, "user_folder", lambda: tmp_path / "models")
    (tmp_path / "a folder").mkdir()
    monkeypatch.chdir(tmp_path / "a folder")
    return tmp_path / "a folder"


def described(path, settings, axes="YX", channel=None, **options):
    model = str(path.parent.parent / "models" / "tiny.safetensors") if path else "tiny"
    return Run("img", str(path or ""), axes, channel, model, "cpu", settings, tiny_model().defaults, **options)


def by_python(text):
    """Run the text in a process of its own, and return the labels."""
    code = text + "import numpy\nnumpy.save('labels.npy', labels)\n"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return np.load("labels.npy")


def by_command(text, stem):
    """Run the text as the command line would, and return the labels."""
    words = shlex.split(text, comments=True)
    result = CliRunner().invoke(app, words[1:], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return open_image(Path(RESULTS) / f"{stem}.labels.tif").data


@pytest.mark.skipif(sys.platform == "win32", reason="the text is quoted for another kind of terminal there")
@pytest.mark.parametrize("name", ["plain", "changed", "region", "channel", "stack"])
def test_both_texts_give_the_labels_of_the_run(folder, name):
    image, path, axes, channel = discs()[0], folder / f"{name} 1.tif", "YX", None
    values = {"plain": {}, "changed": CHANGED, "region": {"region": REGION}, "channel": {}, "stack": {"stack": "maximum"}}[name]
    if name in ("channel", "stack"):
        image, axes = np.stack([image[::-1], image]), "CYX" if name == "channel" else "ZYX"
        channel = 1 if name == "channel" else None
    tifffile.imwrite(path, image, imagej=True, metadata={"axes": axes})
    settings = nus.SegmentSettings(**values)
    run = described(path, settings, axes, channel)
    if values.get("region"):
        write_region("r 1.geojson", REGION)
    expected = nus.segment(image, tiny_model(), "cpu", axes, channel, settings)
    assert expected.max() > 3
    np.testing.assert_array_equal(by_command(as_command(run, Path("r 1.geojson")), f"{name} 1"), expected)
    np.testing.assert_array_equal(by_python(as_python(run)), expected)


def test_only_what_differs_is_written(folder):
    run = described(None, nus.SegmentSettings(tile=64))
    assert as_command(run).splitlines()[1] == (
        f"napari-unet-seg segment {PLACEHOLDER} --output {RESULTS} --model tiny --device cpu --tile 64"
    )
    assert "SegmentSettings(\n    tile=64,\n)" in as_python(run)
    assert "settings = nus.SegmentSettings()" in as_python(described(None, nus.SegmentSettings()))


def test_the_command_says_what_the_model_would_do_otherwise(folder):
    """The command takes the model's own settings for what it is not told; Python takes the program's."""
    settings, own = nus.SegmentSettings(), nus.SegmentSettings(probability=0.4, low=3, high=9)
    run = Run("img", "a.tif", "YX", None, "mine", "auto", settings, own)
    assert "--limits=auto --probability 0.55" in as_command(run)
    assert "probability" not in as_python(run)


def test_without_a_file_it_says_so():
    run = described(None, nus.SegmentSettings())
    for text in (as_command(run), as_python(run)):
        assert text.startswith("# “img” comes from no file that is known here: save it, and write its path instead of IMAGE.tif.\n")
        assert PLACEHOLDER in text.splitlines()[1:][0] or PLACEHOLDER in text


def test_channels_that_the_file_does_not_name_are_told():
    text = as_command(Run("img", "a.tif", "CYX", 1, "tiny", "cpu", nus.SegmentSettings(), nus.SegmentSettings(), named=False))
    assert text.startswith("# The file does not say that one of its axes holds channels")
    assert "--channel" not in text
