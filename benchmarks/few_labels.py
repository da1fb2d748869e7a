"""Are few labels enough? Some nuclei of a kind of image that the base does not know are painted by a script, and a model is taught by them.

    python -m benchmarks.few_labels DATASET... --base MODEL --modality NAME [--nuclei 1,3,10,30] [--seeds 10] [--images 12] [--known 12]
        [--ceiling FOLDS] [--steps N | --minutes M] [--json FILE]

A dataset is what `benchmarks.accuracy` takes. The base should not have seen the modality: a bundled recipe, trained with it left out.

For each seed a person (`benchmarks.painter`) opens images of the modality in random order and paints nuclei in them, those first that the
base fails on, until there are enough; outlines are 1 to 2 px off, and nothing else is annotated (``--sparse``, no scribble). The model is
taught as in the widget and the command line, and scored on other images of the modality, of other fields of view, beside the base on the
same images. ``--known`` scores as many images of the other modalities too, to see what is forgotten (with ``--fold``, of these folds only).
``--ceiling`` says what there is to be reached: the base taught by the whole annotation of all other images, in so many parts, each left out
in turn. Prints a table: the median over the seeds, the worst change, and the share of the gap to the ceiling that was closed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import napari_unet_seg as nus
from benchmarks.dataset import Item, find_items
from benchmarks.dsb2018 import markdown
from benchmarks.painter import choose, paint
from napari_unet_seg.core.sparse_set import iter_sparse
from napari_unet_seg.errors import InputError

SMALLEST_GAP = 0.05
"""A ceiling that is nearer to the base than this leaves nothing to close."""


@dataclass(frozen=True)
class Taught:
    """What one training brought.

    Parameters
    ----------
    nuclei, seed : int
        Painted nuclei, and the seed of painter and training.
    images : int
        On which they were painted.
    seconds : float
        Of the training, less those in which it judges itself.
    before, after : Scores
        Of base and model on the other images of the modality.
    known_before, known_after : Scores or None
        On images of other modalities.
    """

    nuclei: int
    seed: int
    images: int
    seconds: float
    before: nus.Scores
    after: nus.Scores
    known_before: nus.Scores | None = None
    known_after: nus.Scores | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a mapping that JSON can hold."""
        pairs = {"before": self.before, "after": self.after, "known_before": self.known_before, "known_after": self.known_after}
        scores = {name: figures(score) for name, score in pairs.items() if score is not None}
        return {"nuclei": self.nuclei, "seed": self.seed, "images": self.images, "seconds": round(self.seconds, 1), **scores}


