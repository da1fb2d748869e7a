"""PNG and JPEG, decoded by imagecodecs: unlike Pillow it keeps the 16 bits of a colour PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_unet_seg.errors import ReadError
from napari_unet_seg.io.damage import damage
from napari_unet_seg.io.image import ImageFile

if TYPE_CHECKING:
    from pathlib import Path


def read_picture(path: Path) -> ImageFile:
    """Read a PNG or JPEG.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    ImageFile
        Axes are "YX" or "YXS". The resolution that such files give is a printer's, so that the scale is empty.

    Raises
    ------
    ReadError
        If the file is damaged, cut short or made for a printer.
    """
    import imagecodecs

    with damage(path):
        content = path.read_bytes()
        if content.startswith(b"\x89PNG"):
            pixels = imagecodecs.png_decode(content)
        elif _is_whole_jpeg(content):
            pixels = imagecodecs.jpeg_decode(content)
            _refuse_print_colors(path, pixels.shape)
        else:
            raise ReadError(f"{path.name} is cut short; copy it again from where it came.")
    if pixels.ndim == 3 and pixels.shape[-1] in (1, 2):
        pixels = pixels[..., 0]  # grey, perhaps with an opacity, which is no intensity
    return ImageFile(path=path, data=pixels, axes="YXS"[: pixels.ndim])


def _refuse_print_colors(path: Path, shape: tuple[int, ...]) -> None:
    if shape[2:] == (4,):  # a JPEG has no opacity
        raise ReadError(f"{path.name} holds the four colours of a printer (CMYK), which are no intensities of light; save it as RGB.")


def _is_whole_jpeg(content: bytes) -> bool:
    """Whether the end marker comes after the last scan: the decoder fills up a cut picture with grey, without a word."""
    return content.rfind(b"\xff\xd9") > content.rfind(b"\xff\xda")
