"""Settings refuse what they cannot mean, in one sentence that quotes it, and are written and read without loss."""

from __future__ import annotations

import dataclasses
import json
import math
from fractions import Fraction

import numpy as np
import pytest

from napari_unet_seg import fields
from napari_unet_seg.errors import SettingsError
from napari_unet_seg.settings import NetworkSettings, SegmentSettings, TrainSettings, field_options

KINDS = (NetworkSettings, SegmentSettings, TrainSettings)
FIELDS = [(kind, field.name) for kind in KINDS for field in dataclasses.fields(kind)]
NUMBERS = [(kind, name) for kind, name in FIELDS if type(getattr(kind(), name)) in (int, float)]
WHOLE = [(kind, name) for kind, name in NUMBERS if type(getattr(kind(), name)) is int]


@pytest.mark.parametrize("kind", KINDS)
def test_settings_survive_json(kind):
    settings = kind()
    read = kind.from_dict(json.loads(json.dumps(settings.to_dict())))
    assert read == settings
    assert hash(read) == hash(settings)
    assert [type(getattr(read, field.name)) for field in dataclasses.fields(kind)] == [
        type(getattr(settings, field.name)) for field in dataclasses.fields(kind)
    ]


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_each_default_is_accepted_again(kind, name):
    default = getattr(kind(), name)
    assert getattr(kind(**{name: default}), name) == default


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_frozen(kind, name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(kind(), name, getattr(kind(), name))


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
@pytest.mark.parametrize("value", [True, False, "3", None, math.nan, math.inf, -math.inf, 1 + 2j, [1], 10**400])
def test_what_is_no_finite_number_is_refused_and_quoted(kind, name, value):
    with pytest.raises(SettingsError) as error:
        kind(**{name: value})
    assert str(error.value).startswith(f"{name} is {value!r}; it must be ")


@pytest.mark.parametrize(("kind", "name"), WHOLE)
@pytest.mark.parametrize("value", [2.5, 64.0, np.float64(64), Fraction(5, 2)])
def test_a_fraction_is_no_whole_number(kind, name, value):
    with pytest.raises(SettingsError) as error:
        kind(**{name: value})
    assert str(error.value) == f"{name} is {value!r}; it must be a whole number."


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name in NUMBERS if {"min", "max"} & set(field_options(kind)[name])])
def test_limits_are_inside_and_beyond_is_not(kind, name):
    options = field_options(kind)[name]
    # `max_area` must not be below `min_area` unless it is 0: that pair has its own test.
    free = {"max_area": 0} if name == "min_area" else {"min_area": 0} if name == "max_area" else {}
    for limit, step, words in ((options.get("min"), -1, "at least"), (options.get("max"), 1, "at most")):
        if limit is None:
            continue
        assert getattr(kind(**{name: limit} | free), name) == limit
        beyond = limit + step if isinstance(limit, int) else math.nextafter(limit, step * math.inf)
        with pytest.raises(SettingsError) as error:
            kind(**{name: beyond})
        assert str(error.value) == f"{name} is {beyond!r}; it must be {words} {limit}."


@pytest.mark.parametrize("value", [np.int64(64), np.uint8(64), 64])
def test_whole_numbers_of_any_library_become_pythons(value):
    settings = SegmentSettings(tile=value, diameter=value)
    assert type(settings.tile) is int
    assert type(settings.diameter) is float
    assert settings == SegmentSettings(tile=64, diameter=64.0)
    assert json.dumps(settings.to_dict()) == json.dumps(SegmentSettings(tile=64, diameter=64.0).to_dict())


def test_fractions_of_any_library_become_pythons():
    assert SegmentSettings(probability=np.float64(0.25)) == SegmentSettings(probability=0.25) == SegmentSettings(probability=Fraction(1, 4))
    assert type(SegmentSettings(probability=np.float32(0.25)).probability) is float


@pytest.mark.parametrize("value", [1, 0, "no", None, "False"])
def test_only_true_and_false_are_a_choice_of_two(value):
    """The text "False" would otherwise be taken for true."""
    with pytest.raises(SettingsError) as error:
        SegmentSettings(fill_holes=value)
    assert str(error.value) == f"fill_holes is {value!r}; it must be True or False."


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name in FIELDS if "choices" in field_options(kind)[name]])
def test_choices(kind, name):
    for choice in field_options(kind)[name]["choices"]:
        assert getattr(kind(**{name: choice}), name) == choice
    for wrong in ("gpu", "", None, 0, True, ["auto"]):
        with pytest.raises(SettingsError) as error:
            kind(**{name: wrong})
        assert str(error.value).startswith(f"{name} is {wrong!r}; it must be one of '")


