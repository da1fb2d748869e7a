"""A small annotated data set on disk, and a model file that knows its nuclei."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.tiny import discs, tiny_model


def write_pair(image_path, labels_path, seed, shape=(96, 112), count=8):
    image, labels = discs(shape, count, seed=seed)
    for path, pixels in ((image_path, image), (labels_path, labels.astype(np.uint16))):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return image, labels


@pytest.fixture
def dataset(tmp_path):
    """Six images of two modalities and three folds, neighbours in one field."""
    folder = tmp_path / "plates"
    lines = ["id,modality,fold,field"]
    for number in range(6):
        write_pair(folder / "images" / f"n{number}.png", folder / "masks" / f"n{number}.png", number)
        lines.append(f"n{number},{'bright' if number % 2 else 'stained'},{number % 3},{number // 2}")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    return tiny_model().save(tmp_path_factory.mktemp("model") / "tiny.safetensors")
