"""Names of units, as image files spell them, turned into micrometres and seconds."""

from __future__ import annotations

_MICROMETRES = {
    "km": 1e9,
    "m": 1e6,
    "meter": 1e6,
    "dm": 1e5,
    "cm": 1e4,
    "centimeter": 1e4,
    "mm": 1e3,
    "millimeter": 1e3,
    "um": 1.0,
    "u": 1.0,
    "micron": 1.0,
    "micrometer": 1.0,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "å": 1e-4,
    "angstrom": 1e-4,
    "pm": 1e-6,
    "picometer": 1e-6,
    "in": 25_400.0,
    "inch": 25_400.0,
}

_SECONDS = {
    "d": 86_400.0,
    "day": 86_400.0,
    "h": 3_600.0,
    "hr": 3_600.0,
    "hour": 3_600.0,
    "min": 60.0,
    "minute": 60.0,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "ms": 1e-3,
    "msec": 1e-3,
    "millisecond": 1e-3,
    "us": 1e-6,
    "microsecond": 1e-6,
    "ns": 1e-9,
    "nanosecond": 1e-9,
}


def micrometres(unit: str) -> float | None:
    r"""Return how many micrometres one `unit` is.

    Parameters
    ----------
    unit : str
        A unit of length as OME-XML, ImageJ or OME-Zarr spell it: "µm" with either of Unicode's two letters or as ImageJ's
        escape ``\u00B5m``, "micron", "nm", "millimeter", "inch" ...

    Returns
    -------
    float or None
        None when it is no unit of length, such as "pixel".

    Examples
    --------
    >>> micrometres("nm"), micrometres("\\u00B5m"), micrometres("pixel")
    (0.001, 1.0, None)
    """
    return _look_up(unit, _MICROMETRES)


def seconds(unit: str) -> float | None:
    """Return how many seconds one `unit` is, or None when it is no unit of time.

    Examples
    --------
    >>> seconds("ms"), seconds("minutes"), seconds("frame")
    (0.001, 60.0, None)
    """
    return _look_up(unit, _SECONDS)


def _look_up(unit: str, table: dict[str, float]) -> float | None:
    # "Â" is what is left of a micro sign in UTF-8 that was read as Latin-1, which older ImageJ files are full of.
    name = unit.strip().replace("\\u00B5", "u").replace("\\u00b5", "u").replace("Â", "").lower()
    # Lower case of the micro sign (U+00B5) is itself, of the Greek capital it is U+03BC. "Å" exists twice too.
    name = name.replace("µ", "u").replace("μ", "u").replace("\u212b", "å").replace("metre", "meter")
    return table.get(name, table.get(name.removesuffix("s")))
