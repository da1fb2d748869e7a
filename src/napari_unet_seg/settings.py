"""Every parameter, declared once: the form, the command line and the checks are built from these dataclasses.

How a field is declared says `napari_unet_seg.fields`. Automatic is 0 (or ``"auto"``), never None.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from napari_unet_seg.errors import SettingsError
from napari_unet_seg.fields import Checked, Polygons, field_docs, field_options
from napari_unet_seg.network_settings import ARCHITECTURES, NetworkSettings

__all__ = ["ARCHITECTURES", "Checked", "NetworkSettings", "Polygons", "SegmentSettings", "TrainSettings", "field_docs", "field_options"]

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = ("auto", "float32", "bfloat16", "float16", "int8")
POLARITIES = ("auto", "bright", "dark")
STACKS = ("planes", "maximum", "linked")
TRACKS = ("none", "overlap", "laptrack")
LOSSES = ("both", "cross_entropy", "dice")
LEARNING = ("auto", "all", "first")
ADVERSARIAL = 0.1
"""Weight of the adversarial term where it is only asked for."""
SMALLEST_PATCH = 32
"""Pixels: the edge of the smallest patch in which something can be learned."""
MOST_CLASSES = 200
TRAIN_PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class SegmentSettings(Checked):
    """How an image becomes labels."""

    probability: Annotated[float, {"min": 0.01, "max": 0.99, "step": 0.01, "slider": True, "label": "Probability"}] = 0.55
    """A pixel belongs to a nucleus when its probability is at least this; lower draws larger nuclei and finds fainter ones."""
    splitting: Annotated[float, {"min": 0.05, "max": 0.95, "step": 0.05, "slider": True, "label": "Splitting"}] = 0.5
    """How readily touching nuclei are split: higher splits more, down to the slightest waist."""
    min_area: Annotated[int, {"min": 0, "max": 10_000_000, "label": "Smallest area (px²)"}] = 20
    """Smaller nuclei are dropped: the smallest real nuclei of DSB 2018 have about 20 px²."""
    max_area: Annotated[int, {"min": 0, "max": 1_000_000_000, "label": "Largest area (px²)"}] = 0
    """Larger nuclei are dropped; 0 keeps them all."""
    diameter: Annotated[float, {"min": 0.0, "max": 10_000.0, "step": 1.0, "label": "Diameter (px)"}] = 0.0
    """Typical diameter of the nuclei in pixels: the image is rescaled so that they have the size the model knows; 0 is automatic, and
    rescales images of much larger or smaller nuclei."""
    fill_holes: Annotated[bool, {"label": "Fill holes"}] = True
    """Holes inside a nucleus become part of it."""
    exclude_border: Annotated[bool, {"label": "Exclude border"}] = False
    """Nuclei cut by the image's edge are dropped, since their area is not known."""
    polarity: Annotated[str, {"choices": POLARITIES, "label": "Nuclei are"}] = "auto"
    """Whether nuclei are brighter or darker than what surrounds them."""
    low: Annotated[float, {"label": "Lower limit"}] = 0.0
    """Intensity that becomes black; with `high` equal to it, both are chosen automatically."""
    high: Annotated[float, {"label": "Upper limit"}] = 0.0
    """Intensity that becomes white."""
    tile: Annotated[int, {"min": 0, "max": 16384, "step": 16, "label": "Tile (px)"}] = 0
    """Edge of the part of an image that the network sees at a time; 0 is automatic; changes speed and memory, never the labels."""
    precision: Annotated[str, {"choices": PRECISIONS, "label": "Precision"}] = "auto"
    """Number format of the network; "auto" is the fastest that the device has, "float32" gives the same labels on every device."""
    stack: Annotated[str, {"choices": STACKS, "label": "Stack", "form": False}] = "planes"
    """What of a z stack is segmented: "planes" each plane by itself, "maximum" the maximum projection along z, "linked" each plane, whose
    outlines are then linked to nuclei in 3D; times stay apart."""
    spacing: Annotated[float, {"min": 0.0, "max": 1000.0, "label": "Spacing", "form": False}] = 0.0
    """Distance of two planes over the size of a pixel, by which planes are linked; 0 where it is not known. From a file that tells both,
    it is taken by itself."""
    track: Annotated[str, {"choices": TRACKS, "label": "Times", "form": False}] = "none"
    """Whether nuclei are followed through time: "none" each time by itself, "overlap" from one time to the next by how much they overlap,
    "laptrack" by where they are, with the library LapTrack, for those that move too far to overlap."""
    skip_glass: Annotated[bool, {"label": "Skip glass"}] = True
    """Large colour images (slides) are searched only where there is tissue; pale empty glass is left out."""
    region: Annotated[Polygons, {"label": "Region", "form": False}] = ()
    """Only nuclei whose centre lies inside one of these polygons are kept, and only what that needs is computed: corners (y, x) in pixels
    of the full-size image; empty is everywhere."""

    def __post_init__(self) -> None:
        """Check the ranges, and the pairs that depend on one another."""
        super().__post_init__()
        if self.max_area and self.max_area < self.min_area:
            raise SettingsError(f"max_area is {self.max_area}, below min_area {self.min_area}; use 0 to keep large nuclei.")
        if not self.low <= self.high:
            raise SettingsError(f"The limits are {self.low:g} and {self.high:g}; the lower one must come first (equal is automatic).")


