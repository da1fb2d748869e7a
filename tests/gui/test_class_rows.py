"""Whether nuclei or classes are painted: names, hints and what is learned from."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QWidget

from napari_unet_seg.gui.class_rows import ClassRows
from napari_unet_seg.gui.layers import Source
from napari_unet_seg.gui.learning import INSIDE, MODES, PAINTED, WHOLE, Material, annotation_of, count_steps, lessons, names_of
from napari_unet_seg.progress import drain

SOURCE = Source("image", np.zeros((32, 32), np.uint8), "YX", None, 1, {}, (), None)


@pytest.fixture
def rows(viewer):
    parent = QWidget()
    viewer.window.add_dock_widget(parent, name="rows")
    return ClassRows(parent)


def test_it_starts_with_nuclei(rows):
    assert not rows.on
    assert rows.classes(3) == ()
    assert rows.hint(PAINTED) == rows.brush_hint(2, 2) == ""
    assert rows.mode_title == MODES[PAINTED]


def test_classes_have_the_names_given_and_numbers_for_the_rest(rows, qtbot):
    with qtbot.waitSignal(rows.changed):
        rows.box.setCurrentIndex(1)
    rows.names.setText(" stroma,, blood ,")
    assert rows.given == ("stroma", "blood")
    assert rows.classes(3) == ("stroma", "blood", "class 3")
    assert rows.classes(1) == ("stroma", "blood")
    assert rows.brush_hint(2, 2) == "Painting 2, blood. Press N for the next class."
    assert rows.brush_hint(4, 2) == "Painting 4, class 4. Press N for the next class."
    assert "Annotate" in rows.brush_hint(0, 0)
    assert all(rows.hint(mode) for mode in MODES)
    assert rows.mode_title == "What is painted"


def test_new_names_are_told(rows, qtbot):
    rows.box.setCurrentIndex(1)
    rows.names.setText("a")
    with qtbot.waitSignal(rows.changed):
        rows.names.editingFinished.emit()


def material(mode, **options):
    labels = np.zeros((32, 32), np.int32)
    labels[4:12, 4:12], labels[20:30, 20:30] = 1, 3
    return Material(SOURCE, labels, mode, semantic=True, **options)


@pytest.mark.parametrize(
    ("mode", "options", "known"),
    [(PAINTED, {}, 164), (WHOLE, {}, 1024), (INSIDE, {"polygons": (((-0.5, -0.5), (-0.5, 15.5), (15.5, 15.5), (15.5, -0.5)),)}, 256)],
)
def test_what_is_known_of_classes(mode, options, known):
    given = material(mode, **options)
    [lesson] = lessons(given)
    annotation = annotation_of(lesson, given)
    assert annotation.known.sum() == known
    assert annotation.group == "image"
    assert (annotation.labels[annotation.known] == 1).sum() == 64, "a class that goes on beyond a region is known inside it"


def test_classes_are_counted_by_their_pixels():
    count = drain(count_steps(material(PAINTED, names=("a",))))
    assert count.highest == 3
    assert count.summary.sentence.startswith("a 64 px, class 3 100 px, 1 plane")
    assert any("Nothing is painted as class 2" in warning for warning in count.summary.warnings)
    assert names_of(("a",), 3) == ("a", "class 2", "class 3")
