"""The models as files: the window behind the row "Model", and the dock."""

from __future__ import annotations

import shutil

import pytest
from qtpy.QtWidgets import QDialog, QFileDialog, QInputDialog, QMessageBox, QWidget

import napari_unet_seg as nus
from napari_unet_seg.core import checkpoint, registry
from napari_unet_seg.gui import models_panel, models_questions
from napari_unet_seg.gui.models_questions import ExportDialog, ask_export, ask_name
from napari_unet_seg.gui.models_widget import ModelsWidget, ModelsWindow
from napari_unet_seg.gui.models_work import list_steps
from napari_unet_seg.progress import drain
from tests.gui.conftest import WAIT_MS
from tests.tiny import tiny_model


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The user's models: one that works, one that is damaged."""
    folder = tmp_path / "own"
    folder.mkdir()
    tiny_model().save(folder / "tiny")
    (folder / "odd.safetensors").write_bytes(b"nothing")
    monkeypatch.setattr(checkpoint, "user_folder", lambda: folder)
    return folder


@pytest.fixture
def gift(tmp_path):
    """A file that a colleague gave."""
    return nus.Model(tiny_model().network, {"title": "From a colleague"}, name="spheroids").save(tmp_path / "gift")


@pytest.fixture
def panel(viewer, own, surroundings, qtbot):
    dock = ModelsWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Models")
    viewer.window.show()
    _settle(dock.panel, qtbot)
    return dock.panel


def _settle(panel, qtbot):
    qtbot.waitUntil(lambda: panel.list.count() > 0 and not panel.look.running and not panel.job.running, timeout=WAIT_MS)


def _names(panel):
    return [panel.list.item(row).text() for row in range(panel.list.count())]


def _does(panel, qtbot, act):
    """Do something, and wait until the list shows what came of it."""
    with qtbot.waitSignal(panel.job.finished, timeout=WAIT_MS):
        act()
    qtbot.waitUntil(lambda: not panel.look.running, timeout=WAIT_MS)


def test_the_list_says_whose_each_model_is(panel):
    names = _names(panel)
    assert names[0].startswith("nuclei-v")
    assert names[0].endswith("default")
    assert names[1:] == ["odd  ·  damaged", "tiny  ·  yours"]
    assert "Data Science Bowl 2018" in panel.facts.text()
    assert models_panel.BUNDLED in panel.facts.text()


def test_what_cannot_be_done_is_not_offered(panel):
    def offered():
        return [button.isEnabled() for button in (panel.import_button, panel.export_button, panel.rename_button, panel.delete_button)]

    assert offered() == [True, True, False, False]
    panel.choose("odd")
    assert offered() == [True, False, False, True]
    assert "is not a model" in panel.facts.text()
    panel.choose("tiny")
    assert offered() == [True, True, True, True]


def test_an_imported_model_is_there_for_every_dock(panel, gift, own, qtbot):
    with qtbot.waitSignal(panel.changed, timeout=WAIT_MS) as told:
        _does(panel, qtbot, lambda: panel.add(gift))
    assert told.args == ["", "spheroids"]
    assert panel.chosen.name == "spheroids"
    assert "From a colleague" in panel.facts.text()
    assert (own / "spheroids.safetensors").is_file()


def test_a_taken_name_is_asked_about_and_nothing_is_replaced(panel, own, gift, qtbot, monkeypatch):
    kept = (own / "tiny.safetensors").read_bytes()
    twin = shutil.copy(gift, gift.with_name("tiny.safetensors"))
    asked = []
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a, **k: (str(twin), ""))
    monkeypatch.setattr(QInputDialog, "getText", lambda *a, **k: asked.append((a[2], k["text"])) or (k["text"], True))
    _does(panel, qtbot, panel.import_button.click)
    assert asked == [("There is a model called “tiny” already. Call the new one:", "tiny-2")]
    assert registry.find_entry("tiny-2").title == "From a colleague"
    assert (own / "tiny.safetensors").read_bytes() == kept


def test_a_file_that_is_no_model_is_told_of_in_a_sentence(panel, tmp_path, qtbot):
    (tmp_path / "x.pt").write_bytes(b"x")
    _does(panel, qtbot, lambda: panel.add(tmp_path / "x.pt"))
    assert "x.pt is not a model of this program" in panel.status.message.text.text()


def test_renaming(panel, own, qtbot, monkeypatch):
    panel.choose("tiny")
    monkeypatch.setattr(QInputDialog, "getText", lambda *a, **k: ("discs", True))
    _does(panel, qtbot, panel.rename_button.click)
    assert panel.chosen.name == "discs"
    assert not (own / "tiny.safetensors").exists()
    assert panel.status.result.text() == "“tiny” is now called “discs”"


