"""The guide builds without a warning, so that no link and no picture leads nowhere, and says nothing that the program does not."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import npe2
import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


@pytest.mark.skipif(find_spec("sphinx") is None or find_spec("furo") is None, reason="needs the dependency group docs")
def test_it_builds_without_a_warning(tmp_path: Path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", tmp_path / "trees", DOCS, tmp_path / "html"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {page.with_suffix(".html").name for page in PAGES} <= {file.name for file in (tmp_path / "html").iterdir()}


def test_every_picture_is_used_and_made_by_the_script():
    text = "".join(page.read_text(encoding="utf-8") for page in (*PAGES, ROOT / "README.md"))
    script = (DOCS / "screenshots.py").read_text(encoding="utf-8")
    for picture in (DOCS / "images").glob("*.png"):
        assert picture.name in text, f"{picture.name} is not shown anywhere"
        assert f'"{picture.stem}"' in script, f"{picture.name} is not made by the script"


def test_what_it_calls_menus_and_commands_is_there():
    plugins = npe2.PluginManager.instance()
    plugins.discover()
    manifest = plugins.get_manifest("napari-unet-seg")
    parts = manifest.contributions
    titles = {command.title for command in parts.commands} | {part.display_name for part in (*parts.widgets, *parts.sample_data, manifest)}
    named = re.compile(r"\*\*(?:Plugins|File > IO Utilities|File > Open Sample) > ([^*]+)\*\*")
    for page in PAGES:
        for path in named.findall(page.read_text(encoding="utf-8")):
            assert all(part.strip() in titles for part in path.split(" > ")), f"{page.name}: {path}"


def test_what_people_ask_for_has_the_tests_that_are_named():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (DOCS / "asked-for.md").read_text(encoding="utf-8"))
    assert named
    for path, name in named:
        assert re.search(rf"def {name}\b", (ROOT / path).read_text(encoding="utf-8")), f"{path} has no {name}"
