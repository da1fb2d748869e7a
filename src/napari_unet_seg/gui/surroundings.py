"""What this machine has: models and devices. Finding out loads torch, which takes a second, so it is a job beside the window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_unet_seg.errors import DeviceError, ModelError
from napari_unet_seg.progress import Progress, Steps
from napari_unet_seg.settings import DEVICES, SegmentSettings


@dataclass(frozen=True)
class DeviceNote:
    """One device.

    Parameters
    ----------
    available : bool
        Whether it can be used here.
    reason : str
        Why it is, or is not: one sentence.
    """

    available: bool
    reason: str


@dataclass(frozen=True)
class Surroundings:
    """What there is.

    Parameters
    ----------
    models : tuple of str
        Names of the models.
    devices : mapping of str to DeviceNote
        By the names of `napari_unet_seg.settings.DEVICES`.
    model : str
        The model that was looked into.
    defaults : SegmentSettings
        The settings that suit it.
    about : str
        What it is, from its card; or why it cannot be used.
    """

    models: tuple[str, ...]
    devices: Mapping[str, DeviceNote]
    model: str
    defaults: SegmentSettings
    about: str


def look_around(model: str) -> Steps[Surroundings]:
    """Find the models and devices, and look into one model.

    Parameters
    ----------
    model : str
        Name of the model; if there is none of this name, the first one is looked into.

    Yields
    ------
    Progress
        Once.

    Returns
    -------
    Surroundings
    """
    yield Progress("Looking for models and devices", 0, 0)
    from napari_unet_seg.core.checkpoint import list_models

    models = tuple(list_models())
    model = model if model in models or not models else models[0]
    defaults, about = _look_into(model)
    return Surroundings(models, {name: _note(name) for name in DEVICES}, model, defaults, about)


def _look_into(model: str) -> tuple[SegmentSettings, str]:
    from napari_unet_seg.core.checkpoint import load_model

    try:
        loaded = load_model(model)
    except ModelError as error:
        return SegmentSettings(), str(error)
    return loaded.defaults, _about(loaded.name, loaded.card)


def _about(name: str, card: Mapping[str, Any]) -> str:
    diameter = card.get("diameter")
    size = f" It was trained on nuclei of about {float(diameter):.0f} px; set the diameter if yours differ." if diameter else ""
    return f"{name}.{size}"


def _note(name: str) -> DeviceNote:
    from napari_unet_seg.core.device import choose_device

    try:
        device = choose_device(name)
    except DeviceError as error:
        return DeviceNote(False, str(error))
    return DeviceNote(True, device.reason if name == "auto" else f"Computes on {device.title}.")
