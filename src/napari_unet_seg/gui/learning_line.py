"""The line that says what a training will learn from, kept current while somebody paints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_unet_seg.errors import UnetSegError
from napari_unet_seg.gui.editors import Hint
from napari_unet_seg.gui.image_picker import NO_IMAGE
from napari_unet_seg.gui.job import Job
from napari_unet_seg.gui.learning import Count, count_steps
from napari_unet_seg.gui.words import explain

if TYPE_CHECKING:
    from napari_unet_seg.gui.train_inputs import TrainInputs

AFTER_MS = 300
"""What is painted is counted when the brush rests so long."""


class LearningLine(QWidget):
    """What there is to learn from, and what speaks against it.

    Parameters
    ----------
    inputs : TrainInputs
        The layers.
    parent : QWidget
        Its owner.
    """

    changed = Signal()
    """It was counted anew."""

    def __init__(self, inputs: TrainInputs, parent: QWidget) -> None:
        """Count for the first time a little later."""
        super().__init__(parent)
        self._inputs = inputs
        self._stale = False
        self.count: Count | None = None
        self.summary, self.warnings = Hint(self), Hint(self)
        self.job, self.resting = Job(self), QTimer(self)
        self.resting.setSingleShot(True)
        self.resting.setInterval(AFTER_MS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for hint in (self.summary, self.warnings):
            layout.addWidget(hint)
        for changed in (inputs.changed, inputs.painted):
            changed.connect(self.resting.start)
        self.resting.timeout.connect(self.recount)
        self.job.returned.connect(self._show_count)
        self.job.failed.connect(self._show_trouble)
        self.job.finished.connect(self._recount_stale)
        self._show("", ())
        self.resting.start()

    @property
    def teaches(self) -> bool:
        """Whether there is something to learn from."""
        return self.count is not None and self.count.summary.nuclei > 0

    def recount(self) -> None:
        """Count what is painted now, beside the window."""
        self._stale = self.job.running
        if self._stale:
            return
        try:
            material = self._inputs.material()
        except UnetSegError as error:
            self._show_trouble(error)
            return
        if material is None:
            self.count = None
            self._show("", ())
        else:
            self.job.start(count_steps(material))

    def _recount_stale(self) -> None:
        if self._stale:
            self.recount()

    def _show_count(self, count: Count) -> None:
        self.count, self._inputs.highest = count, count.highest
        self._show(f"Learns from {count.summary.sentence}." if count.summary.nuclei else "", count.summary.warnings)

    def _show_trouble(self, error: BaseException) -> None:
        self.count = None
        self._show("", (explain(error),))

    def _show(self, sentence: str, warnings: tuple[str, ...]) -> None:
        no_image = self._inputs.images.layer is None
        for hint, text in ((self.summary, NO_IMAGE if no_image else sentence), (self.warnings, " ".join(warnings))):
            hint.setText(("⚠ " if hint is self.warnings and self.count is not None and self.teaches else "") + text if text else "")
            hint.setVisible(bool(text))
        self.changed.emit()
