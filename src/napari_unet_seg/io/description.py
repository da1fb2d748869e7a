"""What a file says of its pixels: sizes, names, colours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Description:
    """What a file says of its pixels, as far as it says anything; the fields mean what they mean in `ImageFile`."""

    scale: dict[str, float] = field(default_factory=dict)
    channel_names: tuple[str, ...] = ()
    colors: tuple[str | None, ...] = ()
    contrast_limits: tuple[tuple[float, float] | None, ...] = ()
    is_labels: bool = False
    provenance: dict[str, Any] = field(default_factory=dict)


def useful_limits(low: Any, high: Any) -> tuple[float, float] | None:
    """Return contrast limits as numbers, or None when they are none: the upper one must be above the lower one."""
    try:
        limits = float(low), float(high)
    except (TypeError, ValueError):
        return None
    return limits if limits[0] < limits[1] < float("inf") else None


def useful_colors(colors: tuple[str | None, ...]) -> tuple[str | None, ...]:
    """Return the colours, or none when they do not tell channels apart: white for each is what writers put that know no colours."""
    return () if len(colors) > 1 and set(colors) <= {"#ffffff", None} else colors
