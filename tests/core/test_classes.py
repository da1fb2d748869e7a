"""Labels painted as classes: what they say, what teaches, and how well a network that learned them does."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core.annotations import Annotation, whole
from napari_unet_seg.core.class_figures import ClassFigures, compare_classes, measure_classes
from napari_unet_seg.core.class_samples import class_polarity, prepare_classes
from napari_unet_seg.core.classes import PIECE, class_summary, painted_classes, pieces
from napari_unet_seg.core.data import PAINTED, UNKNOWN, whole_patch
from napari_unet_seg.core.report import sentences
from napari_unet_seg.core.sampler import PatchSampler
from napari_unet_seg.core.start import start_from
from napari_unet_seg.errors import InputError, SettingsError

NAMES = ("ground", "bright", "striped")
SMALL = nus.NetworkSettings(width=8, depth=2)
SETTINGS = nus.TrainSettings(steps=30, batch=2, patch=64, learning_rate=1e-2, average=0.9, device="cpu", classes=NAMES, validation=0)


def stripes(shape=(128, 128), seed=0):
    """Return an image of dark, bright and striped parts, and their classes, 1 to 3."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    classes = 1 + ((y // 32 + x // 32 + seed) % 3)
    image = np.select([classes == 1, classes == 2], [20.0, 200.0], 110 + 90 * np.sin(x * 1.2))
    return np.clip(image + rng.normal(0, 5, shape), 0, 255).astype(np.uint8), classes.astype(np.int32)


@pytest.fixture(scope="module")
def model():
    pairs = [stripes(seed=seed) for seed in range(2)]
    return nus.train([image for image, _ in pairs], [classes for _, classes in pairs], base=SMALL, settings=SETTINGS)


def test_a_network_learns_classes_and_gives_a_class_map(model):
    image, truth = stripes(seed=5)
    found = nus.segment(image, model, "cpu")
    dice = compare_classes(model.settings.classes, truth, found, np.ones(truth.shape, bool)).dice
    assert model.settings.maps == ("background", *NAMES)
    assert min(dice.values()) > 0.8
    assert "diameter" not in model.card, "classes have no typical size"


def test_all_planes_have_one_polarity_and_the_model_keeps_it(model):
    """By itself each of these images would choose its own, and a class be dark in one and bright in the next."""
    images = [stripes(seed=seed)[0] for seed in range(2)]
    assert model.defaults.polarity in ("bright", "dark")
    assert model.defaults.polarity == class_polarity(images, [whole(stripes(seed=seed)[1]) for seed in range(2)])
    kept = start_from(model, 0, NAMES)
    assert kept.defaults.polarity == model.defaults.polarity
    bright, dark = (prepare_classes(*stripes(), NAMES, polarity).channels[0] for polarity in ("bright", "dark"))
    assert (bright - bright.mean()).mul(dark - dark.mean()).mean() < 0


def test_the_report_tells_dice_of_each_class(model):
    report = model.card["report"]
    assert set(report["after"]["dice"]) == set(NAMES)
    assert report["after"]["mean_dice"] > 0.8
    told = " ".join(sentences(report))
    assert "Measured where it learned, Dice: ground 0." in told
    assert "nucle" not in told
    assert report["few"] is False


def test_what_is_kept_out_is_measured_by_dice_while_it_learns(monkeypatch):
    monkeypatch.setattr("napari_unet_seg.core.run.LOOK_EVERY", 2)
    seen = []
    settings = nus.TrainSettings(**SETTINGS.to_dict() | {"steps": 4, "validation": 0.2})
    pairs = [stripes((192, 192), seed) for seed in range(4)]
    model = nus.drain(nus.iter_train([i for i, _ in pairs], [c for _, c in pairs], base=SMALL, settings=settings), seen.append)
    looks = [step.metrics for step in seen if "validation_loss" in step.metrics]
    assert len(looks) == 2
    assert {"mean_dice", *(f"dice_{name}" for name in NAMES)} <= set(looks[-1])
    assert "ap" not in looks[-1]
    assert {"mean_dice", "dice_striped"} <= set(model.card["report"]["curves"])
    assert model.card["report"]["measured"] == "validation"


def test_equal_seeds_give_equal_models_of_classes():
    image, classes = stripes()
    settings = nus.TrainSettings(**SETTINGS.to_dict() | {"steps": 2})
    first, again = (nus.train([image], [classes], base=SMALL, settings=settings) for _ in range(2))
    assert first.sha256 == again.sha256


