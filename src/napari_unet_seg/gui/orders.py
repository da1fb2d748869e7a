"""From what the rows of the widget say to what is asked for: a run, an estimate of the diameter, and a run written down."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_unet_seg.errors import InputError, SettingsError
from napari_unet_seg.gui.copy_run import describe_run
from napari_unet_seg.gui.estimate import one_plane
from napari_unet_seg.gui.found import part_of
from napari_unet_seg.gui.layers import read_source
from napari_unet_seg.gui.request import Request
from napari_unet_seg.gui.standing import Wish
from napari_unet_seg.gui.where import shown_index, view_of

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

    from napari_unet_seg.gui.found import Task
    from napari_unet_seg.gui.kept_maps import MapCache
    from napari_unet_seg.gui.layers import Channel
    from napari_unet_seg.gui.result import Result
    from napari_unet_seg.gui.results import Results
    from napari_unet_seg.gui.segment_panel import SegmentPanel
    from napari_unet_seg.io.run_text import Run
    from napari_unet_seg.settings import SegmentSettings


def run_request(panel: SegmentPanel, results: Results, task: Task, part: str, cache: MapCache) -> Request:
    """Return what one run is asked for.

    Parameters
    ----------
    panel : SegmentPanel
        What its rows say.
    results : Results
        Whose untouched result may be replaced.
    task : tuple
        Image and channel.
    part : str
        Which of several channels that are segmented one after the other; else empty.
    cache : MapCache
        Where maps are kept.

    Returns
    -------
    Request

    Raises
    ------
    SettingsError, InputError
        If the rows cannot be followed.
    """
    layer, channel = task
    settings = panel.settings(layer)
    known = results.of(layer, part_of(channel))
    source = read_source(layer, channel, settings.stack, part or ("" if known is None else known.source.part))
    request = Request(source, panel.engine.model, panel.engine.device, settings, results.replaceable(layer, source.part), cache)
    if not settings.region or known is None or request.previous is None:
        return request
    # Of a region, nuclei are replaced among those of the same channel; among those of another they would have no business.
    same = (known.source.axes, known.source.channel, known.source.slices) == (source.axes, source.channel, source.slices)
    return replace(request, base=known.outcome.provenance) if same else replace(request, previous=None)


def results_meant(panel: SegmentPanel, results: Results) -> list[tuple[Result, Channel | None]]:
    """Return the results that the rows are for.

    Parameters
    ----------
    panel : SegmentPanel
        What its rows say.
    results : Results

    Returns
    -------
    list of (Result, Channel or None)
        That of the chosen image and channel, or of each channel when all are chosen, and of which channel it is; those that there are.
    """
    if not panel.images.every:
        result = results.of(panel.images.layer, part_of(panel.images.channel))
        return [] if result is None else [(result, panel.images.channel)]
    found = [(results.of(layer, part_of(channel)), channel) for layer, channel in panel.images.every]
    return [(result, channel) for result, channel in found if result is not None and result.source.part == part_of(channel)]


def wish_of(panel: SegmentPanel, channel: Channel | None) -> Wish:
    """Return what the rows say for the next run.

    Parameters
    ----------
    panel : SegmentPanel
    channel : Channel or None
        Which is meant.

    Returns
    -------
    Wish
        Without settings when the rows contradict each other.
    """
    try:
        settings: SegmentSettings | None = panel.settings(panel.images.layer)
    except (SettingsError, InputError):
        settings = None
    return Wish(settings, (panel.engine.model, panel.engine.device), channel)


def estimate_request(panel: SegmentPanel, viewer: Viewer, layer: Image) -> Request:
    """Return where the diameter is estimated: in what is in view, on the plane that is seen.

    Parameters
    ----------
    panel : SegmentPanel
        What its rows say.
    viewer : napari.Viewer
        What it shows.
    layer : napari.layers.Image

    Returns
    -------
    Request

    Raises
    ------
    SettingsError, InputError
        If the rows cannot be followed, or nothing of the image is in view.
    """
    settings = replace(panel.form.value(), region=view_of(viewer, layer), stack=panel.stack.of_a_plane)
    source = one_plane(read_source(layer, panel.images.channel), shown_index(viewer, layer), settings.stack)
    return Request(source, panel.engine.model, panel.engine.device, settings)


def run_description(panel: SegmentPanel, layer: Image) -> Run:
    """Return the present run in terms of the file of the image.

    Parameters
    ----------
    panel : SegmentPanel
        What its rows say.
    layer : napari.layers.Image

    Returns
    -------
    Run

    Raises
    ------
    SettingsError, InputError
        If the rows cannot be followed.
    """
    engine = (panel.engine.model, panel.engine.device)
    return describe_run(layer, panel.images.channel, engine, panel.settings(layer), panel.form.start)
