"""Training: the one engine, for the bundled models and for the user's own."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from napari_unet_seg.core.checkpoint import Model, load_model
from napari_unet_seg.core.data import Batch, Sample, prepare, whole_patch
from napari_unet_seg.core.device import choose_device, choose_dtype, compute_errors
from napari_unet_seg.core.losses import loss_terms
from napari_unet_seg.core.sampler import PatchSampler
from napari_unet_seg.core.scale import estimate_diameter
from napari_unet_seg.core.unet import UNet
from napari_unet_seg.errors import InputError
from napari_unet_seg.progress import Command, Progress, Steps, drain
from napari_unet_seg.settings import NetworkSettings, TrainSettings

WARM_UP = 100
VALIDATE_EVERY = 100
"""Steps between two looks at the images kept out of training."""


def train(
    images: Sequence[Any],
    labels: Sequence[Any],
    *,
    known: Sequence[Any] | None = None,
    base: str | Model | None = "nuclei",
    settings: TrainSettings | None = None,
    network: NetworkSettings | None = None,
) -> Model:
    """Train a model and wait for it; see `iter_train`."""
    return drain(iter_train(images, labels, known=known, base=base, settings=settings, network=network))


def iter_train(
    images: Sequence[Any],
    labels: Sequence[Any],
    *,
    known: Sequence[Any] | None = None,
    base: str | Model | None = "nuclei",
    settings: TrainSettings | None = None,
    network: NetworkSettings | None = None,
) -> Steps[Model]:
    """Train a model step by step.

    Parameters
    ----------
    images, labels : sequence of ndarray
        Planes of shape (Y, X), or (Y, X, 3 or 4) for colour, of any real dtype; and integers of shape (Y, X): one a nucleus, 0 the ground.
    known : sequence of ndarray of bool, shape (Y, X), optional
        Where the annotation can be believed; everywhere if not given.
    base : str, Model or None
        The model to start from; None starts from random weights.
    settings : TrainSettings, optional
        Steps, augmentation, seed.
    network : NetworkSettings, optional
        Shape of the network when there is no base.

    Yields
    ------
    Progress
        After each step, with the metrics ``loss`` and its terms, and every 100 steps ``validation_loss``. Sending `Command.STOP` returns
        the model so far; closing the generator cancels.

    Returns
    -------
    Model
        With the running average of the weights; its card says what it learned from, and how.

    Raises
    ------
    InputError
        If there is nothing to learn from, or images and labels do not fit together.
    OutOfMemoryError, ComputeError
        If torch fails.
    """
    settings = settings or TrainSettings()
    run = _Training(_prepare_all(images, labels, known), _starting_model(base, network, settings.seed), settings)
    for done in range(1, settings.steps + 1):
        with compute_errors("Training"):
            metrics = run.step(done)
        if (yield Progress("Training", done, settings.steps, metrics)) is Command.STOP:
            break
    return run.model(done, _facts(labels, None if base is None else run.start))


def _prepare_all(images: Sequence[Any], labels: Sequence[Any], known: Sequence[Any] | None) -> list[Sample]:
    if not len(images) or len(images) != len(labels) or (known is not None and len(known) != len(labels)):
        raise InputError(f"There are {len(images)} images and {len(labels)} label images; give at least one pair, and as many of each.")
    masks = known if known is not None else [None] * len(labels)
    return [prepare(image, label, mask) for image, label, mask in zip(images, labels, masks, strict=True)]


def _starting_model(base: str | Model | None, network: NetworkSettings | None, seed: int) -> Model:
    if base is not None:
        return load_model(base)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Model(UNet(network or NetworkSettings()))


def _facts(labels: Sequence[Any], base: Model | None) -> dict[str, Any]:
    """Say what a model learned from; nothing of its base's card, whose figures are not the new model's."""
    diameters = [diameter for diameter in map(estimate_diameter, labels) if diameter]
    facts = {"images": len(labels), "diameter": round(float(np.median(diameters)), 1) if diameters else 0}
    return facts if base is None else {**facts, "base": base.name, "base_sha256": base.sha256}


class _Training:
    """The state of one training run."""

    def __init__(self, samples: list[Sample], start: Model, settings: TrainSettings) -> None:
        self.settings = settings
        self.start = start
        self.device = choose_device(settings.device).name
        dtype = choose_dtype(self.device)
        self.autocast = torch.autocast(self.device, torch.bfloat16, enabled=dtype != torch.float32)
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.validation, training = _split(samples, settings.validation, self.generator)
        self.sampler = PatchSampler(training, settings, self.generator)
        self.network = copy.deepcopy(start.network).to(self.device).train()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub forgets it
        self.average = copy.deepcopy(start.network).to(self.device).eval()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)

    def step(self, number: int) -> dict[str, float]:
        """Do one step and return its metrics."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * schedule(number, self.settings.steps, self.settings.decay)
        terms = self._terms(self.network, self.sampler.batch())
        loss = torch.stack(list(terms.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self._update_average(number)
        metrics = {"loss": float(loss.detach()), **{name: float(term.detach()) for name, term in terms.items()}}
        if self.validation and (number % VALIDATE_EVERY == 0 or number == self.settings.steps):
            metrics["validation_loss"] = self._validate()
        return metrics

    def model(self, done: int, facts: dict[str, Any]) -> Model:
        """Return the averaged network as a model on the CPU."""
        card = {**facts, "training": self.settings.to_dict(), "steps": done}
        return Model(self.average.cpu().eval(), card, self.start.defaults)

    def _terms(self, network: UNet, batch: Batch) -> dict[str, torch.Tensor]:
        batch = batch.to(self.device)
        with self.autocast:
            logits = network(batch.image.contiguous(memory_format=torch.channels_last))
        return loss_terms(logits, batch, network.settings, self.settings)

    def _update_average(self, number: int) -> None:
        decay = min(self.settings.average, number / (number + 10))  # a long memory must not keep the first, random weights
        state = self.network.state_dict()
        with torch.no_grad():
            for name, averaged in self.average.state_dict().items():
                averaged.lerp_(state[name], 1 - decay) if averaged.is_floating_point() else averaged.copy_(state[name])

    def _validate(self) -> float:
        with torch.inference_mode():
            losses = [
                sum(float(term) for term in self._terms(self.average, whole_patch(s, self.settings)).values()) for s in self.validation
            ]
        return sum(losses) / len(losses)


def schedule(step: int, steps: int, decay: float) -> float:
    """Return the share of the learning rate at a step: a linear warm-up, a plateau, then half a cosine down to 0.

    Parameters
    ----------
    step, steps : int
        This step, from 1, and their number.
    decay : float
        Share of the steps after the warm-up over which the rate falls; 1 has no plateau.

    Returns
    -------
    float
        0 to 1.
    """
    warm_up = min(WARM_UP, steps // 10)
    if step <= warm_up:
        return step / warm_up
    falling = max(decay * (steps - warm_up), 1)
    return 0.5 * (1 + math.cos(math.pi * max(0.0, 1 - (steps - step) / falling)))


def _split(samples: list[Sample], share: float, generator: torch.Generator) -> tuple[list[Sample], list[Sample]]:
    """Keep a random share of the images out of training: (kept out, training)."""
    count = min(math.ceil(share * len(samples)), len(samples) - 1)
    order = torch.randperm(len(samples), generator=generator).tolist()
    return [samples[i] for i in order[:count]], [samples[i] for i in order[count:]]
