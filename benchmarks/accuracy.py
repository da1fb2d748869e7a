"""How accurate is it? A model, and its peers, on any folder of images and masks.

    python -m benchmarks.accuracy DATASET... [--fold 0] [--model nuclei] [--peers] [--json FILE] [--sheet FILE.png]

A dataset is a folder with ``images/`` and ``masks/`` (and perhaps ``index.csv``: id, modality, fold, field), a folder in which labels lie
beside their images, or ``IMAGES::LABELS``. Prints two tables: average precision, TP / (TP + FP + FN), pooled and per image, and what is
wrong with the nuclei (`benchmarks.label_errors` says how that is counted). The sheet shows the worst images of the model.

``--peers`` runs, on the same images, those of `benchmarks.peers` that are installed, each at its best setting on images of other folds
(``--tune`` of them; they are never scored). Without folds they run at their defaults.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import napari_unet_seg as nus
from benchmarks.dataset import Item, find_items
from benchmarks.dsb2018 import markdown
from benchmarks.figures import Record, accuracy_row, by_modality, errors_row, figures
from benchmarks.label_errors import count, judge
from benchmarks.peers import PEERS, best_setting, load_peer
from benchmarks.sheet import Case, write_sheet
from napari_unet_seg.errors import InputError

Segmenter = Callable[[Any], Any]


@dataclass(frozen=True)
class Method:
    """A program that finds nuclei.

    Parameters
    ----------
    name : str
        For the table.
    segment : callable
        Image to labels.
    setting : dict
        What it runs with.
    """

    name: str
    segment: Segmenter
    setting: dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, and write what was asked for."""
    options = _options(arguments)
    items = [item for dataset in options.datasets for item in find_items(dataset)]
    scored = [item for item in items if options.fold is None or item.fold in ("", *options.fold)]
    if not scored:
        raise InputError(f"No image is in fold {options.fold}; the folds are {sorted({item.fold for item in items})}.")
    model = nus.load_model(options.model)
    methods, absent = [ours(model, options.device)], {}
    if options.peers:
        others, absent = peers(subset([item for item in items if item not in scored], options.tune))
        methods += others
    results = {method.name: list(score(method, scored)) for method in methods}
    tell(results, methods, absent)
    if options.json:
        described = [(method, results[method.name]) for method in methods]
        Path(options.json).write_text(json.dumps(report(model, options, described, absent), indent=1) + "\n", encoding="utf-8")
    if options.sheet:
        write_sheet(Path(options.sheet), list(worst(model, options, scored, results[methods[0].name])))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", metavar="DATASET")
    parser.add_argument("--fold", help="score these folds only, such as 0 or 01; images without a fold are always scored")
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--peers", action="store_true", help="run other programs too; they may fetch their weights")
    parser.add_argument("--tune", type=int, default=24, help="images of other folds on which peers choose their setting")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--sheet", metavar="FILE.png", help="picture of the worst images")
    parser.add_argument("--worst", type=int, default=12, help="how many of them")
    return parser.parse_args(arguments)


def ours(model: nus.Model, device: str) -> Method:
    """Return a model of this package as it ships, with its own settings."""
    return Method(f"napari-unet-seg {model.name}", lambda image: nus.segment(image, model, device), {"sha256": model.sha256})


def subset(items: Sequence[Item], size: int) -> list[Item]:
    """Take items at even distances, so that every modality is among them as often as it comes."""
    return list(items[:: max(1, len(items) // size)])[:size] if size else []


def peers(training: Sequence[Item]) -> tuple[list[Method], dict[str, str]]:
    """Load the peers and choose their settings; say of those that cannot run why."""
    methods, absent = [], {}
    for peer in PEERS:
        run, reason = load_peer(peer)
        if run is None:
            absent[peer.name] = reason
            continue
        setting = best_setting(run, peer.settings, (pair for item in training for pair in item.planes()))
        methods.append(Method(peer.name, lambda image, run=run, setting=setting: run(image, setting), dict(setting)))
    return methods, absent


def score(method: Method, items: Iterable[Item]) -> Iterator[Record]:
    """Run a method over images; the planes of a stack are pooled."""
    for item in items:
        parts = []
        for image, truth in item.planes():
            found = method.segment(image)
            parts.append(Record(item.name, item.modality, item.field, nus.evaluate(truth, found), count(judge(truth, found))))
        first, *rest = parts
        for part in rest:
            first = replace(first, scores=first.scores + part.scores, errors=first.errors + part.errors)
        yield first
        print(f"{method.name}: {item.name}: AP 0.5 {first.scores.ap(0.5):.3f}", file=sys.stderr)


def tell(results: dict[str, list[Record]], methods: Sequence[Method], absent: dict[str, str]) -> None:
    """Print the tables."""
    found = {(method.name, kind): figures(group) for method in methods for kind, group in by_modality(results[method.name]).items()}
    for row in (accuracy_row, errors_row):
        print(markdown([{"method": name, "modality": kind, **row(values)} for (name, kind), values in found.items()]) + "\n")
    for method in methods[1:]:
        print(f"{method.name} ran with {method.setting}.")
    for name, reason in absent.items():
        print(f"{name} did not run: {reason}.")


def report(
    model: nus.Model, options: argparse.Namespace, methods: Sequence[tuple[Method, list[Record]]], absent: dict[str, str]
) -> dict[str, Any]:
    """Return everything as JSON can hold it."""
    return {
        "version": nus.__version__,
        "datasets": [Path(dataset).name for dataset in options.datasets],
        "fold": options.fold,
        "model": model.name,
        "methods": {
            method.name: {
                "setting": method.setting,
                "figures": {kind: figures(group) for kind, group in by_modality(records).items()},
                "images": [record.to_dict() for record in records],
            }
            for method, records in methods
        },
        "absent": absent,
    }


def worst(model: nus.Model, options: argparse.Namespace, items: Sequence[Item], records: Sequence[Record]) -> Iterator[Case]:
    """Go through the images of lowest mean AP once more, and keep the maps; of a stack, its first plane."""
    order = sorted(zip(records, items, strict=True), key=lambda pair: pair[0].scores.mean_ap())
    for record, item in order[: options.worst]:
        image, truth = next(item.planes())
        found = nus.drain(nus.iter_segment(image, model, options.device))
        settings = replace(model.defaults, diameter=found.provenance["diameters"][0])
        maps = nus.predict(image, model, options.device, settings)
        verdict = judge(truth, found.labels)
        yield Case(_title(record), image, truth, found.labels, verdict, maps)


def _title(record: Record) -> str:
    errors = [f"{number} {what}" for what, number in vars(record.errors).items() if what in ("merged", "split", "missed", "poor", "extra")]
    scores = f"mean AP {record.scores.mean_ap():.3f}, AP 0.5 {record.scores.ap(0.5):.3f}"
    return f"{record.name[:24]} ({record.modality})  {scores}, {record.errors.truth} nuclei: {', '.join(errors)}"


if __name__ == "__main__":
    main()
