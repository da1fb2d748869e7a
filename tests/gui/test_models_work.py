"""What is done with models as files, without a window."""

from __future__ import annotations

import pytest

import napari_unet_seg as nus
from napari_unet_seg.core import checkpoint
from napari_unet_seg.errors import ModelError
from napari_unet_seg.gui.models_work import Done, delete_steps, export_steps, import_steps, list_steps, rename_steps
from napari_unet_seg.progress import Progress, drain
from tests.tiny import tiny_model

NETWORK = tiny_model().network


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setattr(checkpoint, "user_folder", lambda: folder)
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path / "none")
    return folder


def store(own, name="mine", **card):
    return nus.Model(NETWORK, card, name=name).save(own / name)


def facts_of(name="mine"):
    [note] = [note for note in drain(list_steps()) if note.name == name]
    return note, dict(note.facts)


def test_every_model_is_a_step(own):
    for name in ("a", "b"):
        store(own, name)
    told = []
    drain(list_steps(), told.append)
    assert told == [Progress("Looking for models", done, total) for done, total in ((0, 0), (1, 2), (2, 2))]


@pytest.mark.parametrize(
    ("card", "word", "value"),
    [
        ({"images": 1}, "Learned from", "1 image"),
        ({"images": 1200, "data": "discs"}, "Learned from", "1,200 images; discs"),
        ({"base": "nuclei-v2"}, "Started from", "nuclei-v2"),
        ({"diameter": 31.4}, "Nuclei of", "about 31 px"),
        ({"licence": "MIT"}, "Licence", "MIT"),
        ({"figures": {"all": {"AP 0.5": 0.8}}}, "Measured", "AP 0.8 at IoU 0.5, on images that it did not learn from"),
        ({"report": {"after": {"ap50": 0.714}}}, "Measured", "AP 0.71 at IoU 0.5"),
    ],
)
def test_a_card_is_told_in_words(own, card, word, value):
    store(own, **card)
    assert facts_of()[1][word] == value


@pytest.mark.parametrize("card", [{"images": "many"}, {"figures": 3}, {"figures": {"all": 2}}, {"report": []}, {"report": {"after": None}}])
def test_what_a_card_does_not_say_is_left_out(own, card):
    store(own, **card)
    _, facts = facts_of()
    assert not {"Learned from", "Measured"} & facts.keys()


def test_a_model_without_a_title_says_where_it_comes_from(own):
    store(own, base="nuclei-v2")
    assert facts_of()[0].title == "Trained with this plugin, from nuclei-v2."
    store(own)
    assert facts_of()[0].title == "Trained with this plugin."
    store(own, title="Spheroids")
    assert facts_of()[0].title == "Spheroids"


def test_the_file_is_named_where_it_is_the_users(own):
    path = store(own)
    assert facts_of()[1]["File"].endswith(str(path))


def test_a_damaged_model_is_listed_with_what_is_wrong(own):
    (own / "odd.safetensors").write_bytes(b"x")
    note, facts = facts_of("odd")
    assert "is not a model" in note.trouble
    assert facts == {}


def test_a_model_comes_is_renamed_given_away_and_goes(own, tmp_path):
    file = nus.Model(NETWORK, name="gift").save(tmp_path / "gift")
    assert drain(import_steps(file)) == Done("gift", "", "“gift” is added", drain(import_steps(file, "twin")).detail)
    assert drain(rename_steps("gift", "mine")) == Done("mine", "gift", "“gift” is now called “mine”")
    given = drain(export_steps("mine", tmp_path / "copy", "safetensors"))
    assert given.detail == f"{tmp_path / 'copy.safetensors'}."
    assert drain(delete_steps("mine")).name == ""
    assert sorted(path.stem for path in own.iterdir()) == ["twin"]


@pytest.mark.parametrize("steps", [rename_steps("none", "x"), delete_steps("none"), export_steps("none", "x", "onnx")])
def test_what_is_not_there_is_named(steps):
    with pytest.raises(ModelError, match="'none'"):
        drain(steps)


def test_a_name_that_is_taken_is_not_given_twice(own, tmp_path):
    store(own)
    kept = (own / "mine.safetensors").read_bytes()
    file = nus.Model(NETWORK, {"title": "Other"}, name="mine").save(tmp_path / "other")
    with pytest.raises(ModelError, match="'mine' already"):
        drain(import_steps(file))
    assert (own / "mine.safetensors").read_bytes() == kept
