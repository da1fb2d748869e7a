"""Results of blocks, each in a file of its own with a checksum: what a killed run leaves is whole, missing, or known to be damaged."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.errors import ReadError, WriteError

_DIGEST = 16
"""Bytes of the checksum, which come first in a file."""
_LEVEL = 1
"""Of zstandard: an eighth of a second for a gigabyte of maps, and more would save little."""

Arrays = Mapping[str, npt.NDArray[Any]]


class BlockStore:
    """A folder of named results.

    Parameters
    ----------
    folder : Path
        Made when something is put there.
    """

    def __init__(self, folder: Path) -> None:
        """Note where; nothing is written yet."""
        self.folder = folder

    def put(self, name: str, arrays: Arrays) -> None:
        """Keep arrays under a name, all or none of them.

        Parameters
        ----------
        name : str
            With ``/`` between folders.
        arrays : mapping of str to ndarray

        Raises
        ------
        WriteError
            If the system refuses.
        """
        from imagecodecs import zstd_encode

        whole = {key: np.asarray(array, order="C") for key, array in arrays.items()}
        head = json.dumps([[key, array.dtype.str, list(array.shape)] for key, array in whole.items()]).encode()
        content = len(head).to_bytes(4, "little") + head + b"".join(array.tobytes() for array in whole.values())
        body = bytes(zstd_encode(content, level=_LEVEL))
        path = self.folder / name
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with writing(path):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.write_bytes(_digest(body) + body)
                temporary.replace(path)
            except OSError:
                with suppress(OSError):
                    temporary.unlink()
                raise

    def get(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """Return arrays by their name.

        Parameters
        ----------
        name : str

        Returns
        -------
        dict of str to ndarray

        Raises
        ------
        ReadError
            If they are missing or damaged.
        """
        from imagecodecs import zstd_decode

        body = self._body(name)
        if body is None:
            raise ReadError(f"{self.folder / name} is missing or damaged; run again with --resume, which makes it anew.")
        content = memoryview(zstd_decode(body))
        start = 4 + int.from_bytes(content[:4], "little")
        arrays = {}
        for key, dtype, shape in json.loads(bytes(content[4:start])):
            array = np.frombuffer(content, dtype, int(np.prod(shape)), start)
            arrays[key] = array.reshape(shape)
            start += array.nbytes
        return arrays

    def check(self, name: str) -> bool:
        """Say whether something is there and whole; what is damaged is deleted."""
        if self._body(name) is not None:
            return True
        (self.folder / name).unlink(missing_ok=True)
        return False

    def drop(self, *names: str) -> None:
        """Delete whole folders of results, or single ones, as far as they are there."""
        for name in names:
            path = self.folder / name
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _body(self, name: str) -> bytes | None:
        try:
            content = (self.folder / name).read_bytes()
        except OSError:
            return None
        digest, body = content[:_DIGEST], content[_DIGEST:]
        return body if digest == _digest(body) else None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system raises while something is written, such as when a disk is full, into a sentence.

    Parameters
    ----------
    path : Path
        What is written inside the block.

    Raises
    ------
    WriteError
    """
    try:
        yield
    except OSError as error:
        raise WriteError(f"{path} was not written: {error.strerror or error}; free some space and go on with --resume.") from error


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST).digest()
