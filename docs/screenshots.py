"""Makes the pictures of the documentation from the real program, so that they never show what it no longer is.

    xvfb-run -a -s "-screen 0 1600x1200x24" python docs/screenshots.py [--output docs/images]

Needs a screen, or the virtual one above. The samples that come with the package are segmented with the bundled model.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari import Viewer
    from qtpy.QtWidgets import QComboBox, QWidget

    from napari_unet_seg.gui.segment_widget import SegmentWidget
    from napari_unet_seg.gui.train_widget import TrainWidget

WIDTH, HEIGHT = 1280, 800
COLORS = 256
"""Enough for a picture of a program, and a third of the size."""
PAINTED, LEARNED_STEPS = 8, 25
"""For the picture of a training: nuclei that teach, and steps before it is taken."""


@dataclass(frozen=True)
class Scene:
    """A window with a sample whose nuclei were found.

    Parameters
    ----------
    viewer : napari.Viewer
    widget : SegmentWidget
        The dock.
    """

    viewer: Viewer
    widget: SegmentWidget

    def replace_dock(self, other: QWidget, name: str) -> None:
        """Show another dock in place of "Segment nuclei"."""
        self.widget.parent().close()
        self.viewer.window.add_dock_widget(other, name=name)
        wait_until(lambda: True)


def as_it_is(scene: Scene) -> None:
    """Show the window as it is."""


def unfold(scene: Scene) -> None:
    """Show the settings that are rarely needed."""
    scene.widget.advanced_button.click()


def correct(scene: Scene) -> None:
    """Show the dock "Correct nuclei" with the nucleus of which the model is least sure."""
    from napari_unet_seg.gui.correct_widget import CorrectWidget

    dock = CorrectWidget(scene.viewer)
    scene.replace_dock(dock, "Correct nuclei")
    wait_until(lambda: not dock.counting.running)
    dock.tools.choose("delete")
    dock.review.forward()  # makes the list, and goes to the first one when it is there
    wait_until(lambda: " of " in dock.review.counter.text())
    scene.viewer.reset_view()


def measure(scene: Scene) -> None:
    """Show the dock "Measure nuclei" with its table."""
    from napari_unet_seg.gui.measure_widget import MeasureWidget

    dock = MeasureWidget(scene.viewer)
    scene.replace_dock(dock, "Measure nuclei")
    dock.measure()
    wait_until(lambda: not dock.job.running)


def train(scene: Scene) -> None:
    """Show the dock "Train on painted labels" while it learns from eight nuclei, with its preview."""
    dock = begin_training(scene)
    wait_until(lambda: len(dock.curves.steps) > LEARNED_STEPS and dock.preview.layer is not None)


def trained(scene: Scene) -> None:
    """Show what the model finds that has learned from eight nuclei."""
    import tempfile

    from napari_unet_seg.core import checkpoint

    folder = Path(tempfile.mkdtemp())
    checkpoint.user_folder = lambda: folder
    dock = begin_training(scene, steps=100, batch=4)
    wait_until(lambda: not dock.job.running)
    dock.use()
    wait_until(lambda: any(layer.name.endswith(" nuclei") for layer in scene.viewer.layers))
    dock.parent().close()
    scene.viewer.window.resize(WIDTH, HEIGHT)


def models(scene: Scene) -> None:
    """Show the dock "Models"."""
    from napari_unet_seg.gui.models_widget import ModelsWidget

    dock = ModelsWidget(scene.viewer)
    scene.replace_dock(dock, "Models")
    wait_until(lambda: dock.panel.list.count() > 0)


def begin_training(scene: Scene, **settings: int) -> TrainWidget:
    """Paint eight nuclei, and start a training."""
    import tempfile

    from napari_unet_seg.gui.train_widget import TrainWidget
    from napari_unet_seg.io import run_plan

    folder = Path(tempfile.mkdtemp())
    run_plan.runs_folder = lambda: folder
    dock = TrainWidget(scene.viewer)
    scene.replace_dock(dock, "Train on painted labels")
    wait_until(lambda: not dock.engine.looking)
    paint_missed(scene, dock)
    wait_until(lambda: dock.learning.teaches)
    if "steps" in settings:
        dock.length.setValue(settings.pop("steps"))
    for name, value in settings.items():
        dock.form.rows[name].set(value)
    dock.start()
    return dock


def paint_missed(scene: Scene, dock: TrainWidget) -> None:
    """Paint nuclei that the model misses, as its exact labels have them, in place of the result."""
    import numpy as np
    import tifffile

    from napari_unet_seg.io.samples import truth_path

    result = scene.viewer.layers[-1]
    truth = tifffile.imread(truth_path("envelope")).astype(np.int32)
    seen = np.bincount(truth[result.data > 0], minlength=truth.max() + 1) / np.maximum(np.bincount(truth.ravel()), 1)
    cut = np.unique(np.concatenate([truth[0], truth[-1], truth[:, 0], truth[:, -1]]))
    missed = [number for number in np.argsort(seen) if number and number not in cut][:PAINTED]
    scene.viewer.layers.remove(result)
    dock.inputs.annotate()
    layer = dock.inputs.labels.layer
    layer.data = np.searchsorted([0, *sorted(missed)], truth).astype(np.int32) * np.isin(truth, missed)
    layer.selected_label = PAINTED


def link(scene: Scene) -> None:
    """Show a stack whose planes are linked, at the slice in its middle."""
    choose(scene, scene.widget.stack.box, "linked")
    scene.viewer.dims.set_current_step(0, scene.viewer.dims.nsteps[0] // 2)


def follow(scene: Scene) -> None:
    """Show a movie whose nuclei are followed, at its last time, with their paths."""
    choose(scene, scene.widget.stack.times, "overlap")
    scene.widget.tracks_button.click()
    scene.viewer.dims.set_current_step(0, scene.viewer.dims.nsteps[0] - 1)


def choose(scene: Scene, box: QComboBox, value: str) -> None:
    """Choose an entry of a list, and segment again."""
    box.setCurrentIndex(box.findData(value))
    scene.widget.segment()
    wait_until(lambda: not scene.widget.job.running)


def folder(scene: Scene) -> None:
    """Show the dock "Segment a folder" when it has segmented three samples, and could not read a file that is damaged."""
    import shutil
    import tempfile

    from napari_unet_seg.gui.folder_widget import FolderWidget
    from napari_unet_seg.io.samples import sample_path

    os.chdir(tempfile.mkdtemp())  # so that no path of this computer is in the picture
    plate = Path("plate 1")
    plate.mkdir()
    for name in ("nuclei", "crowded", "cells"):
        shutil.copy(sample_path(name), plate)
    (plate / "damaged.tif").write_bytes(b"II*\0 nothing")
    dock = FolderWidget(scene.viewer)
    scene.replace_dock(dock, "Segment a folder")
    dock.rows.folder.line.setText(str(plate))
    wait_until(lambda: not dock.rows.looking and not dock.engine.looking)
    dock.run()
    wait_until(lambda: not dock.job.running)


def preferences(scene: Scene) -> QWidget:
    """Return napari's preferences with the page of this plugin."""
    from napari._qt.dialogs.preferences_dialog import PreferencesDialog  # the menu would wait until it is closed
    from qtpy.QtWidgets import QListWidget

    dialog = PreferencesDialog(parent=scene.viewer.window.main_menu.parentWidget())
    [pages] = dialog.findChildren(QListWidget)
    pages.setCurrentRow(next(row for row in range(pages.count()) if "U-Net" in pages.item(row).text()))
    dialog.show()
    return dialog


