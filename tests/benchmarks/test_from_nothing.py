"""The benchmark of one command against the recipe of the bundled model."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import napari_unet_seg as nus
from benchmarks import from_nothing
from recipes import nuclei_v3

TINY = nus.NetworkSettings(width=4, depth=2)


@pytest.fixture
def small(monkeypatch):
    """The recipe with a small network and one small batch; the command with a small network too."""
    monkeypatch.setattr(nuclei_v3, "SETTINGS", replace(nuclei_v3.SETTINGS, batch=4, patch=64))
    monkeypatch.setattr(nuclei_v3, "NETWORK", TINY)
    called = from_nothing.app
    words = []

    def app(arguments, **options):
        words.append(arguments)
        called([*arguments, "--width", "4", "--depth", "2", "--patch", "64"], **options)

    monkeypatch.setattr(from_nothing, "app", app)
    return words


def test_both_are_shown_as_many_patches_and_are_measured_once(small, dataset, tmp_path, capsys):
    given = [str(dataset), str(tmp_path / "found"), "--patches", "8", "--device", "cpu", "--unseen", "1"]
    from_nothing.main(given)
    table = capsys.readouterr().out
    assert "| command | 1 | 1 |" in table
    assert "| recipe | 1 | 2 |" in table
    assert "The command against the recipe: " in table
    [words] = small
    assert words[words.index("--base") + 1] == "none"
    assert not {"--batch", "--learning-rate", "--decay"} & set(words), "the command decides for itself"
    found = json.loads((tmp_path / "found" / "found.json").read_text())
    assert [row["way"] for row in found["results"]] == ["command", "recipe"]
    taught = {path.stem for path in (tmp_path / "found" / "taught" / "images").iterdir()}
    assert taught == {"n1", "n2", "n4", "n5"}, "those of fold 0 are not taught"
    from_nothing.main([*given, "--seeds", "1"])
    assert len(small) == 1
    assert table.endswith(capsys.readouterr().out), "nothing is trained again"


def test_the_command_has_what_made_the_bundled_model():
    """But for length, the size of a batch with the rate that goes with it, and shares of patches that hardly matter."""
    command, recipe = nus.TrainSettings().for_base(False).to_dict(), nuclei_v3.SETTINGS.for_base(False).to_dict()
    differing = {name for name, value in command.items() if value != recipe[name]}
    assert differing == {"steps", "seed", "batch", "learning_rate", "average", "validation", "balance", "exact", "empty"}
    assert nus.NetworkSettings() == nuclei_v3.NETWORK


@pytest.mark.parametrize(("ap", "word"), [(0.68, "within"), (0.66, "beyond"), (0.9, "within")])
def test_the_verdict(ap, word):
    results = [{"way": "command", "ap50": ap}, {"way": "recipe", "ap50": 0.7}]
    assert f"({word} 0.03)" in from_nothing.verdict(results)
