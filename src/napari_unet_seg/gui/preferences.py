"""What a person has set for this plugin in napari's preferences: File > Preferences > U-Net Segmentation.

The page is declared in ``napari.yaml`` under ``configurations``, which napari has from 0.9 on. An older napari leaves it out: what is
asked for here then has the defaults below. A test holds both equal.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

PLUGIN = "napari-unet-seg"
PAGE = "general"
"""Key of the page in the manifest."""
_MEGABYTE = 2**20


@dataclass(frozen=True)
class Preferences:
    """The values of the page.

    Parameters
    ----------
    model : str
        Name of the model that a new widget begins with.
    device : {"auto", "cuda", "mps", "cpu"}
        Where a new widget computes.
    map_cache : int
        Memory for what the network saw, kept for the sliders, in MB.
    autosave : bool
        Whether labels that were edited by hand are saved by themselves.
    """

    model: str = "nuclei"
    device: str = "auto"
    map_cache: int = 1024
    autosave: bool = True


def read_preferences() -> Preferences:
    """Read the page.

    Returns
    -------
    Preferences
        The defaults where napari has no such page.
    """
    try:
        from napari.settings import get_plugin_settings
    except ImportError:  # before napari 0.9
        return Preferences()
    try:
        page = getattr(get_plugin_settings(PLUGIN), PAGE)
    except KeyError:  # the plugin is used without being registered, as in a script
        return Preferences()
    return Preferences(**{field.name: getattr(page, field.name) for field in fields(Preferences)})


def map_cache_bytes() -> int:
    """Return how much memory the maps that are kept for the sliders may take, in bytes."""
    return read_preferences().map_cache * _MEGABYTE


def autosave() -> bool:
    """Return whether labels that were edited by hand are saved by themselves."""
    return read_preferences().autosave
