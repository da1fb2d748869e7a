"""Public sets come from a server of our own: whole, in pieces, wrong, cut short, or not at all."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import re
import socket
import threading
import zipfile

import numpy as np
import pytest

from napari_unet_seg.errors import ReadError
from napari_unet_seg.io import downloads
from napari_unet_seg.io.downloads import BBBC038, BBBC039, Archive, PublicSet, cache_folder, iter_fetch
from napari_unet_seg.io.folders import find_annotated
from napari_unet_seg.progress import drain
from tests.io.annotated import kaggle


@pytest.fixture
def archive(tmp_path) -> bytes:
    """A small set in Kaggle's layout, with the litter that macOS leaves."""
    kaggle(tmp_path / "made")
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as file:
        for path in sorted((tmp_path / "made").rglob("*.png")):
            file.write(path, path.relative_to(tmp_path / "made").as_posix())
        file.writestr("noise.bin", np.random.default_rng(0).bytes(300_000))
        file.writestr("__MACOSX/._x.png", b"litter")
        file.writestr("../outside.txt", b"must stay inside")
    return memory.getvalue()


class Server:
    """A server that gives what the test says.

    `answer` is what is sent, `promised` the length that is announced, None for none, and `status` the code.
    """

    def __init__(self, answer: bytes) -> None:
        self.answer, self.promised, self.status, self.asked = answer, len(answer), 200, 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked += 1
                self.send_response(outer.status)
                if outer.promised is not None:
                    self.send_header("Content-Length", str(outer.promised))
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, *arguments):
                """Write nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/set.zip"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def server(archive):
    server = Server(archive)
    yield server
    server.close()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def small(server: Server, sha256: str = "") -> PublicSet:
    return PublicSet("SMALL", "A small set", (Archive(server.url, sha256),))


def left(cache) -> list[str]:
    return sorted(os.listdir(cache)) if cache.exists() else []


def test_a_set_is_fetched_unpacked_and_kept(server, archive, cache):
    steps = []
    folder = drain(iter_fetch(small(server, hashlib.sha256(archive).hexdigest()), cache), steps.append)
    assert folder == cache / "SMALL"
    assert len(find_annotated(folder)) == 3
    assert left(cache) == ["SMALL"]
    assert not list(folder.rglob("*MACOSX*"))
    assert (folder / "outside.txt").exists()  # the name did not lead outside
    loading = [step for step in steps if step.stage == "Downloading set.zip"]
    assert [step.done for step in loading] == sorted(step.done for step in loading)
    assert (loading[-1].done, loading[-1].total) == (len(archive) // 1000,) * 2
    assert any(step.stage == "Unpacking set.zip" for step in steps)


def test_what_is_there_is_not_fetched_again(server, cache):
    drain(iter_fetch(small(server), cache))
    assert drain(iter_fetch(small(server), cache)) == cache / "SMALL"
    assert server.asked == 1


def test_several_archives_go_into_one_folder(server, cache):
    both = PublicSet("BOTH", "Two", (Archive(server.url), Archive(server.url)))
    steps = []
    drain(iter_fetch(both, cache), steps.append)
    assert {"Downloading set.zip (1 of 2)", "Downloading set.zip (2 of 2)"} <= {step.stage for step in steps}


def test_without_a_length_the_total_is_unknown(server, cache):
    server.promised = None
    steps = []
    drain(iter_fetch(small(server), cache), steps.append)
    assert {step.total for step in steps if step.stage.startswith("Downloading")} == {0}


def test_a_wrong_checksum_is_refused_and_leaves_nothing(server, archive, cache):
    with pytest.raises(ReadError, match=rf"{len(archive):,} bytes with the checksum .* instead of aaaaaaaaaaaa"):
        drain(iter_fetch(small(server, "a" * 64), cache))
    assert left(cache) == []


def test_a_cut_file_is_refused_and_leaves_nothing(server, archive, cache):
    server.answer = archive[:1000]
    with pytest.raises(ReadError, match=r"cut short|broke off"):
        drain(iter_fetch(small(server), cache))
    assert left(cache) == []


def test_what_is_no_archive_is_refused_and_leaves_nothing(server, cache):
    server.answer = b"<html>Please log in to the network of this hotel</html>"
    server.promised = len(server.answer)
    with pytest.raises(ReadError, match="is damaged"):
        drain(iter_fetch(small(server), cache))
    assert left(cache) == []


def test_a_server_that_refuses_is_named(server, cache):
    server.status = 503
    with pytest.raises(ReadError, match=r"127.0.0.1:\d+ does not give set.zip \(error 503"):
        drain(iter_fetch(small(server), cache))
    assert left(cache) == []


def test_without_a_connection_it_says_so(cache):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/set.zip"
    there = PublicSet("SMALL", "A small set", (Archive(url),))  # nobody listens there any more
    with pytest.raises(ReadError, match=r"cannot be reached .* come with the plugin"):
        drain(iter_fetch(there, cache))
    assert left(cache) == []


def test_cancelling_leaves_nothing(server, cache):
    steps = iter_fetch(small(server), cache)
    next(steps)
    next(steps)
    assert left(cache)
    steps.close()
    assert left(cache) == []


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReadError, match="where downloads are kept"):
        drain(iter_fetch(small(server), tmp_path / "file" / "cache"))


def test_a_full_disk_is_told_of(server, cache, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "extract", full)
    with pytest.raises(ReadError, match="No space left on device; free some space"):
        drain(iter_fetch(small(server), cache))
    assert left(cache) == []


def test_what_a_killed_download_left_goes_after_a_day(server, cache):
    for name, age in ((".SMALL-old", 2 * 86_400), (".SMALL-new", 60)):
        (cache / name).mkdir(parents=True)
        then = (cache / name).stat().st_mtime - age
        os.utime(cache / name, (then, then))
    drain(iter_fetch(small(server), cache))
    assert left(cache) == [".SMALL-new", "SMALL"]


def test_another_napari_may_be_faster(server, cache):
    steps = iter_fetch(small(server), cache)
    next(steps)
    (cache / "SMALL").mkdir()
    (cache / "SMALL" / "theirs").write_text("whole")
    for _ in steps:
        pass
    assert left(cache / "SMALL") == ["theirs"]


def test_the_sets_are_those_of_the_broad_institute():
    for public in (BBBC038, BBBC039):
        assert all(archive.url.startswith(f"https://data.broadinstitute.org/bbbc/{public.key}/") for archive in public.archives)
        assert all(re.fullmatch(r"([0-9a-f]{64})?", archive.sha256) for archive in public.archives)
    assert [archive.name for archive in BBBC039.archives] == ["images.zip", "masks.zip", "metadata.zip"]
    assert cache_folder().name == "public"
    assert downloads._TIMEOUT <= 30  # Cancel waits no longer than that for a server that is silent
