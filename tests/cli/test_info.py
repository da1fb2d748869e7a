"""``info``: versions, device, reason, advice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch

from napari_unet_seg import __version__
from napari_unet_seg.core.environment import describe_environment

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_versions_device_and_reason_are_told(run: Run):
    result = run("info")
    assert result.exit_code == 0
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines() if line]
    assert ["napari-unet-seg", __version__] in lines
    assert ["torch", torch.__version__] in lines
    found = describe_environment()
    assert ["device", found.device] in lines
    for line in (found.reason, *found.advice):
        assert line in result.stdout.splitlines()


def test_json_is_one_object(run: Run):
    record = json.loads(run("info", "--json").stdout)
    assert record["versions"]["torch"] == torch.__version__
    assert record["reason"]
