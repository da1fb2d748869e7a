"""The accuracy benchmark as a person runs it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import accuracy
from benchmarks.accuracy import main, subset
from benchmarks.peers import Peer, load_otsu
from benchmarks.sheet import EDGE, GREEN, MAGENTA, RED
from napari_unet_seg.errors import InputError

OTSU = Peer("Otsu", "", load_otsu, ({"blur": 1.0, "apart": 50}, {"blur": 1.0, "apart": 5}))
ABSENT = Peer("Nobody", "no_such_module_anywhere", load_otsu, ({},))


@pytest.fixture
def run(dataset, model_file, capsys, monkeypatch):
    monkeypatch.setattr(accuracy, "PEERS", (OTSU, ABSENT))

    def call(*options, data=None):
        main([str(data or dataset), "--model", str(model_file), "--device", "cpu", *options])
        return capsys.readouterr().out

    return call


def rows(output):
    """The first table: method and modality to its cells."""
    lines = [line.strip("| ").split(" | ") for line in output.partition("\n\n")[0].splitlines()]
    return {(cells[0], cells[1]): dict(zip(lines[0], cells, strict=True)) for cells in lines[2:]}


def test_tables_of_one_fold(run):
    table = rows(run("--fold", "0"))
    assert list(table) == [("napari-unet-seg tiny", kind) for kind in ("all", "bright", "stained")]
    everything = table["napari-unet-seg tiny", "all"]
    assert everything["images"] == "2"
    assert float(everything["AP 0.5"]) > 0.8


def test_peers_run_on_the_same_images_at_their_best_setting(run, tmp_path):
    output = run("--fold", "1", "--peers", "--json", str(tmp_path / "found.json"))
    assert ("Otsu", "all") in rows(output)
    assert "Otsu ran with {'blur': 1.0, 'apart': 5}." in output
    assert "Nobody did not run: not installed." in output
    found = json.loads((tmp_path / "found.json").read_text())
    images = [{image["name"] for image in method["images"]} for method in found["methods"].values()]
    assert images == [{"n1", "n4"}] * 2
    assert found["absent"] == {"Nobody": "not installed"}
    ours = found["methods"]["napari-unet-seg tiny"]
    assert len(ours["setting"]["sha256"]) == 64
    assert ours["figures"]["all"]["ap"]["0.5"] > 0.8


def test_without_other_folds_peers_run_at_their_defaults(run):
    assert "Otsu ran with {'blur': 1.0, 'apart': 50}." in run("--peers")


def test_a_fold_that_is_not_there(run):
    with pytest.raises(InputError, match=r"No image is in fold 7; the folds are \['0', '1', '2'\]"):
        run("--fold", "7")


def test_equal_runs_write_equal_files(run, tmp_path):
    for name in ("a", "b"):
        run("--fold", "2", "--json", str(tmp_path / name))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_sheet_shows_the_worst_images(run, dataset, tmp_path):
    masks = dataset / "masks" / "n3.png"
    labels = np.asarray(Image.open(masks))
    wrong = np.where(labels % 2, labels, 0)  # half of what is found there is now wrong
    wrong[:12, 40:60] = 99  # and this nucleus is not in the image
    Image.fromarray(wrong.astype(np.uint16)).save(masks)
    run("--sheet", str(tmp_path / "sheet.png"), "--worst", "1")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape[1] > 4 * EDGE
    truth, prediction, *_ = np.split(sheet[80:, : 4 * (EDGE + 8)], 4, axis=1)
    assert {GREEN, RED} <= colours(truth)
    assert {GREEN, MAGENTA} <= colours(prediction)


def colours(pixels):
    return set(map(tuple, np.unique(pixels.reshape(-1, 3), axis=0).tolist()))


def test_a_subset_is_spread():
    assert subset(range(100), 4) == [0, 25, 50, 75]
    assert subset(range(3), 24) == [0, 1, 2]
    assert subset(range(3), 0) == []
