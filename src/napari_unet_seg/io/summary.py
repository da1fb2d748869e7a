"""What a run over many images leaves beside their labels: one table of all nuclei, one of all images, and the contact sheet."""

from __future__ import annotations

import csv
import dataclasses
import io
import pickle
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unet_seg.atomic import atomic_path
from napari_unet_seg.core.counting import counted_words
from napari_unet_seg.errors import WriteError
from napari_unet_seg.io.cells import cells_of, write_rows
from napari_unet_seg.io.contact_sheet import ContactSheet, pages_in
from napari_unet_seg.io.failures import noted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from napari_unet_seg.io.cells import Cells
    from napari_unet_seg.io.inputs import Source

NUCLEI, CLASSES, IMAGES, SHEET = "nuclei.csv", "classes.csv", "images.csv", "contact_sheet.png"
_COUNTS = ("nuclei", "per_mm2", "touching_border", "planes", "times", "tracks", "megapixels")
COLUMNS = ("file", *_COUNTS, "polarity", "low", "high", "warnings", "error")
"""Columns of the table of images."""


@dataclass(frozen=True)
class Outcome:
    """What became of one image.

    Parameters
    ----------
    source : Source
        The image.
    outputs : tuple of Path
        Files written; the first is the main one.
    nuclei, touching_border, planes : int or None
        Counts, None when there is no result. In a stack whose planes are not linked, nuclei are outlines, counted in each plane; in a
        movie they are counted at each time.
    times, tracks : int or None
        Number of times, and of nuclei that were followed through them.
    in_3d : bool
        Whether the planes are linked, so that nuclei are nuclei.
    per_mm2 : float or None
        Nuclei per square millimetre, None when the pixel size is not known.
    megapixels : float or None
        Pixels segmented, in millions.
    polarity : str
        Whether nuclei were taken to be "bright" or "dark" in the first plane; empty when there is no result.
    low, high : float or None
        Intensities between which the first plane was seen.
    seconds : float
        Time from opening the file to having written everything.
    device : str
        Where it was computed.
    warnings : tuple of str
        Sentences the user should read.
    error : str
        Why there is no result; else empty.
    classes : mapping of str to float, or None
        Of a class map, the share of each class besides the background; None when the labels are nuclei.
    """

    source: Source
    outputs: tuple[Path, ...] = ()
    nuclei: int | None = None
    touching_border: int | None = None
    planes: int | None = None
    times: int | None = None
    tracks: int | None = None
    in_3d: bool = False
    per_mm2: float | None = None
    megapixels: float | None = None
    polarity: str = ""
    low: float | None = None
    high: float | None = None
    seconds: float = 0.0
    device: str = ""
    warnings: tuple[str, ...] = field(default=())
    error: str = ""
    classes: Mapping[str, float] | None = None

    @property
    def found(self) -> str:
        """How many nuclei there are, in words; of a class map how much there is of each class."""
        if self.classes is not None:
            return ", ".join(f"{name} {100 * share:.0f} %" for name, share in self.classes.items()) or "background alone"
        return counted_words(self.nuclei or 0, {"Z": self.planes or 1, "T": self.times or 1}, self.in_3d, self.tracks)

    def row(self) -> dict[str, Any]:
        """Return the image's row of the table of images; no times, so that equal runs give equal files."""
        values = {name: getattr(self, name) for name in COLUMNS[1:-2]}
        return {"file": self.source.shown} | values | {"warnings": " ".join(self.warnings), "error": self.error}


def summed(outcomes: Iterable[Outcome]) -> str:
    """Say how many nuclei there are in several images.

    Parameters
    ----------
    outcomes : iterable of Outcome
        Those without a result count nothing.

    Returns
    -------
    str
        Tracks if nuclei were followed in each image, outlines if some image has planes that are not linked or several times.
    """
    good = [outcome for outcome in outcomes if not outcome.error]
    if good and all(outcome.tracks is not None for outcome in good):
        count = sum(outcome.tracks or 0 for outcome in good)
        return f"{count:,} {'track' if count == 1 else 'tracks'}"
    several = any((outcome.times or 1) > 1 or ((outcome.planes or 1) > 1 and not outcome.in_3d) for outcome in good)
    one, many = ("outline", "outlines") if several else ("nucleus", "nuclei")
    count = sum(outcome.nuclei or 0 for outcome in good)
    return f"{count:,} {one if count == 1 else many}"


