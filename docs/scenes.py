"""States of the program that are shown in the documentation: what a person does, once the nuclei of a sample are found."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari import Viewer
    from qtpy.QtWidgets import QComboBox, QWidget

    from napari_unet_seg.gui.measure_widget import MeasureWidget
    from napari_unet_seg.gui.segment_widget import SegmentWidget
    from napari_unet_seg.gui.train_widget import TrainWidget

WIDTH, HEIGHT = 1280, 800
PAINTED, LEARNED_STEPS = 8, 25
"""For the picture of a training: nuclei that teach, and steps before it is taken."""
TISSUES = ("glass", "stroma", "epithelium", "blood")
CLASS_STEPS, STROKES, STROKE_PX = 150, 10, 4
"""For the picture of classes: steps, strokes of each class, and a quarter of their width, by which they stay away from other classes."""


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
    """Show the dock "Measure nuclei" with its table, a nucleus of which was clicked."""
    dock = open_measured(scene)
    dock.view.table.select([len(dock.view.nuclei) // 2])


def histograms(scene: Scene) -> None:
    """Show how a protein is distributed, and the nuclei coloured by it."""
    dock = open_measured(scene)
    dock.view.tabs.setCurrentIndex(1)
    box = dock.view.colours.box
    box.setCurrentText("Mean GFP (cells)")


def save_files(scene: Scene) -> None:
    """Show the formats."""
    dock = open_measured(scene)
    dock.view.tabs.setCurrentIndex(2)


def open_measured(scene: Scene) -> MeasureWidget:
    """Open the dock "Measure nuclei" and measure."""
    from napari_unet_seg.gui.measure_widget import MeasureWidget

    dock = MeasureWidget(scene.viewer)
    scene.replace_dock(dock, "Measure nuclei")
    dock.measure()
    wait_until(lambda: not dock.job.running)
    return dock


def part(scene: Scene) -> None:
    """Show a result in whose middle a part was segmented again, and other settings for it."""
    import numpy as np

    image, widget = scene.widget.images.layer, scene.widget
    corners = np.array([(90, 120), (60, 400), (330, 460), (430, 250), (300, 90)])
    shapes = scene.viewer.add_shapes([corners], shape_type="polygon", scale=image.scale, units=image.units, name="tumour")
    shapes.face_color, shapes.edge_color, shapes.edge_width = "#00000000", "white", 3
    widget.region.box.setCurrentIndex(2)
    widget.segment()
    wait_until(lambda: not widget.job.running)
    widget.form.rows["min_area"].set(350)
    wait_until(lambda: not widget.live.busy)


def edited(scene: Scene) -> None:
    """Show what the panel says of labels that were painted."""
    labels = scene.widget.results.of(scene.widget.images.layer).labels
    scene.widget.segment()
    wait_until(lambda: not scene.widget.job.running)
    labels.selected_label = int(labels.data.max()) + 1
    labels.brush_size = 28
    labels.paint((256, 256), labels.selected_label)


def diameter(scene: Scene) -> None:
    """Show the circle of the diameter, as it was estimated."""
    scene.widget.diameter.estimate_button.click()
    wait_until(lambda: not scene.widget.diameter.job.running)
    scene.widget.diameter.show_button.setChecked(True)


def nothing_open(scene: Scene) -> None:
    """Show the panel before an image is open."""
    scene.viewer.layers.clear()


def crop(scene: Scene) -> None:
    """Show a part of a pyramid of labels that is corrected as a layer of its own."""
    from napari_unet_seg.gui.camera import camera_of
    from napari_unet_seg.gui.correct_widget import CorrectWidget

    viewer, labels = scene.viewer, scene.widget.results.of(scene.widget.images.layer).labels
    levels = [labels.data, labels.data[::2, ::2]]
    names = ("scale", "units", "features", "metadata", "opacity", "colormap")
    placed = {name: getattr(labels, name) for name in names}
    viewer.layers.remove(labels)
    slide = viewer.add_labels(levels, name="slide nuclei", multiscale=True, **placed)
    slide.contour = 1
    dock = CorrectWidget(viewer)
    scene.replace_dock(dock, "Correct nuclei")
    viewer.layers.selection.active = slide
    camera_of(viewer).zoom *= 2
    wait_until(lambda: True)
    dock.crops.here_button.click()
    wait_until(lambda: len(viewer.layers) > 2 and not dock.crops.job.running)


def train(scene: Scene) -> None:
    """Show the dock "Train on painted labels" while it learns from eight nuclei, with its preview."""
    dock = begin_training(scene)
    wait_until(lambda: len(dock.curves.steps) > LEARNED_STEPS and dock.preview.layer is not None)


def trained(scene: Scene) -> None:
    """Show what the model finds that has learned from eight nuclei."""
    dock = begin_training(scene, steps=200)
    wait_until(lambda: not dock.job.running)
    dock.use()
    wait_until(lambda: any(layer.name.endswith(" nuclei") for layer in scene.viewer.layers))
    dock.parent().close()
    scene.viewer.window.resize(WIDTH, HEIGHT)


def classes(scene: Scene) -> None:
    """Show what a model finds that has learned four classes from some strokes of each."""
    dock = open_training(scene)
    scene.viewer.layers.remove(scene.viewer.layers[-1])  # the nuclei that were found
    dock.inputs.classes.box.setCurrentIndex(1)
    dock.inputs.classes.names.setText(", ".join(TISSUES))
    dock.inputs.annotate()
    paint_strokes(dock)
    wait_until(lambda: dock.learning.teaches)
    dock.length.setValue(CLASS_STEPS)
    dock.form.rows["patch"].set(128)
    dock.start()
    wait_until(lambda: not dock.job.running)
    dock.use()
    wait_until(lambda: any(layer.name.endswith(" classes") for layer in scene.viewer.layers))
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
    dock = open_training(scene)
    paint_missed(scene, dock)
    wait_until(lambda: dock.learning.teaches)
    if "steps" in settings:
        dock.length.setValue(settings.pop("steps"))
    for name, value in settings.items():
        dock.form.rows[name].set(value)
    dock.start()
    return dock


def open_training(scene: Scene) -> TrainWidget:
    """Open the dock "Train on painted labels", whose trainings and models are kept nowhere."""
    import tempfile

    from napari_unet_seg.core import checkpoint
    from napari_unet_seg.gui.train_widget import TrainWidget
    from napari_unet_seg.io import run_plan

    runs, models_folder = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    run_plan.runs_folder = lambda: runs
    checkpoint.user_folder = lambda: models_folder
    dock = TrainWidget(scene.viewer)
    scene.replace_dock(dock, "Train on painted labels")
    wait_until(lambda: not dock.engine.looking)
    return dock


def paint_strokes(dock: TrainWidget) -> None:
    """Paint some strokes of each class, well inside of what is of that class."""
    import numpy as np
    import tifffile
    from scipy import ndimage

    from napari_unet_seg.io.samples import truth_path

    truth = tifffile.imread(truth_path("classes"))
    painted, random = np.zeros(truth.shape, np.int32), np.random.default_rng(0)
    for number in range(1, len(TISSUES) + 1):
        mine = ndimage.binary_erosion(truth == number, iterations=STROKE_PX)
        for row, column in random.permutation(np.argwhere(mine))[:STROKES]:
            near = np.hypot(np.arange(len(truth))[:, None] - row, np.arange(truth.shape[1]) - column) < 2 * STROKE_PX
            painted[near & mine] = number
    dock.inputs.labels.layer.data = painted


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


def wait_until(done: Callable[[], bool]) -> None:
    """Let the program work until something has ended, and draw what came of it."""
    from qtpy.QtTest import QTest

    while not done():
        QTest.qWait(50)
    QTest.qWait(1000)
