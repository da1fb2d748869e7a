"""How a setting is declared and checked: each parameter once, as a field of a dataclass.

A field is ``Annotated[type, {...}]``. The keys ``min``, ``max``, ``step``, ``choices``, ``label`` and ``tooltip`` mean what they mean in
magicgui, and type, `min`, `max` and `choices` are checked when the settings are made. Automatic is 0 (or ``"auto"``), never None. A field
with ``"form": False`` is no row of the form: the widget has a control of its own for it. One with ``"slider": True`` can be dragged.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import math
from collections.abc import Mapping
from itertools import chain, pairwise
from numbers import Integral, Real
from textwrap import dedent
from typing import Any, Self, get_type_hints

from napari_unet_seg.errors import SettingsError

Polygons = tuple[tuple[tuple[float, float], ...], ...]
"""Outlines on a plane: the corners (y, x) of each, in pixels."""
_WORDS: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    tuple[str, ...]: "a list of names",
    Polygons: "a list of polygons, each of at least three corners (y, x)",
}

_Declared = tuple[dict[str, Any], dict[str, dict[str, Any]]]
_DECLARED: dict[type, _Declared] = {}


class Checked:
    """Base of the settings: checks each field against its own declaration."""

    def __post_init__(self) -> None:
        """Raise `SettingsError` for the first field that is not what its declaration asks for.

        A number of another library becomes Python's own, and an integer given for a float a float: equal settings are written alike.
        """
        types, declared = _declared(type(self))
        for name, options in declared.items():
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
        return {name: _as_lists(value) for name, value in values.items()}


def field_options(settings: type) -> dict[str, dict[str, Any]]:
    """Return, for each field of a settings class, the options of its declaration; not to be written to."""
    return _declared(settings)[1]


def _declared(settings: type) -> _Declared:
    """Return type and options of each field; looked up once, since settings are made at each step of a slider."""
    if settings not in _DECLARED:
        hints = get_type_hints(settings, include_extras=True)
        names = [field.name for field in dataclasses.fields(settings)]
        _DECLARED[settings] = get_type_hints(settings), {name: getattr(hints[name], "__metadata__", ({},))[0] for name in names}
    return _DECLARED[settings]


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
    if kind is Polygons:
        return _as_polygons(value)
    return tuple(value) if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value) else None


def _as_polygons(value: Any) -> Polygons | None:
    try:
        polygons = tuple(tuple((float(y), float(x)) for y, x in corners) for corners in value)
    except (TypeError, ValueError):
        return None
    sound = all(len(corners) > 2 and all(map(math.isfinite, chain(*corners))) for corners in polygons)
    return polygons if sound and not isinstance(value, str) else None


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value


def _is_finite(value: Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False
