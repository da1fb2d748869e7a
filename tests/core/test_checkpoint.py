"""Model files: what is saved is what is loaded, and what is damaged is refused with a sentence."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import napari_unet_seg as nus
from napari_unet_seg.core import checkpoint
from napari_unet_seg.errors import ModelError
from tests.tiny import tiny_model


@pytest.fixture
def folders(tmp_path, monkeypatch):
    bundled, own = tmp_path / "bundled", tmp_path / "own"
    bundled.mkdir()
    own.mkdir()
    monkeypatch.setattr(checkpoint, "BUNDLED", bundled)
    monkeypatch.setattr(checkpoint, "user_folder", lambda: own)
    return bundled, own


def test_a_saved_model_comes_back_the_same(tmp_path):
    model = tiny_model()
    path = model.save(tmp_path / "mine")
    loaded = nus.load_model(path)
    assert path.name == "mine.safetensors"
    assert loaded.sha256 == model.sha256
    assert (loaded.name, loaded.card, loaded.defaults, loaded.settings) == (model.name, model.card, model.defaults, model.settings)
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], tensor)
    assert not loaded.network.training


def test_equal_models_give_equal_bytes_and_the_hash_is_that_of_the_file(tmp_path):
    import hashlib

    first, second = tiny_model().save(tmp_path / "a"), tiny_model().save(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    assert hashlib.sha256(first.read_bytes()).hexdigest() == tiny_model().sha256


def test_nuclei_is_the_newest_version_by_number(folders):
    for version in ("v2", "v10", "v9"):
        model = tiny_model()
        nus.Model(model.network, model.card, model.defaults, f"nuclei-{version}").save(folders[0] / f"nuclei-{version}")
    assert nus.load_model("nuclei").name == "nuclei-v10"
    assert nus.list_models()[0] == "nuclei"


def test_own_models_are_found_by_name_and_bundled_ones_come_first(folders):
    tiny_model().save(folders[1] / "spheroids")
    assert nus.list_models() == ["spheroids"]
    assert nus.load_model("spheroids").sha256 == tiny_model().sha256


def test_unknown_names_and_paths_are_said(folders, tmp_path):
    with pytest.raises(ModelError, match="no model named 'nucleus'"):
        nus.load_model("nucleus")
    with pytest.raises(ModelError, match="no model file"):
        nus.load_model(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"damaged\.safetensors"):
        nus.load_model(path)


def test_a_truncated_model_is_refused(tmp_path):
    path = tiny_model().save(tmp_path / "cut")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged"):
        nus.load_model(path)


def test_a_pickle_is_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    path = tmp_path / "trap.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError):
        nus.load_model(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format_version": 99}, "version 99"),
        ({"network": {"width": 4, "colour": 1}}, "colour"),
        ({"network": {"width": 4, "depth": 3}}, "does not fit"),
        ({"network": {"width": 10**9}}, "width is 1000000000; it must be at most"),
        ({"network": {"width": 256, "depth": 6}}, "weights are of another network"),
        ({"network": [1]}, "does not fit"),
        ({"network": {"width": "8"}}, "width is '8'"),
        ({"network": {"classes": ["a", "a"]}}, "two different classes"),
        ({"card": {"diameter": "large"}}, "does not fit"),
        ({"card": {"diameter": 1e400}}, "diameter is inf"),
        ({"card": {"smallest_diameter": -1}}, "smallest diameter is -1"),
        ({"card": {"calibration": {"knots": 3}}}, "does not fit"),
        ({"defaults": {"probability": 7}}, "probability is 7"),
        ({"card": 3}, "does not fit"),
    ],
)
def test_models_of_another_shape_or_version_are_refused(tmp_path, change, sentence):
    model = tiny_model()
    description = {
        "format_version": 1,
        "name": "x",
        "network": model.settings.to_dict(),
        "defaults": model.defaults.to_dict(),
        "card": {},
    } | change
    path = tmp_path / "other.safetensors"
    save_file(model.network.state_dict(), path, {"napari_unet_seg": json.dumps(description)})
    with pytest.raises(ModelError, match=sentence):
        nus.load_model(path)


def _described(model, **change):
    facts = {"format_version": 1, "name": "x", "network": model.settings.to_dict(), "defaults": model.defaults.to_dict(), "card": {}}
    return {"napari_unet_seg": json.dumps(facts | change)}


def test_weights_of_another_program_are_named_as_such(tmp_path):
    path = tmp_path / "theirs.safetensors"
    save_file({"layer.weight": torch.zeros(3)}, path, {"format": "pt"})
    with pytest.raises(ModelError, match="weights of another program"):
        nus.load_model(path)


@pytest.mark.parametrize("length", [2**63, 2**40, 10**8, 200])
def test_a_head_that_says_it_is_huge_takes_no_memory(tmp_path, length):
    path = tmp_path / "huge.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + b"{" * 100)
    with pytest.raises(ModelError, match="not a model"):
        nus.load_model(path)


def test_random_bytes_are_refused(tmp_path):
    path = tmp_path / "noise.safetensors"
    path.write_bytes(np.random.default_rng(0).bytes(100_000))
    with pytest.raises(ModelError, match="not a model"):
        nus.load_model(path)


def test_a_description_nested_without_end_is_refused(tmp_path):
    path = tmp_path / "deep.safetensors"
    save_file({"a": torch.zeros(1)}, path, {"napari_unet_seg": "[" * 200_000})
    with pytest.raises(ModelError, match="not a model"):
        nus.load_model(path)


@pytest.mark.parametrize("change", ["shape", "dtype", "missing", "more"])
def test_other_weights_than_those_described_are_refused(tmp_path, change):
    model = tiny_model()
    weights = dict(model.network.state_dict())
    name = "head.weight"
    if change == "shape":
        weights[name] = weights[name][:1].contiguous()
    elif change == "dtype":
        weights[name] = weights[name].double()
    elif change == "missing":
        del weights[name]
    else:
        weights["further"] = torch.zeros(1)
    path = tmp_path / "other.safetensors"
    save_file(weights, path, _described(model))
    with pytest.raises(ModelError, match="weights are of another network"):
        nus.load_model(path)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    model = tiny_model()
    weights = dict(model.network.state_dict())
    weights["head.bias"] = torch.full_like(weights["head.bias"], float("nan"))
    path = tmp_path / "failed.safetensors"
    save_file(weights, path, _described(model))
    with pytest.raises(ModelError, match="no numbers everywhere"):
        nus.load_model(path)


def test_a_place_that_cannot_be_written_is_said_and_loses_nothing(tmp_path):
    with pytest.raises(ModelError, match="could not be saved"):
        tiny_model().save(tmp_path / "no" / "such" / "folder")
    old = tiny_model().save(tmp_path / "kept")
    content = old.read_bytes()
    (tmp_path / "kept.safetensors.d").mkdir()
    assert old.read_bytes() == content
