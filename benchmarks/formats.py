"""What of a folder of image files can be opened: ``python benchmarks/formats.py FOLDER`` prints a Markdown table, one row a file.

FOLDER is the ``formats`` folder of the data set, or any other with image files in it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet_seg.errors import ReadError
from napari_unet_seg.io.image import open_image
from napari_unet_seg.io.napari_reader import READABLE, layers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_unet_seg.io.image import ImageFile

HEADER = ("file", "axes", "shape", "dtype", "scale (µm, s)", "layers")


def row(path: Path, folder: Path) -> tuple[str, ...]:
    """Return the cells of one file; a refused one has its sentence in the last cell."""
    name = path.relative_to(folder).as_posix()
    try:
        image = open_image(path)
    except ReadError as error:
        return (name, "", "", "", "", f"refused: {error}")
    level = image.levels[0]
    scale = ", ".join(f"{axis} {step:.4g}" for axis, step in image.scale.items())
    return (name, image.axes, " × ".join(map(str, level.shape)), str(level.dtype), scale, _layers(image))


def _layers(image: ImageFile) -> str:
    layers = layers_of(image)
    kind = "RGB image" if layers[0][1].get("rgb") else layers[0][2]
    levels = f", {len(image.levels)} levels" if len(image.levels) > 1 else ""
    names = f": {', '.join(image.channel_names)}" if len(layers) > 1 else ""
    plural = "s" if len(layers) > 1 and kind.endswith("image") else ""
    return f"{len(layers)} {kind}{plural}{levels}{names}"


def table(folder: Path) -> list[str]:
    """Return the lines of the table of all readable files below `folder`."""
    files = [path for path in sorted(folder.rglob("*")) if path.name.lower().endswith(READABLE) and ".zarr" not in str(path.parent)]
    cells = [HEADER, ("---",) * len(HEADER), *(row(path, folder) for path in files)]
    return [f"| {' | '.join(line)} |" for line in cells]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table.

    Parameters
    ----------
    arguments : sequence of str, optional
        The folder; by default what the program was called with.

    Returns
    -------
    int
        0, or 2 when there is no such folder.
    """
    parser = argparse.ArgumentParser(description="Print a table of what the image files in a folder hold, or why they are refused.")
    parser.add_argument("folder", type=Path, help="the folder, which is searched through and through")
    folder = parser.parse_args(arguments).folder
    if not folder.is_dir():
        print(f"{folder} is no folder.", file=sys.stderr)
        return 2
    print("\n".join(table(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
