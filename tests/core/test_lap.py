"""LapTrack, which is no part of a plain installation: what it finds, and what is said where it is not there."""

from __future__ import annotations

import importlib.util

import pandas as pd
import pytest

from napari_unet_seg.core import lap
from napari_unet_seg.errors import SettingsError


def table(*rows):
    return pd.DataFrame(rows, columns=["label", "time", "y", "x"]).assign(z=0.0, diameter=10.0)


@pytest.fixture
def library():
    pytest.importorskip("laptrack")


def test_a_nucleus_that_moves_farther_than_its_size_is_followed(library):
    found = lap.follow_far(table((1, 0, 10, 10), (2, 0, 80, 80), (3, 1, 10, 22), (4, 1, 80, 70), (5, 2, 10, 34), (6, 2, 80, 60)))
    assert found.track.tolist() == [0, 1, 2, 1, 2, 1, 2]
    assert found.count == 2


def test_a_division_is_recorded(library):
    rows = [(1, 0, 50, 50), (2, 1, 50, 50), (3, 2, 50, 45), (4, 2, 50, 55), (5, 3, 50, 44), (6, 3, 50, 56), (7, 0, 5, 5), (8, 1, 5, 5)]
    found = lap.follow_far(table(*rows))
    daughters = found.track[[3, 4]]
    assert len(set(daughters.tolist())) == 2
    assert found.parent[daughters].tolist() == [found.track[1]] * 2
    assert found.track[[5, 6]].tolist() == daughters.tolist()


def test_one_time_and_no_nuclei(library):
    assert lap.follow_far(table((1, 0, 5, 5), (2, 0, 9, 9))).count == 2
    assert lap.follow_far(table()).count == 0


def test_without_the_library_it_is_said_what_to_install(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "laptrack" else real(name, *rest))
    with pytest.raises(SettingsError, match="install it"):
        lap.follow_far(table((1, 0, 5, 5)))
