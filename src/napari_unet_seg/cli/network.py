"""Which network is trained: what the options of ``train`` say of its shape and classes."""

from __future__ import annotations

from napari_unet_seg.errors import SettingsError
from napari_unet_seg.settings import NetworkSettings, numbered_classes

NOTHING = "none"
INSTANCES = "instances"


def chosen_base(
    base: str, architecture: str = "", width: int | None = None, depth: int | None = None, stride: int | None = None
) -> str | NetworkSettings:
    """Return where to start.

    Parameters
    ----------
    base : str
        Name or path of a model; ``none`` for random weights.
    architecture : str
        A kind of U-Net; empty if not given.
    width, depth, stride : int or None
        None if not given.

    Returns
    -------
    str or NetworkSettings
        The base, or the shape of a network that starts from nothing.

    Raises
    ------
    SettingsError
        If the base has another shape than is asked for.
    ModelError
        If it cannot be loaded.
    """
    wishes = {"architecture": architecture or None, "width": width, "depth": depth, "stride": stride}
    given = {name: value for name, value in wishes.items() if value is not None}
    if base == NOTHING:
        return NetworkSettings.of(**{"architecture": "unet", **given})  # type: ignore[arg-type]  # the numbers are others
    if given:
        from napari_unet_seg.core.checkpoint import load_model

        found = load_model(base).settings
        differing = [f"--{name} {value}" for name, value in given.items() if getattr(found, name) != value]
        if differing:
            raise SettingsError(
                f"{' and '.join(differing)} cannot be had with the base {base!r}, which is of architecture {found.architecture}, width "
                f"{found.width}, depth {found.depth} and stride {found.stride} and stays so; start from nothing (--base none), or leave "
                "that out."
            )
    return base


def chosen_classes(text: str) -> tuple[str, ...]:
    """Read what is painted.

    Parameters
    ----------
    text : str
        ``instances`` for nuclei, each with a number of its own; else the number of the classes, or their names, divided by commas.

    Returns
    -------
    tuple of str
        Names of the classes 1, 2, ...; empty for nuclei.

    Raises
    ------
    SettingsError
        If it is neither.
    """
    if text == INSTANCES:
        return ()
    if text.isdecimal():
        return numbered_classes(int(text))
    names = tuple(name.strip() for name in text.split(","))
    if len(names) < 2 or not all(names):
        raise SettingsError(f"--classes is {text!r}; write {INSTANCES}, the number of classes, or their names such as stroma,epithelium.")
    return names
