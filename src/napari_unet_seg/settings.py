"""Every parameter, declared once: the form, the command line and the checks are built from these dataclasses.

A field is ``Annotated[type, {...}]``. The keys ``min``, ``max``, ``step``, ``choices``, ``label`` and ``tooltip`` mean what they mean in
magicgui, and type, `min`, `max` and `choices` are checked when the settings are made. Automatic is 0 (or ``"auto"``), never None.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral, Real
from textwrap import dedent
from typing import Annotated, Any, Self, get_type_hints

from napari_unet_seg.errors import SettingsError

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
POLARITIES = ("auto", "bright", "dark")
BLOCKS = ("plain",)
NORMS = ("batch", "none")
_WORDS: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    tuple[str, ...]: "a list of names",
}


class Checked:
    """Base of the settings: checks each field against its own declaration."""

    def __post_init__(self) -> None:
        """Raise `SettingsError` for the first field that is not what its declaration asks for.

        A number of another library becomes Python's own, and an integer given for a float a float: equal settings are written alike.
        """
        types = get_type_hints(type(self))
        for name, options in field_options(type(self)).items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), types[name], options))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make settings from a mapping, such as JSON gives; an unknown name is refused.

        Raises
        ------
        SettingsError
            If a name is not a setting, or a value has the wrong type or is out of range.
        """
        if not isinstance(values, Mapping):
            raise SettingsError(f"{cls.__name__} cannot be made from {values!r}; give names with values.")
        unknown = sorted(map(str, set(values) - set(field_options(cls))))
        if unknown:
            raise SettingsError(f"{cls.__name__} has no setting {unknown[0]!r}; it has {', '.join(field_options(cls))}.")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a mapping that JSON can hold."""
        values = {name: getattr(self, name) for name in field_options(type(self))}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def field_options(settings: type) -> dict[str, dict[str, Any]]:
    """Return, for each field of a settings class, the options of its declaration."""
    hints = get_type_hints(settings, include_extras=True)
    names = [field.name for field in dataclasses.fields(settings)]
    return {name: getattr(hints[name], "__metadata__", ({},))[0] for name in names}


def field_docs(settings: type) -> dict[str, str]:
    """Return the sentence below each field of a dataclass, which Python itself forgets.

    Parameters
    ----------
    settings : type
        A dataclass.

    Returns
    -------
    dict of str to str
        Empty when there is no source to read, as in a frozen application.
    """
    try:
        body = ast.parse(dedent(inspect.getsource(settings))).body[0].body  # type: ignore[attr-defined]
    except (OSError, TypeError):
        return {}
    docs = {}
    for field, doc in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(doc, ast.Expr) and isinstance(field.target, ast.Name):
            docs[field.target.id] = inspect.cleandoc(ast.literal_eval(doc.value))
    return docs


def _checked(name: str, value: Any, kind: Any, options: dict[str, Any]) -> Any:
    """Return a value as its declared type, or say why it cannot be used."""
    if "choices" in options and (not isinstance(value, str) or value not in options["choices"]):
        raise SettingsError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, options['choices']))}.")
    converted = _converted(value, kind)
    if converted is None:
        raise SettingsError(f"{name} is {value!r}; it must be {_WORDS[kind]}.")
    if "min" in options and converted < options["min"]:
        raise SettingsError(f"{name} is {value!r}; it must be at least {options['min']}.")
    if "max" in options and converted > options["max"]:
        raise SettingsError(f"{name} is {value!r}; it must be at most {options['max']}.")
    return converted


def _converted(value: Any, kind: Any) -> Any:
    """Return a value as its declared type, None if it is of another: True is no number, and 2.5 no whole one."""
    if kind in (bool, str):
        return value if isinstance(value, kind) else None
    if kind is int:
        return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None
    if kind is float:
        return float(value) if isinstance(value, Real) and not isinstance(value, bool) and _is_finite(value) else None
    return tuple(value) if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value) else None


def _is_finite(value: Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


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

    probability: Annotated[float, {"min": 0.01, "max": 0.99, "step": 0.01, "label": "Probability"}] = 0.55
    """A pixel belongs to a nucleus when its probability is at least this; lower draws larger nuclei and finds fainter ones."""
    splitting: Annotated[float, {"min": 0.05, "max": 0.95, "step": 0.05, "label": "Splitting"}] = 0.3
    """How readily touching nuclei are split: a nucleus needs a core whose distance map is above this; higher splits more."""
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

    def __post_init__(self) -> None:
        """Check the ranges, and the pairs that depend on one another."""
        super().__post_init__()
        if self.max_area and self.max_area < self.min_area:
            raise SettingsError(f"max_area is {self.max_area}, below min_area {self.min_area}; use 0 to keep large nuclei.")
        if not self.low <= self.high:
            raise SettingsError(f"The limits are {self.low:g} and {self.high:g}; the lower one must come first (equal is automatic).")


@dataclass(frozen=True)
class TrainSettings(Checked):
    """How a model is trained."""

    steps: Annotated[int, {"min": 1, "max": 10_000_000, "label": "Steps"}] = 300
    """Number of batches; 300 take a minute or two on a laptop."""
    device: Annotated[str, {"choices": DEVICES, "label": "Device"}] = "auto"
    """Where to train."""
    seed: Annotated[int, {"min": 0, "max": 2**31 - 1, "label": "Seed"}] = 0
    """Equal seeds give equal weights on the CPU."""
    batch: Annotated[int, {"min": 1, "max": 1024, "label": "Batch"}] = 8
    """Patches in a step."""
    patch: Annotated[int, {"min": 32, "max": 2048, "step": 32, "label": "Patch (px)"}] = 256
    """Edge of a patch; 256 shows the network a nucleus with its neighbourhood."""
    learning_rate: Annotated[float, {"min": 1e-6, "max": 1.0, "label": "Learning rate"}] = 2e-3
    """Highest step size of AdamW, after a warm-up and before a cosine decay to 0."""
    decay: Annotated[float, {"min": 0.0, "max": 1.0, "label": "Decay"}] = 1.0
    """Share of the steps over which the learning rate falls; a long run keeps it high first."""
    weight_decay: Annotated[float, {"min": 0.0, "max": 1.0, "label": "Weight decay"}] = 1e-4
    """Decoupled weight decay of AdamW."""
    average: Annotated[float, {"min": 0.0, "max": 0.99999, "label": "Weight averaging"}] = 0.995
    """Decay of the running average of the weights that becomes the model."""
    validation: Annotated[float, {"min": 0.0, "max": 0.5, "label": "Validation share"}] = 0.0
    """Share of the images kept out of training, whose loss is reported; 0 trains on all."""
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
