"""The code keeps to its own limits, and the counting that says so can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.style import figures, main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("figure", figures(), ids=lambda figure: figure.name)
def test_aims_are_met(figure):
    assert figure.met, f"{figure.name}: {figure.value:g}, aim {figure.aim:g} ({figure.where})"


@pytest.fixture
def code(tmp_path: Path):
    def write(source: str, tests: str = "\n" * 50) -> dict[str, object]:
        for folder, text in (("src", source), ("tests", tests)):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "a.py").write_text(text, encoding="utf-8")
        return {figure.name: figure for figure in figures(tmp_path)}

    return write


GOOD = 'def f(a: int, *b: int) -> None:\n    """Do."""\n'


def test_good_code_meets_every_aim(code):
    assert all(figure.met for figure in code(GOOD).values())


@pytest.mark.parametrize(
    ("source", "missed"),
    [
        (GOOD.replace(": int,", ","), "functions typed, %"),
        (GOOD.replace("*b: int", "*b"), "functions typed, %"),
        (GOOD.replace(" -> None", ""), "functions typed, %"),
        ("def f() -> None:\n    pass\n", "public names documented, %"),
        ("class A:\n    pass\n" + GOOD, "public names documented, %"),
        (GOOD + "    pass\n" * 60, "function, longest"),
        (GOOD + "\n" * 300, "file, largest"),
    ],
)
def test_bad_code_misses_its_aim(code, source: str, missed: str):
    assert not code(source, tests="\n" * 400)[missed].met


def test_private_and_inner_names_need_no_docstring(code):
    source = GOOD + "    def inner() -> None:\n        pass\n\nclass _A:\n    def g(self) -> None:\n        pass\n"
    assert code(source)["public names documented, %"].met


def test_too_few_tests_are_told(code):
    assert not code(GOOD, tests="pass\n")["lines of tests a line of code"].met


def test_table_has_a_line_for_each_figure(capsys: pytest.CaptureFixture[str]):
    status = main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(figures())
    assert status == int(any("MISSED" in line for line in lines))
