"""One training: a network, the average of its weights, and steps that bring both on."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_unet_seg.core.data import Batch, Sample, whole_patch
from napari_unet_seg.core.device import choose_device, choose_dtype, compute_errors
from napari_unet_seg.core.discriminator import Adversary
from napari_unet_seg.core.first_layers import choose_learning, first_layers, freeze_statistics
from napari_unet_seg.core.helper import LONGEST_GRADIENT, Helper, under
from napari_unet_seg.core.losses import loss_terms
from napari_unet_seg.core.optimizer import AdamW
from napari_unet_seg.core.remembering import Memory, is_sparse, trust_in
from napari_unet_seg.core.sampler import PatchSampler
from napari_unet_seg.core.supervision import Supervision
from napari_unet_seg.core.threads import compute_with, usual_threads
from napari_unet_seg.core.unet import UNet, activate
from napari_unet_seg.core.validation import cut_windows
from napari_unet_seg.errors import OutOfMemoryError

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model
    from napari_unet_seg.settings import TrainSettings


class Trainer:
    """The network that learns, and the running average of its weights that becomes the model.

    Parameters
    ----------
    start : Model
        Where training starts; it is not changed.
    samples : sequence of Sample
        What teaches.
    settings : TrainSettings
        With everything automatic decided (`TrainSettings.for_base`).
    threads : int
        With which the CPU computes; 0 takes as many as torch does. Weights depend on their number.
    """

    def __init__(self, start: Model, samples: Sequence[Sample], settings: TrainSettings, threads: int = 0) -> None:
        """Copy the network to the device."""
        self.settings = settings
        self.threads = threads or usual_threads()
        self.start = start
        self.batch = settings.batch
        self.device = choose_device(settings.device).name
        self.autocast = torch.autocast(self.device, torch.bfloat16, enabled=_uses_bfloat16(self.device, settings.precision))
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.sampler = PatchSampler(samples, settings, self.generator, self.device)
        with compute_errors("Starting the training"):
            self.network = copy.deepcopy(start.network).to(self.device).train()
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stub forgets it
            self.average = copy.deepcopy(start.network).to(self.device).eval()
        trust = self._trust(samples)
        self.memory = Memory(self.base(), round(settings.remember * trust, 4)) if settings.remember and trust else None
        nuclei = sum(len(np.unique(sample.labels[sample.labels > 0])) for sample in samples)
        self.learning = choose_learning(settings.learning, trust if all(is_sparse([sample]) for sample in samples) else 0.0, nuclei)
        self.optimizer = self._optimizer()
        self.helpers = _helpers(start, settings, self.device)

    def step(self, rate: float) -> tuple[dict[str, float], str]:
        """Do one step, with fewer patches when memory runs out.

        Parameters
        ----------
        rate : float
            Learning rate.

        Returns
        -------
        dict of str to float
            ``loss`` and its terms.
        str
            A sentence for the user when the batch had to be made smaller, else empty.

        Raises
        ------
        OutOfMemoryError
            If memory runs out with one patch a step.
        ComputeError
            If torch fails for another reason.
        """
        notice = ""
        compute_with(self.threads)
        while True:
            try:
                with compute_errors("Training"):
                    return self._step(rate), notice
            except OutOfMemoryError as error:
                if self.batch == 1:
                    raise OutOfMemoryError(
                        f"Memory ran out with one patch of {self.settings.patch} px a step; use smaller patches, or close other programs."
                    ) from error
            notice = self._halve()

    def look(self, window: Sample, network: UNet | None = None) -> tuple[float, npt.NDArray[Any] | None]:
        """Compute loss and maps of a window.

        Parameters
        ----------
        window : Sample
            At most a patch large.
        network : UNet, optional
            On the training's device; the average if not given.

        Returns
        -------
        float
        ndarray of float16, shape (C, Y, X), or None
            None when the network tells nuclei from ground, but predicts no distance, by which they could be told apart.
        """
        network = self.average if network is None else network
        compute_with(self.threads)
        with compute_errors("Validating"), torch.inference_mode():
            batch = whole_patch(window, self.settings).to(self.device)
            logits = self._logits(network, batch)
            loss = sum(float(term) for term in loss_terms(logits, batch, network.settings, self.settings).values())
            if not (network.settings.distance or network.settings.is_semantic):
                return loss, None
            maps = activate(logits, network.settings)[0].half().cpu().numpy()
        height, width = window.labels.shape
        top, left = (self.settings.patch - height) // 2, (self.settings.patch - width) // 2
        return loss, maps[:, top : top + height, left : left + width]

    def base(self) -> UNet:
        """Return the network that training started from, on the device."""
        return copy.deepcopy(self.start.network).to(self.device).eval()

    def weights(self, network: UNet | None = None) -> dict[str, Tensor]:
        """Return a copy of a network's weights, of the average's if none is given, on the CPU."""
        state = (self.average if network is None else network).state_dict()
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}

    def state(self) -> dict[str, Tensor]:
        """Return all tensors that decide how training goes on."""
        networks = {"network": self.network, "average": self.average}
        state = {f"{kind}.{name}": tensor for kind, network in networks.items() for name, tensor in network.state_dict().items()}
        state |= {f"optimizer.{name}": tensor for name, tensor in self.optimizer.state().items()}
        state |= {f"{kind}.{name}": tensor for kind, helper in self.helpers.items() for name, tensor in helper.state().items()}
        return state | {"generator": self.generator.get_state()}

    def load(self, state: dict[str, Tensor], steps: int) -> None:
        """Go on from what `state` returned after so many steps."""
        self.generator.set_state(state["generator"])
        for kind, network in (("network", self.network), ("average", self.average)):
            network.load_state_dict(under(f"{kind}.", state))  # copies into what is there, and so keeps its layout in memory
        means = under("optimizer.", state)
        if len(means) != len(self.optimizer.state()):  # elsewhere, where sums differ, the base was just trusted, or just not
            self.learning = "all" if self.learning == "first" else "first"
            self.optimizer = self._optimizer()
        self.optimizer.load(means, steps)
        for kind, helper in self.helpers.items():
            helper.load(under(f"{kind}.", state), steps)

    def _optimizer(self) -> AdamW:
        """Let those layers learn that are to."""
        self.network.requires_grad_(True).train()
        learned = first_layers(self.network) if self.learning == "first" else self.network.parameters()
        if self.settings.freeze:
            freeze_statistics(self.network)
        return AdamW(learned, self.settings.weight_decay)

    def _trust(self, samples: Sequence[Sample]) -> float:
        """Return how far the base can be believed where nothing is annotated; 0 if there is no such place."""
        if not (self.start.settings.distance and is_sparse(samples)):
            return 0.0
        base, windows = self.base(), cut_windows(samples, self.settings.patch, self.settings.seed)
        return trust_in((window, self.look(window, base)[1]) for window in windows)

    def _step(self, rate: float) -> dict[str, float]:
        batch = self.sampler.batch(self.batch).to(self.device)
        levels: list[Tensor] = []
        logits = self._logits(self.network, batch, levels if self.helpers else None)
        terms = loss_terms(logits, batch, self.network.settings, self.settings)
        with self.autocast:
            terms |= {name: helper.term(batch, logits, levels) for name, helper in self.helpers.items()}
            terms |= {"remembered": self.memory.term(batch, logits)} if self.memory else {}
        loss = torch.stack(list(terms.values())).sum()
        self.optimizer.clear()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
        self.optimizer.step(rate)
        for helper in self.helpers.values():
            helper.learn(rate)
        self._update_average()
        return {"loss": float(loss.detach()), **{name: float(term.detach()) for name, term in terms.items()}}

    def _logits(self, network: UNet, batch: Batch, levels: list[Tensor] | None = None) -> Tensor:
        with self.autocast:
            logits: Tensor = network(batch.image.contiguous(memory_format=torch.channels_last), levels)
        return logits

    def _update_average(self) -> None:
        steps = self.optimizer.steps
        decay = min(self.settings.average, steps / (steps + 10))  # a long memory must not keep the first, random weights
        state, average = self.network.state_dict(), self.average.state_dict()
        numbers = [name for name, averaged in average.items() if averaged.is_floating_point()]
        with torch.no_grad():
            torch._foreach_lerp_([average[name] for name in numbers], [state[name] for name in numbers], 1 - decay)
            for name in average.keys() - numbers:
                average[name].copy_(state[name])

    def _halve(self) -> str:
        old, self.batch = self.batch, self.batch // 2
        self.optimizer.clear()
        for helper in self.helpers.values():
            helper.clear()
        if self.device == "cuda":
            torch.cuda.empty_cache()
        return f"Memory ran out: going on with {self.batch} patches a step instead of {old}."


def _helpers(start: Model, settings: TrainSettings, device: str) -> dict[str, Helper]:
    """Make what takes part in the training, named as its term of the loss."""
    made: dict[str, Helper] = {}
    if settings.supervision:
        made["supervision"] = Supervision(start.settings, settings, device)
    if settings.adversarial:
        made["adversarial"] = Adversary(start.settings, settings, device)
    return made


def _uses_bfloat16(device: str, precision: str) -> bool:
    if precision != "auto":
        return precision == "bfloat16"
    return choose_dtype(device) == torch.bfloat16