def why_no_gpu(scene: Scene) -> QWidget:
    """Return the window "Why no GPU?" as it is on a computer with a GPU, but with a torch for the CPU."""
    from napari_unet_seg.core import gpu
    from napari_unet_seg.gui.gpu_panel import GpuPanel

    real = gpu.find_gpu, sys.executable
    gpu.find_gpu, sys.executable = (lambda: gpu.Gpu("NVIDIA GeForce RTX 4070", 581, 12282, 8.9)), "python"
    panel = GpuPanel(scene.widget)
    panel.show()
    wait_until(lambda: not panel.job.running)
    gpu.find_gpu, sys.executable = real
    return panel


@dataclass(frozen=True)
class Shot:
    """One picture.

    Parameters
    ----------
    name : str
        Of the file, without its ending.
    sample : str
        A sample of `napari_unet_seg.io.samples`.
    theme : str
        Of napari.
    then : callable
        What is done once the nuclei are found; returns what to show if that is not the whole window.
    """

    name: str
    sample: str
    theme: str
    then: Callable[[Scene], QWidget | None] = as_it_is


SHOTS = (
    Shot("segment", "nuclei", "dark"),
    Shot("histology", "tissue", "light"),
    Shot("advanced", "nuclei", "dark", unfold),
    Shot("correct", "nuclei", "dark", correct),
    Shot("measure", "cells", "light", measure),
    Shot("envelope", "envelope", "dark"),
    Shot("train", "envelope", "dark", train),
    Shot("trained", "envelope", "dark", trained),
    Shot("models", "nuclei", "light", models),
    Shot("stack", "stack", "dark", link),
    Shot("tracks", "movie", "dark", follow),
    Shot("folder", "nuclei", "light", folder),
    Shot("preferences", "nuclei", "dark", preferences),
    Shot("gpu", "nuclei", "dark", why_no_gpu),
)


