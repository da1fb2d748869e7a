from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_unet_seg.gui.nucleus_words import missing_words, numbered, summary_words
from napari_unet_seg.io.labels_info import LabelsInfo

KNOWN, UNKNOWN = LabelsInfo(scale={"Y": 0.5, "X": 0.5}), LabelsInfo()
TABLE = pd.DataFrame({"label": [1, 2, 3], "area": [40.0, 60.0, 90.0], "mean_DAPI": [100.0, 200.0, np.nan]})
STACK, MOVIE = LabelsInfo("ZYX", {"Y": 0.5, "X": 0.5}), LabelsInfo("TYX")
IN_3D = TABLE.rename(columns={"area": "volume"})


@pytest.mark.parametrize(
    ("table", "shape", "info", "words"),
    [
        (TABLE, (100, 100), UNKNOWN, ("3 nuclei", "Median area 60 px², mean DAPI 150.")),
        (TABLE.assign(area_um2=TABLE["area"] / 4), (100, 100), KNOWN, ("3 nuclei", "Median area 15 µm², 1,200 per mm², mean DAPI 150.")),
        (TABLE[["label"]], (100, 100), UNKNOWN, ("3 nuclei", "")),
        (TABLE[["label", "area"]].iloc[:1], (4, 10_000, 10_000), STACK, ("1 outline in 4 planes", "Median area 40 px², 0.01 per mm².")),
        (TABLE[["label", "area"]].iloc[:1], (4, 100, 100), MOVIE, ("1 outline at 4 times", "Median area 40 px².")),
        (TABLE.assign(track=[1, 1, 2]), (4, 9, 9), MOVIE, ("2 tracks over 4 times", "Median area 60 px², mean DAPI 150.")),
        (IN_3D.iloc[:, :2], (4, 9, 9), STACK, ("3 nuclei in 3D (4 planes)", "Median volume 60 voxels.")),
        (IN_3D.assign(volume_um3=7.0), (4, 9, 9), STACK, ("3 nuclei in 3D (4 planes)", "Median volume 7 µm³, mean DAPI 150.")),
        (TABLE.assign(area=np.nan), (9, 9), UNKNOWN, ("3 nuclei", "Median area – px², mean DAPI 150.")),
    ],
)
def test_a_table_in_a_line(table, shape, info, words):
    assert summary_words(table, shape, info) == words


def test_many_channels_are_not_all_told():
    table = TABLE.assign(**{f"mean_{number}": 1.0 for number in range(9)})
    assert summary_words(table, (9, 9), UNKNOWN)[1].count("mean") == 3


def test_nuclei_without_intensities_are_counted():
    assert missing_words(TABLE).startswith("1 nucleus was changed")
    assert missing_words(TABLE.iloc[:2]) == ""
    assert missing_words(TABLE[["label", "area"]]) == ""
    assert missing_words(TABLE.iloc[:2].assign(ring_mean_DAPI=np.nan, ratio_DAPI=np.nan)) == ""  # no room for a ring


def test_features_of_any_kind_become_a_table_with_numbers():
    assert list(numbered(None)) == list(numbered(pd.DataFrame(index=range(5)))) == ["label"]
    assert numbered(TABLE) is TABLE
    by_index = numbered(pd.DataFrame({"size": [5, 6], "index": [7, 9]}))
    assert by_index.to_dict("list") == {"label": [7, 9], "size": [5, 6]}
    by_row = numbered(pd.DataFrame({"size": [0, 5, 6]}))
    assert by_row.to_dict("list") == {"label": [1, 2], "size": [5, 6]}
