"""What all commands share: options from a dataclass, lines and a bar on the terminal, and exit codes.

Exit codes: 0 done, 1 a part failed, 2 what was given cannot be used and nothing was done. Results go to standard output, all else to
standard error.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO, TypeVar, get_type_hints

import typer

from napari_unet_seg.errors import DeviceError, InputError, ModelError, SettingsError, UnetSegError
from napari_unet_seg.settings import SegmentSettings, field_docs, field_options

DONE, FAILED, USAGE = 0, 1, 2
_UNUSABLE = (DeviceError, InputError, ModelError, SettingsError)
"""Errors that say that what was given cannot be used."""

Options = TypeVar("Options")
Function = Callable[[Options], None]


def command(app: typer.Typer, options: type[Options], name: str | None = None) -> Callable[[Function[Options]], Function[Options]]:
    """Make a function of one options object a command.

    Parameters
    ----------
    app : typer.Typer
        Where the command belongs.
    options : type
        A dataclass whose fields are arguments and options: ``Annotated[type, typer.Option(...)]``.
    name : str, optional
        Name of the command; that of the function if not given.

    Returns
    -------
    callable
        A decorator, which returns the function unchanged. The command's help is the function's docstring. An error of this package becomes
        one line and an exit code.
    """
    hints = get_type_hints(options, include_extras=True)
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(options)  # type: ignore[arg-type]  # a TypeVar cannot be bound to dataclasses
    ]

    def _register(function: Function[Options]) -> Function[Options]:
        def _run(**values: Any) -> None:
            with exit_codes():
                function(options(**values))

        _run.__doc__ = function.__doc__
        _run.__annotations__ = {field: hints[field] for field in values_of(parameters)}
        _run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
        app.command(name or function.__name__)(_run)
        return function

    return _register


def values_of(parameters: Sequence[inspect.Parameter]) -> list[str]:
    """Return the names of parameters."""
    return [parameter.name for parameter in parameters]


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn the errors of this package into one line on standard error and an exit code.

    Raises
    ------
    typer.Exit
        With the code.
    """
    try:
        yield
    except UnetSegError as error:
        note(f"Error: {error}")
        raise typer.Exit(USAGE if isinstance(error, _UNUSABLE) else FAILED) from error


@contextmanager
def before_work() -> Iterator[None]:
    """Turn every error of this package into one of usage: nothing was done yet.

    Raises
    ------
    typer.Exit
        With the code of usage.
    """
    try:
        yield
    except UnetSegError as error:
        note(f"Error: {error}")
        raise typer.Exit(USAGE) from error


def setting(settings: type, name: str, panel: str | None = None) -> Any:
    """Declare an option by a field of a settings class: range, choices and help come from there.

    Parameters
    ----------
    settings : type
        Such as `SegmentSettings`.
    name : str
        The field.
    panel : str, optional
        Heading of the help under which the option stands.

    Returns
    -------
    typer.models.OptionInfo
    """
    declared = field_options(settings)[name]
    shown = "|".join(declared["choices"]) if "choices" in declared else None
    limits: dict[str, Any] = {"min": declared.get("min"), "max": declared.get("max")}
    default = "the model's" if settings is SegmentSettings else str(getattr(settings, name))
    return typer.Option(help=field_docs(settings).get(name, ""), metavar=shown, rich_help_panel=panel, show_default=default, **limits)


def say(text: str = "") -> None:
    """Write a line of the result to standard output."""
    typer.echo(_printable(text, sys.stdout))


def note(text: str) -> None:
    """Write a line on the work to standard error."""
    typer.echo(_printable(text, sys.stderr), err=True)


def counted(count: int, one: str, many: str) -> str:
    """Say how many there are, with the word that fits.

    Parameters
    ----------
    count : int
    one, many : str
        The word for one of them, and for any other number.

    Returns
    -------
    str

    Examples
    --------
    >>> counted(1, "nucleus", "nuclei"), counted(4312, "nucleus", "nuclei")
    ('1 nucleus', '4,312 nuclei')
    """
    return f"{count:,} {one if count == 1 else many}"


def _printable(text: str, stream: TextIO) -> str:
    """Replace what the terminal cannot show: a file name is no reason to fail."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def say_table(rows: Sequence[Sequence[str]], right: Sequence[int] | None = None) -> None:
    """Write rows to standard output in columns.

    Parameters
    ----------
    rows : sequence of sequence of str
        All of one length.
    right : sequence of int, optional
        Columns that are aligned to the right; all but the first if not given.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = range(1, len(widths)) if right is None else right
    signs = [">" if place in right else "<" for place in range(len(widths))]
    for row in rows:
        cells = [f"{text:{sign}{width}}" for text, sign, width in zip(row, signs, widths, strict=True)]
        say("  ".join(cells).rstrip())


class Bar:
    """A progress bar on standard error; nothing at all when that is no terminal.

    Parameters
    ----------
    total : float
        Steps in all.
    wanted : bool
        Whether to show it.
    """

    def __init__(self, total: float, wanted: bool = True) -> None:
        """Prepare the bar; it shows as a context manager."""
        self.total = total
        self.shown = wanted and sys.stderr.isatty()
        self._bar: Any = None

    def __enter__(self) -> Bar:
        """Show the bar."""
        if self.shown:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
            console = Console(file=sys.stderr)
            # Lines that are written meanwhile go above the bar; what is piped into a file must stay there.
            self._bar = Progress(*columns, console=console, redirect_stdout=sys.stdout.isatty(), transient=True)
            self._bar.start()
            self._bar.add_task("", total=self.total)
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: float, text: str) -> None:
        """Move the bar.

        Parameters
        ----------
        done : float
            Steps finished.
        text : str
            What is being done.
        """
        if self._bar is not None:
            self._bar.update(0, completed=done, description=_printable(text, sys.stderr))
