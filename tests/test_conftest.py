"""The rules on skipping, proved by runs of pytest inside this one."""

from __future__ import annotations

from pathlib import Path

import pytest

GPU = "needs a GPU"
PASSES = "def test_passes(): pass\n"


def skipping(reason: str) -> str:
    return f"import pytest\n@pytest.mark.skip(reason={reason!r})\ndef test_skipped(): pass\n"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    def run_with(source: str | dict[str, str], ci: bool, *options: str) -> pytest.RunResult:
        monkeypatch.setenv("CI", "true" if ci else "")
        pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text(encoding="utf-8"))
        pytester.makepyfile(**source) if isinstance(source, dict) else pytester.makepyfile(source)
        # Without the plugins of Qt and napari, which take seconds to load and have no part in this.
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        return pytester.runpytest_subprocess(*options)

    return run_with


@pytest.mark.parametrize(
    ("source", "ci", "fails"),
    [
        (PASSES, True, False),
        (PASSES + skipping(GPU), True, False),
        (PASSES + skipping("no data"), True, True),
        (PASSES + skipping("no data"), False, False),
        (skipping(GPU), True, True),  # nothing ran
        (skipping(GPU), False, True),
    ],
)
def test_which_skips_fail_a_run(run, source: str, ci: bool, fails: bool):
    assert (run(source, ci).ret != 0) == fails


def test_reasons_are_counted(run):
    result = run(PASSES + skipping("no data") + skipping("no data").replace("test_skipped", "test_other"), ci=False)
    result.stdout.fnmatch_lines(["1 tests ran, 2 were skipped:", "  2 x no data"])


def test_module_that_skips_itself_counts(run):
    result = run({"test_whole": "import pytest\npytest.importorskip('surely_not_installed')\n", "test_part": PASSES}, ci=True)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["On CI only tests that need GPU may be skipped: this run fails."])


def test_expected_failure_is_no_skip(run):
    source = PASSES + "import pytest\n@pytest.mark.xfail(reason='upstream')\ndef test_x(): assert False\n"
    assert run(source, ci=True).ret == 0


def test_missing_data_skips_and_so_fails_on_ci(run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NAPARI_UNET_SEG_DATA", raising=False)
    source = PASSES + "def test_data(data_dir): pass\n"
    assert run(source, True).ret != 0
    assert run(source, True, "--may-skip=data sets").ret == 0
    run(source, False).assert_outcomes(passed=1, skipped=1)


def test_missing_data_folder_is_an_error_anywhere(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("NAPARI_UNET_SEG_DATA", str(tmp_path / "gone"))
    run("def test_data(data_dir): pass\n", False).assert_outcomes(errors=1)
