from __future__ import annotations

import pandas as pd
import pytest

from napari_unet_seg.core.counting import count_planes, count_tracks, counted, counted_words, sizes_of


@pytest.mark.parametrize(
    ("count", "sizes", "in_3d", "tracks", "words"),
    [
        (1, {}, False, None, "1 nucleus"),
        (0, {"Z": 1, "T": 1}, False, None, "0 nuclei"),
        (9, {"Z": 3}, False, None, "9 outlines in 3 planes"),
        (9, {"Q": 3}, False, None, "9 outlines in 3 planes"),
        (1, {"T": 3}, False, None, "1 outline at 3 times"),
        (90, {"T": 3, "Z": 5}, False, None, "90 outlines in 5 planes at 3 times"),
        (312, {"Z": 60}, True, None, "312 nuclei in 3D (60 planes)"),
        (1, {"Z": 60, "T": 2}, True, None, "1 nucleus in 3D (60 planes) at 2 times"),
        (5, {"Z": 1}, True, None, "5 nuclei"),
        (480, {"T": 12}, False, 48, "48 tracks over 12 times"),
        (480, {"T": 12, "Z": 5}, False, 48, "48 tracks in 5 planes over 12 times"),
        (480, {"T": 12, "Z": 5}, True, 48, "48 tracks in 3D (5 planes) over 12 times"),
    ],
)
def test_what_is_counted_has_the_right_words(count, sizes, in_3d, tracks, words):
    assert counted_words(count, sizes, in_3d, tracks) == words


def test_a_table_says_what_its_rows_are():
    table = pd.DataFrame({"label": [1, 2, 3], "volume": 5.0, "track": [1, 1, 2]})
    assert counted(table, {"Z": 4, "T": 2}) == "2 tracks in 3D (4 planes) over 2 times"
    assert counted(table[["label", "volume"]], {"Z": 4}) == "3 nuclei in 3D (4 planes)"
    assert counted(table[["label"]], {}) == "3 nuclei"
    assert count_tracks(None) is None
    assert count_tracks(table.assign(track=[1, None, 1])) == 1, "a nucleus that was painted since has no track"


def test_axes_and_shape_give_the_lengths():
    assert sizes_of("TZYX", (2, 5, 64, 64)) == {"T": 2, "Z": 5}
    assert (count_planes({"T": 2, "Z": 5, "Q": 3}), count_planes({})) == (15, 1)
