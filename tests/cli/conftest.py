"""A model file, images, and the command line in this process and in its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner, Result

from napari_unet_seg.cli import app
from tests.tiny import discs, tiny_model

COMMAND = (sys.executable, "-m", "napari_unet_seg.cli")
Run = Callable[..., Result]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of a network that knows discs."""
    return str(tiny_model().save(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def run(*words: object, **options: object) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False, **options)
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
def images(run: Run) -> list[Path]:
    """Two images in the folder `data`."""
    paths = [Path("data/a.tif"), Path("data/sub/b.tif")]
    Path("data/sub").mkdir(parents=True)
    for seed, path in enumerate(paths):
        tifffile.imwrite(path, discs(seed=seed)[0])
    return paths


def start(*words: object, **options: object) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # so it is where tests run in the background, and the process would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen([*COMMAND, *map(str, words)], text=True, env=environment, **pipes)


def read_terminal(leader: int) -> str:
    """Read what is shown on a pseudo-terminal until its program ends; one that nobody reads becomes full, and stops the program."""
    shown = bytearray()
    try:
        while part := os.read(leader, 4096):
            shown += part
    except OSError:  # Linux ends a pseudo-terminal in this way
        pass
    return shown.decode()


def many_images(folder: Path, count: int) -> None:
    """Write images that keep the program busy for a while."""
    folder.mkdir()
    image = np.tile(discs()[0], (3, 3))
    for number in range(count):
        tifffile.imwrite(folder / f"{number:03}.tif", image)
