"""Public image sets that are downloaded when somebody asks for them, and then kept in the cache of this system.

A set arrives whole or not at all: archives are fetched and unpacked beside the place where they belong, and the folder is renamed at the
end. The standard library does the fetching, since pooch neither reports from within a file nor can be stopped there.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_unet_seg import __version__
from napari_unet_seg.errors import ReadError
from napari_unet_seg.progress import Progress, Steps

_CHUNK = 2**18
_KILOBYTE = 1000
_TIMEOUT = 15
_ABANDONED = 86_400
"""Seconds after which what a killed download left behind is cleared away."""


@dataclass(frozen=True)
class Archive:
    """A ZIP file to fetch.

    Parameters
    ----------
    url : str
        Its address.
    sha256 : str
        Checksum, in hexadecimal, as somebody has published it; empty when nobody has, and nothing is compared then.
    """

    url: str
    sha256: str = ""

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class PublicSet:
    """A set of images with labels.

    Parameters
    ----------
    key : str
        Its name, and that of its folder in the cache.
    about : str
        What it is, for people.
    archives : tuple of Archive
        What it consists of; unpacked into one folder, it has a layout of `napari_unet_seg.io.folders`.
    """

    key: str
    about: str
    archives: tuple[Archive, ...]


_BBBC = "https://data.broadinstitute.org/bbbc"

# For this archive no checksum was found to be published anywhere.
BBBC038 = PublicSet(
    "BBBC038",
    "Nuclei of many kinds: fluorescence, stained tissue, bright field (Data Science Bowl 2018; Caicedo et al. 2019; CC0)",
    (Archive(f"{_BBBC}/BBBC038/stage1_train.zip"),),
)
# Checksums as torch-em has them (constantinpape/torch-em, torch_em/data/datasets/light_microscopy, "u20s"); of metadata.zip it has none.
BBBC039 = PublicSet(
    "BBBC039",
    "U2OS nuclei, Hoechst, from a chemical screen (Caicedo et al. 2019; CC0)",
    (
        Archive(f"{_BBBC}/BBBC039/images.zip", "6f30a5d4fe38c928ded972704f085975f8dc0d65d9aa366df00e5a9d449fddd7"),
        Archive(f"{_BBBC}/BBBC039/masks.zip", "f9e6043d8ca56344a4886f96a700d804d6ee982f31e2b2cd3194af2a053c2710"),
        Archive(f"{_BBBC}/BBBC039/metadata.zip"),
    ),
)


def cache_folder() -> Path:
    """Return where public sets are kept; it may not exist yet."""
    from platformdirs import user_cache_path

    return user_cache_path("napari-unet-seg", appauthor=False) / "public"


def iter_fetch(public: PublicSet, cache: Path | None = None) -> Steps[Path]:
    """Return the folder of a public set, fetched if it is not there yet.

    Parameters
    ----------
    public : PublicSet
    cache : Path, optional
        Where sets are kept; `cache_folder` if not given.

    Yields
    ------
    Progress
        While it is fetched, in kilobytes (a total of 0 when the server does not tell it), and while it is unpacked, in files. Closing the
        generator cancels, and leaves nothing.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ReadError
        If the server cannot be reached, what it sends is cut short or has another checksum, or it cannot be stored.
    """
    cache = cache_folder() if cache is None else cache
    target = cache / public.key
    if target.is_dir():
        return target
    with _temporary(cache, public.key) as folder:
        for number, archive in enumerate(public.archives, start=1):
            which = f"{archive.name} ({number} of {len(public.archives)})" if len(public.archives) > 1 else archive.name
            path = folder / archive.name
            yield from _iter_download(archive, path, f"Downloading {which}")
            yield from _iter_unpack(path, folder / "content", f"Unpacking {which}")
            path.unlink()
        _put(folder / "content", target)
    return target


def _iter_download(archive: Archive, path: Path, stage: str) -> Steps[None]:
    """Fetch a file, and compare its length and checksum."""
    digest, done = hashlib.sha256(), 0
    yield Progress(stage, 0, 0)
    with _explained(archive), _open(archive) as response, path.open("wb") as file:
        total = int(response.headers.get("Content-Length") or 0)
        while chunk := response.read1(_CHUNK):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            yield Progress(stage, done // _KILOBYTE, total // _KILOBYTE)
    if total and done != total:
        raise ReadError(f"{archive.name} was cut short ({done:,} of {total:,} bytes); nothing was kept, so try again.")
    if archive.sha256 and digest.hexdigest() != archive.sha256:
        found = f"{done:,} bytes with the checksum {digest.hexdigest()[:12]}... instead of {archive.sha256[:12]}..."
        raise ReadError(f"{archive.name} is not what it should be ({found}); nothing was kept: try again, or report it.")


def _open(archive: Archive) -> Any:
    request = urllib.request.Request(archive.url, headers={"User-Agent": f"napari-unet-seg/{__version__}"})
    return urllib.request.urlopen(request, timeout=_TIMEOUT)


def _iter_unpack(path: Path, folder: Path, stage: str) -> Steps[None]:
    """Unpack an archive, less what macOS adds for itself."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.startswith("__MACOSX") and not name.endswith(".DS_Store")]
            for done, name in enumerate(names):
                archive.extract(name, folder)  # which leaves no name outside the folder
                if done % 50 == 0:
                    yield Progress(stage, done, len(names))
    except (zipfile.BadZipFile, EOFError) as error:
        raise ReadError(f"{path.name} is damaged ({error}); nothing was kept, so try again.") from error
    except OSError as error:
        raise ReadError(f"{path.name} cannot be unpacked: {error.strerror or error}; free some space.") from error


@contextmanager
def _explained(archive: Archive) -> Iterator[None]:
    """Say in one sentence what was in the way."""
    host = archive.url.split("/")[2]
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()  # it holds the connection
        raise ReadError(f"{host} does not give {archive.name} (error {error.code}, {error.reason}); try again later.") from error
    except urllib.error.URLError as error:
        why = getattr(error.reason, "strerror", None) or error.reason
        raise ReadError(
            f"{host} cannot be reached ({why}); look at the connection to the internet. The samples that come with the plugin need none."
        ) from error
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise ReadError(f"The connection to {host} broke off ({error or type(error).__name__}); nothing was kept, so try again.") from error
    except OSError as error:
        raise ReadError(f"{archive.name} cannot be stored: {error.strerror or error}; free some space.") from error


@contextmanager
def _temporary(cache: Path, key: str) -> Iterator[Path]:
    """Give a folder beside where a set belongs, and remove what is left of it."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _sweep(cache)
        folder = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=cache))
    except OSError as error:
        raise ReadError(f"The folder {cache} cannot be written ({error.strerror or error}); it is where downloads are kept.") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(cache: Path) -> None:
    for left in cache.glob(".*-*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)


def _put(content: Path, target: Path) -> None:
    try:
        content.rename(target)
    except OSError as error:
        if not target.is_dir():  # another napari was faster: its copy is as good
            raise ReadError(f"{target} cannot be written: {error.strerror or error}.") from error
