"""What the settings mean for the result that there is: whether sliders act on it, why not, and what only another run would apply."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from napari_unet_seg.core.segmentation import CLASSES_KEY, CUT_KEY
from napari_unet_seg.settings import DECODING, SegmentSettings, field_options

if TYPE_CHECKING:
    from napari_unet_seg.gui.layers import Channel, Source
    from napari_unet_seg.gui.result import Result

ACTS = "These act at once:"
OF_CLASSES = "The model tells classes of pixels apart: these are for nuclei, and do not act on them."
FAR_OUT = "the probability, for nuclei that hang together far beyond the edge of the part"
EDITED = "“{}” was edited by hand, so these are locked and nothing of it is lost. “Run again” makes a new layer."
LOCKED = "“{}” is locked in the layer list, so these are too. “Run again” makes a new layer."
PRESS = "Press “{}” to apply: {}."
OUTDATED = "the image has changed"
SEGMENT, AGAIN, NEW_LAYER = "Segment", "Segment again", "Run again (new layer)"
_LIMITS = ("low", "high")


@dataclass(frozen=True)
class Wish:
    """What the next run would be asked for.

    Parameters
    ----------
    settings : SegmentSettings or None
        None when they contradict each other.
    engine : tuple of str
        Model and device.
    channel : Channel or None
    """

    settings: SegmentSettings | None
    engine: tuple[str, str]
    channel: Channel | None


@dataclass(frozen=True)
class Standing:
    """How a result and the wish for the next run compare.

    Parameters
    ----------
    locked : bool
        Whether the sliders are locked.
    hint : str
        What is said above the sliders; may be empty.
    pending : str
        What only a run applies, as one sentence; may be empty.
    button : str
        What the button says that starts a run.
    urgent : bool
        Whether there is something to press the button for.
    """

    locked: bool = False
    hint: str = ""
    pending: str = ""
    button: str = SEGMENT
    urgent: bool = True


def stand(result: Result | None, wish: Wish, following: bool = False) -> Standing:
    """Compare the result of an image with what is wished.

    Parameters
    ----------
    result : Result or None
        The newest one of the chosen image.
    wish : Wish
    following : bool
        Whether the result is following the sliders already.

    Returns
    -------
    Standing
    """
    if result is None:
        return Standing()
    if result.locked:
        return Standing(True, (EDITED if result.edited else LOCKED).format(result.labels.name), button=NEW_LAYER, urgent=False)
    changes = differences(result, wish, following)
    pending = PRESS.format(AGAIN, ", ".join(changes)) if changes else ""
    hint = OF_CLASSES if CLASSES_KEY in result.outcome.provenance else ACTS if result.live else ""
    return Standing(False, hint, pending, AGAIN, bool(changes))


def differences(result: Result, wish: Wish, following: bool = False) -> list[str]:
    """Name what is wished otherwise than the result was made.

    Parameters
    ----------
    result : Result
    wish : Wish
    following : bool
        Whether what needs no network is being applied, and so is no difference.

    Returns
    -------
    list of str
        Titles as the form has them.
    """
    made = result.outcome
    titles = [OUTDATED] * result.outdated
    titles += [FAR_OUT] * bool(made.provenance.get(CUT_KEY))
    titles += [name for name, old, new in zip(("model", "device"), made.engine, wish.engine, strict=False) if old != new]
    if _channel(result.source) != (None if wish.channel is None else (wish.channel.axis, wish.channel.index)):
        titles.append("channel")
    if wish.settings is not None and "settings" in made.provenance:
        skipped, old = DECODING if following else (), made.settings
        names = [field.name for field in fields(SegmentSettings) if field.name not in skipped]
        titles += [_title(name) for name in names if getattr(old, name) != getattr(wish.settings, name)]
    return list(dict.fromkeys(titles))


def _channel(source: Source) -> tuple[int, int] | None:
    return None if source.channel is None else (source.axes.index("C"), source.channel)


def _title(name: str) -> str:
    """Return what a setting is called in the form, in the middle of a sentence."""
    if name in _LIMITS:
        return "intensity limits"
    title = str(field_options(SegmentSettings)[name].get("label", name)).partition(" (")[0]
    return title[0].lower() + title[1:]
