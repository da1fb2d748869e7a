"""StarDist or Cellpose on one image, timed again and again when asked to; runs by itself in an environment that has one of them.

    PYTHON benchmarks/speed_peers.py stardist|cellpose PLANE.npz

The file holds ``image``, (Y, X), and its true ``labels``. A line on standard input starts a run; its answer is a line of JSON with the
seconds of the network and of what follows. Weights are random, of the published architecture, since time does not depend on them. What
follows the network does depend on its answers, and is given those that are right for the labels.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], Any]
RAYS, GRID = 32, 2
"""Of StarDist's ``2D_versatile_fluo``; its thresholds follow."""
PROBABILITY, OVERLAP = 0.479071, 0.3
NEVER = 0.9999
"""No random answer is as sure."""
DIAMETER = 17.0
"""Pixels of Cellpose's ``nuclei``: at this diameter nothing is rescaled."""


def main() -> None:
    """Answer until the input ends."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # what the libraries print is no answer
    with np.load(sys.argv[2]) as plane:
        network, decode = {"stardist": stardist, "cellpose": cellpose}[sys.argv[1]](plane["image"], plane["labels"])
    for _ in sys.stdin:
        times = {"network": seconds(network), "after it": seconds(decode)}
        answers.write(json.dumps(times) + "\n")
        answers.flush()


def seconds(step: Step) -> float:
    """Time a step."""
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def stardist(image: Any, labels: Any) -> tuple[Step, Step]:
    """Return normalising with the network, and the suppression of stars with drawing the labels."""
    from csbdeep.utils import normalize
    from stardist.geometry import star_dist
    from stardist.models import Config2D, StarDist2D
    from stardist.utils import edt_prob

    model = StarDist2D(Config2D(n_rays=RAYS, grid=(GRID, GRID), n_channel_in=1), name=None, basedir=None)
    probability = edt_prob(labels)[::GRID, ::GRID]
    sure = probability > PROBABILITY
    distance = star_dist(labels, RAYS)[::GRID, ::GRID][sure]
    points = GRID * np.stack(np.nonzero(sure), axis=1)

    def network() -> Any:
        return model.predict_sparse(normalize(image, 1, 99.8), prob_thresh=NEVER)

    def decode() -> Any:
        return model._instances_from_prediction(
            image.shape, probability[sure], distance, points=points, prob_thresh=PROBABILITY, nms_thresh=OVERLAP
        )

    return network, decode


def cellpose(image: Any, labels: Any) -> tuple[Step, Step]:
    """Return normalising with the network, and following the flows to masks."""
    import torch
    from cellpose import dynamics
    from cellpose.models import CellposeModel

    model = CellposeModel(gpu=False, pretrained_model=False, diam_mean=DIAMETER)
    flows = dynamics.labels_to_flows([labels.astype(np.int32)], device=torch.device("cpu"))[0][-2:] * 5  # as the network gives them
    logits = np.where(labels > 0, 5.0, -5.0).astype(np.float32)

    def network() -> Any:
        return model.eval(image, channels=[0, 0], diameter=DIAMETER, compute_masks=False)

    def decode() -> Any:
        return dynamics.resize_and_compute_masks(flows.astype(np.float32), logits, niter=200)

    return network, decode


if __name__ == "__main__":
    main()
