"""Are few labels enough? Some nuclei of a kind of image that the base does not know are painted by a script, and a model is taught by them.

    python -m benchmarks.few_labels DATASET... --base MODEL --modality NAME [--nuclei 1,3,10,30] [--seeds 10] [--first 0] [--images 12]
        [--known 12] [--ceiling FOLDS] [--steps N | --minutes M] [--json FILE]

A dataset is what `benchmarks.accuracy` takes. The base should not have seen the modality: a bundled recipe, trained with it left out.

For each seed a person (`benchmarks.painter`) opens images of the modality in random order and paints nuclei in them, those first that the
base fails on, until there are enough; outlines are 1 to 2 px off, and nothing else is annotated (``--sparse``, no scribble). The model is
taught as in the widget and the command line, and scored on other images of the modality, of other fields of view, beside the base on the
same images. ``--known`` scores as many images of the other modalities too, to see what is forgotten (with ``--fold``, of these folds only).
``--ceiling`` says what there is to be reached: the base taught by the whole annotation of all other images, all the way and in as many
steps of patches as large, in so many parts, each left out in turn. ``--first`` begins with another seed, for a way of teaching that was
chosen with some is judged with others, and ``--seeds 0`` measures the ceiling alone. Prints a table: the median over the seeds, the worst
change, and the share of the gap to the ceiling that was closed.

With ``--json`` each result is written to the file when it is there, and a run that finds some there goes on with them: so ten seeds can be
done in pieces (``--seeds 3``, then ``--seeds 10``), and more numbers of nuclei or the ceiling be added later.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import napari_unet_seg as nus
from benchmarks.dataset import Item, find_items
from benchmarks.dsb2018 import markdown
from benchmarks.kept import Kept
from benchmarks.painter import choose, paint
from napari_unet_seg.core.sparse_set import iter_sparse
from napari_unet_seg.errors import InputError

Row = dict[str, Any]
"""What one training brought; see `Bench.run`."""
PATCH = 128
"""Pixels: the edge of the patches by which single nuclei teach."""
SMALLEST_GAP = 0.05
"""A ceiling that is nearer to the base than this leaves nothing to close."""


class Bench:
    """A base, the images of a modality, others, and the results by now.

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
        self.kept = Kept(Path(options.json) if options.json else None, self._facts())
        self._found: dict[str, nus.Scores] = {}

    def run(self, nuclei: int, seed: int) -> Row:
        """Paint, teach and score once, unless that has been done.

        Returns
        -------
        dict
            ``nuclei``, ``seed``, ``images`` on which they were painted, ``seconds`` of training (less those in which it judges itself), and
            figures of base and model on the other images of the modality, ``before`` and ``after``, and with ``--known`` also
            ``known_before`` and ``known_after``.
        """
        return self.kept.find("results", nuclei=nuclei, seed=seed) or self.kept.add("results", self._run(nuclei, seed))

    def ceiling(self, folds: int) -> dict[str, Any]:
        """Score the base, and it taught by everything but a part of the images, on that part; pooled over the parts."""
        fields = sorted({item.field for item in self.items})
        part = {field: place % folds for place, field in enumerate(fields)}
        for left_out in range(min(folds, len(fields))):
            if self.kept.find("ceiling_parts", folds=folds, left_out=left_out) is None:
                found = self._teach_all_but({field for field in fields if part[field] == left_out})
                self.kept.add("ceiling_parts", {"folds": folds, "left_out": left_out, **found})
        parts = [row for row in self.kept.rows("ceiling_parts") if row["folds"] == folds]
        reached = {when: figures(pooled([_scores(row[when]) for row in parts])) for when in ("before", "after")}
        self.kept.write(ceiling=reached)
        return reached

    def _facts(self) -> dict[str, Any]:
        """Say what the results depend on, but for numbers of nuclei and seeds."""
        options = self.options
        chosen = {name: getattr(options, name) for name in ("modality", "images", "known", "fold", "steps", "minutes")}
        datasets = [Path(dataset).name for dataset in options.datasets]
        return {"base": self.base.name, "base_sha256": self.base.sha256, "datasets": datasets, **chosen}

    def _run(self, nuclei: int, seed: int) -> Row:
        random = np.random.default_rng(seed)
        order = shuffled(self.items, seed)
        images, labels, used = self._paint(order, nuclei, random)
        fields = {item.field for item in used}
        scored = [item for item in order if item.field not in fields][: self.options.images]
        model, seconds = self._teach(images, labels, seed)
        before, after = self.score_base(scored), self.score(model, scored)
        row = {"nuclei": nuclei, "seed": seed, "images": len(used), "seconds": round(seconds, 1)}
        row |= {"before": figures(before), "after": figures(after)}
        if self.known:
            row |= {"known_before": figures(self.score_base(self.known)), "known_after": figures(self.score(model, self.known))}
        return row

    def _teach_all_but(self, fields: set[str]) -> dict[str, Any]:
        """Teach with all images but those of some fields, and score on these: counts before and after."""
        teaching = [pair for item in self.items if item.field not in fields for pair in item.planes()]
        images, labels = zip(*teaching, strict=True)
        model = nus.train(images, labels, base=self.base, settings=replace(self.settings, validation=0.0, blend=1.0, patch=PATCH))
        scored = [item for item in self.items if item.field in fields]
        before, after = self.score_base(scored), self.score(model, scored)
        print(f"ceiling: AP 0.5 {before.ap(0.5):.3f} -> {after.ap(0.5):.3f}", file=sys.stderr)
        return {"before": asdict(before), "after": asdict(after)}

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
    results: list[Row] = []
    for nuclei in options.nuclei:
        for seed in range(options.first, options.first + options.seeds):
            results.append(bench.run(nuclei, seed))
            print(json.dumps(results[-1]), file=sys.stderr)
    if results:
        print(markdown([table_row(nuclei, [one for one in results if one["nuclei"] == nuclei], ceiling) for nuclei in options.nuclei]))
    if ceiling:
        low, high = ceiling["before"], ceiling["after"]
        print(f"\nAll other images, whole: AP 0.5 {low['ap50']} -> {high['ap50']}, mean AP {low['mean_ap']} -> {high['mean_ap']}.")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", metavar="DATASET")
    parser.add_argument("--base", default="nuclei", metavar="MODEL", help="what is taught: a name or a file")
    parser.add_argument("--modality", default="", metavar="NAME", help="kind of image that is taught; all of the datasets if not given")
    parser.add_argument("--nuclei", type=_numbers, default=[1, 3, 10, 30], metavar="N,N", help="painted nuclei")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of the seeds")
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


