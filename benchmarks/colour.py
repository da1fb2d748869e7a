"""Which mixture of red, green and blue tells nuclei from their surroundings best in stained sections.

    python -m benchmarks.colour DATA/dsb2018

Prints, over the sections of folds 1 to 4, the area under the receiver operating characteristic of pixels: the chance that a pixel of a
nucleus is darker than one beside it. `napari_unet_seg.core.normalize.STAIN_MIX` is the winner.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata
from skimage.color import rgb2hed

from benchmarks.dsb2018 import markdown, read_fold

MIXTURES = {
    "luminance": (0.299, 0.587, 0.114),
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "mean": (1 / 3, 1 / 3, 1 / 3),
    "0.5 red + 0.5 green": (0.5, 0.5, 0),
    "0.6 red + 0.4 green": (0.6, 0.4, 0),
    "0.7 red + 0.3 green": (0.7, 0.3, 0),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    areas: dict[str, list[float]] = {}
    for item in read_fold(parser.parse_args().data, "1234"):
        nucleus = item.labels > 0
        if item.image.ndim == 3 and nucleus.any() and not nucleus.all():
            for name, darkness in candidates(item.image[..., :3]).items():
                areas.setdefault(name, []).append(area_under_curve(darkness, nucleus))
    rows = [
        {"input": name, "mean": f"{np.mean(a):.4f}", "worst tenth": f"{np.percentile(a, 10):.4f}", "images": len(a)}
        for name, a in areas.items()
    ]
    print(markdown(sorted(rows, key=lambda row: row["mean"], reverse=True)))


def candidates(image: Any) -> dict[str, Any]:
    """Compute every candidate, larger in nuclei, from a colour image."""
    mixtures = {name: -(image.astype(float) @ np.array(weights, float)) for name, weights in MIXTURES.items()}
    return mixtures | {"haematoxylin (colour deconvolution)": rgb2hed(image)[..., 0], "darkest channel": -image.min(axis=2).astype(float)}


def area_under_curve(values: Any, positive: Any) -> float:
    """Compute the area under the curve from ranks (Mann-Whitney)."""
    ranks = rankdata(values.ravel())
    count, others = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive.ravel()].sum() - count * (count + 1) / 2) / (count * others))


if __name__ == "__main__":
    main()