def test_unknown_names_are_refused_and_the_known_ones_told():
    with pytest.raises(SettingsError, match=r"^SegmentSettings has no setting 'probabilty'; it has probability, splitting, .*\.$"):
        SegmentSettings.from_dict({"probabilty": 0.5})
    with pytest.raises(SettingsError, match="no setting '3'"):
        SegmentSettings.from_dict({3: 0.5})


@pytest.mark.parametrize("values", [None, [1, 2], "probability", 3])
def test_settings_are_made_of_names_with_values(values):
    with pytest.raises(SettingsError, match=r"^TrainSettings cannot be made from .*; give names with values\.$"):
        TrainSettings.from_dict(values)


def test_from_dict_checks_values_too():
    with pytest.raises(SettingsError, match="min_area is -1"):
        SegmentSettings.from_dict({"min_area": -1})
    with pytest.raises(SettingsError, match=r"probability is \[0.5\]; it must be a finite number"):
        SegmentSettings.from_dict({"probability": [0.5]})


def test_changing_one_setting_checks_it():
    with pytest.raises(SettingsError, match="tile is -16"):
        dataclasses.replace(SegmentSettings(), tile=-16)


def test_areas_that_contradict_each_other():
    assert SegmentSettings(min_area=50, max_area=50).max_area == 50
    assert SegmentSettings(min_area=50, max_area=0).max_area == 0
    with pytest.raises(SettingsError, match="max_area is 49, below min_area 50"):
        SegmentSettings(min_area=50, max_area=49)


def test_intensity_limits():
    assert SegmentSettings(low=-5, high=-5).low == -5  # equal is automatic
    assert SegmentSettings(low=-1e300, high=1e300).high == 1e300
    with pytest.raises(SettingsError, match=r"The limits are 3 and 2; the lower one must come first"):
        SegmentSettings(low=3, high=2)


def test_networks_name_their_maps():
    assert NetworkSettings().maps == ("background", "foreground", "outline", "distance")
    assert NetworkSettings(classes=["a", "b"], distance=False).maps == ("a", "b")


@pytest.mark.parametrize("classes", [(), ("one",), ("a", "a"), ("a", "distance")])
def test_class_names_must_differ(classes):
    with pytest.raises(SettingsError, match=r"^classes is \(.*\); it must name at least two different classes"):
        NetworkSettings(classes=classes)


@pytest.mark.parametrize("classes", ["ab", ("a", 1), None, {"a", "b"}])
def test_class_names_are_a_list_of_names(classes):
    with pytest.raises(SettingsError, match="it must be a list of names"):
        NetworkSettings(classes=classes)


def test_a_training_has_one_length():
    with pytest.raises(SettingsError, match="There are 5 steps and 2 minutes; give one of them"):
        TrainSettings(steps=5, minutes=2)


def test_what_is_automatic_depends_on_the_base():
    further, anew = (TrainSettings().for_base(base) for base in (True, False))
    assert (further.steps, anew.steps) == (300, 2000)
    assert 0 < further.learning_rate < anew.learning_rate
    assert (further.decay, anew.decay) == (1.0, 0.5)
    assert (further.remember, anew.remember) == (1.0, 0.0)
    assert (further.learning, anew.learning) == ("auto", "all")
    chosen = TrainSettings(steps=7, learning_rate=0.1, decay=0.3, patch=64, remember=0.0, learning="first")
    assert chosen.for_base(True) == chosen
    assert chosen.for_base(False) == dataclasses.replace(chosen, learning="all")
    assert TrainSettings(minutes=1).for_base(True).steps == 0


def test_declarations_are_read_once_since_a_slider_makes_settings_at_each_step(monkeypatch):
    SegmentSettings()
    monkeypatch.setattr(fields, "get_type_hints", None)
    assert SegmentSettings(probability=0.3).probability == 0.3
    assert field_options(SegmentSettings)["probability"]["slider"]
