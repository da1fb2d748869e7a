"""How the guide is built: ``sphinx-build -W docs FOLDER``, or ``scripts/docs``. A link that leads nowhere is an error."""

from __future__ import annotations

import napari_unet_seg

project = "napari-unet-seg"
author = "napari-unet-seg developers"
copyright = author
release = version = napari_unet_seg.__version__

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = "napari-unet-seg"
html_show_sphinx = False
html_copy_source = False