class Bench:
    """A base, the images of a modality, and others.

    Parameters
    ----------
    options : argparse.Namespace
        Of the command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        """Read what the images are called, and choose which are scored."""
        self.options = options
        self.base = nus.load_model(options.base)
        self.settings = nus.TrainSettings(steps=options.steps, minutes=options.minutes, device=options.device)
        items = [item for dataset in options.datasets for item in find_items(dataset)]
        self.items = [item for item in items if options.modality in ("", item.modality)]
        if len(self.items) < 2:
            kinds = sorted({item.modality for item in items})
            raise InputError(f"There are {len(self.items)} images of {options.modality!r}; there are {kinds}.")
        others = [item for item in items if item not in self.items and (options.fold is None or item.fold in options.fold)]
        self.known = shuffled(others, 0)[: options.known]
        self._found: dict[str, nus.Scores] = {}

    def run(self, nuclei: int, seed: int) -> Taught:
        """Paint, teach and score once."""
        random = np.random.default_rng(seed)
        order = shuffled(self.items, seed)
        images, labels, used = self._paint(order, nuclei, random)
        fields = {item.field for item in used}
        scored = [item for item in order if item.field not in fields][: self.options.images]
        model, seconds = self._teach(images, labels, seed)
        before, after = self.score_base(scored), self.score(model, scored)
        lost = (self.score_base(self.known), self.score(model, self.known)) if self.known else (None, None)
        return Taught(nuclei, seed, len(used), seconds, before, after, *lost)

    def ceiling(self, folds: int) -> tuple[nus.Scores, nus.Scores]:
        """Score the base, and it taught by everything but a part of the images, on that part; pooled over the parts."""
        fields = sorted({item.field for item in self.items})
        part = {field: place % folds for place, field in enumerate(fields)}
        before, after = [], []
        for left_out in range(min(folds, len(fields))):
            teaching = [pair for item in self.items if part[item.field] != left_out for pair in item.planes()]
            images, labels = zip(*teaching, strict=True)
            model = nus.train(images, labels, base=self.base, settings=replace(self.settings, validation=0.0))
            scored = [item for item in self.items if part[item.field] == left_out]
            before.append(self.score_base(scored))
            after.append(self.score(model, scored))
            print(f"ceiling {left_out + 1}/{folds}: AP 0.5 {before[-1].ap(0.5):.3f} -> {after[-1].ap(0.5):.3f}", file=sys.stderr)
        return pooled(before), pooled(after)

    def score(self, model: nus.Model, items: Iterable[Item]) -> nus.Scores:
        """Pool a model's scores over images."""
        return pooled([nus.evaluate(truth, self._segment(model, image)) for item in items for image, truth in item.planes()])

    def score_base(self, items: Iterable[Item]) -> nus.Scores:
        """Pool the base's scores; each image is segmented once."""
        for item in items:
            if item.name not in self._found:
                self._found[item.name] = self.score(self.base, [item])
        return pooled([self._found[item.name] for item in items])

    def _segment(self, model: nus.Model, image: Any) -> Any:
        return nus.segment(image, model, self.options.device, axes="YXS" if image.ndim == 3 else "YX")

    def _paint(self, order: Sequence[Item], nuclei: int, random: np.random.Generator) -> tuple[list[Any], list[Any], list[Item]]:
        """Paint in one image after the other until there are enough nuclei."""
        images, labels, used, left = [], [], [], nuclei
        for item in order[:-1]:
            image, truth = next(item.planes())
            numbers = choose(truth, self._segment(self.base, image), random)[:left]
            if numbers:
                images.append(image)
                labels.append(paint(truth, numbers, random))
                used.append(item)
                left -= len(numbers)
            if not left:
                return images, labels, used
        raise InputError(f"The images of {self.options.modality!r} have fewer than {nuclei} nuclei; leave some images to score on.")

    def _teach(self, images: Sequence[Any], labels: Sequence[Any], seed: int) -> tuple[nus.Model, float]:
        """Teach the base, and stop when it has learned: what it would then measure of itself is measured here."""
        started = time.monotonic()
        annotations = nus.drain(iter_sparse(images, labels, None, self.base, self.options.device))
        steps = nus.iter_train(images, annotations, base=self.base, settings=replace(self.settings, seed=seed))
        seconds, command = 0.0, None
        while True:
            try:
                progress = steps.send(command)
            except StopIteration as stop:
                return stop.value, seconds
            if progress.stage == "Training":
                seconds = time.monotonic() - started
            command = nus.Command.STOP if progress.stage == "Checking" else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and write what was asked for."""
    options = _options(arguments)
    bench = Bench(options)
    ceiling = bench.ceiling(options.ceiling) if options.ceiling else None
    results = []
    for nuclei in options.nuclei:
        for seed in range(options.seeds):
            results.append(bench.run(nuclei, seed))
            one = results[-1].to_dict()
            print(json.dumps({**one, "before": one["before"]["ap50"], "after": one["after"]["ap50"]}), file=sys.stderr)
    print(markdown([row(nuclei, [one for one in results if one.nuclei == nuclei], ceiling) for nuclei in options.nuclei]))
    if ceiling:
        low, high = (figures(score) for score in ceiling)
        print(f"\nAll other images, whole: AP 0.5 {low['ap50']} -> {high['ap50']}, mean AP {low['mean_ap']} -> {high['mean_ap']}.")
    if options.json:
        Path(options.json).write_text(json.dumps(report(bench, results, ceiling), indent=1) + "\n", encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", metavar="DATASET")
    parser.add_argument("--base", default="nuclei", metavar="MODEL", help="what is taught: a name or a file")
    parser.add_argument("--modality", default="", metavar="NAME", help="kind of image that is taught; all of the datasets if not given")
    parser.add_argument("--nuclei", type=_numbers, default=[1, 3, 10, 30], metavar="N,N", help="painted nuclei")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--images", type=int, default=12, help="images that each training is scored on")
    parser.add_argument("--known", type=int, default=0, help="images of other modalities that are scored too")
    parser.add_argument("--fold", help="folds of these, such as those that the base did not learn from")
    parser.add_argument("--ceiling", type=int, default=0, metavar="FOLDS", help="parts of the images, each left out in turn")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", metavar="FILE")
    return parser.parse_args(arguments)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def row(nuclei: int, results: Sequence[Taught], ceiling: tuple[nus.Scores, nus.Scores] | None) -> dict[str, Any]:
    """Return one line of the table: medians over the seeds."""
    changes = [one.after.ap(0.5) - one.before.ap(0.5) for one in results]
    found = {
        "nuclei": nuclei,
        "seeds": len(results),
        "AP 0.5": f"{median(one.before.ap(0.5) for one in results):.3f} -> {median(one.after.ap(0.5) for one in results):.3f}",
        "mean AP": f"{median(one.before.mean_ap() for one in results):.3f} -> {median(one.after.mean_ap() for one in results):.3f}",
        "change": f"{median(changes):+.3f}",
        "worst": f"{min(changes):+.3f}",
        "seconds": f"{median(one.seconds for one in results):.0f}",
    }
    if ceiling:
        found["gap closed"] = closed(median(changes), ceiling[1].ap(0.5) - ceiling[0].ap(0.5))
    lost = [one.known_after.ap(0.5) - one.known_before.ap(0.5) for one in results if one.known_after and one.known_before]
    return found | ({"known images": f"{median(lost):+.3f} (worst {min(lost):+.3f})"} if lost else {})


def closed(change: float, gap: float) -> str:
    """Say how much of the way to the ceiling was gone."""
    return f"{change / gap:.0%}" if gap >= SMALLEST_GAP else "no gap"


def report(bench: Bench, results: Sequence[Taught], ceiling: tuple[nus.Scores, nus.Scores] | None) -> dict[str, Any]:
    """Return everything as JSON can hold it."""
    options = vars(bench.options) | {"datasets": [Path(dataset).name for dataset in bench.options.datasets]}
    facts = {"version": nus.__version__, "base": bench.base.name, "base_sha256": bench.base.sha256, "options": options}
    reached = dict(zip(("before", "after"), map(figures, ceiling), strict=True)) if ceiling else None
    return {**facts, "ceiling": reached, "results": [one.to_dict() for one in results]}


def figures(scores: nus.Scores) -> dict[str, float]:
    """Round what a table should say."""
    return {"ap50": round(scores.ap(0.5), 4), "mean_ap": round(scores.mean_ap(), 4)}


def pooled(scores: Sequence[nus.Scores]) -> nus.Scores:
    """Add the counts of all images."""
    first, *rest = scores
    return sum(rest, first)


def shuffled(items: Sequence[Item], seed: int) -> list[Item]:
    """Return the images in a random order."""
    return [items[place] for place in np.random.default_rng(seed).permutation(len(items))]


if __name__ == "__main__":
    main()
