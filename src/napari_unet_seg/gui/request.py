"""One run as a generator: what is asked for, and what comes out of it. No Qt and no thread, so that tests can drain it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_unet_seg.progress import Progress, Steps

if TYPE_CHECKING:
    import pandas as pd

    from napari_unet_seg.gui.layers import Source
    from napari_unet_seg.settings import SegmentSettings

PREPARING = "Preparing"


@dataclass(frozen=True)
class Content:
    """What a labels layer holds.

    Parameters
    ----------
    labels : ndarray of int32, shape (..., Y, X)
    features : pandas.DataFrame
        One row a nucleus.
    """

    labels: npt.NDArray[Any]
    features: pd.DataFrame

    def fingerprint(self) -> bytes:
        """Return a hash that another content does not have; a second per gigabyte, so not for the window's thread."""
        import pandas as pd

        digest = hashlib.blake2b(repr((self.labels.shape, self.labels.dtype.str, list(self.features))).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self.labels).data)
        digest.update(pd.util.hash_pandas_object(self.features).to_numpy().tobytes())
        return digest.digest()


@dataclass(frozen=True)
class Request:
    """What is asked of one run.

    Parameters
    ----------
    source : Source
        The image.
    model : str
        Name of a model.
    device : {"auto", "cuda", "mps", "cpu"}
    settings : SegmentSettings
    previous : Content or None
        What the layer holds that may be replaced.
    """

    source: Source
    model: str
    device: str
    settings: SegmentSettings
    previous: Content | None = None


@dataclass(frozen=True)
class Outcome:
    """What a run gives.

    Parameters
    ----------
    content : Content
        Labels, and features with ``index``; in micrometres too when the size of a pixel is known.
    provenance : mapping
        What made them.
    fingerprint : bytes
        Of `content`.
    previous : bytes or None
        Fingerprint of the layer that may be replaced, taken at the end of the run.
    seconds : float
        How long it took.
    """

    content: Content
    provenance: Mapping[str, Any]
    fingerprint: bytes
    previous: bytes | None
    seconds: float

    @property
    def count(self) -> int:
        """Number of nuclei, or of outlines in a stack."""
        return len(self.content.features)


def segment_steps(request: Request) -> Steps[Outcome]:
    """Segment what is asked for.

    Parameters
    ----------
    request : Request

    Yields
    ------
    Progress
        At once, since loading torch takes a second or two; then after each tile.

    Returns
    -------
    Outcome

    Raises
    ------
    UnetSegError
        As `napari_unet_seg.segment`.
    """
    started = time.perf_counter()
    yield Progress(PREPARING, 0, 0)
    from napari_unet_seg.core.measure import add_physical
    from napari_unet_seg.core.segment import iter_segment

    source = request.source
    result = yield from iter_segment(source.data, request.model, request.device, source.axes, source.channel, request.settings)
    features = result.features if source.micrometres is None else add_physical(result.features, source.micrometres)
    content = Content(source.arrange(result.labels), features)
    return Outcome(
        content=content,
        provenance={**result.provenance, "input": source.name},
        fingerprint=content.fingerprint(),
        previous=request.previous.fingerprint() if request.previous else None,
        seconds=time.perf_counter() - started,
    )
