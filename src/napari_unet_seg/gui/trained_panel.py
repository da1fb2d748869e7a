"""What came of a training: sentences, before and after, and what to do with the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_unet_seg.gui.buttons import narrow_button
from napari_unet_seg.gui.editors import Hint
from napari_unet_seg.gui.gallery import Picture, Strip
from napari_unet_seg.gui.words import time_words

if TYPE_CHECKING:
    from napari_unet_seg.gui.training import Trained

USE = "Put the model among yours under its name, and outline the nuclei of the image with it."
TRY = "Outline six images of a folder, chosen at random, to see what the model does where it did not learn. Nothing is saved."
DISCARD = "Delete the model. What you painted stays."
_FIGURES = {"recall": "found", "iou": "overlap", "ap50": "AP at IoU 0.5", "mean_ap": "mean AP"}


class TrainedPanel(QWidget):
    """The result of a training.

    Parameters
    ----------
    parent : QWidget
        Its owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start hidden."""
        super().__init__(parent)
        self.headline, self.figures, self.warning, self.sentences = QLabel(self), QLabel(self), QLabel(self), Hint(self)
        self.pictures = Strip(self)
        self.use_button = narrow_button("Use it now", "primary", USE, self)
        self.try_button = narrow_button("Try on 6 images", "secondary", TRY, self)
        self.discard_button = narrow_button("Discard", "secondary", DISCARD, self)
        self._build()
        self.hide()

    def show_result(self, trained: Trained) -> None:
        """Show what came of a training.

        Parameters
        ----------
        trained : Trained
        """
        report = trained.report
        self.headline.setText(f"“{trained.plan.name}” has learned")
        self.figures.setText(_figures(report))
        self.figures.setVisible(bool(self.figures.text()))
        self.warning.setText(" ".join((*report["warnings"], trained.trouble)).strip())
        self.warning.setVisible(bool(self.warning.text()))
        said = [sentence for sentence in trained.sentences if sentence not in report["warnings"]]
        self.sentences.setText(f"{trained.steps:,} steps in {time_words(trained.seconds)}. {' '.join(said)}")
        classes = trained.plan.settings.classes  # of another question, its base has no answer to show
        caption = "Painted, before, after" if report["before"] or (trained.plan.base and not classes) else "Painted, found"
        self.pictures.set_pictures([Picture(QPixmap(str(path)), caption) for path in trained.pictures])
        self.show()

    def enable(self, enabled: bool) -> None:
        """Lock or unlock the buttons."""
        for button in (self.use_button, self.try_button, self.discard_button):
            button.setEnabled(enabled)

    def _build(self) -> None:
        self.headline.setProperty("kind", "headline")
        self.warning.setProperty("kind", "headline")
        for label in (self.headline, self.figures, self.warning):
            label.setWordWrap(True)
        buttons = QGridLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self.use_button, 0, 0, 1, 2)
        buttons.addWidget(self.try_button, 1, 0)
        buttons.addWidget(self.discard_button, 1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.headline, self.warning, self.figures, self.pictures, self.sentences):
            layout.addWidget(widget)
        layout.addLayout(buttons)


def _figures(report: Mapping[str, Any]) -> str:
    """Say before and after in one line; empty when nothing was measured."""
    before, after = report["before"], report["after"]
    if after and "dice" in after:
        each = ", ".join(f"{name} {value:.2f}" for name, value in after["dice"].items())
        return f"Dice: {each}" + (f" (mean {before['mean_dice']:.2f} → {after['mean_dice']:.2f})" if before else "")
    if not after or not after["nuclei"]:
        return ""
    names = ("recall", "iou") if report["few"] else ("ap50", "mean_ap")
    parts = [f"{_FIGURES[name]} " + (f"{before[name]:.2f} → " if before else "") + f"{after[name]:.2f}" for name in names]
    return f"{'Before → after' if before else 'After'}: {', '.join(parts)}"
