"""Figures of accuracy over many images: pooled, per image, with intervals, as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.label_errors import Errors
from napari_unet_seg.core.metrics import THRESHOLDS, Scores

RESAMPLES = 2000
_SHOWN = (0.5, 0.7, 0.8, 0.9)
_PERCENT = ("merged", "split", "missed", "poor", "extra")


@dataclass(frozen=True)
class Record:
    """How one method did on one image.

    Parameters
    ----------
    name, modality, field : str
        The image; images of one field are resampled together.
    scores : Scores
        Matched nuclei at each threshold.
    errors : Errors
        What is wrong.
    """

    name: str
    modality: str
    field: str
    scores: Scores
    errors: Errors

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as a mapping that JSON can hold, with AP at 0.5 and the mean from 0.5 to 0.9."""
        counts = {name: list(getattr(self.scores, name)) for name in ("tp", "fp", "fn", "iou")}
        errors = {name: value for name, value in asdict(self.errors).items() if name != "ratios"}
        ap = {"ap_0.5": self.scores.ap(0.5), "mean_ap_.5-.9": self.scores.mean_ap()}
        return {"name": self.name, "modality": self.modality, "field": self.field, **ap, **counts, **errors}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Record:
        """Return the record of what `to_dict` gave, without the area ratios."""
        scores = Scores(THRESHOLDS, *(tuple(values[name]) for name in ("tp", "fp", "fn", "iou")))
        errors = Errors(**{field.name: values.get(field.name, ()) for field in fields(Errors)})
        return cls(values["name"], values["modality"], values["field"], scores, errors)


def by_modality(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Group records by modality, all of them first; a single modality is not named twice."""
    kinds = sorted({record.modality for record in records})
    groups = {kind: [record for record in records if record.modality == kind] for kind in kinds}
    return groups if len(kinds) == 1 else {"all": list(records), **groups}


def figures(records: Sequence[Record]) -> dict[str, Any]:
    """Compute all figures of some images.

    Parameters
    ----------
    records : sequence of Record
        At least one.

    Returns
    -------
    dict
        AP at each threshold, pooled and per image; their means from 0.5 to 0.9 and to 0.95; precision, recall, F1 and PQ at 0.5; what
        `Errors.figures` gives; and 95 % intervals of the pooled AP at 0.5 and of the mean, from resampled fields.
    """
    scores, errors = (sum(column[1:], column[0]) for column in ([r.scores for r in records], [r.errors for r in records]))
    each = [record.scores for record in records]
    return {
        "images": len(records),
        "nuclei": errors.truth,
        "ap": {f"{at:g}": scores.ap(at) for at in THRESHOLDS},
        "ap_per_image": {f"{at:g}": float(np.mean([one.ap(at) for one in each])) for at in THRESHOLDS},
        "mean_ap_.5-.9": scores.mean_ap(),
        "mean_ap_.5-.95": scores.mean_ap(0.5, 0.95),
        "mean_ap_.5-.9_per_image": float(np.mean([one.mean_ap() for one in each])),
        **{f"{name}_0.5": getattr(scores, name)(0.5) for name in ("precision", "recall", "f1", "pq")},
        **errors.figures(),
        **intervals(records),
    }


def intervals(records: Sequence[Record]) -> dict[str, tuple[float, float]]:
    """Return 95 % intervals of pooled AP at 0.5 and of its mean from 0.5 to 0.9 (percentile bootstrap over fields of view)."""
    means = bootstrap(records)
    low, high = np.percentile(means, (2.5, 97.5), axis=0)
    return {name: (float(low[place]), float(high[place])) for place, name in enumerate(("interval_ap_0.5", "interval_mean_ap_.5-.9"))}


def bootstrap(records: Sequence[Record], seed: int = 0) -> npt.NDArray[np.float64]:
    """Draw fields of view with replacement, and pool what was drawn.

    Parameters
    ----------
    records : sequence of Record
    seed : int
        Equal seeds draw equal fields, so that two methods on the same images can be compared draw by draw.

    Returns
    -------
    ndarray of float64, shape (`RESAMPLES`, 2)
        AP at 0.5 and the mean AP from 0.5 to 0.9.
    """
    place_of = {field: place for place, field in enumerate(sorted({record.field for record in records}))}
    counts = np.zeros((len(place_of), 2, len(THRESHOLDS)))
    for record in records:
        scores = record.scores
        counts[place_of[record.field]] += np.array([scores.tp, np.add(np.add(scores.tp, scores.fp), scores.fn)])
    drawn = np.random.default_rng(seed).integers(0, len(place_of), (RESAMPLES, len(place_of)))
    weights = np.stack([np.bincount(row, minlength=len(place_of)) for row in drawn])  # (resamples, fields)
    matched, whole = np.moveaxis(np.tensordot(weights, counts, 1), 1, 0)  # (resamples, thresholds) each
    ap = np.divide(matched, whole, out=np.ones_like(matched), where=whole > 0)
    return np.stack([ap[:, 0], ap[:, : THRESHOLDS.index(0.9) + 1].mean(axis=1)], axis=1)


def accuracy_row(found: dict[str, Any]) -> dict[str, str]:
    """Return the cells of the first table."""
    low, high = found["interval_ap_0.5"]
    cells = {f"AP {at:g}": f"{found['ap'][f'{at:g}']:.3f}" for at in _SHOWN}
    return {
        "images": str(found["images"]),
        "nuclei": str(found["nuclei"]),
        **cells,
        "mean .5-.9": f"{found['mean_ap_.5-.9']:.3f}",
        "mean .5-.95": f"{found['mean_ap_.5-.95']:.3f}",
        "95 % of AP 0.5": f"{low:.3f} to {high:.3f}",
        "per image 0.5": f"{found['ap_per_image']['0.5']:.3f}",
        "mean": f"{found['mean_ap_.5-.9_per_image']:.3f}",
        "F1 0.5": f"{found['f1_0.5']:.3f}",
        "PQ 0.5": f"{found['pq_0.5']:.3f}",
    }


def errors_row(found: dict[str, Any]) -> dict[str, str]:
    """Return the cells of the second table: percent of the true nuclei, but for the ratio."""
    shares = {f"{name} %": f"{100 * found[name]:.1f}" for name in _PERCENT}
    ratio = "-" if found["area_ratio"] is None else f"{found['area_ratio']:.3f}"
    return shares | {"count %": f"{100 * found['count_error']:+.1f}", "area ratio": ratio}
