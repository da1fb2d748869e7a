"""The errors this package raises on purpose.

All of them derive from `UnetSegError`, and each message is one sentence that says what was wrong, with which value, and what to do.

- `UnetSegError`
    - `InputError`: an image or labels array has a shape, dtype or axes that cannot be used.
    - `SettingsError`: a setting is out of its range, or two settings contradict each other.
    - `ModelError`: a model is unknown, or its file is missing, damaged or of another version.
    - `DeviceError`: a device was asked for that this machine does not have.
    - `OutOfMemoryError`: memory ran out even with the smallest tile.
    - `ComputeError`: the network failed for any other reason; the cause is attached.
    - `ReadError`: a file could not be read.
    - `WriteError`: a file could not be written; an older file of that name is still whole.
"""

from __future__ import annotations


class UnetSegError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(UnetSegError, ValueError):
    """An image or labels array has a shape, dtype or axes that cannot be used."""


class SettingsError(UnetSegError, ValueError):
    """A setting is out of its range, or two settings contradict each other."""


class ModelError(UnetSegError):
    """A model is unknown, or its file is missing, damaged or of another version."""


class DeviceError(UnetSegError):
    """A device was asked for that this machine does not have."""


class OutOfMemoryError(UnetSegError):
    """Memory ran out even with the smallest tile."""


class ComputeError(UnetSegError):
    """The network failed for a reason that is not memory; the cause is attached."""


class ReadError(UnetSegError, OSError):
    """A file could not be read."""


class WriteError(UnetSegError, OSError):
    """A file could not be written; an older file of that name is still whole."""
