"""What is said of a finished run: how many nuclei, in what, and what to do with them. And the runs over several channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_unet_seg.core.counting import count_tracks
from napari_unet_seg.core.segmentation import CLASSES_KEY, class_shares
from napari_unet_seg.core.volumes import is_in_3d
from napari_unet_seg.gui.words import count_words, time_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image

    from napari_unet_seg.gui.layers import Channel, Source
    from napari_unet_seg.gui.request import Outcome

NOTHING_FOUND = "Lower the probability, set the diameter of your nuclei, or say whether they are bright or dark."
HOW_TO_SAVE = "To save them: File › Save Selected Layers."
OTHERS_FOLLOW = "On this plane; the others follow …"

Task = tuple["Image", "Channel | None"]


def found_words(outcome: Outcome, source: Source) -> tuple[str, str]:
    """Say what a run found.

    Parameters
    ----------
    outcome : Outcome
    source : Source

    Returns
    -------
    headline, detail : str
    """
    features, names = outcome.content.features, outcome.provenance.get(CLASSES_KEY)
    if names:
        shares = class_shares(features)
        told = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
        headline = "1 class" if len(shares) == 1 else f"{len(shares)} classes"
        return headline, f"{told or 'Nothing but background'}. Found in {source.name} in {time_words(outcome.seconds)}. {HOW_TO_SAVE}"
    headline = count_words(outcome.count, source.sizes, is_in_3d(features), count_tracks(features))
    if not outcome.count:
        return headline, NOTHING_FOUND
    region = bool(outcome.settings.region)
    where = f"the maximum projection of {source.slices:,} slices of {source.name}" if source.slices else source.name
    where = f"a region of {where}" if region else where
    if source.part:
        where += f", {source.part}"
    seconds = time_words(outcome.seconds)
    if "outside_region" not in outcome.provenance:
        return headline, f"Found in {where} in {seconds}. {HOW_TO_SAVE}"
    inside = int((features["label"] > outcome.outside).sum())
    others = "The nuclei outside of the region are as they were."
    return headline, f"{inside:,} of them lie in {where}, found in {seconds}. {others} {HOW_TO_SAVE}"


def live_words(count: int, followers: Sequence[tuple[Outcome, Source]]) -> tuple[str, str]:
    """Say what a slider leaves on the plane that is seen.

    Parameters
    ----------
    count : int
        Nuclei of the plane, in all results that follow.
    followers : sequence of (Outcome, Source)
        These results as they were made: what is said of the run stays, so that no text jumps while a slider is dragged.

    Returns
    -------
    headline, detail : str
    """
    words = channels_words(count, len(followers)) if len(followers) > 1 else count_words(count)
    if any(source.planes > 1 for _, source in followers):
        return words, OTHERS_FOLLOW
    if not count:
        return words, NOTHING_FOUND
    [(outcome, source), *others] = followers
    return words, found_words(outcome, source)[1] if outcome.count and not others and not outcome.outside else HOW_TO_SAVE


def channels_words(count: int, channels: int) -> str:
    """Say how many nuclei there are in several channels together."""
    return f"{count_words(count)} in {channels} channels"


def all_words(counts: Sequence[tuple[str, int]]) -> tuple[str, str]:
    """Say what was found in several channels.

    Parameters
    ----------
    counts : sequence of (str, int)
        Name of each channel, and its nuclei.

    Returns
    -------
    headline, detail : str
    """
    each = "; ".join(f"{name}: {count:,}" for name, count in counts)
    return channels_words(sum(count for _, count in counts), len(counts)), f"{each}. {HOW_TO_SAVE}"


def part_of(channel: Channel | None) -> str:
    """Return what the result of one of several channels is called."""
    return "" if channel is None else f"channel {channel.index + 1}"


@dataclass
class Round:
    """Runs that follow one another: one, or one a channel.

    Parameters
    ----------
    tasks : list of (Image, Channel or None)
        What is still to be done.
    """

    tasks: list[Task] = field(default_factory=list)
    several: bool = field(init=False)
    counts: list[tuple[str, int]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        """Remember whether there is more than one."""
        self.several = len(self.tasks) > 1

    def part(self, channel: Channel | None) -> str:
        """Return which of several results of one image a run gives; empty when it gives the only one."""
        return part_of(channel) if self.several else ""

    def add(self, outcome: Outcome, source: Source) -> None:
        """Take note of what a run found."""
        self.counts.append((source.part or source.name, outcome.count))
