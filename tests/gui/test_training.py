"""Trainings as generators: what is sent in, what is kept on the disk, and what a model is tried on."""

from __future__ import annotations

import random

import numpy as np
import pytest
import tifffile

from napari_unet_seg.core import checkpoint, run
from napari_unet_seg.errors import InputError, ModelError
from napari_unet_seg.gui import training as module
from napari_unet_seg.gui.layers import Source
from napari_unet_seg.gui.learning import Lesson, Material
from napari_unet_seg.gui.training import Look, Trained, discard_steps, find_steps, resume_steps, train_steps
from napari_unet_seg.gui.trying import Tried, try_steps
from napari_unet_seg.io import run_plan
from napari_unet_seg.io.run_plan import Plan
from napari_unet_seg.progress import Command, Preview, Progress, drain
from napari_unet_seg.settings import NetworkSettings, SegmentSettings, TrainSettings
from tests.tiny import discs, tiny_model


def source(data, axes="YX", singles=()):
    return Source("discs", data, axes, None, 1, {}, singles, None)


def test_a_look_becomes_a_preview_with_the_limits_of_the_whole_plane():
    plane = np.zeros((64, 64), np.uint16)
    plane[:32] = discs(shape=(32, 64), count=4)[0]
    kept = {}
    look = Look(plane, (slice(32, 64), slice(0, 16)), SegmentSettings(probability=0.6), kept)
    preview = look.preview()
    assert isinstance(preview, Preview)
    assert preview.image.shape == (32, 16)
    assert preview.settings.high > 1000
    assert preview.settings.probability == 0.6
    assert Look(plane * 0, look.box, SegmentSettings(), kept).preview().settings is preview.settings


def test_what_is_sent_in_reaches_the_engine(monkeypatch):
    seen = []

    def engine(plan, read, material):
        for step in range(3):
            seen.append((yield Progress("Training", step, 3)))
        return "trained"

    monkeypatch.setattr(module, "engine_steps", engine)
    pixels, labels = discs(count=3)
    steps = train_steps(Plan("x", "tiny", TrainSettings()), Material(source(pixels), labels))
    while next(steps).stage != "Training":
        pass
    steps.send(Look(pixels, (slice(0, 8), slice(0, 9))))
    steps.send(Command.STOP)
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == "trained"
    assert seen[0].image.shape == (8, 9)
    assert seen[1:] == [Command.STOP, None]


def test_a_name_that_cannot_be_used_is_refused_before_training(tmp_path, monkeypatch):
    pixels, labels = discs(count=3)
    steps = train_steps(Plan("nuclei", "tiny", TrainSettings(), folder=tmp_path), Material(source(pixels), labels))
    with pytest.raises(ModelError, match="cannot be called 'nuclei'"):
        drain(steps)
    assert list(tmp_path.iterdir()) == []


def test_a_training_goes_on_though_its_name_was_taken_meanwhile(tmp_path, monkeypatch):
    """Another name can be given when the model is kept."""
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(checkpoint, "user_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(run_plan, "runs_folder", lambda: tmp_path / "runs")
    monkeypatch.setattr(run, "SAVE_EVERY", 1)
    pixels, labels = discs(count=3)
    settings = TrainSettings(steps=2, batch=1, patch=64, validation=0.0, device="cpu")
    plan = Plan("mine", "", settings, "3 nuclei", run_plan.new_run("mine"), NetworkSettings(width=4, depth=2))
    killed = train_steps(plan, Material(source(pixels), labels))
    while next(killed).stage != "Training":
        pass
    killed.close()
    tiny_model().save(tmp_path / "models" / "mine")
    waiting = drain(find_steps())
    assert (waiting.name, waiting.learned_from) == ("mine", "3 nuclei")
    with pytest.raises(ModelError, match="There is a model named 'mine' already"):
        drain(train_steps(plan, Material(source(pixels), labels)))
    assert drain(resume_steps(waiting)).steps == 2


def test_nothing_painted_is_told(tmp_path):
    pixels, labels = discs()
    with pytest.raises(InputError, match="Nothing is painted"):
        drain(train_steps(Plan("x", "", TrainSettings(), folder=tmp_path), Material(source(pixels), 0 * labels)))


def test_discarding_deletes_the_folder_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(run_plan, "runs_folder", lambda: tmp_path / "trainings")
    plan = Plan("x", "", TrainSettings(), folder=run_plan.new_run("x"))
    (plan.folder / "state.safetensors").write_bytes(b"")
    drain(discard_steps(plan))
    assert not plan.folder.exists()
    drain(discard_steps(Plan("x", "", TrainSettings(), folder=tmp_path)))
    assert tmp_path.exists()
    assert drain(find_steps()) is None


class TestTrying:
    @pytest.fixture
    def model(self, tmp_path):
        return tiny_model().save(tmp_path / "model.safetensors")

    def test_six_of_many_are_taken_by_chance(self, model, tmp_path):
        folder = tmp_path / "images"
        folder.mkdir()
        for number in range(8):
            tifffile.imwrite(folder / f"{number}.tif", discs(shape=(48, 48), count=2, seed=number)[0])
        steps = []
        tried = drain(try_steps(model, folder, "cpu", random.Random(1)), steps.append)
        assert len(tried) == 6
        assert [one.name for one in tried] == sorted(one.name for one in tried)
        assert all(one.picture.shape == (48, 48, 3) and not one.trouble for one in tried)
        assert sum(one.count for one in tried) >= 6
        assert (steps[-1].done, steps[-1].total) == (6, 6)

    def test_stacks_channels_and_large_images_give_one_plane(self, model, tmp_path, monkeypatch):
        from napari_unet_seg.gui import trying

        monkeypatch.setattr(trying, "EDGE", 64)
        folder = tmp_path / "images"
        folder.mkdir()
        stack = np.stack([discs(shape=(96, 80), count=6)[0]] * 6).reshape(3, 2, 96, 80)
        tifffile.imwrite(folder / "stack.ome.tif", stack, metadata={"axes": "ZCYX"})
        [one] = drain(try_steps(model, folder, "cpu"))
        assert one.picture.shape == (64, 64, 3)

    def test_a_folder_without_images_is_told(self, model, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(InputError, match="There is no image in"):
            drain(try_steps(model, tmp_path / "empty"))


def test_what_goes_to_another_process_and_back_can_be_packed(tmp_path):
    import cloudpickle
    from napari.layers import Image

    from napari_unet_seg.gui.layers import read_source

    pixels, labels = discs()
    bare = Material(
        read_source(Image(pixels, scale=(0.5, 0.5), units=("um", "um"))), labels, "inside", polygons=(((0.0, 0.0), (0.0, 9.0), (9.0, 9.0)),)
    )
    plan = Plan("x", "tiny", TrainSettings(steps=3), folder=tmp_path)
    sent = (plan, [Lesson(pixels, labels)], bare, Trained(plan, {}, ("It learned.",), 3, 1.0), Tried("a", None))
    back = cloudpickle.loads(cloudpickle.dumps(sent))
    assert back[0] == plan
    assert np.array_equal(back[1][0].labels, labels)
    assert back[3].model == plan.folder / module.MODEL
