"""Makes the pictures of the documentation from the real program, so that they never show what it no longer is.

    xvfb-run -a -s "-screen 0 1600x1200x24" python docs/screenshots.py [--output docs/images]

Needs a screen, or the virtual one above. The samples that come with the package are segmented with the bundled model.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari import Viewer

    from napari_unet_seg.gui.segment_widget import SegmentWidget

WIDTH, HEIGHT = 1280, 800
COLORS = 256
"""Enough for a picture of a program, and a third of the size."""


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
        What is done with the widget once the nuclei are found.
    """

    name: str
    sample: str
    theme: str
    then: Callable[[SegmentWidget], Any] = lambda widget: None


SHOTS = (
    Shot("segment", "nuclei", "dark"),
    Shot("histology", "tissue", "light"),
    Shot("advanced", "nuclei", "dark", lambda widget: widget.advanced_button.click()),
)


def main() -> None:
    """Make all pictures."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--output", type=Path, default=Path(__file__).parent / "images")
    folder = options.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    for shot in SHOTS:
        take(shot, folder / f"{shot.name}.png")


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
    wait_until(lambda: not widget.engine.looking)
    widget.segment()
    wait_until(lambda: not widget.job.running)
    shot.then(widget)
    wait_until(lambda: True)
    save(viewer, path)
    viewer.close()


def wait_until(done: Callable[[], bool]) -> None:
    """Let the program work until something has ended, and draw what came of it."""
    from qtpy.QtTest import QTest

    while not done():
        QTest.qWait(50)
    QTest.qWait(1000)


def save(viewer: Viewer, path: Path) -> None:
    """Save a small picture of the whole window."""
    from PIL import Image

    pixels = viewer.window.screenshot(canvas_only=False, flash=False)
    picture = Image.fromarray(pixels[..., :3]).quantize(COLORS, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


if __name__ == "__main__":
    main()
