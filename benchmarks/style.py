"""How the code counts: ``python benchmarks/style.py`` prints a table of figures beside what is aimed for, and fails if one is missed.

Only ``src/`` is counted as code; ``tests/`` is set against it line by line. A nested function counts by itself and as part of the one
around it.
"""

from __future__ import annotations

import ast
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Figure:
    """One line of the table: what was counted, and what is aimed for.

    Parameters
    ----------
    name : str
        What was counted.
    value, aim : float
        The count, and its limit.
    at_least : bool
        Whether `aim` is the lowest that is good enough; else it is the highest.
    where : str
        The place that decides the figure, such as the longest function.
    """

    name: str
    value: float
    aim: float
    at_least: bool = False
    where: str = ""

    @property
    def met(self) -> bool:
        """Whether the aim is reached."""
        return self.value >= self.aim if self.at_least else self.value <= self.aim


@dataclass(frozen=True)
class Counted:
    """A function or class with its place and length in lines."""

    node: Function | ast.ClassDef
    where: str
    public: bool

    @property
    def lines(self) -> int:
        """Lines from the name's own to the last."""
        return (self.node.end_lineno or self.node.lineno) - self.node.lineno + 1

    @property
    def documented(self) -> bool:
        """Whether there is a docstring."""
        return ast.get_docstring(self.node) is not None

    @property
    def typed(self) -> bool:
        """Whether each parameter and the result have a type."""
        if isinstance(self.node, ast.ClassDef):
            return True
        given = self.node.args
        named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
        return self.node.returns is not None and all(a.annotation is not None for a in named if a.arg not in {"self", "cls"})


def figures(root: Path = ROOT) -> list[Figure]:
    """Count the code below `root`.

    Parameters
    ----------
    root : Path
        A folder with ``src`` and ``tests``.

    Returns
    -------
    list of Figure
        One for each line of the table.
    """
    files = sorted((root / "src").rglob("*.py"))
    counted = [item for file in files for item in _counted(file, root)]
    functions = sorted((item for item in counted if not isinstance(item.node, ast.ClassDef)), key=lambda item: item.lines)
    lengths = [item.lines for item in functions]
    sizes = {_name(file, root): _lines(file) for file in files}
    largest = max(sizes, key=sizes.__getitem__)
    tests = sum(map(_lines, (root / "tests").rglob("*.py")))
    return [
        Figure("function, median lines", statistics.median(lengths), 10),
        Figure("function, 90th percentile", lengths[int(0.9 * (len(lengths) - 1))], 30),
        Figure("function, longest", lengths[-1], 50, where=functions[-1].where),
        Figure("file, largest", sizes[largest], 300, where=largest),
        _share("functions typed, %", functions, "typed"),
        _share("public names documented, %", [item for item in counted if item.public], "documented"),
        Figure("lines of tests a line of code", tests / max(1, sum(sizes.values())), 0.8, at_least=True),
    ]


def _counted(file: Path, root: Path) -> Iterator[Counted]:
    """Yield every function and class of a file."""
    hidden: set[ast.AST] = set()  # what lies inside a function or a private class is nobody's interface
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, Function | ast.ClassDef):
            continue
        public = node not in hidden and not node.name.startswith("_")
        if not public or not isinstance(node, ast.ClassDef):
            hidden.update(ast.walk(node))
        yield Counted(node, f"{_name(file, root)}:{node.lineno} {node.name}", public)


def _share(name: str, items: list[Counted], wanted: str) -> Figure:
    """Return the percentage of `items` that have what is wanted, and the first that has not."""
    lacking = [item.where for item in items if not getattr(item, wanted)]
    return Figure(name, 100 * (1 - len(lacking) / max(1, len(items))), 100, at_least=True, where=lacking[0] if lacking else "")


def _name(file: Path, root: Path) -> str:
    """Return the short name of a file."""
    return file.relative_to(root / "src").as_posix()


def _lines(file: Path) -> int:
    """Count the lines of a file."""
    return len(file.read_text(encoding="utf-8").splitlines())


def main() -> int:
    """Print the table; return 1 if an aim is missed, else 0."""
    table = figures()
    print(f"{'':31} {'counted':>9} {'aim':>9}")
    for figure in table:
        sign = ">=" if figure.at_least else "<="
        mark = "" if figure.met else "  MISSED"
        print(f"{figure.name:31} {figure.value:9.4g} {f'{sign} {figure.aim:g}':>9}{mark}  {figure.where}".rstrip())
    return int(not all(figure.met for figure in table))


if __name__ == "__main__":
    sys.exit(main())
