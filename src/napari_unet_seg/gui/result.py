"""One result layer: what made it, and whether it still is as it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.gui.kept_maps import MAPS_KEY
from napari_unet_seg.gui.layers import placement
from napari_unet_seg.gui.request import Content, plane_digest
from napari_unet_seg.gui.tracks import recolour
from napari_unet_seg.io.labels_info import EDITED_KEY, PROVENANCE_KEY

if TYPE_CHECKING:
    from napari.layers import Image, Labels

    from napari_unet_seg.gui.follow import ShownPlane
    from napari_unet_seg.gui.kept_maps import Index, KeptMaps
    from napari_unet_seg.gui.layers import Source
    from napari_unet_seg.gui.request import Fingerprint, Outcome
    from napari_unet_seg.gui.retell import Told


class Result:
    """A layer that was made, of which image, and whether it is still as it was made.

    Parameters
    ----------
    image : napari.layers.Image
    labels : napari.layers.Labels
    source : Source
        What was taken of the image.
    outcome : Outcome
        What the layer holds.
    changed : callable
        Called without arguments when the layer was edited by hand, or the image became another.
    """

    def __init__(self, image: Image, labels: Labels, source: Source, outcome: Outcome, changed: Callable[[], None]) -> None:
        """Notice each edit that napari tells of: strokes, new data, a new table."""
        self.image, self.labels = image, labels
        self.source = replace(source, data=None)  # the pixels are not held fast
        self.outcome = outcome
        self.before: Outcome | None = None
        """What the layer held before the last run."""
        self.edited = False
        self.outdated = False
        """Whether the image has other pixels now."""
        self.fingerprint = outcome.fingerprint
        """Of what the layer should hold: that of the outcome, but for planes that followed a slider since."""
        self._changed = changed
        self._ours = self._remeasured = False
        self._covered: dict[Index, npt.NDArray[Any]] = {}
        """What planes held before they followed a slider, until all of the result does."""
        events = labels.events
        for emitter in (events.paint, events.labels_update, events.data):
            emitter.connect(self._mark)
        events.features.connect(self._mark_table)
        image.events.data.connect(self._outdate)

    @property
    def locked(self) -> bool:
        """Whether the layer belongs to the user now: edited, or locked in the layer list."""
        return self.edited or bool(getattr(self.labels, "locked", False))  # napari before 0.9 locks no layers

    @property
    def maps(self) -> KeptMaps | None:
        """The maps of all planes; None when one was let go, or the labels were not decoded from maps alone."""
        maps = self.outcome.maps
        return maps if maps is not None and maps.complete else None

    @property
    def live(self) -> bool:
        """Whether sliders may act on it."""
        return self.maps is not None and not self.locked and not self.outdated

    def replace(self, source: Source, outcome: Outcome) -> None:
        """Give the layer what another run found; how it looks stays as the user set it, and the old content can be restored.

        Parameters
        ----------
        source : Source
            What was taken of the image.
        outcome : Outcome
            Its labels have the shape of the layer's.
        """
        settled = self.fingerprint == self.outcome.fingerprint
        self.before = self.outcome if settled else None
        self._fill(outcome)
        self.source = replace(source, data=None)
        self._place(source)
        self.outdated = False

    def settle(self, outcome: Outcome) -> None:
        """Give the layer what the sliders ask for, whole: all planes, the table and the provenance."""
        self._fill(outcome)

    def show_plane(self, plane: ShownPlane) -> None:
        """Give one plane of the layer the labels that a slider asks for; the table follows in `settle`.

        Parameters
        ----------
        plane : ShownPlane
        """
        index = plane.index
        if index not in self._covered:
            self._covered[index] = self.labels.data[index].copy()
        self._write({index: plane.labels})
        number = self._number(index)
        self.fingerprint = (*self.fingerprint[:number], plane.digest, *self.fingerprint[number + 1 :])

    def take_back(self) -> None:
        """Give the layer what it held before planes of it followed a slider, as long as the rest and the table have not."""
        if self._covered:
            self._write(self._covered)
            self.fingerprint = self.outcome.fingerprint
            with _Quiet(self):
                if self._remeasured:
                    self.labels.features = self.outcome.content.features
        self._covered.clear()
        self._remeasured = False

    def _write(self, planes: Mapping[Index, npt.NDArray[Any]]) -> None:
        """Put planes into the layer's own array, and draw once: for another array napari would do up again all that it shows of a layer."""
        with _Quiet(self):
            for index, plane in planes.items():
                self.labels.data[index] = plane
            self.labels.refresh(extent=False, thumbnail=False)

    @property
    def ahead(self) -> tuple[Index, ...]:
        """The planes that followed a slider, while the rest and the table have not."""
        return tuple(self._covered)

    @property
    def tells_of_nuclei(self) -> bool:
        """Whether the table is one of ours, whose rows can be made anew."""
        from napari_unet_seg.core.remeasure import can_follow
        from napari_unet_seg.core.volumes import is_in_3d

        features = self.labels.features
        return is_in_3d(features) or can_follow(features, self.labels.data.shape[:-2])

    def shows(self, digests: Mapping[Index, bytes]) -> bool:
        """Say whether planes still are what they were when their hashes were taken."""
        return all(plane_digest(self.labels.data[index]) == digest for index, digest in digests.items())

    def retell(self, told: Told) -> None:
        """Give the layer, which is the user's now, the table and the provenance of what it shows.

        Parameters
        ----------
        told : Told
        """
        with _Quiet(self):
            self.labels.features = told.features
            known = self.labels.metadata.get(PROVENANCE_KEY)
            self.labels.metadata = {**self.labels.metadata, PROVENANCE_KEY: {**told.provenance, **_edited(known)}}
        content = Content(self.labels.data, told.features)
        self.outcome = replace(self.outcome, content=content, provenance=told.provenance)
        self._covered.clear()

    def is_intact(self, plane: ShownPlane) -> bool:
        """Say whether a plane of the layer, as it was when a slider's turn came, was as we had left it; a script may tell of no edit."""
        return self.fingerprint[self._number(plane.index)] == plane.before

    def was_intact(self, hashes: Fingerprint | None) -> bool:
        """Say whether the layer was as we had left it when its hashes were taken; the measuring dock may have changed its table."""
        first = int(self._remeasured)  # that of the table
        return hashes is not None and hashes[first:] == self.fingerprint[first:]

    def _number(self, index: Index) -> int:
        """Return where the hash of a plane is in the fingerprint."""
        return 1 + (int(np.ravel_multi_index(index, self.labels.data.shape[:-2])) if index else 0)

    def mark_edited(self) -> None:
        """Leave the layer to the user from now on."""
        if not self.edited:
            self.edited = True
            self._changed()

    def content(self) -> Content:
        """Return what the layer holds."""
        return Content(self.labels.data, self.labels.features)

    def _fill(self, outcome: Outcome) -> None:
        with _Quiet(self):
            self.labels.data = outcome.content.labels
            self.labels.features = outcome.content.features
            self.labels.metadata = {**self.labels.metadata, PROVENANCE_KEY: dict(outcome.provenance), MAPS_KEY: outcome.maps}
            recolour(self.labels)
        self.outcome, self.fingerprint = outcome, outcome.fingerprint
        self._covered.clear()
        self._remeasured = False

    def _place(self, source: Source) -> None:
        """Move the layer to where its image is now; each attribute only if it differs, since napari draws the layer again for each."""
        present = placement(self.labels)
        with _Quiet(self):
            for name, value in source.placement.items():
                if not np.array_equal(present[name], value):
                    setattr(self.labels, name, value)

    def _mark(self, event: object = None) -> None:
        if not self._ours:
            self.mark_edited()

    def _mark_table(self, event: object = None) -> None:
        """Let nuclei be measured, which is no edit; any other change of the table is one."""
        from napari_unet_seg.core.intensities import without_measured

        features: Any = self.outcome.content.features
        if self._ours or without_measured(self.labels.features).equals(without_measured(features)):
            return
        if self._covered and set(without_measured(features)) == set(without_measured(self.labels.features)):
            self._remeasured = True  # by the measuring dock, which saw planes that are ahead of the table
        else:
            self.mark_edited()

    def _outdate(self, event: object = None) -> None:
        self.outdated = True
        self._changed()


def _edited(provenance: Any) -> dict[str, Any]:
    """Return what the correcting dock noted in a provenance."""
    return {EDITED_KEY: True} if isinstance(provenance, Mapping) and provenance.get(EDITED_KEY) else {}


class _Quiet:
    """While it lasts, changes of the layer are our own."""

    def __init__(self, result: Result) -> None:
        """Take whose."""
        self._result = result

    def __enter__(self) -> None:
        self._result._ours = True

    def __exit__(self, *_: object) -> None:
        self._result._ours = False
