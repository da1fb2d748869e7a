"""Every parameter, declared once: the form, the command line and the checks are built from these dataclasses.

How a field is declared says `napari_unet_seg.fields`. Automatic is 0 (or ``"auto"``), never None.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from napari_unet_seg.errors import SettingsError
from napari_unet_seg.fields import Checked, Polygons, field_docs, field_options

__all__ = ["Checked", "NetworkSettings", "Polygons", "SegmentSettings", "TrainSettings", "field_docs", "field_options"]

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
POLARITIES = ("auto", "bright", "dark")
STACKS = ("planes", "maximum")
BLOCKS = ("plain",)
NORMS = ("batch", "none")
LOSSES = ("both", "cross_entropy", "dice")
TRAIN_PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class NetworkSettings(Checked):
    """The shape of a U-Net.

    Only layers whose result does not depend on the extent of a tile are offered, because tiling must never change a label:
    BatchNorm (folded into the convolutions at inference) or none; no InstanceNorm, GroupNorm or squeeze-and-excitation.
    """

    in_channels: Annotated[int, {"min": 1, "max": 64}] = 1
    """Channels of the input; 1, since colour becomes one channel (see `core.normalize`)."""
    classes: Annotated[tuple[str, ...], {}] = ("background", "foreground", "outline")
    """Names of the classes that the softmax chooses from."""
    distance: Annotated[bool, {}] = True
    """Whether a further map holds the distance to the nucleus' border, from 0 there to 1 at its innermost point."""
    spatial_dims: Annotated[int, {"min": 2, "max": 3}] = 2
    """2 for planes, 3 for volumes."""
    width: Annotated[int, {"min": 4, "max": 256}] = 16
    """Features of the first level; each level below has twice as many."""
    depth: Annotated[int, {"min": 1, "max": 6}] = 4
    """Number of times the image is halved."""
    block: Annotated[str, {"choices": BLOCKS}] = "plain"
    """Kind of the two-convolution block."""
    norm: Annotated[str, {"choices": NORMS}] = "batch"
    """Normalisation after each convolution."""

    def __post_init__(self) -> None:
        """Check the ranges, and that there are at least two classes, and no two maps of one name."""
        super().__post_init__()
        if len(self.classes) < 2 or len(set(self.maps)) != len(self.maps):
            raise SettingsError(f"classes is {self.classes!r}; it must name at least two different classes, none of them 'distance'.")

    @property
    def maps(self) -> tuple[str, ...]:
        """Names of the maps that the network predicts, in the order of its channels."""
        return (*self.classes, "distance") if self.distance else self.classes


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
    rescales only images of very large nuclei."""
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
    """What of a z stack is segmented: "planes" each plane by itself, "maximum" the maximum projection along z; times stay apart."""
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
    lost more of what the base knew (images of DSB 2018's fold 0). For training from nothing the rate is the bundled model's.
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
    patch: Annotated[int, {"min": 32, "max": 2048, "step": 32, "label": "Patch (px)"}] = 256
    """Edge of a patch; 256 shows the network a nucleus with its neighbourhood."""
    loss: Annotated[str, {"choices": LOSSES, "label": "Loss"}] = "both"
    """What is made small: cross-entropy, Dice or both; the distance map's error is always added."""
    learning_rate: Annotated[float, {"min": 0.0, "max": 1.0, "label": "Learning rate"}] = 0.0
    """Highest step size of AdamW, after a warm-up and before the decay to 0; 0 is automatic: 0.0005 to teach a model further, 0.002 from
    nothing."""
    decay: Annotated[float, {"min": 0.0, "max": 1.0, "label": "Decay"}] = 1.0
    """Share of the steps over which the learning rate falls; a long run keeps it high first."""
    weight_decay: Annotated[float, {"min": 0.0, "max": 1.0, "label": "Weight decay"}] = 1e-4
    """Decoupled weight decay of AdamW."""
    freeze: Annotated[bool, {"label": "Freeze statistics"}] = False
    """Whether the means and variances of BatchNorm stay those of the base. Letting them follow gave the better AP at IoU 0.5 in 8 of 11
    comparisons (eight painted nuclei, 60 steps, four kinds of image), and a base that failed wholly learned only so."""
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
        if self.steps and self.minutes:
            raise SettingsError(f"There are {self.steps} steps and {self.minutes:g} minutes; give one of them, and 0 for the other.")

    def for_base(self, base: bool) -> TrainSettings:
        """Return these settings with everything automatic decided.

        Parameters
        ----------
        base : bool
            Whether training starts from a model.
        """
        steps = 0 if self.minutes else self.steps or (300 if base else 2000)
        rate = self.learning_rate or (5e-4 if base else 2e-3)
        return replace(self, steps=steps, learning_rate=rate)
