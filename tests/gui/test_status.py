from __future__ import annotations

import pytest
from napari.utils.progress import progress
from qtpy.QtWidgets import QApplication

from napari_unet_seg.errors import OutOfMemoryError
from napari_unet_seg.gui.status import CANCELLING, FINISHING, Activity, StatusPanel
from napari_unet_seg.progress import Progress


@pytest.fixture
def panel(qtbot):
    panel = StatusPanel()
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def shown(panel):
    return [name for name in ("bar", "result", "detail", "message") if getattr(panel, name).isVisible()]


def test_it_starts_with_nothing_to_say(panel):
    assert shown(panel) == []


def test_progress_is_a_bar_and_words(panel):
    panel.show_progress(Progress("Segmenting", 3, 1200))
    assert shown(panel) == ["bar", "detail"]
    assert (panel.bar.value(), panel.bar.maximum()) == (3, 1200)
    assert panel.detail.text() == "Segmenting: 3 of 1,200 tiles"


def test_after_the_last_tile_it_says_what_is_left(panel):
    panel.show_progress(Progress("Segmenting", 4, 4))
    assert panel.detail.text() == f"{FINISHING} …"


def test_an_unknown_total_is_an_empty_bar(panel):
    panel.show_progress(Progress("Preparing", 0, 0))
    assert (panel.bar.value(), panel.bar.maximum()) == (0, 1)
    assert panel.detail.text() == "Preparing …"
    panel.show_cancelling()
    assert panel.detail.text() == f"{CANCELLING} …"


def test_a_result_takes_the_bar_away_and_leaves_the_notice(panel):
    panel.show_progress(Progress("Segmenting", 1, 2, notice="Memory ran out: going on with smaller tiles."))
    panel.show_progress(Progress("Segmenting", 2, 2))
    assert panel.message.text.text() == "Memory ran out: going on with smaller tiles."
    panel.show_result("312 nuclei", "Found in 3 s.")
    assert shown(panel) == ["result", "detail", "message"]
    assert (panel.result.text(), panel.detail.text()) == ("312 nuclei", "Found in 3 s.")
    panel.clear()
    assert shown(panel) == []


def raised(error):
    try:
        raise error
    except type(error) as caught:
        return caught


def test_an_error_is_one_sentence_and_its_copy_has_the_traceback(panel):
    panel.show_progress(Progress("Segmenting", 1, 2))
    panel.show_error(raised(OutOfMemoryError("Memory ran out; use a smaller tile.")))
    assert shown(panel) == ["message"]
    assert panel.message.text.text() == "Memory ran out; use a smaller tile."
    panel.message.copy.click()
    copied = QApplication.clipboard().text()
    assert copied.startswith("Memory ran out; use a smaller tile.\n\n")
    assert "Traceback" in copied
    assert "in raised" in copied


def test_a_notice_is_copied_without_the_details_of_an_older_error(panel):
    panel.show_error(raised(ValueError("old")))
    panel.show_progress(Progress("Segmenting", 1, 2, notice="Going on with the CPU."))
    panel.message.copy.click()
    assert QApplication.clipboard().text() == "Going on with the CPU."


def test_markup_in_a_message_is_shown_as_it_is(panel):
    panel.show_error(raised(OutOfMemoryError("layer <b>x</b>")))
    assert panel.message.text.text() == "layer <b>x</b>"
    assert panel.message.text.textFormat().name == "PlainText"


def bars():
    return [(bar.desc.rstrip(": "), bar.n, bar.total) for bar in progress._all_instances]


class TestActivity:
    def test_it_is_shown_in_napari_while_it_lasts(self, capsys):
        activity = Activity()
        assert bars() == []
        activity.start("Segmenting dapi")
        assert bars() == [("Segmenting dapi", 0, 0)]
        for step, total in ((1, 4), (3, 4), (0, 0), (2, 16)):  # smaller tiles after memory ran out
            activity.show_progress(Progress("Segmenting", step, total))
            assert bars() == [("Segmenting dapi", step, total)]
        activity.close()
        activity.close()
        activity.show_progress(Progress("Segmenting", 1, 4))
        assert bars() == []
        assert capsys.readouterr() == ("", "")

    def test_a_second_start_leaves_no_bar_behind(self):
        activity = Activity()
        activity.start("one")
        activity.start("two")
        assert [bar[0] for bar in bars()] == ["two"]
        activity.close()
        assert bars() == []

    def test_it_works_where_there_is_no_terminal(self, monkeypatch):
        monkeypatch.setattr("sys.stderr", None)
        activity = Activity()
        activity.start("Segmenting")
        activity.show_progress(Progress("Segmenting", 1, 2))
        activity.close()
        assert bars() == []
