"""``demo``: the main job on the samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import imagecodecs

from napari_unet_seg.io.image import open_image

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_the_demo_writes_labels_tables_and_pictures(run: Run, model: str):
    result = run("demo", "--output", "out", "--model", model, "--device", "cpu")
    assert result.exit_code == 0
    wanted = {f"{sample}{ending}" for sample in ("nuclei", "tissue") for ending in (".labels.tif", ".labels.csv", ".overlay.png")}
    assert {path.name for path in Path("out").iterdir()} == wanted
    assert imagecodecs.imread("out/nuclei.overlay.png").shape == (512, 512, 3)
    assert open_image("out/nuclei.labels.tif").data.max() > 20
    assert all(str(Path("out") / name) in result.stdout for name in wanted)


def test_only_its_own_folder_is_overwritten_without_asking(run: Run, model: str):
    assert run("demo", "--model", model).exit_code == 0
    assert run("demo", "--model", model).exit_code == 0
    words = ("demo", "--model", model, "--output", "napari-unet-seg-demo")
    refused = run(*words)
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert run(*words, "--overwrite").exit_code == 0
