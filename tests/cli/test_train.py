"""``train``: from folders to a model that works."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tifffile

import napari_unet_seg as nus
from napari_unet_seg.cli import train as command
from napari_unet_seg.core.checkpoint import Model
from napari_unet_seg.core.trainer import Trainer
from napari_unet_seg.errors import ModelError, WriteError
from napari_unet_seg.progress import Command, Progress
from tests.cli.conftest import Run, read_terminal, start
from tests.tiny import discs, tiny_model

QUICK = ("--batch", 2, "--patch", 64, "--device", "cpu")


@pytest.fixture
def folders(run: Run) -> None:
    for folder in ("images", "labels", "known"):
        Path(folder).mkdir()
    for seed in range(2):
        image, labels = discs(seed=seed)
        tifffile.imwrite(f"images/{seed}.tif", image)
        tifffile.imwrite(f"labels/{seed}_mask.tif", labels)
        tifffile.imwrite(f"known/{seed}.tif", (labels >= 0).astype("uint8"))


def test_a_model_is_trained_and_can_be_used(run: Run, folders: None, model: str):
    result = run("train", "images", "labels", "-o", "mine", "--base", model, "--known", "known", "--steps", 3, "--seed", 5, *QUICK)
    assert result.exit_code == 0
    assert result.stdout.startswith("mine.safetensors: 3 steps, ")
    trained = nus.load_model(Path("mine.safetensors").absolute())
    assert trained.name == "mine"
    assert trained.card["training"] | {"seed": 5, "steps": 3, "batch": 2, "patch": 64} == trained.card["training"]
    assert trained.settings == tiny_model().settings
    assert trained.sha256 != tiny_model().sha256
    assert run("segment", "images/0.tif", "-o", "out", "-m", "mine.safetensors").exit_code == 0


def test_the_report_is_told_and_kept(run: Run, folders: None, model: str):
    result = run("train", "images", "labels", "-o", "mine", "--base", model, "--steps", 1, "--run", "kept", *QUICK)
    assert "Learning from 24 nuclei, " in result.stderr
    assert "Measured on" in result.stderr
    assert "Report, curves and pictures: kept" in result.stderr
    wanted = {"report.md", "curves.png", "history.csv", "state.safetensors", "picture_1.png"}
    assert wanted <= {path.name for path in Path("kept").iterdir()}


def test_sparse_labels_teach_by_rings_or_painted_ground(run: Run, folders: None, model: str):
    for seed in range(2):
        labels = discs(seed=seed)[1]
        tifffile.imwrite(f"labels/{seed}_mask.tif", labels * (labels < 4))
    words = ("train", "images", "labels", "--base", model, "--steps", 1, *QUICK)
    rings = run(*words, "-o", "rings", "--sparse")
    assert "6 nuclei, " in rings.stderr
    assert "unknown 9" in rings.stderr
    assert "too few to measure" in rings.stderr
    ground = run(*words, "-o", "ground", "--sparse", "--ground", "known")
    assert "unknown 0 %" in ground.stderr
    assert rings.exit_code == ground.exit_code == 0
    alone = run(*words, "-o", "alone", "--sparse", "--remember", 0, "--blend", 1, "--learning", "all")
    assert alone.exit_code == 0
    remembered, forgotten = (nus.load_model(Path(f"{name}.safetensors").absolute()).card for name in ("rings", "alone"))
    assert (remembered["training"]["remember"], "remembered" in remembered, remembered["share"]) == (1, True, 0.5)
    assert (forgotten["training"]["remember"], "remembered" in forgotten, forgotten["share"]) == (0, False, 1)
    assert (remembered["learning"], forgotten["learning"]) == ("first", "all")


def test_an_interrupted_run_is_resumed(run: Run, folders: None, model: str, monkeypatch: pytest.MonkeyPatch):
    words = ("train", "images", "labels", "-o", "mine", "--base", model, "--steps", 4, *QUICK)
    monkeypatch.setattr("napari_unet_seg.core.run.SAVE_EVERY", 2)
    real = Trainer.step

    def killed(trainer: Trainer, rate: float) -> object:
        if trainer.optimizer.steps == 3:
            raise KeyboardInterrupt
        return real(trainer, rate)

    with monkeypatch.context() as broken:
        broken.setattr(Trainer, "step", killed)
        result = run(*words)
    assert result.exit_code == 1
    assert "no model is written; --resume goes on with mine_run" in result.stderr
    assert not Path("mine.safetensors").exists()
    assert "holds a run already" in run(*words).stderr
    assert run(*words, "--resume").exit_code == 0
    resumed = nus.load_model(Path("mine.safetensors").absolute())
    assert run(*words, "--overwrite").exit_code == 0
    assert nus.load_model(Path("mine.safetensors").absolute()).sha256 == resumed.sha256


def test_nothing_to_resume_is_said(run: Run, folders: None, model: str):
    result = run("train", "images", "labels", "-o", "mine", "--base", model, "--steps", 1, "--resume", *QUICK)
    assert "There is nothing in mine_run to go on with" in result.stderr
    assert result.exit_code == 0


def test_minutes_end_a_training(run: Run, folders: None, model: str):
    result = run("train", "images", "labels", "-o", "mine", "--base", model, "--minutes", 0.0001, *QUICK)
    assert result.stdout.startswith("mine.safetensors: 1 steps")


def test_a_report_that_cannot_be_written_loses_no_model(run: Run, folders: None, model: str, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise WriteError("The disk is full.")

    monkeypatch.setattr("napari_unet_seg.io.run_folder.write_run", full)
    result = run("train", "images", "labels", "-o", "mine", "--base", model, "--steps", 1, *QUICK)
    assert result.exit_code == 0
    assert "The report was not written: The disk is full." in result.stderr
    assert Path("mine.safetensors").exists()


def test_equal_seeds_give_equal_models(run: Run, folders: None, model: str):
    def hash_of(name: str, seed: int) -> str:
        run("train", "images", "labels", "-o", f"{name}/m", "--base", model, "--steps", 1, "--seed", seed, *QUICK)
        return nus.load_model(Path(f"{name}/m.safetensors")).sha256

    for name in "abc":
        Path(name).mkdir()
    assert hash_of("a", 1) == hash_of("b", 1) != hash_of("c", 2)


def test_random_weights_to_start_from(run: Run, folders: None):
    assert run("train", "images", "labels", "-o", "mine", "--base", "none", "--steps", 1, *QUICK).exit_code == 0
    assert nus.load_model(Path("mine.safetensors").absolute()).settings == nus.NetworkSettings()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("images labels -o mine --steps 3 --minutes 1", 2, "give one of them"),
        ("images labels -o none/mine", 2, "no folder none"),
        ("images labels -o there.safetensors", 2, "exists already"),
        ("images labels -o mine --steps=-1", 2, "steps"),
        ("images labels -o mine --sparse --known known", 2, "give one of them"),
        ("images labels -o mine --ground known", 2, "needs --sparse"),
        ("images blank -o mine", 2, "There is no nucleus in blank: nothing is painted"),
        ("images labels -o mine --run full", 2, "full holds a run already"),
        ("images labels -o mine --device abacus", 2, "device is 'abacus'"),
        ("images labels -o mine --base no-such-model", 2, "no model named"),
        ("images known/0.tif -o mine", 2, "two files or two folders"),
        ("images none -o mine", 2, "does not exist"),
        ("images empty -o mine", 2, "No file in images"),
    ],
)
def test_what_cannot_be_used_is_refused(run: Run, folders: None, words: str, code: int, sentence: str):
    Path("empty").mkdir()
    Path("there.safetensors").write_text("mine")
    for folder in ("blank", "full"):
        Path(folder).mkdir()
    Path("full/state.safetensors").write_text("a run")
    for seed in range(2):
        tifffile.imwrite(f"blank/{seed}.tif", 0 * discs(seed=seed)[1])
    result = run("train", *words.split())
    assert result.exit_code == code
    assert sentence in result.stderr
    assert not Path("mine.safetensors").exists()
    assert Path("there.safetensors").read_text() == "mine"
    assert Path("full/state.safetensors").read_text() == "a run"


def test_notices_on_the_data_are_told(run: Run, folders: None, model: str):
    tifffile.imwrite("images/alone.tif", discs()[0])
    assert "alone.tif" in run("train", "images", "labels", "-o", "mine", "--base", model, "--steps", 1, *QUICK).stderr


def test_the_first_interrupt_keeps_the_model_and_the_second_does_not(monkeypatch: pytest.MonkeyPatch):
    def interrupted(times: int) -> Iterator[Progress]:
        yield Progress("Preparing", 1, 1)
        yield Progress("Training", 1, 9, {"loss": 1.0, "validation_loss": 2.0, "ap": 0.5})
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
        answer = yield Progress("Training", 2, 9, {"loss": 1.0})
        assert answer is Command.STOP
        return Model(tiny_model().network, {"steps": 2})

    before = signal.getsignal(signal.SIGINT)
    assert command.follow(interrupted(1)).card["steps"] == 2
    with pytest.raises(KeyboardInterrupt):
        command.follow(interrupted(2))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_model_that_cannot_be_written_is_kept_elsewhere(run: Run, folders: None, model: str, monkeypatch: pytest.MonkeyPatch):
    real = Model.save

    def full(self: Model, path: Path) -> Path:
        if path.name == "mine.safetensors" and not path.is_absolute():
            raise ModelError("The disk is full; free some space.")
        return real(self, path)

    monkeypatch.setattr(Model, "save", full)
    result = run("train", "images", "labels", "-o", "mine", "--base", model, "--steps", 1, *QUICK)
    assert result.exit_code == 1
    assert "The disk is full" in result.stderr
    kept = result.stderr.split("It is kept as ")[1].split(";")[0]
    assert nus.load_model(kept).name == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_keeps_what_was_reached(folders: None, model: str):
    import pty

    leader, follower = pty.openpty()
    words = ("train", "images", "labels", "-o", "mine", "--base", model, "--steps", 100_000, *QUICK)
    with start(*words, stderr=follower) as process:
        os.close(follower)
        shown = ""
        while "loss" not in shown:  # the bar tells that the first step is done
            shown += os.read(leader, 4096).decode()
        with ThreadPoolExecutor(1) as reader:
            reader.submit(read_terminal, leader)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=120)
    os.close(leader)
    assert process.returncode == 0
    steps = nus.load_model(Path("mine.safetensors").absolute()).card["steps"]
    assert 1 <= steps < 100_000
    assert f"mine.safetensors: {steps} steps" in output
