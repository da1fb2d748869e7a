from __future__ import annotations

import pytest

from napari_unet_seg.core import checkpoint
from napari_unet_seg.core import device as device_module
from napari_unet_seg.core.checkpoint import Model
from napari_unet_seg.core.unet import UNet
from napari_unet_seg.errors import DeviceError
from napari_unet_seg.gui.surroundings import look_around
from napari_unet_seg.progress import drain
from napari_unet_seg.settings import DEVICES, NetworkSettings, SegmentSettings


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The only folder with models."""
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setattr(checkpoint, "user_folder", lambda: tmp_path)
    return tmp_path


def save(folder, name, defaults, **card):
    Model(UNet(NetworkSettings(width=4, depth=1)), card, defaults, name).save(folder / name)


def test_models_and_their_settings_are_found(folder):
    own = SegmentSettings(probability=0.42)
    save(folder, "own", own, diameter=23.4)
    save(folder, "other", SegmentSettings())
    known = drain(look_around("own"))
    assert known.models == ("other", "own")
    assert (known.model, known.defaults) == ("own", own)
    assert "about 23 px" in known.about


def test_an_unknown_name_gives_way_to_the_first_model(folder):
    save(folder, "own", SegmentSettings(min_area=7))
    known = drain(look_around("nuclei"))
    assert (known.model, known.defaults.min_area) == ("own", 7)
    assert known.about == "own."


def test_a_damaged_model_says_so_and_nothing_fails(folder):
    (folder / "broken.safetensors").write_bytes(b"no model")
    known = drain(look_around("broken"))
    assert known.models == ("broken",)
    assert known.defaults == SegmentSettings()
    assert "damaged" in known.about


def test_without_any_model_the_devices_are_known_all_the_same(folder):
    known = drain(look_around("nuclei"))
    assert known.models == ()
    assert set(known.devices) == set(DEVICES)


def test_each_device_has_a_reason(folder, monkeypatch):
    def choose(name):
        if name in ("cuda", "mps"):
            raise DeviceError(f"{name} is not here.")
        return device_module.Device("cpu", "CPU", "There is no GPU.")

    monkeypatch.setattr(device_module, "choose_device", choose)
    devices = drain(look_around("nuclei")).devices
    assert {name: note.available for name, note in devices.items()} == {"auto": True, "cuda": False, "mps": False, "cpu": True}
    assert [devices[name].reason for name in ("auto", "cuda", "cpu")] == ["There is no GPU.", "cuda is not here.", "Computes on CPU."]
