"""``models``: what is listed, shown and changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import napari_unet_seg as nus
from napari_unet_seg.cli import models
from napari_unet_seg.core import checkpoint
from tests.tiny import tiny_model

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of bundled and own models, with one bundled one."""
    folder = tmp_path_factory.mktemp("registry")
    (folder / "bundled").mkdir()
    tiny = tiny_model()
    nus.Model(tiny.network, {"title": "Discs", "data": {"images": [1, 2]}}, tiny.defaults, "nuclei-v1").save(
        folder / "bundled" / "nuclei-v1"
    )
    monkeypatch.setattr(checkpoint, "BUNDLED", folder / "bundled")
    monkeypatch.setattr(checkpoint, "user_folder", lambda: folder / "own")
    return folder / "own"


@pytest.fixture
def imported(run: Run, model: str) -> None:
    assert run("models", "import", model).exit_code == 0


def test_the_list_tells_the_default_and_whose_a_model_is(run: Run, imported: None, own: Path):
    result = run("models", "list")
    assert [line.split() for line in result.stdout.splitlines()] == [["nuclei-v1", "bundled", "default", "Discs"], ["tiny", "yours"]]
    assert str(own) in result.stderr


def test_show_prints_the_card_and_every_layer(run: Run):
    lines = run("models", "show").stdout.splitlines()
    facts = dict(line.split(maxsplit=1) for line in lines[: lines.index("")])
    assert facts["name"] == "nuclei-v1"
    assert facts["sha256"] == nus.load_model("nuclei").sha256
    assert facts["data"] == "images 1, 2"
    assert "probability 0.55" in facts["settings"]
    layers = lines[lines.index("") + 2 :]
    counted = sum(int(line.split()[-1].replace(",", "")) for line in layers)
    total = sum(parameter.numel() for parameter in tiny_model().network.parameters())
    assert counted == total
    assert f"parameters{total:,}" in "".join(lines).replace(" ", "")
    assert any("8 x 256 x 256" in line for line in layers)


def test_curves_are_counted_and_not_printed():
    assert models._in_line({"step": list(range(160)), "knots": [1, 2]}) == "step 160 values, knots 1, 2"


def test_on_a_terminal_long_values_are_broken_to_its_width(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setattr(models.sys.stdout, "isatty", lambda: True, raising=False)
    models._say_facts({"name": "x", "settings": ", ".join(f"word {number}" for number in range(40)), "empty": ""})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 70
    assert [line.startswith(" ") for line in lines] == [False, False, *[True] * (len(lines) - 3), False]
    assert " ".join(line[10:] for line in lines[1:-1]) == ", ".join(f"word {number}" for number in range(40))


def test_show_takes_a_file(run: Run, model: str):
    assert run("models", "show", model).stdout.splitlines()[0].split() == ["name", "tiny"]


def test_an_imported_model_segments(run: Run, images: list[Path], imported: None):
    assert run("segment", "data/a.tif", "-o", "out", "-m", "tiny").exit_code == 0


def test_import_under_another_name(run: Run, model: str):
    result = run("models", "import", model, "--name", "mine")
    assert result.stdout == "mine is added; use it by --model mine\n"
    assert nus.load_model("mine").name == "mine"


def test_rename(run: Run, imported: None):
    assert run("models", "rename", "tiny", "mine").stdout == "tiny is now called mine\n"
    assert "tiny" not in nus.list_models()


@pytest.mark.parametrize(("answer", "options", "gone"), [("y\n", [], True), ("n\n", [], False), ("", [], False), ("", ["--yes"], True)])
def test_delete_asks_first(run: Run, imported: None, answer: str, options: list[str], gone: bool):
    result = run("models", "delete", "tiny", *options, input=answer)
    assert (result.exit_code == 0) is gone
    assert ("tiny" not in nus.list_models()) is gone


def test_bundled_models_are_never_deleted_nor_asked_about(run: Run):
    result = run("models", "delete", "nuclei-v1", input="y\n")
    assert result.exit_code == 2
    assert "Delete nuclei-v1" not in result.output
    assert "came with the program" in result.stderr
    assert run("models", "rename", "nuclei", "mine").exit_code == 2


def test_export(run: Run):
    assert run("models", "export", "nuclei", "copy").stdout == "nuclei is written to copy.safetensors\n"
    assert nus.load_model(Path("copy.safetensors").absolute()).sha256 == nus.load_model("nuclei").sha256
    assert run("models", "export", "nuclei", "copy").exit_code == 2
    assert run("models", "export", "nuclei", "copy", "--overwrite").exit_code == 0


def test_export_to_other_programs(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_unet_seg.core.portable.to_onnx", lambda model: b"graph")
    assert run("models", "export", "nuclei", "-f", "onnx").stdout == "nuclei is written to nuclei-v1.onnx\n"
    assert Path("nuclei-v1.onnx").read_bytes() == b"graph"
    result = run("models", "export", "nuclei", "packages.zip", "--format", "bioimageio", "--author", "A", "--author", "B")
    assert result.stdout == "nuclei is written to packages.zip\n"
    assert "It names no licence" in result.stderr
    assert run("models", "export", "nuclei", "-f", "keras").exit_code == 2


@pytest.mark.parametrize("words", [["show", "none"], ["delete", "none"], ["export", "none", "x"], ["import", "none.safetensors"]])
def test_what_is_not_there_is_named(run: Run, words: list[str]):
    result = run("models", *words)
    assert result.exit_code == 2
    assert "none" in result.stderr