class Summary:
    """Gathers the results of a run; tables of nuclei wait on the disk, since millions of rows need not fit in memory.

    Parameters
    ----------
    folder : Path
        Where the run writes.
    of_classes : bool
        Whether the rows are classes of class maps, and not nuclei.
    replaces : bool
        Whether results of the other kind that lie there are replaced, so that their table goes.
    """

    def __init__(self, folder: Path, of_classes: bool = False, replaces: bool = False) -> None:
        """Start without images."""
        self.folder, self._replaces = folder, replaces
        self.name = CLASSES if of_classes else NUCLEI
        self.sheet = ContactSheet(folder)
        self._rows: list[dict[str, Any]] = []
        self._columns: dict[str, None] = {"file": None}
        # Without a buffer, a full disk is told by the image that does not fit, and not by all those after it.
        self._spool = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # closed by `close`
        self._spooled = 0

    @property
    def started(self) -> bool:
        """Whether there is an image."""
        return bool(self._rows)

    def add(self, outcome: Outcome, table: pd.DataFrame | None = None, thumbnail: npt.NDArray[np.uint8] | None = None) -> Outcome:
        """Add an image.

        Parameters
        ----------
        outcome : Outcome
            What became of it.
        table : pandas.DataFrame, optional
            One row a nucleus.
        thumbnail : ndarray of uint8, shape (Y, X, 3), optional
            For the contact sheet.

        Returns
        -------
        Outcome
            With a warning more for what could not be added, such as when a disk is full.
        """
        problems: list[str] = []
        if table is not None:
            with noted(f"{self.name} lacks this image", problems):
                self._spool_table(table, outcome.source.shown)
        with noted("A page of the contact sheet is missing", problems):
            self.sheet.add(thumbnail, outcome.source.shown, outcome.error or outcome.found)
        outcome = dataclasses.replace(outcome, warnings=(*outcome.warnings, *problems))
        self._rows.append(outcome.row())
        return outcome

    def write(self) -> tuple[Path, ...]:
        """Write the tables and what is left of the contact sheet, each of them even if another cannot be written.

        Returns
        -------
        tuple of Path
            The files.

        Raises
        ------
        WriteError
            If the system refuses to write one of them.
        """
        problems: list[str] = []
        steps = {IMAGES: self._write_images, self.name: self._write_nuclei, SHEET: self.sheet.finish}
        steps |= {"Old pages stay": self.sheet.remove_old, "An old table stays": self._remove_other}
        for name, step in steps.items():
            with noted(name, problems):
                step()
        if problems:
            raise WriteError(" ".join(problems))
        return (self.folder / self.name, self.folder / IMAGES, *self.sheet.pages)

    def _remove_other(self) -> None:
        """Delete the table of nuclei when this one is of classes, and the other way round, if its images were replaced."""
        if self._replaces:
            (self.folder / ({NUCLEI, CLASSES} - {self.name}).pop()).unlink(missing_ok=True)

    def close(self) -> None:
        """Give the room on the disk back."""
        self._spool.close()

    def _write_images(self) -> None:
        with atomic_path(self.folder / IMAGES) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self._rows)

    def _write_nuclei(self) -> None:
        with atomic_path(self.folder / self.name) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(self._columns)
            for cells in self._tables():
                write_rows(file, cells, self._columns, header=False)

    def _spool_table(self, table: pd.DataFrame, name: str) -> None:
        """Keep a table on the disk; whole, or not at all."""
        cells: Cells = {"file": [name] * len(table), **cells_of(table)}
        start = self._spool.tell()
        rest = memoryview(pickle.dumps(cells))
        try:
            while rest:
                rest = rest[self._spool.write(rest) :]
        except BaseException:
            self._spool.seek(start)
            self._spool.truncate()
            raise
        self._spooled += 1
        self._columns |= dict.fromkeys(cells)

    def _tables(self) -> Iterator[Cells]:
        self._spool.seek(0)
        reader = io.BufferedReader(self._spool)
        for _ in range(self._spooled):
            yield pickle.load(reader)
        reader.detach()  # else the reader would close the file


def old_tables(folder: Path) -> str:
    """Name the tables of an earlier run over many images that a folder holds.

    A run over one image leaves them alone: their rows on other images are still true, and a table must not change by halves.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
        Their names and the folder; empty when there is none.
    """
    found = [name for name in (NUCLEI, CLASSES, IMAGES) if (folder / name).exists()]
    return f"{' and '.join(found)} in {folder}" if found else ""


def refuse_old(folder: Path) -> None:
    """Raise when the folder holds the tables of an earlier run, which a new run would replace.

    Raises
    ------
    WriteError
        If one of the files exists.
    """
    old: Iterable[Path] = (folder / name for name in (NUCLEI, CLASSES, IMAGES, SHEET))
    for path in (*old, *pages_in(folder)):
        if path.exists():
            raise WriteError(f"{path} exists already; choose another folder, or allow overwriting (--overwrite).")
