"""Find nuclei in microscopy images with a U-Net: in napari, on the command line and from Python.

The functions are loaded when they are first used, so that importing the package (as napari does at every start) loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model, list_models, load_model
    from napari_unet_seg.core.instances import instances
    from napari_unet_seg.core.measure import measure
    from napari_unet_seg.core.metrics import Scores, evaluate
    from napari_unet_seg.core.segment import Segmentation, iter_segment, predict, segment
    from napari_unet_seg.core.train import iter_train, train
    from napari_unet_seg.io.out_of_core import OutOfCore, iter_segment_to, segment_to
    from napari_unet_seg.progress import Command, Progress, drain
    from napari_unet_seg.settings import NetworkSettings, SegmentSettings, TrainSettings

__all__ = [
    "Command",
    "Model",
    "NetworkSettings",
    "OutOfCore",
    "Progress",
    "Scores",
    "SegmentSettings",
    "Segmentation",
    "TrainSettings",
    "drain",
    "evaluate",
    "instances",
    "iter_segment",
    "iter_segment_to",
    "iter_train",
    "list_models",
    "load_model",
    "measure",
    "predict",
    "segment",
    "segment_to",
    "train",
]

_HOMES = {
    "core.checkpoint": ("Model", "list_models", "load_model"),
    "core.instances": ("instances",),
    "core.measure": ("measure",),
    "core.metrics": ("Scores", "evaluate"),
    "core.segment": ("Segmentation", "iter_segment", "predict", "segment"),
    "core.train": ("iter_train", "train"),
    "io.out_of_core": ("OutOfCore", "iter_segment_to", "segment_to"),
    "progress": ("Command", "Progress", "drain"),
    "settings": ("NetworkSettings", "SegmentSettings", "TrainSettings"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from the module that defines it."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *__all__})
