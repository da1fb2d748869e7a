"""The table of labels in 3D, for tests that have labels and no segmentation."""

from __future__ import annotations

import pandas as pd

from napari_unet_seg.core.measure import measure_plane
from napari_unet_seg.core.volumes import volume_table


def measure_volumes(labels, axis="z"):
    """Measure the shape of nuclei that reach through planes, as a run that links them does; without a score."""
    planes = [measure_plane(plane).assign(**{f"plane_{axis}": z}) for z, plane in enumerate(labels)]
    outlines = pd.concat([table for table in planes if len(table)] or planes[:1], ignore_index=True)
    return volume_table(outlines, outlines["label"].to_numpy(), axis, len(labels))
