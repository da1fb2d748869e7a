"""What is known of the nuclei of a layer: the table, the histograms and the colours, which follow the layer and each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QTimer, Signal  # type: ignore[attr-defined]  # mypy sees another name of Signal
from qtpy.QtWidgets import QSizePolicy, QTabWidget, QVBoxLayout, QWidget

from napari_unet_seg.gui.colouring import ColourRow, colour, colour_columns, coloured_by, uncolour
from napari_unet_seg.gui.nuclei_table import NucleiTable
from napari_unet_seg.gui.nucleus_link import NucleusLink
from napari_unet_seg.gui.nucleus_words import numbered

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels

    from napari_unet_seg.gui.plots import Histograms

_CALM_MS = 150
"""The table follows when nothing has changed for this long, and not every move of a slider."""
PLOTS = 1
"""Place of the tab of the histograms."""


class NucleiView(QWidget):
    """Tabs with the table and the histograms, and the row "Colour by".

    Parameters
    ----------
    viewer : napari.Viewer
        Where nuclei are gone to, and clicked.
    parent : QWidget
        Its owner.
    """

    shown = Signal()
    """Another table is shown."""

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        """Build it; the plots are made when their tab is first seen."""
        super().__init__(parent)
        self._theme = viewer.theme
        self._layer: Labels | None = None
        self.nuclei = numbered(None)
        self.plots: Histograms | None = None
        self.link, self.table, self.colours = NucleusLink(viewer, self), NucleiTable(self), ColourRow(self)
        self.tabs, self._plots_tab = QTabWidget(self), QWidget(self)
        QVBoxLayout(self._plots_tab).setContentsMargins(0, 0, 0, 0)
        self.tabs.addTab(self.table, "Table")
        self.tabs.addTab(self._plots_tab, "Histograms")
        self.tabs.setTabEnabled(PLOTS, False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.colours)
        # The table takes the room that is left: beside what grows, too.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._calm = QTimer(self)
        self._calm.setSingleShot(True)
        self._calm.setInterval(_CALM_MS)
        self._calm.timeout.connect(self.refresh)
        self.table.picked.connect(self._go_to)
        self.link.clicked.connect(self._select)
        self.tabs.currentChanged.connect(self._show_tab)
        self.colours.chosen.connect(self._colour)

    def follow(self, layer: Labels | None) -> None:
        """Show another layer.

        Parameters
        ----------
        layer : napari.layers.Labels or None
            None for none.
        """
        if layer == self._layer:
            return
        if self._layer is not None:
            self._layer.events.features.disconnect(self._refresh_later)
        self._layer = layer
        if layer is not None:
            layer.events.features.connect(self._refresh_later)
        self.link.follow(layer)
        self.colours.offer([], "")
        self.refresh()

    def refresh(self) -> None:
        """Show what the layer knows of its nuclei now."""
        self._calm.stop()
        self.nuclei = numbered(None if self._layer is None else self._layer.features)
        self.table.set_table(self.nuclei)
        self.tabs.setTabEnabled(PLOTS, bool(len(self.nuclei)))
        self._fill_plots()
        self._recolour()
        self._select_again()
        self.shown.emit()

    def close_link(self) -> None:
        """Let go of the layer and of the viewer."""
        self.follow(None)
        self.link.close()

    def paint(self, theme: str) -> None:
        """Take the colours of a theme.

        Parameters
        ----------
        theme : str
            Name of a napari theme.
        """
        self._theme = theme
        if self.plots is not None:
            self.plots.paint(theme)

    def _refresh_later(self, event: object = None) -> None:
        if isalive(self._calm):  # type: ignore[no-untyped-call]
            self._calm.start()

    def _fill_plots(self) -> None:
        """Make the plots when they are first looked at, and keep them up to date while they are."""
        if self.tabs.currentIndex() != PLOTS:
            return
        if self.plots is None:
            from napari_unet_seg.gui.plots import Histograms

            self.plots = Histograms(self)
            self.plots.clicked.connect(self.table.select)
            layout = self._plots_tab.layout()
            if layout is not None:
                layout.addWidget(self.plots)
        self.plots.paint(self._theme)
        self.plots.set_table(self.nuclei)

    def _show_tab(self, tab: int) -> None:
        self._fill_plots()
        self._select_again()

    def _go_to(self, place: int) -> None:
        """Bring the nucleus of a row into view."""
        row: dict[str, Any] = self.nuclei.iloc[place].to_dict()
        self.link.go_to(int(row["label"]), row)
        if self.plots is not None:
            self.plots.show_nucleus(place)

    def _select_again(self) -> None:
        self._select(0 if self._layer is None else int(self._layer.selected_label))

    def _select(self, label: int) -> None:
        """Select the row of a nucleus, if it has one."""
        places = (self.nuclei["label"] == label).to_numpy().nonzero()[0][:1]
        self.table.select(places)
        if self.plots is not None:
            self.plots.show_nucleus(int(places[0]) if len(places) else None)

    def _colour(self, name: str) -> None:
        if self._layer is None:
            return
        if name:
            self.colours.legend.show_scale(colour(self._layer, self.nuclei, name))
        else:
            uncolour(self._layer)

    def _recolour(self) -> None:
        """Offer the columns; nuclei that are coloured take the colours of the new numbers, or their own if the column is gone."""
        name = coloured_by(self._layer)
        self.colours.offer(colour_columns(self.nuclei), name)
        if name:
            self._colour(self.colours.name)
