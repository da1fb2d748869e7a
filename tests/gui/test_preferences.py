"""What a person sets in napari's preferences is what the widgets begin with; a napari without that page gives the defaults."""

from __future__ import annotations

import builtins
from dataclasses import fields

import npe2
import pytest
from qtpy.QtWidgets import QListWidget, QWidget

from napari_unet_seg.gui import preferences as module
from napari_unet_seg.gui.engine_picker import NOT_THERE, EnginePicker
from napari_unet_seg.gui.preferences import PAGE, PLUGIN, Preferences, autosave, map_cache_bytes, read_preferences
from napari_unet_seg.settings import DEVICES
from tests.gui.conftest import WAIT_MS


@pytest.fixture
def page():
    """napari's own page for this plugin."""
    settings = pytest.importorskip("napari.settings")
    if not hasattr(settings, "get_plugin_settings"):
        pytest.skip("this napari has no pages for plugins")
    npe2.PluginManager.instance().discover()
    return getattr(settings.get_plugin_settings(PLUGIN), PAGE)


def test_defaults_are_those_of_the_manifest():
    plugins = npe2.PluginManager.instance()
    plugins.discover()
    declared = plugins.get_manifest(PLUGIN).contributions.configurations[PAGE].properties
    assert {name: field.default for name, field in declared.items()} == {field.name: field.default for field in fields(Preferences)}
    assert tuple(declared["device"].enum) == DEVICES


def test_without_a_choice_the_defaults_count(page):
    assert read_preferences() == Preferences()
    assert map_cache_bytes() == 2**30
    assert autosave()


def test_what_is_set_is_read(page):
    page.model, page.device, page.map_cache, page.autosave = "mine", "cpu", 64, False
    assert read_preferences() == Preferences("mine", "cpu", 64, False)
    assert map_cache_bytes() == 64 * 2**20
    assert not autosave()


def test_impossible_values_are_refused_by_napari(page):
    with pytest.raises(ValueError, match="device"):
        page.device = "abacus"
    with pytest.raises(ValueError, match="map_cache"):
        page.map_cache = -1


def test_a_napari_without_pages_gives_the_defaults(monkeypatch):
    real = builtins.__import__

    def old(name, globals=None, locals=None, fromlist=(), level=0):
        if name == "napari.settings" and "get_plugin_settings" in (fromlist or ()):
            raise ImportError("cannot import name 'get_plugin_settings' from 'napari.settings'")
        return real(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", old)
    assert read_preferences() == Preferences()


def test_a_plugin_that_is_not_registered_gives_the_defaults(page, monkeypatch):
    monkeypatch.setattr(module, "PLUGIN", "no-such-plugin")
    assert read_preferences() == Preferences()


def test_a_new_widget_begins_with_them(page, qtbot, surroundings):
    page.model, page.device = "mine", "cpu"
    owner = QWidget()
    qtbot.addWidget(owner)
    picker = EnginePicker(owner)
    assert (picker.model, picker.device) == ("mine", "cpu")
    with qtbot.waitSignal(picker._job.finished, timeout=WAIT_MS):
        picker.refresh()
    assert (picker.model, picker.device) == ("mine", "cpu")
    assert picker.why_button.isHidden()  # who asks for the CPU need not be told


def test_a_preferred_model_that_is_gone_is_replaced_by_one_that_is_there_and_that_is_told_once(page, qtbot, surroundings):
    page.model = "deleted"
    owner = QWidget()
    qtbot.addWidget(owner)
    picker = EnginePicker(owner)
    told: list[str] = []
    picker.failed.connect(lambda error: told.append(str(error)))
    for _ in range(2):
        with qtbot.waitSignal(picker._job.finished, timeout=WAIT_MS):
            picker.refresh()
        qtbot.waitUntil(lambda: not picker.looking, timeout=WAIT_MS)
        assert picker.model == "nuclei"
    assert told == [NOT_THERE.format("deleted", "nuclei")]


def test_the_preferences_window_shows_the_page(page, viewer):
    from napari._qt.dialogs.preferences_dialog import PreferencesDialog  # there is no public way to it but the menu, which waits

    dialog = PreferencesDialog(parent=viewer.window.main_menu.parentWidget())
    [pages] = dialog.findChildren(QListWidget)
    titles = [pages.item(row).text() for row in range(pages.count())]
    dialog.close()
    assert any("U-Net Segmentation" in title for title in titles)
