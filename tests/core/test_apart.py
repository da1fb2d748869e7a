"""Where torch does not start, a process of its own does the work, and nobody else need know.

The failing import is that of Windows (pytorch issue 169429), made by a finder of modules that raises its error.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from napari_unet_seg.core import apart
from napari_unet_seg.core.apart import iter_apart
from napari_unet_seg.errors import ComputeError, InputError
from napari_unet_seg.progress import Command, Progress, drain

TROUBLE = r'[WinError 1114] A dynamic link library (DLL) initialization routine failed. Error loading "C:\torch\lib\c10.dll".'


# -- what is run; found by name in the other process ------------------------------------------------------------------------------------


def where():
    yield Progress("Looking", 1, 1)
    return os.getpid(), "torch" in sys.modules


def double(array, keep=None):
    for step in range(3):
        yield Progress("Doubling", step + 1, 3, {"step": step})
        if keep is not None:
            keep((step,), array[step])
    return 2 * array


def until_told():
    count, command = 0, None
    while command is not Command.STOP:
        count += 1
        command = yield Progress("Waiting", count, 0)
    return count


def fails():
    yield Progress("Failing", 0, 0)
    raise InputError("The image has shape (3,).")


class OddError(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def fails_oddly():
    yield Progress("Failing", 0, 0)
    raise OddError(1, 2)


def dies():
    yield Progress("Dying", 0, 0)
    os._exit(3)


def prints():
    yield Progress("Printing", 0, 0)
    print("noise")  # noqa: T201
    os.write(1, b"more noise")
    return "whole"


# ----------------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(monkeypatch):
    """Torch does not start here, and the process finds this module by its name."""
    monkeypatch.setattr(apart, "torch_trouble", lambda: TROUBLE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    # pytest imports files by their path; the process imports this one as a module.
    module = sys.modules[__name__]
    monkeypatch.setitem(sys.modules, "tests.core.test_apart", module)
    for function in (where, double, until_told, fails, fails_oddly, dies, prints):
        monkeypatch.setattr(function, "__module__", "tests.core.test_apart")
    monkeypatch.chdir(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    yield
    apart.close_idle()


def test_where_torch_starts_nothing_is_started():
    assert apart.torch_trouble() == ""
    assert drain(iter_apart(where))[0] == os.getpid()


@pytest.mark.usefixtures("elsewhere")
class TestElsewhere:
    def test_work_is_done_in_a_process_that_has_torch_and_is_used_again(self):
        steps = []
        pid, has_torch = drain(iter_apart(where), steps.append)
        assert pid != os.getpid()
        assert has_torch
        assert steps == [Progress("Starting PyTorch", 0, 0, notice=apart.NOTICE), Progress("Looking", 1, 1)]
        assert drain(iter_apart(where), steps.append) == (pid, True)
        assert len(steps) == 3  # no second notice

    def test_outside_is_another_process_even_where_torch_starts(self, monkeypatch):
        monkeypatch.setattr(apart, "torch_trouble", lambda: "")
        steps = []
        assert drain(iter_apart(where))[0] == os.getpid()
        assert drain(apart.iter_outside(where), steps.append)[0] != os.getpid()
        assert steps[0] == Progress("Starting PyTorch", 0, 0)  # without a notice: nothing is wrong

    def test_arrays_steps_and_calls_come_over(self):
        array, steps, kept = np.arange(12, dtype=np.float16).reshape(3, 4), [], {}
        result = drain(iter_apart(double, array, keep=kept.__setitem__), steps.append)
        assert np.array_equal(result, 2 * array)
        assert [(step.done, step.metrics) for step in steps[1:]] == [(1, {"step": 0}), (2, {"step": 1}), (3, {"step": 2})]
        assert kept.keys() == {(0,), (1,), (2,)}
        assert np.array_equal(kept[2,], array[2])

    def test_lazy_images_come_over(self):
        import dask.array as da

        lazy = da.ones((3, 4), chunks=2).map_blocks(lambda block: block + 1)  # a function that pickle does not take
        assert np.all(np.asarray(drain(iter_apart(double, lazy))) == 4)

    def test_commands_go_over(self):
        steps = iter_apart(until_told)
        assert next(steps).notice == apart.NOTICE
        assert [next(steps).done, next(steps).done] == [1, 2]
        with pytest.raises(StopIteration) as end:
            steps.send(Command.STOP)
        assert end.value.value == 2

    def test_errors_come_over_with_their_traceback_and_the_process_is_given_up(self):
        with pytest.raises(InputError, match=r"shape \(3,\)") as caught:
            drain(iter_apart(fails))
        assert "in fails" in caught.value.__notes__[0]
        assert apart._IDLE == []

    def test_an_error_that_cannot_come_over_is_told_in_words(self):
        with pytest.raises(ComputeError, match="OddError: 1 and 2"):
            drain(iter_apart(fails_oddly))

    def test_a_process_that_ends_is_told_of(self):
        with pytest.raises(ComputeError, match=r"ended \(code 3\)"):
            drain(iter_apart(dies))

    def test_one_that_ended_while_it_waited_is_replaced(self):
        first, _ = drain(iter_apart(where))
        (waiting,) = apart._IDLE
        waiting._process.kill()
        waiting._process.wait()
        assert drain(iter_apart(where))[0] != first

    def test_what_is_printed_there_disturbs_nothing(self):
        assert drain(iter_apart(prints)) == "whole"

    def test_what_cannot_be_sent_is_told_of(self):
        with pytest.raises(ComputeError, match="save it as OME-TIFF"):
            drain(iter_apart(double, (step for step in ())))

    def test_cancelling_ends_the_process(self):
        steps = iter_apart(until_told)
        next(steps)
        next(steps)
        worker = steps.gi_yieldfrom.gi_frame.f_locals["worker"]
        steps.close()
        assert worker._process.poll() is not None
        assert apart._IDLE == []

    def test_two_at_a_time_and_one_is_kept(self):
        first, second = iter_apart(where), iter_apart(where)
        for steps in (first, second):
            next(steps)
        pids = {drain_rest(steps)[0] for steps in (first, second)}
        assert len(pids) == 2
        assert len(apart._IDLE) == 1


def drain_rest(steps):
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise OSError(r'[WinError 1114] A dynamic link library (DLL) initialization routine failed. Error loading "c10.dll"')
sys.meta_path.insert(0, Blocked())
"""


def test_a_real_program_without_torch_segments_in_another_process():
    code = BLOCKED + (
        "import numpy as np\n"
        "from napari_unet_seg.core import apart\n"
        "from napari_unet_seg.core.apart import iter_apart\n"
        "from napari_unet_seg.gui.surroundings import look_around\n"
        "from napari_unet_seg.progress import drain\n"
        "found = drain(iter_apart(look_around, 'nuclei'))\n"
        "assert 'WinError 1114' in apart.torch_trouble()\n"
        "assert 'torch' not in sys.modules\n"
        "print(found.models, found.devices['cpu'].available)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "nuclei" in done.stdout
    assert done.stdout.strip().endswith("True")


def test_the_trouble_is_asked_for_once(monkeypatch):
    times = []

    @functools.cache
    def slow():
        times.append(time.monotonic())
        return ""

    monkeypatch.setattr(apart, "torch_trouble", slow)
    drain(iter_apart(where))
    drain(iter_apart(where))
    assert len(times) == 1
