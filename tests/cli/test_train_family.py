"""``train``: which network, and classes instead of nuclei."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

import napari_unet_seg as nus
from napari_unet_seg.cli.network import chosen_base, chosen_classes
from napari_unet_seg.errors import SettingsError
from tests.tiny import discs

if TYPE_CHECKING:
    from tests.cli.conftest import Run

QUICK = ("--batch", 2, "--patch", 64, "--device", "cpu", "--steps", 1)


@pytest.fixture
def folders(run: Run) -> None:
    for folder in ("images", "labels", "types", "ground"):
        Path(folder).mkdir()
    for seed in range(2):
        image, labels = discs(seed=seed)
        tifffile.imwrite(f"images/{seed}.tif", image)
        tifffile.imwrite(f"labels/{seed}_mask.tif", labels)
        tifffile.imwrite(f"types/{seed}.tif", np.where(labels, 1 + labels % 2, 0).astype("uint8"))
        tifffile.imwrite(f"ground/{seed}.tif", (labels == 0).astype("uint8"))


def trained(name: str = "mine") -> nus.Model:
    return nus.load_model(Path(f"{name}.safetensors").absolute())


def test_the_shape_of_a_network_that_starts_from_nothing(run: Run, folders: None):
    words = ("--base", "none", "--architecture", "residual-attention", "--width", 4, "--depth", 2, "--supervision", "--adversarial")
    assert run("train", "images", "labels", "-o", "mine", *words, *QUICK).exit_code == 0
    model = trained()
    assert (model.settings.architecture, model.settings.width, model.settings.depth) == ("residual-attention", 4, 2)
    assert (model.card["training"]["supervision"], model.card["training"]["adversarial"]) == (True, 0.1)
    assert {"supervision", "adversarial"} <= set(Path("mine_run/history.csv").read_text().splitlines()[0].split(","))
    assert run("segment", "images/0.tif", "-o", "out", "-m", "mine.safetensors").exit_code == 0


def test_a_base_keeps_its_shape(run: Run, folders: None, model: str):
    result = run("train", "images", "labels", "-o", "mine", "--base", model, "--architecture", "attention", "--width", 32, *QUICK)
    assert result.exit_code == 2
    assert "--architecture attention and --width 32 cannot be had with the base" in result.stderr
    assert "width 8, depth 3 and stride 1 and stays so; start from nothing (--base none)" in " ".join(result.stderr.split())
    assert not Path("mine.safetensors").exists()
    assert chosen_base(model, "unet", 8, 3) == model
    assert chosen_base("none", "", None, None) == nus.NetworkSettings()


def test_classes_are_learned_and_a_class_map_is_written(run: Run, folders: None, model: str):
    result = run("train", "images", "types", "-o", "mine", "--base", model, "--classes", "odd,even", *QUICK)
    assert result.exit_code == 0
    assert "Learning from background " in result.stderr
    assert "odd " in result.stderr
    assert "Dice: " in result.stderr
    assert "one number for several" not in result.stderr
    assert trained().settings.classes == ("background", "odd", "even")
    segmented = run("segment", "images/0.tif", "-o", "out", "-m", "mine.safetensors", "--json")
    assert segmented.exit_code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["0.classes.tif", "0.labels.csv"]
    class_map = tifffile.imread("out/0.classes.tif")
    assert class_map.dtype == np.uint8
    assert class_map.max() <= 2
    assert Path("out/0.labels.csv").read_text().startswith("label,class,area")


def test_of_classes_there_are_no_outlines(run: Run, folders: None, model: str):
    run("train", "images", "types", "-o", "mine", "--base", model, "--classes", 2, *QUICK)
    result = run("segment", "images/0.tif", "-o", "out", "-m", "mine.safetensors", "--format", "rois,geojson")
    assert result.exit_code == 2
    assert "tells classes of pixels apart and no nuclei, so that there are no rois, geojson" in result.stderr


def test_a_folder_of_class_maps(run: Run, folders: None, model: str):
    run("train", "images", "types", "-o", "mine", "--base", model, "--classes", 2, *QUICK)
    result = run("segment", "images", "-o", "out", "-m", "mine.safetensors")
    assert result.exit_code == 0
    assert "%" in result.stdout or "no class" in result.stdout
    assert Path("out/images.csv").is_file()


def test_sparse_classes_know_only_what_is_painted(run: Run, folders: None, model: str):
    words = ("train", "images", "types", "--base", model, "--classes", 2, "--sparse", *QUICK)
    assert "background" not in run(*words, "-o", "mine").stderr.split("unknown")[0]
    assert "background" in run(*words, "-o", "other", "--ground", "ground").stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--classes 1", "The number 2 is painted, and the classes go up to 1 (class 1)"),
        ("--classes none", "write instances, the number of classes, or their names"),
        ("--classes 0", "there must be 1 to 200"),
        ("--classes a,a", "give each class a name of its own"),
        ("--architecture vgg --base none", "architecture is 'vgg'"),
        ("--width 2 --base none", "width"),
    ],
)
def test_what_cannot_be_used_is_refused(run: Run, folders: None, words: str, sentence: str):
    result = run("train", "images", "types", "-o", "mine", *words.split(), *QUICK)
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())


def test_classes_by_number_or_name():
    assert chosen_classes("instances") == ()
    assert chosen_classes("2") == ("class 1", "class 2")
    assert chosen_classes("stroma, blood") == ("stroma", "blood")
    with pytest.raises(SettingsError, match="--classes is 'stroma,'"):
        chosen_classes("stroma,")
