"""What the options of ``train`` say of the network, before anything is read."""

from __future__ import annotations

import pytest

from napari_unet_seg.cli import network
from napari_unet_seg.cli.network import INSTANCES, NOTHING, chosen_base, chosen_classes
from napari_unet_seg.core import checkpoint
from napari_unet_seg.errors import ModelError, SettingsError
from napari_unet_seg.settings import MOST_CLASSES, NetworkSettings


def test_a_base_without_wishes_is_not_even_loaded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checkpoint, "load_model", None)
    assert chosen_base("mine", "", None, None) == "mine"


def test_nothing_with_wishes_is_a_shape():
    assert chosen_base(NOTHING, "", 8, None) == NetworkSettings(width=8)
    assert chosen_base(NOTHING, "", 32, None, 2) == NetworkSettings(width=32, stride=2)
    assert chosen_base(NOTHING, "residual", None, 2) == NetworkSettings(block="residual", depth=2)
    assert chosen_base(NOTHING, "attention", 4, 3) == NetworkSettings.of("attention", width=4, depth=3)


@pytest.mark.parametrize(("width", "depth", "name"), [(2, None, "width is 2"), (None, 0, "depth is 0"), (None, 7, "depth is 7")])
def test_a_shape_that_cannot_be_built_is_refused(width: int | None, depth: int | None, name: str):
    """A number of 0 was given, and is not the same as none."""
    with pytest.raises(SettingsError, match=name):
        chosen_base(NOTHING, "", width, depth)


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        (("attention", None, None), "--architecture attention cannot be had"),
        (("", 8, None, 2), "--stride 2 cannot be had"),
        (("", 8, 4), "--depth 4 cannot be had"),
        (("unet", 9, 4), "--width 9 and --depth 4 cannot be had"),
        (("residual", 9, 4), "--architecture residual and --width 9 and --depth 4 cannot be had"),
    ],
)
def test_only_what_differs_from_the_base_is_named(model: str, wishes: tuple[str, *tuple[int | None, ...]], said: str):
    with pytest.raises(SettingsError) as refused:
        chosen_base(model, *wishes)
    assert str(refused.value).startswith(said)
    assert repr(model) in str(refused.value)
    assert "width 8, depth 3 and stride 1 and stays so; start from nothing (--base none), or leave that out." in str(refused.value)


def test_a_base_that_is_not_there_is_told():
    with pytest.raises(ModelError, match="nowhere"):
        chosen_base("nowhere", "unet", None, None)


@pytest.mark.parametrize("text", ["1", "2", str(MOST_CLASSES)])
def test_a_number_gives_as_many_names(text: str):
    names = chosen_classes(text)
    assert len(names) == int(text)
    assert (names[0], names[-1]) == ("class 1", f"class {text}")


@pytest.mark.parametrize("text", ["0", str(MOST_CLASSES + 1), "00"])
def test_too_few_or_too_many_are_refused(text: str):
    with pytest.raises(SettingsError, match=f"There are {int(text)} classes; there must be 1 to {MOST_CLASSES}"):
        chosen_classes(text)


@pytest.mark.parametrize(("text", "names"), [("a,b", ("a", "b")), (" a , b c ,d", ("a", "b c", "d")), ("1,2", ("1", "2"))])
def test_names_are_divided_by_commas(text: str, names: tuple[str, ...]):
    assert chosen_classes(text) == names


@pytest.mark.parametrize("text", ["", " ", "stroma", "a,", ",a", "a,,b", "-1", "1.5", "Instances"])
def test_what_is_neither_is_quoted(text: str):
    with pytest.raises(SettingsError) as refused:
        chosen_classes(text)
    assert str(refused.value).startswith(f"--classes is {text!r}; write {INSTANCES}, the number of classes, or their names")


def test_nuclei_are_no_classes():
    assert chosen_classes(network.INSTANCES) == ()
