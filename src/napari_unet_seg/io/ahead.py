"""The next image of a run is opened while the network works on the present one.

Reading a file and undoing its compression take one core and no graphics card, and on a server most of the time is waiting: the run need not
wait for either. There is never more than one image ahead, and large ones are only prepared, to be read block by block.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_unet_seg.io.image import ImageFile


class Ahead:
    """Opens images in their order, each while the one before it is in use.

    Parameters
    ----------
    paths : sequence of Path
        In the order in which they will be asked for; some may be left out.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """Open nothing yet."""
        self._following = dict(pairwise(paths))
        self._executor: ThreadPoolExecutor | None = None
        self._waiting: dict[Path, Future[ImageFile]] = {}

    def open(self, path: Path) -> ImageFile:
        """Return an image, and begin to open the one after it.

        Parameters
        ----------
        path : Path

        Returns
        -------
        ImageFile

        Raises
        ------
        ReadError
            As `napari_unet_seg.io.image.open_image`, for this image; whatever is wrong with the next one is told when its turn comes.
        """
        from napari_unet_seg.io.image import open_image

        begun = self._waiting.pop(path, None)
        self._drop()  # an image that was left out
        try:
            return open_image(path) if begun is None else begun.result()
        finally:
            if path in self._following:
                self._executor = self._executor or ThreadPoolExecutor(1, thread_name_prefix="napari-unet-seg-ahead")
                self._waiting[self._following[path]] = self._executor.submit(open_image, self._following[path])

    def close(self) -> None:
        """Open no more; what is being read is let go when it is there."""
        self._drop()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _drop(self) -> None:
        for future in self._waiting.values():
            future.cancel()
        self._waiting.clear()
