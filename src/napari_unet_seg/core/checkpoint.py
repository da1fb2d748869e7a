"""Models: a network, a card that says what it is, and the settings it was made for, in one safetensors file.

The file's metadata holds JSON alone, so that opening a model runs no code of its author.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.core.quantization import ranges_of
from napari_unet_seg.core.score import knots_of
from napari_unet_seg.core.unet import UNet
from napari_unet_seg.errors import ModelError, SettingsError, WriteError
from napari_unet_seg.settings import NetworkSettings, SegmentSettings

FORMAT_VERSION = 1
SUFFIX = ".safetensors"
BUNDLED = Path(__file__).parents[1] / "weights"
_METADATA_KEY = "napari_unet_seg"
_DTYPES = {torch.float32: "F32", torch.int64: "I64"}
"""What weights and counters are called in a file."""


@dataclass(frozen=True)
class Model:
    """A trained network.

    Parameters
    ----------
    network : UNet
        In evaluation mode, on the CPU.
    card : dict
        What it was trained on, how, by whom, under which licence, with which figures; ``diameter`` is the size in pixels that it knows.
    defaults : SegmentSettings
        The settings that suit it.
    name : str
        Name for people and provenance.
    """

    network: UNet
    card: dict[str, Any] = field(default_factory=dict)
    defaults: SegmentSettings = SegmentSettings()
    name: str = "unnamed"

    @property
    def settings(self) -> NetworkSettings:
        """The shape of the network."""
        return self.network.settings

    @cached_property
    def sha256(self) -> str:
        """Hash of the file that `save` writes, which names this model in provenance."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """Return the model as the content of a safetensors file; equal models give equal bytes."""
        description = {
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "network": self.settings.to_dict(),
            "defaults": self.defaults.to_dict(),
            "card": self.card,
        }
        tensors = {key: tensor.contiguous() for key, tensor in sorted(self.network.state_dict().items())}
        return to_safetensors(tensors, {_METADATA_KEY: json.dumps(description, sort_keys=True)})

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to a file.

        Parameters
        ----------
        path : path-like
            The suffix ``.safetensors`` is added if it is missing.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ModelError
            If the file cannot be written; an older file of that name is then still whole.
        """
        path = Path(path)
        path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
        try:
            with atomic_path(path) as temporary:
                temporary.write_bytes(self.to_bytes())
        except WriteError as error:
            raise ModelError(f"The model could not be saved: {error}") from error
        return path


def load_model(model: str | os.PathLike[str] | Model) -> Model:
    """Load a model by name or from a file.

    Parameters
    ----------
    model : str, path-like or Model
        A registered name such as ``"nuclei"``, a path (it has a separator or a suffix), or a model, which is returned as it is.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If the name is not known, or the file is missing, damaged, of another program or of a newer version.
    """
    if isinstance(model, Model):
        return model
    path = _find(model)
    try:
        with safe_open(path, framework="pt") as file:
            description = _described(path, file.metadata() or {})
            described = _build(path, description)
            _check_weights(path, described.network, file)  # before they are read: their file may be larger than the memory
            described.network.load_state_dict({key: file.get_tensor(key) for key in file.keys()}, assign=True)  # noqa: SIM118  # not a dict
    except OSError as error:
        raise ModelError(f"The model {path} could not be read: {error.strerror or error}.") from error
    except (SafetensorError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not a model of this plugin, or it is damaged; save or copy it again.") from error
    if not all(bool(tensor.isfinite().all()) for tensor in described.network.state_dict().values()):
        raise ModelError(f"The weights in {path} are no numbers everywhere; its training has failed, or it is damaged.")
    return described


def list_models() -> list[str]:
    """List the registered models.

    Returns
    -------
    list of str
        Names, sorted, the alias ``"nuclei"`` first where a bundled model of that name exists.
    """
    names = sorted(path.stem for folder in _folders() if folder.is_dir() for path in folder.glob(f"*{SUFFIX}"))
    return ["nuclei", *names] if any(_version(name) for name in names) else names


def resolve_name(name: str) -> str:
    """Return the model that a name stands for: ``"nuclei"`` is the newest ``"nuclei-vN"``.

    Parameters
    ----------
    name : str
        A registered name or the alias.

    Returns
    -------
    str
    """
    versions = [known for known in list_models() if _version(known)] if name == "nuclei" else []
    return max(versions, key=_version, default=name)


def user_folder() -> Path:
    """Return the folder that holds the user's own models; it may not exist yet."""
    from platformdirs import user_data_path

    return user_data_path("napari-unet-seg", appauthor=False) / "models"


def _folders() -> tuple[Path, Path]:
    return BUNDLED, user_folder()


def _version(name: str) -> int:
    match = re.fullmatch(r"nuclei-v(\d+)", name)
    return int(match[1]) if match else 0


def _find(model: str | os.PathLike[str]) -> Path:
    path = Path(model)
    if len(path.parts) > 1 or path.suffix:
        if not path.is_file():
            raise ModelError(f"There is no model file {path}; check the path, or use one of {', '.join(list_models())}.")
        return path
    candidates = (folder / f"{resolve_name(str(model))}{SUFFIX}" for folder in _folders())
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        raise ModelError(f"There is no model named {str(model)!r}; there are {', '.join(list_models())}.")
    return found


def _described(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    """Return what a file says about itself; JSON alone, so that no code of its author runs."""
    if _METADATA_KEY not in metadata:
        raise ModelError(f"{path} holds weights of another program; only models that this program has written can be used.")
    description = json.loads(metadata[_METADATA_KEY])
    version = description.get("format_version") if isinstance(description, dict) else None
    if version != FORMAT_VERSION:
        raise ModelError(f"The model {path} has format version {version}, this program reads {FORMAT_VERSION}; update napari-unet-seg.")
    return dict(description)


def _build(path: Path, description: dict[str, Any]) -> Model:
    """Make the model without its weights, which takes no memory however large it says that it is."""
    try:
        settings = NetworkSettings.from_dict(description["network"])
        defaults = SegmentSettings.from_dict(description["defaults"])
        with torch.device("meta"):
            network = UNet(settings)
        card, name = dict(description["card"]), str(description["name"])
        for size in ("diameter", "smallest_diameter"):
            if not 0 <= float(card.get(size, 0)) < math.inf:
                raise ValueError(f"its {size.replace('_', ' ')} is {card[size]}")
        knots_of(card)
        ranges_of(card)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError, SettingsError) as error:
        raise ModelError(f"The model {path} does not fit this version of the program: {str(error).splitlines()[0]}") from error
    return Model(network.eval(), card, defaults, name)


def _check_weights(path: Path, network: UNet, file: Any) -> None:
    """Raise `ModelError` if the tensors of an open file are not those of the network."""
    expected = {key: (list(tensor.shape), _DTYPES[tensor.dtype]) for key, tensor in network.state_dict().items()}
    slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118  # not a dict
    if {key: (found.get_shape(), found.get_dtype()) for key, found in slices.items()} != expected:
        raise ModelError(f"The model {path} does not fit this version of the program: its weights are of another network.")
