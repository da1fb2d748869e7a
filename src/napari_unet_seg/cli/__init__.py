"""The command line, ``napari-unet-seg``: the same generators as in the viewer, with a bar on the terminal.

Each command loads what it needs when it runs, so that ``--help`` is there at once.
"""

from __future__ import annotations

from napari_unet_seg.cli.app import app, main

__all__ = ["app", "main"]
