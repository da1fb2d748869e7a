"""Work with torch where torch does not start: in a process of its own.

On Windows, torch may fail to load one of its libraries when Qt has loaded others before it (an `OSError`, WinError 1114; pytorch issue
169429), and napari always loads Qt first. A process that loads torch before anything else has no such trouble. `iter_apart` runs a
generator here as long as torch starts here, and else in such a process: each `Progress` comes back, each `Command` goes there, and nobody
need know. What goes to and fro must be of classes from modules without torch.

The processes talk in pickles through pipes, which only this program writes to and reads from. A finished process waits for more work, since
loading torch takes seconds; it ends with the program, whose end closes its input. A cancelled one is killed.
"""

from __future__ import annotations

import atexit
import functools
import os
import pickle
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from typing import IO, Any, TypeVar

from napari_unet_seg.errors import ComputeError
from napari_unet_seg.progress import Command, Progress, Steps

Result = TypeVar("Result")

NOTICE = "PyTorch does not start within napari on this computer, so it runs in a process of its own; the first time, this takes longer."
_LENGTH = 8
_START = "from napari_unet_seg.core.apart import serve; serve()"
_ENDED = "The process that runs the network ended (code {}); memory may have run out: close other programs, or choose a smaller tile."


@functools.cache
def torch_trouble() -> str:
    """Say why torch does not start in this process; loads torch if it does.

    Returns
    -------
    str
        The first line of the error; empty when torch starts.
    """
    try:
        import torch  # noqa: F401
    except (ImportError, OSError) as error:
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return ""


def iter_apart(function: Callable[..., Steps[Result]], *arguments: Any, **callbacks: Callable[..., None]) -> Steps[Result]:
    """Run steps that need torch, in this process or in one of its own.

    Parameters
    ----------
    function : callable
        A generator function at the top level of a module.
    *arguments : object
        What it is called with; in another process, a copy of it.
    **callbacks : callable
        Named arguments that are functions; they are called here, with copies of their arguments, and what they return is dropped.

    Yields
    ------
    Progress
        Those of `function`; a first one with a notice when a process is started.

    Returns
    -------
    object
        What `function` returns.

    Raises
    ------
    ComputeError
        If the process ends before its work, or what it is to work on cannot be sent to it. Other errors as `function`.
    """
    if not torch_trouble():
        return (yield from function(*arguments, **callbacks))
    return (yield from iter_outside(function, *arguments, notice=NOTICE, **callbacks))


def iter_outside(
    function: Callable[..., Steps[Result]], *arguments: Any, notice: str = "", **callbacks: Callable[..., None]
) -> Steps[Result]:
    """Run steps in a process of its own, whether torch starts here or not; else as `iter_apart`.

    For parts of torch that a process with a window must not load, such as its exporter of ONNX.
    """
    worker = _idle_worker()
    if worker is None:
        yield Progress("Starting PyTorch", 0, 0, notice=notice)
        worker = _Worker()
    try:
        result: Result = yield from worker.run(function, arguments, callbacks)
    except BaseException:  # cancelled, or nobody knows what state it is in
        worker.kill()
        raise
    _keep(worker)
    return result


