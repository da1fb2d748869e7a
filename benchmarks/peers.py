"""Other programs on the same images: StarDist, Cellpose and InstanSeg where they are installed, and always Otsu and a watershed.

They are installed by hand, in this environment or one of their own:

    pip install stardist==0.9.2 tensorflow-cpu cellpose==3.1.1.2 instanseg-torch

and fetch their weights themselves when they first run. Each is given what suits it: StarDist and InstanSeg have models for fluorescence and
for stained sections, Cellpose and Otsu see one channel in which nuclei are bright, as our own network does. Each runs at the setting that
is best on images it is not scored on.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

import napari_unet_seg as nus
from napari_unet_seg.core.normalize import estimate_limits, normalize

Setting = Mapping[str, Any]
Run = Callable[[Any, Setting], Any]
"""Takes an image, (Y, X) or (Y, X, S), and a setting; returns labels, (Y, X) int."""
SMALLEST = 20
"""px2: what Otsu finds below is dirt."""


@dataclass(frozen=True)
class Peer:
    """Another program.

    Parameters
    ----------
    name : str
        For the table.
    module : str
        To be installed; empty when it always is.
    load : callable
        Loads its weights, and returns what runs it.
    settings : tuple of mapping
        To choose from; the first is its own default.
    """

    name: str
    module: str
    load: Callable[[], Run]
    settings: tuple[Setting, ...]


def load_peer(peer: Peer) -> tuple[Run | None, str]:
    """Make a peer ready to run, or say why it cannot."""
    if peer.module and importlib.util.find_spec(peer.module) is None:
        return None, "not installed"
    try:
        return peer.load(), ""
    except Exception as error:  # noqa: BLE001  # of other programs: Keras raises a plain Exception when a download fails
        return None, f"installed, but its weights cannot be had: {' '.join(str(error).split())[:160]}"


def best_setting(run: Run, settings: tuple[Setting, ...], pairs: Iterable[tuple[Any, Any]]) -> Setting:
    """Return the setting with the highest pooled mean AP from 0.5 to 0.9 on some images with labels; the first without any."""
    pairs = list(pairs)
    if not pairs or len(settings) == 1:
        return settings[0]

    def accuracy(setting: Setting) -> float:
        first, *rest = [nus.evaluate(labels, run(image, setting)) for image, labels in pairs]
        return sum(rest, first).mean_ap()

    return max(settings, key=accuracy)


def bright_nuclei(image: Any) -> Any:
    """Return one channel, about 0 to 1, in which nuclei are bright: float32, (Y, X)."""
    return normalize(image, estimate_limits(image, nus.SegmentSettings()))


def load_otsu() -> Run:
    """Blur, Otsu's threshold, and a watershed of the distance to the border from its peaks."""
    from skimage.feature import peak_local_max
    from skimage.filters import threshold_otsu
    from skimage.segmentation import watershed

    def run(image: Any, setting: Setting) -> Any:
        smooth = ndimage.gaussian_filter(bright_nuclei(image), setting["blur"])
        mask = smooth > (threshold_otsu(smooth) if smooth.min() < smooth.max() else np.inf)
        distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1)
        peaks = peak_local_max(distance, min_distance=setting["apart"], labels=ndimage.label(mask)[0])
        markers = np.zeros(mask.shape, np.int32)
        markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
        labels = watershed(-distance, markers, mask=mask)
        return np.where(np.bincount(labels.ravel())[labels] < SMALLEST, 0, labels)

    return run


def load_stardist() -> Run:
    """Run ``2D_versatile_fluo``, and ``2D_versatile_he`` for colour."""
    from csbdeep.utils import normalize as stretch
    from stardist.models import StarDist2D

    fluorescence, stained = (StarDist2D.from_pretrained(name) for name in ("2D_versatile_fluo", "2D_versatile_he"))

    def run(image: Any, setting: Setting) -> Any:
        colour = image.ndim == 3
        pixels = stretch(image[..., :3], 1, 99.8, axis=(0, 1)) if colour else stretch(bright_nuclei(image), 1, 99.8)
        model = stained if colour else fluorescence
        labels, _ = model.predict_instances(pixels, prob_thresh=setting["probability"], scale=setting["scale"], show_tile_progress=False)
        return labels.astype(np.int32)

    return run


def load_cellpose() -> Run:
    """Run ``nuclei`` and ``cyto3``, at given diameters or at Cellpose's own estimate."""
    from cellpose.models import Cellpose

    models = {name: Cellpose(gpu=False, model_type=name) for name in ("nuclei", "cyto3")}

    def run(image: Any, setting: Setting) -> Any:
        pixels = bright_nuclei(image)
        diameter, level = setting["diameter"] or None, setting["level"]
        labels, *_ = models[setting["model"]].eval(pixels, channels=[0, 0], diameter=diameter, cellprob_threshold=level)
        return labels.astype(np.int32)

    return run


def load_instanseg() -> Run:
    """Run ``fluorescence_nuclei_and_cells``, and ``brightfield_nuclei`` for colour, at several guesses of the pixel size."""
    from instanseg import InstanSeg

    fluorescence, stained = (InstanSeg(name, device="cpu", verbosity=0) for name in ("fluorescence_nuclei_and_cells", "brightfield_nuclei"))

    def run(image: Any, setting: Setting) -> Any:
        colour = image.ndim == 3
        pixels = image[..., :3] if colour else bright_nuclei(image)[..., None]
        found = (stained if colour else fluorescence).eval_small_image(
            pixels, pixel_size=setting["micrometres"], target="nuclei", return_image_tensor=False
        )
        return np.asarray(found.cpu())[0, 0].astype(np.int32)

    return run


PEERS = (
    Peer("Otsu and watershed", "", load_otsu, tuple({"blur": blur, "apart": apart} for blur in (1.0, 2.0) for apart in (5, 8, 12))),
    Peer(
        "StarDist",
        "stardist",
        load_stardist,
        tuple({"probability": level, "scale": scale} for scale in (None, 0.5, 2.0) for level in (None, 0.3, 0.6)),
    ),
    Peer(
        "Cellpose",
        "cellpose",
        load_cellpose,
        tuple(
            {"model": name, "diameter": size, "level": level}
            for name in ("nuclei", "cyto3")
            for size in (0, 17, 30)
            for level in (0.0, -1.0)
        ),
    ),
    Peer("InstanSeg", "instanseg", load_instanseg, tuple({"micrometres": size} for size in (0.5, 0.25, 0.35, 0.75, 1.0))),
)
