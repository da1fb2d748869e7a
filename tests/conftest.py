"""What all tests share: the data set, and the rules on skipping.

A run in which nothing ran is no pass, and on continuous integration (``CI=true``) a test may be skipped only for want of a GPU, or for what
``--may-skip`` names: a public machine has not got the data sets.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

# Warnings that Qt prints, and napari's own slips such as a leaked widget, count as failures.
os.environ.setdefault("NAPARI_STRICT_QT", "1")

ON_CI = os.environ.get("CI", "").lower() in {"1", "true"}
DATA_VARIABLE = "NAPARI_UNET_SEG_DATA"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--may-skip",
        action="append",
        default=["GPU"],
        metavar="WORD",
        help="on CI, tests may be skipped for reasons with this word in them, GPU in any case (repeatable; empty: any reason)",
    )


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with `dsb2018`, `formats` and `out_of_domain`; a test that asks for it is skipped where there is none."""
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        pytest.skip(f"needs the data sets: set {DATA_VARIABLE} to their folder")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"{DATA_VARIABLE} is {named!r}, which is no folder")
    return folder


class _Skips:
    """Counts what ran and what did not, and turns a run that proves too little into a failed one."""

    def __init__(self, allowed: list[str]) -> None:
        self.allowed = allowed
        self.ran = 0
        self.reasons: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ran += report.when == "call" and not report.skipped
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)  # a module may skip itself whole

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            where_and_why = report.longrepr
            reason = where_and_why[2] if isinstance(where_and_why, tuple) else str(where_and_why)
            self.reasons[reason.removeprefix("Skipped: ")] += 1

    @property
    def forbidden(self) -> list[str]:
        return [reason for reason in self.reasons if ON_CI and not any(word in reason for word in self.allowed)]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.exitstatus == pytest.ExitCode.OK and not session.config.option.collectonly and (self.forbidden or not self.ran):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        write = terminalreporter.write_line
        write("")
        write(f"{self.ran} tests ran, {self.reasons.total()} were skipped{':' if self.reasons else ''}")
        for reason, count in self.reasons.most_common():
            write(f"  {count} x {reason}", red=reason in self.forbidden)
        if self.forbidden:
            write(f"On CI only tests that need {' or '.join(self.allowed)} may be skipped: this run fails.", red=True)
        if not self.ran:
            write("No test ran: this run fails.", red=True)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Skips(config.getoption("may_skip")), "skips")
