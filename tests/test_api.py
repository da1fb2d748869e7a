"""The public names: all of them there, loaded only when used, and the errors as their docstring draws them."""

from __future__ import annotations

import inspect
import pickle
import re
import subprocess
import sys

import pytest

import napari_unet_seg as nus
from napari_unet_seg import errors

CONTRACT = {
    "segment",
    "iter_segment",
    "predict",
    "instances",
    "load_model",
    "train",
    "iter_train",
    "evaluate",
    "measure",
    "Progress",
    "Command",
    "SegmentSettings",
    "NetworkSettings",
    "TrainSettings",
}
HEAVY = ("torch", "napari", "qtpy", "magicgui", "pandas", "dask", "zarr", "skimage", "tifffile", "matplotlib")
ERRORS = [value for value in vars(errors).values() if inspect.isclass(value)]


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after some code."""
    script = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_contract_is_there():
    assert set(nus.__all__) >= CONTRACT
    assert nus.__all__ == sorted(nus.__all__)


@pytest.mark.parametrize("name", nus.__all__)
def test_each_public_name_is_loaded_and_documented(name):
    value = getattr(nus, name)
    assert value.__name__ == name
    assert value.__module__.startswith("napari_unet_seg.")
    assert inspect.getdoc(value)


def test_the_names_are_listed_once():
    assert set(nus.__all__) <= set(dir(nus))
    assert len(dir(nus)) == len(set(dir(nus)))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'napari_unet_seg' has no attribute 'segmnt'"):
        nus.segmnt  # noqa: B018
    assert not hasattr(nus, "__wrapped__")


def test_importing_the_package_loads_nothing_heavy():
    assert not modules_after("import napari_unet_seg, napari_unet_seg.settings, napari_unet_seg.progress") & {*HEAVY, "numpy", "scipy"}


def test_counting_and_decoding_need_no_network():
    names = "nus.evaluate, nus.measure, nus.instances, nus.SegmentSettings, nus.drain"
    assert not modules_after(f"import napari_unet_seg as nus; {names}") & set(HEAVY)


def test_the_network_needs_torch_but_no_viewer():
    loaded = modules_after("import napari_unet_seg as nus; nus.segment")
    assert "torch" in loaded
    assert not loaded & {"napari", "qtpy", "magicgui"}


@pytest.mark.parametrize("error", ERRORS)
def test_errors_are_one_tree_and_each_is_explained(error):
    assert issubclass(error, errors.UnetSegError)
    assert re.search(rf"- `{error.__name__}`", errors.__doc__)
    assert inspect.getdoc(error)


def test_no_error_is_listed_that_does_not_exist():
    assert set(re.findall(r"- `(\w+)`", errors.__doc__)) == {error.__name__ for error in ERRORS}


@pytest.mark.parametrize("error", ERRORS)
def test_errors_keep_their_sentence(error):
    """Also those that are OSErrors, and on their way between processes."""
    sentence = "The file x.tif ends early; copy it again."
    assert str(error(sentence)) == sentence
    assert str(pickle.loads(pickle.dumps(error(sentence)))) == sentence


def test_no_error_of_ours_is_swallowed_by_a_worker():
    """Workers of napari drop RuntimeError without a word, so none of our errors may be one."""
    assert not [error for error in ERRORS if issubclass(error, RuntimeError)]
