"""Write a file or folder completely or not at all.

What is written goes to a hidden sibling of the target, is flushed to the disk, and takes the target's place in one step. A full disk, a
killed process or a read-only folder therefore leaves the old file whole; `WriteError` says what was in the way.
"""

from __future__ import annotations

import errno
import functools
import itertools
import os
import platform
import re
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unet_seg.errors import WriteError

if TYPE_CHECKING:
    from collections.abc import Iterator

_COUNTER = itertools.count()
_HOST = re.sub(r"\W", "", platform.node())[:20]
_SIBLING = re.compile(r"\.(?P<name>.+)\.(?P<host>\w*)-(?P<pid>\d+)-\d+\.(?P<kind>partial|replaced)")

_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space or choose another disk"),
    errno.EDQUOT: ("your disk quota is used up", "delete something or choose another disk"),
    errno.EFBIG: ("the file would be larger than is allowed here", "raise the limit or choose another disk"),
    errno.EROFS: ("the disk is read-only", "choose another folder"),
    errno.EACCES: ("permission was denied", "choose a folder you may write in, and close the file if another program has it open"),
    errno.EPERM: ("permission was denied", "choose a folder you may write in"),
    errno.ENOENT: ("its folder does not exist", "make the folder first or choose another"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "choose another folder"),
    errno.EISDIR: ("a folder has that name", "choose another name"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter name"),
    errno.EIO: ("the disk or network reports an error", "check it or choose another disk"),
}


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path, and put what was written there in the place of `path`.

    Parameters
    ----------
    path : path-like
        File or folder to write. Its parent must exist; a symbolic link is followed.

    Yields
    ------
    pathlib.Path
        A hidden sibling that does not exist yet; write a file or a folder there.

    Raises
    ------
    WriteError
        If the system refuses to write, with the reason and what to do. What `path` held before is unchanged then, as it is for any other
        exception from the body, which passes through.

    Examples
    --------
    >>> with atomic_path("nuclei.csv") as temporary:  # doctest: +SKIP
    ...     temporary.write_text("label,area")
    """
    target = Path(os.path.realpath(path))
    _sweep(target.parent)
    temporary = _sibling(target, "partial")
    try:
        _refuse_protected(target)
        yield temporary
        _flush(temporary)
        _replace(temporary, target)
    except OSError as error:
        if isinstance(error, WriteError) or not _concerns(error, temporary, target):
            raise
        raise _explained(error, path, target) from error
    finally:
        _remove(temporary)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; it may be there.

    Raises
    ------
    WriteError
        If the system refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"The folder {folder} cannot be made: {error.strerror or error}; choose another one.") from error


def _sibling(target: Path, kind: str) -> Path:
    """Name a hidden neighbour; host and process id tell another process whether the owner still lives."""
    return target.with_name(f".{target.name}.{_HOST}-{os.getpid()}-{next(_COUNTER)}.{kind}")


def _refuse_protected(target: Path) -> None:
    """Respect a read-only mark: renaming over such a file would succeed all the same."""
    if os.path.exists(target) and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))


def _flush(path: Path) -> None:
    """Wait until the disk has the file, or all files of the folder: else a power cut could leave an empty file of the right name."""
    if path.is_dir():
        for inside in sorted(path.rglob("*")):
            _sync(inside)
    _sync(path)


def _sync(path: Path) -> None:
    if path.is_dir():
        with suppress(OSError):  # Windows cannot open folders; some network disks cannot flush them
            _fsync(path, os.O_RDONLY)
    else:
        _fsync(path, os.O_RDWR)  # Windows flushes only what is open for writing


def _fsync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(temporary: Path, target: Path) -> None:
    if temporary.is_dir():
        _replace_folder(temporary, target)
    else:
        if target.is_file():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    _sync(target.parent)


def _replace_folder(temporary: Path, target: Path) -> None:
    """No system renames over a folder with content: move the old one aside, and back if the new one cannot take its place."""
    if not target.exists():
        temporary.rename(target)
        return
    aside = _sibling(target, "replaced")
    target.rename(aside)
    try:
        temporary.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    _remove(aside)


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@functools.cache  # once a process: a folder may hold many thousands of files
def _sweep(folder: Path) -> None:
    """Clear away what killed processes left, and put back a folder whose replacement never came."""
    with suppress(OSError):
        for entry in sorted(folder.iterdir()):
            match = _SIBLING.fullmatch(entry.name)
            if match is None or match["host"] != _HOST or _lives(int(match["pid"])):
                continue
            original = folder / match["name"]
            if match["kind"] == "replaced" and not original.exists():
                entry.rename(original)
            else:
                _remove(entry)


def _lives(pid: int) -> bool:
    if os.name != "posix":  # signal 0 would kill there; what is left over stays
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _concerns(error: OSError, temporary: Path, target: Path) -> bool:
    """Tell a failure to write from one to read the source, when the data are read lazily from another file."""
    if error.filename is None:
        return error.errno is not None
    name = Path(os.path.realpath(os.fsdecode(error.filename))) if isinstance(error.filename, (str, bytes)) else target
    return name in (temporary, target, target.parent) or temporary in name.parents


def _explained(error: OSError, path: str | os.PathLike[str], target: Path) -> WriteError:
    reason, advice = _REASONS.get(error.errno or 0, (error.strerror or str(error), "choose another folder"))
    kept = " What was there is unchanged." if os.path.exists(target) else ""  # pathlib's own raises for a folder that is closed
    return WriteError(f"{os.fspath(path)} was not written, because {reason}: {advice}.{kept}")