DECODING = ("probability", "splitting", "min_area", "max_area", "fill_holes", "exclude_border")
"""The fields of `SegmentSettings` that concern only how maps become labels: to change them, the network need not run again."""


@dataclass(frozen=True)
class TrainSettings(Checked):
    """How a model is trained.

    What is automatic depends on whether there is a base: `for_base` says how. To teach a model further, a rate of 0.0005 was chosen from
    0.0002 to 0.002, each tried with eight nuclei painted in one image: lower ones hardly learned a new look (drawn rings), higher ones
    lost more of what the base knew (images of DSB 2018's fold 0). From nothing, the rate falls as the bundled model's did, and for eight
    patches a step is two thirds of what that had for 32; ``benchmarks/from_nothing.py`` compares one command with its recipe.
    """

    steps: Annotated[int, {"min": 0, "max": 10_000_000, "label": "Steps"}] = 0
    """Number of batches; 0 is automatic: 300 to teach a model further, a minute or two on a laptop, and 2000 from nothing."""
    minutes: Annotated[float, {"min": 0.0, "max": 100_000.0, "label": "Minutes"}] = 0.0
    """Time to train instead of a number of steps; 0 goes by steps, which can be repeated exactly."""
    device: Annotated[str, {"choices": DEVICES, "label": "Device"}] = "auto"
    """Where to train."""
    precision: Annotated[str, {"choices": TRAIN_PRECISIONS, "label": "Precision"}] = "auto"
    """Number format of the network; "auto" is the fastest that the device has."""
    seed: Annotated[int, {"min": 0, "max": 2**31 - 1, "label": "Seed"}] = 0
    """Equal seeds give equal weights on the CPU."""
    batch: Annotated[int, {"min": 1, "max": 1024, "label": "Batch"}] = 8
    """Patches in a step; halved when memory runs out."""
    patch: Annotated[int, {"min": 0, "max": 2048, "step": 32, "label": "Patch (px)"}] = 0
    """Edge of a patch; 0 is automatic: 256, which shows the network a nucleus with its neighbourhood, and 128 to teach a model single
    nuclei of at most 64 px, since of a larger patch hardly anything is known, and it takes four times as long. What the network
    cannot halve as often as it must becomes a little smaller."""
    loss: Annotated[str, {"choices": LOSSES, "label": "Loss"}] = "both"
    """What is made small: cross-entropy, Dice or both; the distance map's error is always added."""
    classes: Annotated[tuple[str, ...], {"form": False}] = ()
    """Names of what is painted with the numbers 1, 2, ...: the model then tells these classes apart, and 0 is background. Empty when each
    nucleus is painted with a number of its own."""
    supervision: Annotated[bool, {"label": "Deep supervision"}] = False
    """Whether coarser levels of the decoder must know the answer too, through heads of their own that are not part of the model."""
    adversarial: Annotated[float, {"min": 0.0, "max": 10.0, "step": 0.05, "label": "Adversarial weight"}] = 0.0
    """Weight of a second network's verdict, which learns to tell the maps from annotated ones; 0 does without it."""
    learning_rate: Annotated[float, {"min": 0.0, "max": 1.0, "label": "Learning rate"}] = 0.0
    """Highest step size of AdamW, after a warm-up and before the decay to 0; 0 is automatic: 0.0005 to teach a model further, 0.002 from
    nothing."""
    decay: Annotated[float, {"min": 0.0, "max": 1.0, "label": "Decay"}] = 0.0
    """Share of the steps over which the learning rate falls; 0 is automatic: all of them to teach a model further, and the second half from
    nothing, since a long run gains by keeping it high first."""
    weight_decay: Annotated[float, {"min": 0.0, "max": 1.0, "label": "Weight decay"}] = 1e-4
    """Decoupled weight decay of AdamW."""
    freeze: Annotated[bool, {"label": "Freeze statistics"}] = False
    """Whether the means and variances of BatchNorm stay those of the base. With `blend`, both are as good where the base knows something of
    the images (AP 0.48 and 0.48 on sections, 0.79 and 0.79 on fluorescence, after 40 steps on ten nuclei of a kind it had not seen); a base
    that failed wholly learned only when they followed."""
    blend: Annotated[float, {"min": 0.0, "max": 1.0, "step": 0.05, "label": "Share of the new"}] = 0.0
    """How far the model goes from its base to what was learned, 1 all the way; 0 is automatic: half, and further where half is not enough
    for what was painted, or nuclei that were kept out of training show it. Half the way forgets far less, and finds more elsewhere."""
    remember: Annotated[float, {"min": 0.0, "max": 10.0, "step": 0.25, "label": "Weight of the base"}] = 1.0
    """How much the base's own answer counts where nothing is annotated and it is sure; 0 leaves the unknown unknown. Without it, a few
    painted nuclei teach a model that nearly everything is one. Only for nuclei, and with a base that knows them."""
    learning: Annotated[str, {"choices": LEARNING, "label": "Layers that learn"}] = "auto"
    """Which layers learn: "all", or only the "first" ones, which see what a nucleus looks like, and not those that tell what is a nucleus.
    "auto" is the first ones where single nuclei teach a base that knows something of them: so few cannot tell all layers better. What the
    base does not know, or without a base, all of them learn."""
    average: Annotated[float, {"min": 0.0, "max": 0.99999, "label": "Weight averaging"}] = 0.995
    """Decay of the running average of the weights that becomes the model."""
    validation: Annotated[float, {"min": 0.0, "max": 0.5, "label": "Validation share"}] = 0.15
    """Share of the nuclei kept out of training, on which the best weights are chosen; 0 trains on all, as do fewer than 20 nuclei."""
    patience: Annotated[int, {"min": 0, "max": 10_000, "label": "Patience"}] = 20
    """Training ends when this many looks at the validation part, 50 steps apart, showed nothing better; 0 never ends early."""
    outline: Annotated[float, {"min": 1.0, "max": 10.0, "label": "Outline (px)"}] = 2.0
    """Width of the outline class, measured inwards from the nucleus' border."""
    touching: Annotated[float, {"min": 1.0, "max": 100.0, "label": "Touching weight"}] = 6.0
    """Weight of pixels within 3 px of two nuclei: there is decided whether they are split."""
    balance: Annotated[float, {"min": 0.0, "max": 1.0, "label": "Balance of kinds"}] = 0.5
    """0 shows the kinds of image (bright, dark, coloured) as often as they come, 1 equally often."""
    exact: Annotated[float, {"min": 0.0, "max": 1.0, "label": "Exact patches"}] = 0.3
    """Share of patches that are only flipped and turned by right angles: real images have borders that no interpolation has blurred."""
    scale: Annotated[float, {"min": 0.0, "max": 2.0, "label": "Scale augmentation"}] = 1.0
    """Patches are zoomed by up to e to the power of this in both directions, mostly by little."""
    elastic: Annotated[float, {"min": 0.0, "max": 20.0, "label": "Elastic augmentation (px)"}] = 3.0
    """Largest shift of the smooth random deformation."""
    intensity: Annotated[float, {"min": 0.0, "max": 1.0, "label": "Intensity augmentation"}] = 1.0
    """Strength of changes of gamma, gain, offset, uneven light, blur and noise."""
    empty: Annotated[float, {"min": 0.0, "max": 0.5, "label": "Empty patches"}] = 0.03
    """Share of patches of pure noise or blank ground, which teach that there may be no nucleus at all."""

    def __post_init__(self) -> None:
        """Check the ranges, and that the length is given once."""
        super().__post_init__()
        if 0 < self.patch < SMALLEST_PATCH:
            raise SettingsError(f"patch is {self.patch}; it must be at least {SMALLEST_PATCH} px, or 0 for automatic.")
        object.__setattr__(self, "classes", _checked_names(self.classes))
        if self.steps and self.minutes:
            raise SettingsError(f"There are {self.steps} steps and {self.minutes:g} minutes; give one of them, and 0 for the other.")

    def for_base(self, base: bool, new_head: bool = False, small: bool = False) -> TrainSettings:
        """Return these settings with everything automatic decided.

        Parameters
        ----------
        base : bool
            Whether training starts from a model.
        new_head : bool
            Whether that answered another question, so that its head learns from nothing.
        small : bool
            Whether what is annotated are single nuclei that small patches show whole.
        """
        steps = 0 if self.minutes else self.steps or (300 if base else 2000)
        rate = self.learning_rate or (5e-4 if base and not new_head else 2e-3)
        decay = self.decay or (1.0 if base else 0.5)
        empty = 0.0 if self.classes else self.empty  # a patch of noise is of no class
        further = base and not new_head and not self.classes
        remember = self.remember if further else 0.0
        patch = self.patch or (128 if further and small else 256)
        guided = base and not new_head and (further or self.learning != "auto")  # layers that know nothing yet must learn
        learning = self.learning if guided else "all"  # of "auto", what is annotated decides, see `Trainer`
        decided = replace(self, steps=steps, learning_rate=rate, decay=decay, empty=empty)
        return replace(decided, remember=remember, patch=patch, learning=learning)


def numbered_classes(count: int) -> tuple[str, ...]:
    """Return names for classes that have none.

    Parameters
    ----------
    count : int
        How many.

    Returns
    -------
    tuple of str

    Raises
    ------
    SettingsError
        If that is too few or too many.
    """
    if not 1 <= count <= MOST_CLASSES:
        raise SettingsError(f"There are {count} classes; there must be 1 to {MOST_CLASSES} besides the background.")
    return tuple(f"class {number}" for number in range(1, count + 1))


def _checked_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) > MOST_CLASSES or len(set(names)) < len(names) or {"", "background", "distance"} & set(names):
        raise SettingsError(
            f"classes is {names!r}; give each class a name of its own, none of them background or distance, and at most {MOST_CLASSES}."
        )
    return names
