"""Makes the pictures of the documentation from the real program, so that they never show what it no longer is.

    xvfb-run -a -s "-screen 0 1600x1200x24" python docs/screenshots.py [--output docs/images]

Needs a screen, or the virtual one above. The samples that come with the package are segmented with the bundled model.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import scenes
from scenes import HEIGHT, WIDTH, Scene, wait_until

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

COLORS = 128
"""Enough for a picture of a program, and a quarter of the size."""


@dataclass(frozen=True)
class Shot:
    """One picture.

    Parameters
    ----------
    name : str
        Of the file, without its ending.
    sample : str
        A sample of `napari_unet_seg.io.samples`.
    theme : str
        Of napari.
    then : callable
        What is done once the nuclei are found; returns what to show if that is not the whole window.
    """

    name: str
    sample: str
    theme: str
    then: Callable[[Scene], QWidget | None] = scenes.as_it_is


SHOTS = (
    Shot("segment", "nuclei", "dark"),
    Shot("histology", "tissue", "light"),
    Shot("advanced", "nuclei", "dark", scenes.unfold),
    Shot("correct", "nuclei", "dark", scenes.correct),
    Shot("measure", "cells", "light", scenes.measure),
    Shot("histograms", "cells", "dark", scenes.histograms),
    Shot("save", "cells", "dark", scenes.save_files),
    Shot("region", "nuclei", "dark", scenes.part),
    Shot("locked", "nuclei", "light", scenes.edited),
    Shot("diameter", "crowded", "dark", scenes.diameter),
    Shot("empty", "nuclei", "light", scenes.nothing_open),
    Shot("crop", "nuclei", "dark", scenes.crop),
    Shot("envelope", "envelope", "dark"),
    Shot("train", "envelope", "dark", scenes.train),
    Shot("trained", "envelope", "dark", scenes.trained),
    Shot("classes", "classes", "dark", scenes.classes),
    Shot("models", "nuclei", "light", scenes.models),
    Shot("stack", "stack", "dark", scenes.link),
    Shot("tracks", "movie", "dark", scenes.follow),
    Shot("folder", "nuclei", "light", scenes.folder),
    Shot("preferences", "nuclei", "dark", scenes.preferences),
    Shot("gpu", "nuclei", "dark", scenes.why_no_gpu),
)


def main() -> None:
    """Make all pictures, or those that are named."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("names", nargs="*", metavar="NAME", help="pictures to make, such as segment; all if none is named")
    options.add_argument("--output", type=Path, default=Path(__file__).parent / "images")
    options.add_argument("--theme", choices=["dark", "light"], help="take all pictures in this theme, to look at both")
    given = options.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    for shot in SHOTS:
        if not given.names or shot.name in given.names:
            take(replace(shot, theme=given.theme or shot.theme), given.output.absolute() / f"{shot.name}.png")


def take(shot: Shot, path: Path) -> None:
    """Open a sample, segment it and save a picture of the window.

    Parameters
    ----------
    shot : Shot
        What to show.
    path : Path
        A PNG file, replaced if it exists.
    """
    import napari

    from napari_unet_seg.gui.segment_widget import SegmentWidget
    from napari_unet_seg.io.napari_reader import read_layers
    from napari_unet_seg.io.samples import sample_path

    viewer = napari.Viewer()
    viewer.theme = shot.theme
    viewer.window.resize(WIDTH, HEIGHT)
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment nuclei")
    for data, settings, kind in read_layers(sample_path(shot.sample)):
        viewer.add_layer(napari.layers.Layer.create(data, settings, kind))
    wait_until(lambda: True)  # the look at the models begins when the dock is seen
    wait_until(lambda: not widget.engine.looking)
    widget.segment()
    wait_until(lambda: not widget.job.running)
    shown = shot.then(Scene(viewer, widget))
    wait_until(lambda: True)
    save(viewer.window.screenshot(canvas_only=False, flash=False) if shown is None else pixels_of(shown), path)
    if shown is not None:
        shown.close()
    viewer.close()


def pixels_of(window: QWidget) -> Any:
    """Return the picture of a window (Y, X, 4)."""
    from napari._qt.utils import QImg2array

    return QImg2array(window.grab().toImage())


def save(pixels: Any, path: Path) -> None:
    """Save a small picture."""
    from PIL import Image

    picture = Image.fromarray(pixels[..., :3]).quantize(COLORS, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


if __name__ == "__main__":
    main()
