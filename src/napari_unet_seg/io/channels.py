"""Channels by name or number: which one shows nuclei, and one channel as an array of the labels' shape."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from napari_unet_seg.errors import InputError

if TYPE_CHECKING:
    from napari_unet_seg.io.image import ImageFile

_NUCLEAR = re.compile(
    r"(?<![a-z])(dapi|hoechst|h2b|draq[57]|sytox|nuc(lei|leus|lear|blue|red|green|spot)|sir-?dna|to-?pro|propidium|7-?aad|histone|dna(?![a-z]))"
)
"""Dyes and labels of nuclei, as they stand in the names of channels."""
_NOT_NUCLEAR = re.compile(r"(?<![a-z])(non|peri|pores?|envelope|membranes?)(?![a-z])")
"""Words that say that something else than the whole nucleus shows."""
_COLOURS = ("red", "green", "blue")
ALL = "all"
"""Stands for every channel."""


def nuclear_channel(image: ImageFile, wanted: str = "") -> int | None:
    """Choose the channel that shows nuclei.

    Parameters
    ----------
    image : ImageFile
        An image with any number of channels.
    wanted : str
        Its name (the case does not matter), its number from 0, or both as "0:DAPI". When empty, the only channel is taken, or
        else the only one whose name is a nuclear dye.

    Returns
    -------
    int or None
        None when the image has no channels to choose from.

    Raises
    ------
    InputError
        If there is no such channel, none can be chosen by itself, or a number is also the name of another channel.
    """
    if wanted:
        number = _find(image, wanted)
        return number if image.channel_axis is not None else None
    if image.channels == 1:
        return None if image.channel_axis is None else 0
    stained = [number for number, name in enumerate(image.channel_names) if is_nuclear_name(name)]
    if len(stained) == 1:
        return stained[0]
    raise InputError(f"{image.path.name} has {image.channels} channels ({_listed(image)}); name the one that shows nuclei (--channel).")


def is_nuclear_name(name: str) -> bool:
    """Whether a channel's name is that of a dye or label of whole nuclei, such as "DAPI", and not "Perinuclear GFP"."""
    return _NUCLEAR.search(name.lower()) is not None and _NOT_NUCLEAR.search(name.lower()) is None


def choice_notice(image: ImageFile, wanted: str, channel: int | None) -> str:
    """Return a sentence on a channel that was found by its name, which the user should read.

    Parameters
    ----------
    image : ImageFile
        The image.
    wanted : str
        The channel that was asked for; empty when it was found.
    channel : int or None
        The channel that is taken, from `nuclear_channel`.

    Returns
    -------
    str
        Empty when there was nothing to choose, or the user did.
    """
    if wanted or channel is None or image.channels == 1:
        return ""
    return f"Channel {channel} ({image.channel_names[channel]}) is taken for the nuclei by its name; --channel chooses another."


def measured_channels(image: ImageFile, wanted: tuple[str, ...], lacking: list[str] | None = None) -> dict[str, Any]:
    """Take the channels to measure, as arrays of the labels' shape.

    Parameters
    ----------
    image : ImageFile
        Its largest level is taken.
    wanted : tuple of str
        Names or numbers; of a colour image, red, green and blue. "all" stands for every channel, unless one is called so.
    lacking : list of str, optional
        Where a sentence goes on each name or number that a colour image has not: among images of many channels there may be one whose
        nuclei are wanted all the same. Without it, such a name is an error.

    Returns
    -------
    dict of str to array
        By the channel's name ("0" for one without a name); raw values, shape (..., Y, X), read lazily when the file is.

    Raises
    ------
    InputError
        If there is no such channel.
    """
    if lacking is not None and "S" in image.axes:
        unknown = [item for item in wanted if item.lower() not in (*_COLOURS, ALL)]
        lacking += [f"{item!r} is not measured, since this is a colour image; it has red, green and blue." for item in unknown]
        wanted = tuple(item for item in wanted if item not in unknown)
    return {name: array for name, array in (_take(image, item) for item in _expanded(image, wanted))}


def _expanded(image: ImageFile, wanted: tuple[str, ...]) -> list[str]:
    """Put every channel in the place of "all"."""
    if "S" in image.axes and "C" not in image.axes:
        every = list(_COLOURS)
    else:
        every = [f"{number}:{name}" if name else str(number) for number, name in enumerate(image.channel_names)]
    called_so = any(name.lower() == ALL for name in image.channel_names)
    return [one for item in wanted for one in (every if item.lower() == ALL and not called_so else [item])]


def _take(image: ImageFile, wanted: str) -> tuple[str, Any]:
    array = image.levels[0]
    if "S" in image.axes:
        if "C" in image.axes or wanted.lower() not in _COLOURS:
            raise InputError(f"{image.path.name} is a colour image without a channel {wanted!r}; it has red, green and blue.")
        return wanted.lower(), array[..., _COLOURS.index(wanted.lower())]
    number = _find(image, wanted)
    name = image.channel_names[number] or str(number)
    if image.channel_names.count(name) > 1:  # each keeps columns of its own
        name = f"{number}:{name}"
    if image.channel_axis is None:
        return name, array
    return name, array[(slice(None),) * image.channel_axis + (number,)]


def _find(image: ImageFile, wanted: str) -> int:
    names = [name.lower() for name in image.channel_names]
    both = [f"{number}:{name}" for number, name in enumerate(names)]
    given = wanted.lower()
    named = names.index(given) if given in names else None
    numbered = int(given) if given.isdecimal() and int(given) < image.channels else None
    if named is not None and numbered not in (None, named):
        raise InputError(
            f"{image.path.name} has a channel called {wanted!r}, which is number {named}, and another one whose number is {wanted}; "
            f"write {named}:{image.channel_names[named]} or {numbered}:{image.channel_names[int(given)]}."
        )
    found = [number for number in (named, numbered) if number is not None]
    found += [both.index(given)] if given in both else []
    if found:
        return found[0]
    raise InputError(f"{image.path.name} has no channel {wanted!r}; it has {_listed(image)}.")


def _listed(image: ImageFile) -> str:
    return ", ".join(f"{number}: {name}" if name else str(number) for number, name in enumerate(image.channel_names))
