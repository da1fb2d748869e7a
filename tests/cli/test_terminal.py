"""What all commands share."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from napari_unet_seg import __version__, errors
from napari_unet_seg.cli import app, terminal
from napari_unet_seg.cli.terminal import Bar, command, say_table, setting
from napari_unet_seg.settings import SegmentSettings, TrainSettings
from tests.cli.conftest import COMMAND, Run


@dataclass(frozen=True)
class Some:
    place: Annotated[str, typer.Argument()]
    count: Annotated[int, typer.Option(help="How many.")] = 3
    high: Annotated[float | None, setting(SegmentSettings, "probability")] = None


def made(function) -> typer.Typer:
    made = typer.Typer()
    command(made, Some)(function)
    return made


def test_a_dataclass_becomes_arguments_and_options():
    seen: list[Some] = []

    def note(options: Some) -> None:
        """Do it."""
        seen.append(options)

    runner = CliRunner()
    assert runner.invoke(made(note), ["here", "--count", "4"]).exit_code == 0
    assert runner.invoke(made(note), ["there", "--high", "0.5"]).exit_code == 0
    assert seen == [Some("here", 4), Some("there", 3, 0.5)]
    assert "Do it." in runner.invoke(made(note), ["--help"]).output


@pytest.mark.parametrize("value", ["0", "1", "x"])
def test_the_range_of_a_setting_is_the_option_s(value: str):
    result = CliRunner().invoke(made(lambda options: None), ["here", "--high", value])
    assert result.exit_code == 2
    assert "--high" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InputError, 2),
        (errors.SettingsError, 2),
        (errors.ModelError, 2),
        (errors.DeviceError, 2),
        (errors.OutOfMemoryError, 1),
        (errors.ComputeError, 1),
        (errors.ReadError, 1),
        (errors.WriteError, 1),
    ],
)
def test_an_error_is_one_line_and_a_code(error: type[Exception], code: int):
    def fail(options: Some) -> None:
        raise error("Something is wrong; do this.")

    result = CliRunner().invoke(made(fail), ["here"])
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "Error: Something is wrong; do this.\n")


def test_faults_of_the_program_are_not_hidden():
    def fail(options: Some) -> None:
        raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(made(fail), ["here"]).exception, ZeroDivisionError)


@pytest.mark.parametrize("settings", [SegmentSettings, TrainSettings])
def test_help_is_what_the_declaration_says(settings: type):
    option = setting(settings, "probability" if settings is SegmentSettings else "steps")
    assert option.help in {
        "A pixel belongs to a nucleus when its probability is at least this; lower draws larger nuclei and finds fainter ones.",
        "Number of batches; 0 is automatic: 300 to teach a model further, a minute or two on a laptop, and 2000 from nothing.",
    }


def test_help_without_sources_is_empty(monkeypatch: pytest.MonkeyPatch):
    def gone(value: type) -> str:
        raise OSError("no source")

    monkeypatch.setattr(terminal.inspect, "getsource", gone)
    assert setting(SegmentSettings, "probability").help == ""


def test_tables_are_aligned(capsys: pytest.CaptureFixture[str]):
    say_table([("a", "b"), ("longer", "100")])
    say_table([("a", "b"), ("longer", "100")], right=())
    assert capsys.readouterr().out.splitlines() == ["a         b", "longer  100", "a       b", "longer  100"]


def test_what_the_terminal_cannot_show_is_replaced(monkeypatch: pytest.MonkeyPatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.say("8 µm²")
    stream.flush()
    assert stream.buffer.getvalue() == b"8 ?m?\n"  # type: ignore[attr-defined]


def test_no_terminal_no_bar(capsys: pytest.CaptureFixture[str]):
    with Bar(3) as bar:
        bar.update(1, "Working")
    assert capsys.readouterr() == ("", "")


def test_the_version_is_told():
    assert CliRunner().invoke(app, ["--version"]).stdout == f"napari-unet-seg {__version__}\n"


@pytest.mark.parametrize(
    "name", ["segment", "train", "evaluate", "info", "demo", "models list", "models show", "models import", "models export"]
)
def test_every_command_has_help(run: Run, name: str):
    result = run(*name.split(), "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


@pytest.mark.parametrize("words", [[], ["models"]])
def test_no_command_shows_what_there_is(run: Run, words: list[str]):
    assert "Commands" in run(*words).output


@pytest.mark.parametrize("words", [["--no-such-option"], ["segmnt"], ["segment", "x", "-o", "out", "--resume"]])
def test_what_is_unknown_is_a_usage_error(run: Run, words: list[str]):
    assert run(*words).exit_code == 2


def test_help_loads_nothing_heavy():
    code = """
import sys
from napari_unet_seg.cli import main
try:
    main()
except SystemExit:
    loaded = sorted({"torch", "numpy", "pandas", "scipy", "skimage", "zarr", "dask", "napari"} & set(sys.modules))
    sys.exit(f"loaded {loaded}" if loaded else 0)
"""
    done = subprocess.run([sys.executable, "-c", code, "segment", "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_module_runs_like_the_script():
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"napari-unet-seg {__version__}\n"
