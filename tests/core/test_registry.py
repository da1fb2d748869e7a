"""The user's own models."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import pytest
from safetensors.torch import save_file

import napari_unet_seg as nus
from napari_unet_seg.core import checkpoint, registry
from napari_unet_seg.errors import ModelError

NETWORK = nus.NetworkSettings(width=4, depth=1)


@pytest.fixture
def model() -> nus.Model:
    from napari_unet_seg.core.unet import UNet

    return nus.Model(UNet(NETWORK).eval(), {"title": "Tests"}, name="small")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: nus.Model) -> Path:
    """Folders of bundled and own models, with two bundled ones; the folder of own models does not exist yet."""
    bundled, own = tmp_path / "bundled", tmp_path / "data" / "own"
    bundled.mkdir()
    for version in (2, 10):
        dataclasses.replace(model, name=f"nuclei-v{version}").save(bundled / f"nuclei-v{version}")
    monkeypatch.setattr(checkpoint, "BUNDLED", bundled)
    monkeypatch.setattr(checkpoint, "user_folder", lambda: own)
    return own


@pytest.fixture
def file(tmp_path: Path, model: nus.Model) -> Path:
    return model.save(tmp_path / "from-a-colleague.safetensors")


def test_models_are_listed_with_their_origin(own: Path, file: Path):
    registry.import_model(file)
    listed = [(entry.name, entry.bundled, entry.default, entry.title) for entry in registry.list_entries()]
    assert listed == [("nuclei-v10", True, True, "Tests"), ("nuclei-v2", True, False, "Tests"), ("small", False, False, "Tests")]


def test_a_damaged_model_is_still_listed_and_can_be_deleted(own: Path):
    own.mkdir(parents=True)
    (own / "odd.safetensors").write_bytes(b"nothing")
    assert registry.find_entry("odd").title == ""
    registry.delete_model("odd")
    assert not (own / "odd.safetensors").exists()


def test_the_alias_stands_for_the_newest(own: Path):
    assert registry.find_entry("nuclei").name == "nuclei-v10"


def test_an_imported_model_works_by_its_name(own: Path, file: Path, model: nus.Model):
    entry = registry.import_model(file)
    assert entry.path == own / "small.safetensors"
    loaded = nus.load_model("small")
    assert (loaded.name, loaded.sha256) == ("small", model.sha256)


@pytest.mark.parametrize(
    ("inside", "given", "expected"), [("small", "new", "new"), ("unnamed", "", "from-a-colleague"), ("a b", "", "from-a-colleague")]
)
def test_an_imported_model_gets_a_name(own: Path, tmp_path: Path, model: nus.Model, inside: str, given: str, expected: str):
    file = dataclasses.replace(model, name=inside).save(tmp_path / "from-a-colleague")
    assert registry.import_model(file, given).name == expected
    assert nus.load_model(expected).name == expected


@pytest.mark.parametrize("name", ["nuclei", "nuclei-v3", "a.b", "../a", "a/b", "-a", "", " "])
def test_names_that_cannot_be_used_are_refused(own: Path, model: nus.Model, tmp_path: Path, name: str):
    registry.import_model(model.save(tmp_path / "m"))
    with pytest.raises(ModelError, match="cannot be called"):
        registry.rename_model("small", name)
    assert nus.load_model("small").name == "small"


def test_a_name_that_is_taken_is_refused(own: Path, file: Path):
    registry.import_model(file)
    with pytest.raises(ModelError, match="'small' already"):
        registry.import_model(file)


def test_what_is_no_model_is_refused(own: Path, tmp_path: Path):
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="not a model"):
        registry.import_model(tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="no model file"):
        registry.import_model(tmp_path / "none.safetensors")
    assert not own.exists()


def test_a_file_without_a_folder_is_a_file_and_not_a_name(own: Path, file: Path, monkeypatch: pytest.MonkeyPatch):
    file.rename(file.parent / "plain")
    monkeypatch.chdir(file.parent)
    assert registry.import_model("plain", "mine").name == "mine"


def test_renaming_moves_the_model(own: Path, file: Path):
    registry.import_model(file)
    registry.rename_model("small", "large")
    assert [path.name for path in own.iterdir()] == ["large.safetensors"]
    assert nus.load_model("large").name == "large"


def test_deleting_takes_the_file_away(own: Path, file: Path):
    registry.import_model(file)
    assert registry.delete_model("small") == own / "small.safetensors"
    assert list(own.iterdir()) == []


@pytest.mark.parametrize("name", ["nuclei", "nuclei-v2"])
def test_bundled_models_stay(own: Path, name: str):
    for change in (registry.delete_model, lambda name: registry.rename_model(name, "mine")):
        with pytest.raises(ModelError, match="came with the program"):
            change(name)
    assert len(registry.list_entries()) == 2


def test_an_unknown_model_is_named_with_those_there_are(own: Path):
    with pytest.raises(ModelError, match=r"'none'; there are nuclei, nuclei-v10, nuclei-v2"):
        registry.find_entry("none")


@pytest.mark.parametrize("name", ["SMALL", "con", "COM1", "x" * 101, "Nuclei", "NUCLEI-v7"])
def test_names_that_another_system_could_not_keep_apart_or_not_write_are_refused(own: Path, file: Path, name: str):
    kept = registry.import_model(file).path.read_bytes()
    with pytest.raises(ModelError):
        registry.import_model(file, name)
    assert [path.name for path in own.iterdir()] == ["small.safetensors"]
    assert (own / "small.safetensors").read_bytes() == kept


@pytest.mark.parametrize("ending", [".pt", ".PTH", ".onnx", ".zip", ".h5", ".keras"])
def test_models_of_other_programs_are_not_even_looked_into(own: Path, tmp_path: Path, ending: str):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    path = tmp_path / f"theirs{ending}"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError, match=r"theirs\..* is not a model of this program"):
        registry.import_model(path)
    assert not (tmp_path / "sprung").exists()
    assert not own.exists()


@pytest.mark.parametrize("card", [[], 7, {"title": {"a": 1}}, None])
def test_a_card_of_any_kind_is_listed(own: Path, model: nus.Model, card):
    own.mkdir(parents=True)
    described = {"format_version": 1, "name": "x", "network": NETWORK.to_dict(), "defaults": model.defaults.to_dict(), "card": card}
    save_file(model.network.state_dict(), own / "odd.safetensors", {"napari_unet_seg": json.dumps(described)})
    assert isinstance(registry.find_entry("odd").title, str)


def test_a_folder_that_cannot_be_made_is_named(own: Path, file: Path):
    own.parent.write_text("a file")
    with pytest.raises(ModelError, match="The folder of your models"):
        registry.import_model(file)


@pytest.mark.parametrize("name", ["nuclei", "nuclei-v9", "a b", "", "../x"])
def test_names_that_cannot_be_used_are_refused_before_any_work(name):
    with pytest.raises(ModelError, match="cannot be called"):
        registry.check_name(name)
