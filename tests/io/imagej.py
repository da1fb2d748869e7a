"""ImageJ itself, run by a macro: the program that most users open our files in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_JARS = (os.environ.get("IMAGEJ_JAR", ""), "/usr/share/java/ij.jar")


def run_macro(body: str, folder: Path) -> list[list[str]]:
    """Run a macro that calls `say(...)` with values separated by spaces, and return those values line by line."""
    said, macro = folder / "said.txt", folder / "macro.ijm"
    said.touch()
    macro.write_text(f'function say(line) {{ File.append(line, "{said}"); }}\n{body}\nsay("end");\nrun("Quit");\n')
    java = ["java", "-Xmx1g", f"-Duser.home={folder}", "-jar", _jar(), "-batch", str(macro)]
    display = ["xvfb-run", "--auto-servernum"] if shutil.which("xvfb-run") else []
    done = subprocess.run([*display, *java], capture_output=True, text=True, timeout=120, check=False)
    lines = said.read_text().splitlines()
    assert lines[-1:] == ["end"], f"ImageJ stopped within the macro:\n{done.stdout}{done.stderr}{lines}"
    return [line.split() for line in lines[:-1]]


def _jar() -> str:
    jar = next((jar for jar in _JARS if jar and Path(jar).is_file()), None)
    if jar is not None and shutil.which("java"):
        return jar
    if sys.platform != "linux":
        pytest.skip("needs ImageJ: set IMAGEJ_JAR to its ij.jar")
    pytest.fail("ImageJ is missing: run `apt-get install imagej` (scripts/test does), or set IMAGEJ_JAR to an ij.jar")