def table_row(nuclei: int, results: Sequence[Row], ceiling: dict[str, Any] | None) -> dict[str, Any]:
    """Return one line of the table: medians over the seeds."""
    changes = _changes(results, "before", "after")
    found = {
        "nuclei": nuclei,
        "seeds": len(results),
        "AP 0.5": _medians(results, "ap50"),
        "mean AP": _medians(results, "mean_ap"),
        "change": f"{median(changes):+.3f}",
        "worst": f"{min(changes):+.3f}",
        "seconds": f"{median(one['seconds'] for one in results):.0f}",
    }
    if ceiling:
        found["gap closed"] = closed(median(changes), ceiling["after"]["ap50"] - ceiling["before"]["ap50"])
    lost = _changes([one for one in results if "known_after" in one], "known_before", "known_after")
    return found | ({"known images": f"{median(lost):+.3f} (worst {min(lost):+.3f})"} if lost else {})


def _medians(results: Sequence[Row], name: str) -> str:
    before, after = (median(one[when][name] for one in results) for when in ("before", "after"))
    return f"{before:.3f} -> {after:.3f}"


def _changes(results: Sequence[Row], before: str, after: str) -> list[float]:
    return [one[after]["ap50"] - one[before]["ap50"] for one in results]


def closed(change: float, gap: float) -> str:
    """Say how much of the way to the ceiling was gone."""
    return f"{change / gap:.0%}" if gap >= SMALLEST_GAP else "no gap"


def figures(scores: nus.Scores) -> dict[str, float]:
    """Round what a table should say."""
    return {"ap50": round(scores.ap(0.5), 4), "mean_ap": round(scores.mean_ap(), 4)}


def pooled(scores: Sequence[nus.Scores]) -> nus.Scores:
    """Add the counts of all images."""
    first, *rest = scores
    return sum(rest, first)


def _scores(counts: dict[str, Any]) -> nus.Scores:
    """Return scores from what JSON made of them."""
    return nus.Scores(**{name: tuple(values) for name, values in counts.items()})


def shuffled(items: Sequence[Item], seed: int) -> list[Item]:
    """Return the images in a random order."""
    return [items[place] for place in np.random.default_rng(seed).permutation(len(items))]


if __name__ == "__main__":
    main()
