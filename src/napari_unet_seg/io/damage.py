"""One sentence for whatever the decoders of damaged files raise."""

from __future__ import annotations

import struct
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_unet_seg.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RAISED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What decoders raise: a damaged header can send tifffile, imagecodecs and zarr anywhere. The cause stays attached to the `ReadError`."""


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """Turn what decoders raise inside the block into a `ReadError` that names the file.

    Parameters
    ----------
    path : Path
        The file that is read inside the block.

    Raises
    ------
    ReadError
        With the decoder's exception as its cause.
    """
    try:
        yield
    except ReadError:
        raise
    except PermissionError as error:
        raise ReadError(f"{path} cannot be opened: {error.strerror or error}.") from error
    except _RAISED as error:
        reason = " ".join(str(error).split()).rstrip(".")
        shown = f"{type(error).__name__}: {reason[:120]}" if reason else type(error).__name__
        raise ReadError(f"{path.name} is damaged and cannot be read; copy it again from where it came ({shown}).") from error
