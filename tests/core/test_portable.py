"""Models for other programs: ONNX Runtime and TorchScript give what PyTorch gives."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core import portable
from napari_unet_seg.core.portable import NEEDED, OPSET, multiple, run_portable, to_torchscript
from napari_unet_seg.core.unet import UNet
from napari_unet_seg.errors import ModelError
from tests.tiny import tiny_model

TOLERANCE = 1e-5
"""Of maps from 0 to 1: what another order of adding float32 makes."""
VARIANT = nus.NetworkSettings(width=4, depth=1, stride=2, block="residual", attention=True, classes=("ground", "a", "b"), distance=False)
# In a process of its own: PyTorch's exporter loads what a process with a window had better not have.
EXPORT = """
import sys
from napari_unet_seg.core.checkpoint import load_model
from napari_unet_seg.core.portable import to_onnx
for path in sys.argv[1:]:
    open(path + ".onnx", "wb").write(to_onnx(load_model(path)))
"""


def variant():
    """A network of other kind and depth that tells classes apart, with random weights."""
    torch.manual_seed(0)
    network = UNet(VARIANT)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return nus.Model(network.eval(), {"licence": "MIT"}, name="variant")


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """The models, and the bytes of their graphs."""
    folder = tmp_path_factory.mktemp("graphs")
    models = {model.name: model for model in (tiny_model(), variant())}
    paths = {name: model.save(folder / name) for name, model in models.items()}
    subprocess.run([sys.executable, "-c", EXPORT, *map(str, paths.values())], check=True, capture_output=True)
    return {name: (model, (folder / f"{name}.safetensors.onnx").read_bytes()) for name, model in models.items()}


def image(model, batch, rows, columns):
    step = multiple(model)
    return np.random.default_rng(0).uniform(-0.5, 3, (batch, 1, rows * step, columns * step)).astype(np.float32)


@pytest.mark.parametrize("name", ["tiny", "variant"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 2), (2, 5, 9)])
def test_onnx_runtime_gives_the_same_maps_at_every_size(graphs, name, shape):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, graph = graphs[name]
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    given = image(model, *shape)
    [maps] = session.run(["maps"], {"image": given})
    assert maps.shape == (shape[0], len(model.settings.maps), *given.shape[2:])
    assert np.abs(maps - run_portable(model, given)).max() <= TOLERANCE
    assert maps.min() >= 0
    assert maps.max() <= 1


@pytest.mark.parametrize("name", ["tiny", "variant"])
def test_the_graph_is_valid_and_says_what_it_is(graphs, name):
    import onnx

    model, graph = graphs[name]
    loaded = onnx.load_from_string(graph)
    onnx.checker.check_model(loaded, full_check=True)
    assert [one.version for one in loaded.opset_import if not one.domain] == [OPSET]
    free, channels, *_ = loaded.graph.input[0].type.tensor_type.shape.dim
    assert (free.dim_param, channels.dim_value) == ("batch", 1)
    said = {entry.key: entry.value for entry in loaded.metadata_props}
    assert json.loads(said["maps"]) == list(model.settings.maps)
    assert (said["name"], said["sha256"], said["multiple"]) == (model.name, model.sha256, str(model.settings.multiple))
    assert said["licence"] == model.card.get("licence", "")


@pytest.mark.parametrize("model", [tiny_model(), variant()], ids=["tiny", "variant"])
def test_torchscript_gives_the_same_maps(model, tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(to_torchscript(model))
    with torch.inference_mode(), portable._quiet():
        given = image(model, 2, 3, 5)
        maps = torch.jit.load(path)(torch.from_numpy(given)).numpy()
    assert np.abs(maps - run_portable(model, given)).max() <= TOLERANCE


def test_exporting_leaves_the_model_as_it_is():
    model = tiny_model()
    before = model.network.state_dict().keys()
    to_torchscript(model)
    assert model.network.state_dict().keys() == before


def test_what_is_exported_is_what_the_program_computes():
    model = tiny_model()
    given = image(model, 1, 4, 4)
    from napari_unet_seg.core.unet import activate

    with torch.inference_mode():
        ours = activate(model.network(torch.from_numpy(given)), model.settings).numpy()
    assert np.abs(ours - run_portable(model, given)).max() <= TOLERANCE


def test_a_missing_package_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setattr(portable.importlib.util, "find_spec", lambda name: None if name == NEEDED[1] else name)
    with pytest.raises(ModelError, match=r'onnxscript must be installed: python -m pip install "napari-unet-seg\[export\]"'):
        portable.to_onnx(tiny_model())