def main() -> None:
    """Make all pictures, or those that are named."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("names", nargs="*", metavar="NAME", help="pictures to make, such as segment; all if none is named")
    options.add_argument("--output", type=Path, default=Path(__file__).parent / "images")
    given = options.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    for shot in SHOTS:
        if not given.names or shot.name in given.names:
            take(shot, given.output.absolute() / f"{shot.name}.png")


def take(shot: Shot, path: Path) -> None:
    """Open a sample, segment it and save a picture of the window.

    Parameters
    ----------
    shot : Shot
        What to show.
    path : Path
        A PNG file, replaced if it exists.
    """
    import napari

    from napari_unet_seg.gui.segment_widget import SegmentWidget
    from napari_unet_seg.io.napari_reader import read_layers
    from napari_unet_seg.io.samples import sample_path

    viewer = napari.Viewer()
    viewer.theme = shot.theme
    viewer.window.resize(WIDTH, HEIGHT)
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment nuclei")
    for data, settings, kind in read_layers(sample_path(shot.sample)):
        viewer.add_layer(napari.layers.Layer.create(data, settings, kind))
    wait_until(lambda: not widget.engine.looking)
    widget.segment()
    wait_until(lambda: not widget.job.running)
    shown = shot.then(Scene(viewer, widget))
    wait_until(lambda: True)
    save(viewer.window.screenshot(canvas_only=False, flash=False) if shown is None else pixels_of(shown), path)
    if shown is not None:
        shown.close()
    viewer.close()


def wait_until(done: Callable[[], bool]) -> None:
    """Let the program work until something has ended, and draw what came of it."""
    from qtpy.QtTest import QTest

    while not done():
        QTest.qWait(50)
    QTest.qWait(1000)


def pixels_of(window: QWidget) -> Any:
    """Return the picture of a window (Y, X, 4)."""
    from napari._qt.utils import QImg2array

    return QImg2array(window.grab().toImage())


def save(pixels: Any, path: Path) -> None:
    """Save a small picture."""
    from PIL import Image

    picture = Image.fromarray(pixels[..., :3]).quantize(COLORS, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


if __name__ == "__main__":
    main()
