"""The parameters of a network, which a model file holds; declared as `napari_unet_seg.fields` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from napari_unet_seg.errors import SettingsError
from napari_unet_seg.fields import Checked

BLOCKS = ("plain", "residual")
ARCHITECTURES: dict[str, tuple[str, bool]] = {
    "unet": ("plain", False),
    "residual": ("residual", False),
    "attention": ("plain", True),
    "residual-attention": ("residual", True),
}
"""Names of the kinds of U-Net, with the block and whether there are attention gates."""
NORMS = ("batch", "none")
NUCLEUS = ("background", "foreground", "outline")
"""Classes of a network that tells nuclei apart."""


@dataclass(frozen=True)
class NetworkSettings(Checked):
    """The shape of a U-Net.

    Only layers whose result does not depend on the extent of a tile are offered, because tiling must never change a label:
    BatchNorm (folded into the convolutions at inference) or none; no InstanceNorm, GroupNorm or squeeze-and-excitation.
    """

    in_channels: Annotated[int, {"min": 1, "max": 64}] = 1
    """Channels of the input; 1, since colour becomes one channel (see `core.normalize`)."""
    classes: Annotated[tuple[str, ...], {}] = NUCLEUS
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
    """Kind of the two-convolution block: "plain", or "residual", whose convolutions learn what is added to the input."""
    attention: Annotated[bool, {}] = False
    """Whether gates weigh each pixel of a skip by what the decoder knows there."""
    stride: Annotated[int, {"min": 1, "max": 4}] = 1
    """Pixels along each axis that the first level sees as one: with 2 or more, several times the width in the same time."""
    norm: Annotated[str, {"choices": NORMS}] = "batch"
    """Normalisation after each convolution."""

    def __post_init__(self) -> None:
        """Check the ranges, and that there are at least two classes, and no two maps of one name."""
        super().__post_init__()
        if len(self.classes) < 2 or len(set(self.maps)) != len(self.maps):
            raise SettingsError(f"classes is {self.classes!r}; it must name at least two different classes, none of them 'distance'.")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a mapping that JSON can hold; without what older files do not name, so that their hash stays."""
        later = {"attention": False, "stride": 1}
        return {name: value for name, value in super().to_dict().items() if name not in later or value != later[name]}

    @classmethod
    def of(cls, architecture: str, **others: Any) -> NetworkSettings:
        """Return the settings of a kind of U-Net.

        Parameters
        ----------
        architecture : str
            A key of `ARCHITECTURES`.
        **others
            Other fields.

        Raises
        ------
        SettingsError
            If there is no such kind, or a field is out of range.
        """
        if architecture not in ARCHITECTURES:
            raise SettingsError(f"architecture is {architecture!r}; it must be one of {', '.join(map(repr, ARCHITECTURES))}.")
        block, attention = ARCHITECTURES[architecture]
        return cls(block=block, attention=attention, **others)

    @property
    def multiple(self) -> int:
        """What the edges of an image must be multiples of: pixels along each axis that the deepest level sees as one."""
        return int(self.stride * 2**self.depth)

    @property
    def is_semantic(self) -> bool:
        """Whether it tells classes of pixels apart and no nuclei."""
        return not self.distance and self.classes != NUCLEUS

    @property
    def architecture(self) -> str:
        """The kind of U-Net, a key of `ARCHITECTURES`."""
        return next(name for name, kind in ARCHITECTURES.items() if kind == (self.block, self.attention))

    @property
    def maps(self) -> tuple[str, ...]:
        """Names of the maps that the network predicts, in the order of its channels."""
        return (*self.classes, "distance") if self.distance else self.classes