class _Worker:
    """A process that has loaded torch and waits for work."""

    def __init__(self) -> None:
        """Start the process."""
        # -P: no module in the folder where napari was started is taken for one of ours. Without a window of its own on Windows.
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        command = [sys.executable, "-P", "-c", _START]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing, creationflags=flags)

    def run(self, function: Callable[..., Steps[Any]], arguments: tuple[Any, ...], callbacks: dict[str, Callable[..., None]]) -> Steps[Any]:
        """Have a generator run there, and pass on what it yields and what is sent to it."""
        self._send(_packed((function, arguments, tuple(callbacks))))
        while True:
            kind, *content = self._receive()
            if kind == "call":
                callbacks[content[0]](*content[1])
            elif kind == "progress":
                self._send(_dumped((yield content[0])))
            elif kind == "error":
                raise content[0]
            else:
                return content[0]

    @property
    def alive(self) -> bool:
        """Whether it can be asked for anything."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._close()

    def close(self) -> None:
        """Let the process end, which waits for more."""
        self._close()

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what was still to be sent to a process that is gone
                    continue
        self._process.wait()

    def _send(self, data: bytes) -> None:
        try:
            _write(self._process.stdin, data)
        except OSError as error:
            raise ComputeError(_ENDED.format(self._process.wait())) from error

    def _receive(self) -> tuple[Any, ...]:
        try:
            data = _read(self._process.stdout)
        except (EOFError, OSError) as error:
            raise ComputeError(_ENDED.format(self._process.wait())) from error
        message: tuple[Any, ...] = pickle.loads(data)
        return message


_IDLE: list[_Worker] = []
_LOCK = threading.Lock()


def _idle_worker() -> _Worker | None:
    with _LOCK:
        waiting = _IDLE.pop() if _IDLE else None
    if waiting is None or waiting.alive:
        return waiting
    waiting.close()  # somebody has ended it, such as the system when memory ran out
    return None


def _keep(worker: _Worker) -> None:
    """Let one process wait for more work; a second is not worth its memory."""
    with _LOCK:
        if not _IDLE:
            _IDLE.append(worker)
            return
    worker.close()


@atexit.register
def close_idle() -> None:
    """End the process that waits for work, if there is one."""
    with _LOCK:
        waiting, _IDLE[:] = list(_IDLE), []
    for worker in waiting:
        worker.close()


def _packed(request: tuple[Any, ...]) -> bytes:
    try:
        return _dumped(request)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ComputeError(f"The image cannot be sent to the process of the network ({error}); save it as OME-TIFF first.") from error


def _dumped(message: Any) -> bytes:
    import cloudpickle  # lazy images are graphs of functions, which pickle itself does not take

    return bytes(cloudpickle.dumps(message))


def _write(stream: IO[bytes] | None, data: bytes) -> None:
    """Send a message: its length, then itself."""
    if stream is not None:
        stream.write(len(data).to_bytes(_LENGTH, "little"))
        stream.write(data)
        stream.flush()


def _read(stream: IO[bytes] | None) -> bytes:
    """Wait for a message; `EOFError` when the other side has ended."""
    head = stream.read(_LENGTH) if stream is not None else b""
    data = stream.read(int.from_bytes(head, "little")) if stream is not None else b""
    if len(head) < _LENGTH or len(data) < int.from_bytes(head, "little"):
        raise EOFError
    return data


def serve() -> None:
    """Load torch, then do what is asked for until the input ends; what the process of `iter_apart` does."""
    # Nothing else may write between the answers: what prints does so to nowhere.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    torch_trouble()  # loaded first of all; if it fails, the work fails with the same error
    while True:
        try:
            request = _read(sys.stdin.buffer)
        except EOFError:
            return
        function, arguments, names = pickle.loads(request)
        _serve_one(functools.partial(function, *arguments, **_callbacks(answers, names)), answers)


def _callbacks(answers: IO[bytes], names: tuple[str, ...]) -> dict[str, Callable[..., None]]:
    def _sender(name: str) -> Callable[..., None]:
        def _send(*arguments: Any) -> None:
            _write(answers, _dumped(("call", name, arguments)))

        return _send

    return {name: _sender(name) for name in names}


def _portable(error: Exception) -> Exception:
    """Return an error that comes out of a pickle as it went in, with its traceback as a note, since a pickle drops the traceback itself."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  # errors of other libraries take what they want
        error, story = ComputeError(f"{type(error).__name__}: {error}"), traceback.format_exc()
    else:
        story = traceback.format_exc()
    error.add_note(story)
    return error


def _serve_one(start: Callable[[], Steps[Any]], answers: IO[bytes]) -> None:
    steps = start()
    command: Command | None = None
    while True:
        try:
            progress = steps.send(command)
        except StopIteration as end:
            _write(answers, _dumped(("result", end.value)))
            return
        except Exception as error:  # noqa: BLE001  # whatever it is, it is raised again in the other process
            _write(answers, _dumped(("error", _portable(error))))
            return
        _write(answers, _dumped(("progress", progress)))
        command = pickle.loads(_read(sys.stdin.buffer))