def test_a_stopped_training_of_classes_goes_on_to_the_same_model(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_unet_seg.core.run.SAVE_EVERY", 2)
    image, classes = stripes()
    settings = nus.TrainSettings(**SETTINGS.to_dict() | {"steps": 4, "supervision": True})
    steps = nus.iter_train([image], [classes], base=SMALL, settings=settings, run=tmp_path)
    progress = next(steps)
    with suppress(StopIteration):
        while True:
            progress = steps.send(nus.Command.STOP if (progress.stage, progress.done) == ("Training", 3) else None)
    resumed = nus.train([image], [classes], base=SMALL, settings=settings, run=tmp_path)
    assert resumed.card["steps"] == 4
    assert resumed.sha256 == nus.train([image], [classes], base=SMALL, settings=settings).sha256


def test_patches_keep_their_classes_through_augmentation():
    """The brightness says what a pixel is: away from borders the two must agree after zoom, turn and bend."""
    image, classes = stripes((192, 192))
    classes[:, 96:] = 0
    sample = prepare_classes(image, Annotation(classes, classes > 0), NAMES, "bright")
    settings = nus.TrainSettings(**SETTINGS.to_dict() | {"intensity": 0.0, "empty": 0.0, "batch": 8})
    batch = PatchSampler([sample], settings, torch.Generator().manual_seed(0)).batch()
    assert set(batch.classes.unique().tolist()) <= {1, 2, 3, UNKNOWN}
    assert not batch.touching.any()
    dark, bright = (batch.image[:, 0][batch.classes == number].median() for number in (1, 2))
    assert dark < bright - 0.5


def test_a_window_has_its_classes_and_what_is_beyond_is_unknown():
    image, classes = stripes((40, 64))
    window = prepare_classes(image, whole(classes), NAMES)
    batch = whole_patch(window, SETTINGS)
    assert window.channels.shape == (PAINTED + 4, 40, 64)
    assert torch.equal(batch.classes[0, 12:52], torch.from_numpy(classes).long())
    assert (batch.classes[0, :12] == UNKNOWN).all()


def test_only_what_is_painted_is_known():
    labels = np.array([[0, 1, 2], [0, 0, 3]])
    annotation = painted_classes(labels)
    assert annotation.known.tolist() == [[False, True, True], [False, False, True]]
    ground = np.array([[7, 7, 0], [0, 0, 0]])
    with_ground = painted_classes(labels, ground)
    assert with_ground.known.tolist() == [[True, True, True], [False, False, True]]
    assert with_ground.labels[0, 0] == 0
    with pytest.raises(InputError, match=r"`ground` has shape \(2,\)"):
        painted_classes(labels, np.zeros(2))


def test_pieces_are_of_one_class_and_small():
    _, classes = stripes((200, 150))
    classes[:50] = 0
    numbers = pieces(classes)
    assert (numbers > 0).tolist() == (classes > 0).tolist()
    assert np.unique(numbers).tolist() == list(range(numbers.max() + 1))
    for number in range(1, numbers.max() + 1):
        y, x = np.nonzero(numbers == number)
        assert len(np.unique(classes[y, x])) == 1
        assert max(np.ptp(y), np.ptp(x)) < PIECE
    assert pieces(np.ones((8, 8), int)).min() == 1


def test_what_there_is_to_learn_from_is_told_in_pixels():
    labels = np.zeros((20, 20), np.int32)
    labels[:10, :10], labels[15:] = 1, 2
    found = class_summary([painted_classes(labels)], ("stroma", "blood"))
    assert found.sentence == "stroma 100 px, blood 100 px, 1 plane, unknown 50 %"
    assert (found.nuclei, found.few, found.warnings) == (2, False, ())


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([[0, 0]], "No class is painted"),
        ([[1, 1]], "Only one class is painted"),
        ([[1, 3] * 100], "Nothing is painted as b: the model will never find that"),
        ([[1, 2, 3] + [1, 2] * 100], "Only some pixels are painted as c"),
    ],
)
def test_what_cannot_work_is_said_before(labels, sentence):
    warnings = class_summary([painted_classes(np.array(labels))], ("a", "b", "c")).warnings
    assert any(sentence in warning for warning in warnings)


def test_a_number_that_is_no_class_is_refused():
    image, classes = stripes()
    with pytest.raises(InputError, match=r"The number 3 is painted, and the classes go up to 2 \(b\)"):
        nus.train([image], [classes], base=SMALL, settings=nus.TrainSettings(**SETTINGS.to_dict() | {"classes": ("a", "b")}))


@pytest.mark.parametrize("names", [("a", "a"), ("background",), ("",), ("distance", "b")])
def test_names_that_cannot_be_used_are_refused(names):
    with pytest.raises(SettingsError, match="give each class a name of its own"):
        nus.TrainSettings(classes=names)


def test_dice_by_hand():
    truth, found = np.array([[0, 1, 1, 2]]), np.array([[0, 1, 2, 2]])
    figures = compare_classes(("a", "b", "c", "d"), truth, found, np.ones((1, 4), bool), loss=1.0)
    assert figures.dice == {"a": 1.0, "b": pytest.approx(2 / 3), "c": pytest.approx(2 / 3)}  # d is not annotated
    assert figures.mean_dice == pytest.approx(7 / 9)
    assert (figures + figures).dice == figures.dice
    assert (figures + figures).loss == 1.0
    assert figures.metrics["dice_b"] == pytest.approx(2 / 3)
    hidden = compare_classes(("a", "b", "c", "d"), truth, found, np.array([[True, True, False, True]]))
    assert hidden.dice == {"a": 1.0, "b": 1.0, "c": 1.0}


def test_nothing_annotated_has_no_dice():
    assert ClassFigures(("a",), (0,), (0,), (0,)).mean_dice == 0
    assert np.isnan(measure_classes([], lambda window: (0.0, None), ("a",)).loss)
