"""What is shipped: the built package is whole, works by itself, names what it needs, and costs nothing until it is used."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections import deque
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import napari_unet_seg

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "napari_unet_seg"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def call(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Run a command away from the repository, as a person would who has only installed the package, and return what it printed."""
    hidden = {"PYTHONPATH", "PYTHONHOME", "NAPARI_UNET_SEG_DATA"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden} | {"PYTHONNOUSERSITE": "1"} | variables
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, f"{command} gave {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


# -- the metadata ----------------------------------------------------------------------------------------------------------------------


def imported(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file with the top-level name of each module that it imports, also inside functions."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            yield from ((file, name.partition(".")[0]) for name in names)


def declared(group: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in group}


BASE = declared(PROJECT["project"]["dependencies"])
OPTIONAL = {extra: declared(lines) for extra, lines in PROJECT["project"]["optional-dependencies"].items()}
DISTRIBUTIONS = metadata.packages_distributions()


def runs_only_in_napari(file: Path) -> bool:
    return file.parent.name == "gui" or file.name.startswith("napari_")


def test_each_import_is_a_declared_dependency():
    own = {"napari_unet_seg", *sys.stdlib_module_names}
    anywhere = BASE | set().union(*OPTIONAL.values())
    with_napari = anywhere | declared([line for line in metadata.requires("napari") or [] if "extra ==" not in line])
    undeclared = {
        f"{file.name}: {name}"
        for file, name in imported(SOURCE)
        if name not in own
        and not (with_napari if runs_only_in_napari(file) else anywhere) & {canonicalize_name(d) for d in DISTRIBUTIONS.get(name, [name])}
    }
    assert not undeclared


def test_each_import_of_the_tests_is_declared():
    own = {"napari_unet_seg", "tests", "benchmarks", "recipes", "napari_builtins", *sys.stdlib_module_names}
    group = declared([line for line in PROJECT["dependency-groups"]["test"] if isinstance(line, str)])
    peers = {"cellpose", "csbdeep", "instanseg", "stardist"}  # whoever has them can compare; the benchmark says when they are not there
    anywhere = BASE | group | peers | set().union(*OPTIONAL.values())
    names = {name for folder in ("tests", "benchmarks", "recipes") for _, name in imported(ROOT / folder)} - own
    assert not {name for name in names if not anywhere & {canonicalize_name(d) for d in DISTRIBUTIONS.get(name, [name])}}


def test_each_dependency_is_used():
    unseen = {"imagecodecs"}  # tifffile loads it by itself, for what a file is compressed with
    used = {canonicalize_name(d) for _, name in imported(SOURCE) for d in DISTRIBUTIONS.get(name, [])}
    assert BASE - used <= unseen


def test_base_names_no_viewer_and_no_qt_binding():
    assert not BASE & {"napari", "pyqt5", "pyqt6", "pyside2", "pyside6"}
    assert "napari" in OPTIONAL["all"]


def test_versions_agree():
    assert f"\nversion: {napari_unet_seg.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert metadata.version("napari-unet-seg") == napari_unet_seg.__version__


@pytest.mark.parametrize("name", ["napari.yaml", "sample_data"])
def test_top_of_the_repository_links_into_the_package(name: str):
    link = ROOT / name
    if link.is_symlink():
        assert not Path(os.readlink(link)).is_absolute()
        assert link.resolve() == (SOURCE / name).resolve()
    else:  # git on Windows without the right to make links writes the target's name into a file
        assert link.read_text(encoding="utf-8").strip() == f"src/napari_unet_seg/{name}"


# -- what it costs to have it installed ------------------------------------------------------------------------------------------------

TORCH_IS_ABSENT = "import sys; assert 'torch' not in sys.modules, 'torch was imported'"
HEAVY_IS_ABSENT = "import sys; heavy = {'torch', 'pandas', 'dask', 'zarr', 'skimage', 'napari'} & set(sys.modules); assert not heavy, heavy"


@pytest.mark.parametrize(
    "module", ["napari_unet_seg", "napari_unet_seg.settings", "napari_unet_seg.io.napari_reader", "napari_unet_seg.io.samples"]
)
def test_import_is_light(module: str, tmp_path: Path):
    call(sys.executable, "-c", f"import {module}; {HEAVY_IS_ABSENT}", cwd=tmp_path)


def test_command_line_answers_without_torch(tmp_path: Path):
    help_only = "import sys; sys.argv[1:] = ['--help']\nfrom napari_unet_seg.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    call(sys.executable, "-c", help_only + TORCH_IS_ABSENT, cwd=tmp_path)


def test_start_of_napari_loads_no_torch(tmp_path: Path):
    start = (
        "import napari, npe2\n"
        "viewer = napari.Viewer(show=False)\n"
        "assert 'napari-unet-seg' in {m.name for m in npe2.PluginManager.instance().iter_manifests()}\n"
        "import napari_unet_seg.io.napari_reader\n"
        "viewer.close()\n"
    )
    call(sys.executable, "-c", start + TORCH_IS_ABSENT, cwd=tmp_path, NAPARI_CONFIG=str(tmp_path / "settings.yaml"))


# -- the wheel -------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution, which thereby is shown to be whole too."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return next(folder.glob("*.whl"))


def test_wheel_holds_everything_and_nothing_else(wheel: Path):
    held = set(zipfile.ZipFile(wheel).namelist())
    files = {file.relative_to(SOURCE.parent).as_posix() for file in SOURCE.rglob("*") if file.is_file() and "__pycache__" not in file.parts}
    assert {name for name in held if ".dist-info/" not in name} == files
    assert {"napari_unet_seg/napari.yaml", "napari_unet_seg/py.typed", "napari_unet_seg/sample_data/nuclei.ome.tif"} <= held
    assert any(re.fullmatch(r"napari_unet_seg/weights/nuclei-v\d+\.safetensors", name) for name in held)
    assert wheel.stat().st_size < 40e6


def needed(requirements: list[str], chosen: str) -> dict[str, metadata.Distribution]:
    """Return the installed distributions that the requirements, those of the chosen extra included, ask for, directly or not."""
    found: dict[str, metadata.Distribution] = {}
    waiting = deque((Requirement(line), extra) for line in requirements for extra in {"", chosen})
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement, extra = waiting.popleft()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        found[name] = metadata.distribution(name)
        for wanted in {"", *requirement.extras}:
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                waiting.extend((Requirement(line), wanted) for line in found[name].requires or [])
    return found


class Environment:
    """A virtual environment with the wheel, and with links to what the wheel's metadata asks for and nothing else."""

    def __init__(self, folder: Path, wheel: Path, extra: str) -> None:
        venv.create(folder, symlinks=os.name != "nt")
        self.scripts = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.scripts / ("python.exe" if os.name == "nt" else "python")
        self.site = Path(call(self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
        call(sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
        own = next(metadata.distributions(name="napari-unet-seg", path=[str(self.site)]))
        for distribution in needed(own.requires or [], extra).values():
            self._link(distribution)

    def _link(self, distribution: metadata.Distribution) -> None:
        for top in {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            if not (self.site / top).exists():
                (self.site / top).symlink_to(str(distribution.locate_file(top)))

    def run(self, code: str, cwd: Path, **variables: str) -> str:
        return call(self.python, "-c", code, cwd=cwd, **variables)


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("bare"), wheel, extra="")


@pytest.fixture(scope="module")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("full"), wheel, extra="all")


def test_installed_wheel_is_alone(bare: Environment, tmp_path: Path):
    code = (
        "import json, sys, napari_unet_seg\n"
        "from importlib.util import find_spec\n"
        "print(json.dumps([napari_unet_seg.__file__, sys.path, find_spec('napari') is not None]))\n"
    )
    file, path, has_napari = json.loads(bare.run(code, tmp_path))
    assert Path(file).is_relative_to(bare.site)
    assert not has_napari
    assert not any(Path(entry).is_relative_to(ROOT) for entry in path if entry)


def test_installed_wheel_segments_its_own_sample(bare: Environment, tmp_path: Path):
    ask = "from napari_unet_seg.io.samples import sample_path, truth_path; print(sample_path('nuclei')); print(truth_path('nuclei'))"
    sample, truth = map(Path, bare.run(ask, tmp_path).splitlines())
    assert sample.is_relative_to(bare.site)
    command = bare.scripts / "napari-unet-seg"
    reported = json.loads(call(command, "segment", sample, "--output", tmp_path / "out", "--device", "cpu", "--json", cwd=tmp_path))
    assert reported["error"] in (None, "")
    assert reported["nuclei"] == pytest.approx(150, rel=0.1)
    output = tmp_path / "out" / "nuclei.labels.tif"
    scores = call(command, "evaluate", truth, output, "--json", cwd=tmp_path)
    assert json.loads(scores)


def test_manifest_comes_from_the_wheel_and_its_commands_exist(full: Environment, tmp_path: Path):
    code = (
        "import json, npe2\n"
        "npe2.PluginManager.instance().discover()\n"
        "manifest = npe2.PluginManager.instance().get_manifest('napari-unet-seg')\n"
        "functions = [npe2.manifest.utils.import_python_name(command.python_name)"
        " for command in manifest.contributions.commands]\n"
        "import sys\n"
        "print(json.dumps([sys.modules[f.__module__].__file__ for f in functions]))\n"
    )
    files = json.loads(full.run(code, tmp_path, QT_API="pyqt6"))
    assert files
    assert all(Path(file).is_relative_to(full.site) for file in files)


def test_samples_open_in_napari_from_the_wheel(full: Environment, tmp_path: Path):
    code = (
        "import napari\n"
        "viewer = napari.Viewer(show=False)\n"
        "from napari_unet_seg.io.samples import SAMPLES\n"
        "keys = ['fluorescence', 'histology', *SAMPLES[2:]]\n"
        "for key in keys:\n"
        "    print(*[type(layer).__name__ for layer in viewer.open_sample('napari-unet-seg', key)])\n"
        "    viewer.layers.clear()\n"
        "viewer.close()\n"
    )
    opened = full.run(code, tmp_path, NAPARI_CONFIG=str(tmp_path / "settings.yaml")).split()
    assert opened == [*["Image", "Labels"] * 5, "Image", *["Image", "Labels"] * 3]  # the sixth has two channels