@pytest.mark.parametrize(("answer", "gone"), [("Yes", True), ("No", False)])
def test_deleting_asks_first(panel, own, qtbot, monkeypatch, answer, gone):
    panel.choose("tiny")
    questions = []
    reply = getattr(QMessageBox.StandardButton, answer)
    monkeypatch.setattr(QMessageBox, "question", lambda parent, title, text: questions.append(text) or reply)
    panel.delete_button.click()
    qtbot.waitUntil(lambda: not panel.job.running and not panel.look.running, timeout=WAIT_MS)
    assert str(own / "tiny.safetensors") in questions[0]
    assert (own / "tiny.safetensors").exists() is not gone
    assert len(_names(panel)) == (2 if gone else 3)


def test_exporting_to_the_plugins_own_format(panel, own, tmp_path, qtbot, monkeypatch):
    panel.choose("tiny")
    monkeypatch.setattr(QDialog, "exec", lambda self: QDialog.DialogCode.Accepted)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(tmp_path / "given"), ""))
    _does(panel, qtbot, panel.export_button.click)
    assert nus.load_model(tmp_path / "given.safetensors").sha256 == nus.load_model(own / "tiny.safetensors").sha256
    assert str(tmp_path / "given.safetensors") in panel.status.detail.text()


def test_other_formats_are_made_in_a_process_of_their_own(panel, tmp_path, qtbot, monkeypatch):
    ran = []
    monkeypatch.setattr(models_panel, "iter_outside", lambda function, *arguments: ran.append(arguments) or function(*arguments))
    monkeypatch.setattr("napari_unet_seg.core.portable.to_onnx", lambda model: b"graph")
    panel.choose("tiny")
    _does(panel, qtbot, lambda: panel.export(tmp_path / "m.onnx", "onnx"))
    assert ran == [("tiny", tmp_path / "m.onnx", "onnx", (), "")]
    assert (tmp_path / "m.onnx").read_bytes() == b"graph"


@pytest.mark.parametrize(("answer", "given"), [("Yes", True), ("No", False)])
def test_a_file_that_is_there_is_replaced_only_when_the_user_agrees(qtbot, tmp_path, monkeypatch, answer, given):
    parent = QWidget()
    qtbot.addWidget(parent)
    (tmp_path / "m.bioimageio.zip").touch()
    monkeypatch.setattr(QDialog, "exec", lambda self: self.format_box.setCurrentIndex(2) or QDialog.DialogCode.Accepted)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a, **k: (str(tmp_path / "m"), ""))
    monkeypatch.setattr(QMessageBox, "question", lambda *a: getattr(QMessageBox.StandardButton, answer))
    wanted = ask_export(parent, "m")
    assert (wanted is not None) is given
    assert wanted is None or wanted.path == tmp_path / "m.bioimageio.zip"


def test_authors_and_licence_are_asked_for_where_they_belong(qtbot):
    asked = ExportDialog("tiny")
    qtbot.addWidget(asked)
    asked.author_line.setText("A. Person, B. Person,")
    asked.licence_box.setCurrentText("CC-BY-4.0")
    assert (asked.kind, asked.authors, asked.licence) == ("safetensors", (), "")
    asked.format_box.setCurrentIndex(asked.format_box.findData("bioimageio"))
    assert (asked.kind, asked.authors, asked.licence) == ("bioimageio", ("A. Person", "B. Person"), "CC-BY-4.0")
    assert models_questions._PUBLISH in asked.hint.text()


def test_a_free_name_is_offered(monkeypatch):
    monkeypatch.setattr(QInputDialog, "getText", lambda *a, **k: (k["text"], True))
    assert ask_name(None, "Mine", {"mine", "mine-2"}) == "Mine-3"
    monkeypatch.setattr(QInputDialog, "getText", lambda *a, **k: ("  ", True))
    assert ask_name(None, "a", set()) is None


def test_the_row_model_opens_the_window_and_follows_a_new_name(widget, viewer, own, surroundings, qtbot, monkeypatch):
    widget.engine.choose("tiny")
    widget.engine.manage_button.click()
    window = viewer.window.main_menu.parentWidget().findChild(ModelsWindow)
    _settle(window.panel, qtbot)
    assert window.panel.chosen.name == "tiny"
    _does(window.panel, qtbot, lambda: window.panel.rename("discs"))
    qtbot.waitUntil(lambda: not widget.engine.looking, timeout=WAIT_MS)
    assert (own / "discs.safetensors").is_file()
    window.close()


def test_what_is_known_of_a_model_is_told(own):
    notes = {note.name: note for note in drain(list_steps())}
    facts = dict(next(note for note in notes.values() if note.default).facts)
    assert facts["Nuclei of"] == "about 20 px"
    assert facts["Licence"] == "BSD-3-Clause"
    assert facts["Measured"].startswith("AP 0.8")
    assert dict(notes["tiny"].facts)["Finds"] == "background, foreground, outline, distance"
    assert notes["odd"].trouble
