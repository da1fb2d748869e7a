"""Trainings are found again as they were, and old or damaged ones do no harm."""

from __future__ import annotations

import os

import numpy as np
import pytest

from napari_unet_seg.core.annotations import Annotation
from napari_unet_seg.core.run_files import STATE
from napari_unet_seg.errors import ReadError, WriteError
from napari_unet_seg.io import run_plan
from napari_unet_seg.io.run_plan import Plan, new_run, read_data, read_plan, remove_run, unfinished, write_plan
from napari_unet_seg.settings import NetworkSettings, TrainSettings

SETTINGS = TrainSettings(steps=7, patch=64)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(run_plan, "runs_folder", lambda: tmp_path / "trainings")
    return tmp_path / "trainings"


def written(name="mine", state=True):
    plan = Plan(name, "nuclei", SETTINGS, "3 nuclei", new_run(name))
    labels = np.arange(16, dtype=np.int32).reshape(4, 4)
    write_plan(
        plan,
        [np.ones((4, 4), np.uint16), np.ones((4, 4, 3), np.uint8)],
        [Annotation(labels, labels > 3, "a"), Annotation(labels, labels > 5)],
    )
    if state:
        (plan.folder / STATE).write_bytes(b"")
    return plan


def test_a_plan_comes_back_with_its_data(folder):
    plan = written()
    assert read_plan(plan.folder) == plan
    images, annotations = read_data(plan.folder)
    assert [image.shape for image in images] == [(4, 4), (4, 4, 3)]
    assert annotations[0].known.sum() == 12
    assert [annotation.group for annotation in annotations] == ["a", ""]
    assert annotations[1].labels.dtype == np.int32


def test_the_shape_of_a_network_and_the_classes_come_back_too(folder):
    network, settings = NetworkSettings(block="residual", attention=True, width=8), TrainSettings(classes=("a", "b"), adversarial=0.2)
    plan = Plan("mine", "", settings, "2 classes", new_run("mine"), network)
    write_plan(plan, [np.ones((4, 4))], [Annotation(np.ones((4, 4), np.int32), np.ones((4, 4), bool))])
    assert read_plan(plan.folder) == plan


def test_the_newest_one_with_a_state_goes_on(folder):
    assert unfinished() is None
    first = written("first")
    written("second", state=False)
    assert unfinished() == first
    third = written("third")
    for path in (third.folder, *third.folder.iterdir()):
        os.utime(path, (4e9, 4e9))
    assert unfinished() == third
    remove_run(third.folder)
    assert unfinished() == first


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"name": "x", "base": "", "settings": {"odd": 1}, "learned_from": ""}'])
def test_a_damaged_one_is_told_and_never_offered(folder, content):
    plan = written()
    (plan.folder / "plan.json").write_text(content, encoding="utf-8")
    with pytest.raises(ReadError, match="cannot be gone on with"):
        read_plan(plan.folder)
    assert unfinished() is None


def test_damaged_data_is_told(folder):
    plan = written()
    (plan.folder / "data.npz").write_bytes(b"PK")
    with pytest.raises(ReadError, match="missing or damaged"):
        read_data(plan.folder)


def test_old_ones_are_deleted_and_other_folders_never(folder, tmp_path):
    plans = [written(f"n{number}") for number in range(5)]
    for age, plan in enumerate(plans):
        for path in (plan.folder, *plan.folder.iterdir()) if plan.folder.exists() else ():
            os.utime(path, (1e9 + age, 1e9 + age))
    new_run("last")
    assert len(list(folder.iterdir())) <= run_plan.MOST_RUNS + 1
    remove_run(tmp_path)
    assert tmp_path.exists()


def test_names_of_any_script_make_a_folder(folder):
    assert new_run("Зёрна/x").is_dir()


def test_a_folder_that_cannot_be_made_is_told(folder):
    folder.write_text("in the way")
    with pytest.raises(WriteError, match="cannot be kept in"):
        new_run("x")
