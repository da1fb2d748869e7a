"""Where a training starts: from a model, from its body with a new head for other classes, or from random weights."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import torch

from napari_unet_seg.core.checkpoint import Model, load_model
from napari_unet_seg.core.unet import UNet
from napari_unet_seg.errors import SettingsError
from napari_unet_seg.settings import NetworkSettings

Base = str | os.PathLike[str] | Model | NetworkSettings | None
"""Where training starts: a model, by name, path or itself; or from nothing, with a network of this or of the usual shape."""

_HEAD = "head."


def start_from(base: Base, seed: int, classes: Sequence[str] = ()) -> Model:
    """Return the model that training starts from.

    Parameters
    ----------
    base : str, path, Model, NetworkSettings or None
        As in `napari_unet_seg.iter_train`.
    seed : int
        Of random weights.
    classes : sequence of str
        As in `TrainSettings`. A base that knows other classes, or nuclei, gives its body: what it learned to see, with a head of random
        weights.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If the base cannot be loaded.
    SettingsError
        If it tells classes apart, and nuclei are to be learned.
    """
    if base is None or isinstance(base, NetworkSettings):
        return Model(_random(_shape(base or NetworkSettings(), classes), seed))
    model = load_model(base)
    if not classes and model.settings.is_semantic:
        names = ", ".join(model.settings.classes[1:])
        raise SettingsError(
            f"The base {model.name!r} tells classes apart ({names}), and labels of nuclei cannot teach it; choose another base, or say how "
            "many classes are painted."
        )
    shape = _shape(model.settings, classes)
    return model if shape == model.settings else _with_new_head(model, shape, seed)


def knows_what_is_taught(base: Base, classes: Sequence[str] = ()) -> bool:
    """Whether training starts from a model that answers the same question, whose figures are worth having."""
    if base is None or isinstance(base, NetworkSettings):
        return False
    settings = load_model(base).settings
    return _shape(settings, classes) == settings


def _shape(network: NetworkSettings, classes: Sequence[str]) -> NetworkSettings:
    return replace(network, classes=("background", *classes), distance=False) if classes else network


def _random(shape: NetworkSettings, seed: int) -> UNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UNet(shape).eval()


def _with_new_head(model: Model, shape: NetworkSettings, seed: int) -> Model:
    network = _random(shape, seed)
    body = {name: tensor for name, tensor in model.network.state_dict().items() if not name.startswith(_HEAD)}
    network.load_state_dict(body, strict=False)
    return Model(network, {}, model.defaults, model.name)
