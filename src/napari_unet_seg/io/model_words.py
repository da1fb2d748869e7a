"""What is said about a model that is given to other programs: what it is, how to use it, how good it is, whom to cite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_unet_seg.core.checkpoint import Model

_U_NET = {
    "text": "Ronneberger, Fischer and Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation. MICCAI 2015.",
    "doi": "10.1007/978-3-319-24574-4_28",
}
_BOWL = {
    "text": "Caicedo et al.: Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl. Nature Methods 16, 2019.",
    "doi": "10.1038/s41592-019-0612-7",
}
_BOWL_NAME = "Data Science Bowl"
_LONGEST = 512
"""Letters of a description that a site shows whole."""

_DOCUMENTATION = """# {name}

{description}

Made by napari-unet-seg, a napari plugin and command line program, which opens the original file (`models export {name}`) and does all
of the following by itself.

## Input

{normalisation} Height and width must be multiples of {multiple}.

The nuclei that this model knows are about {diameter} across. Rescale images in which they are much larger or smaller.

## Output

{count} maps between 0 and 1: {maps}. {decoding} At the edge of a tile, {halo} pixels are not to be believed.

## Training

{training}

## Validation

{validation}

To validate the model on images of your own, annotate some of them, and count which nuclei it finds with an intersection over union of
at least 0.5: `napari-unet-seg evaluate TRUTH PREDICTION`.
{limits}"""
_INSTANCES = (
    "Foreground and outline together are nuclei, and each hill of the distance map (0 at the border of a nucleus, 1 at its innermost "
    "point) is one of them: seed a watershed with its maxima."
)
_CLASSES = "Each pixel belongs to the class whose map is highest there."


def describe_model(model: Model) -> str:
    """Say in a sentence or two what a model is.

    Parameters
    ----------
    model : Model

    Returns
    -------
    str
        At most 512 letters.
    """
    title = str(model.card.get("title", "")) or "A model of a user of napari-unet-seg"
    task = "finds nuclei" if model.settings.distance else f"tells {', '.join(model.settings.classes)} apart"
    return f"{title}: a U-Net that {task} in planes of one channel."[:_LONGEST]


def citations(model: Model) -> list[dict[str, str]]:
    """Return what to cite: the network, and the data where they are known.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of dict of str to str
        ``text`` and ``doi``.
    """
    data = f"{model.card.get('data', '')} {model.card.get('base', '')}"
    return [_U_NET, _BOWL] if _BOWL_NAME in data or "nuclei-v" in data else [_U_NET]


def documentation(model: Model) -> str:
    """Write the documentation of a model, in Markdown.

    Parameters
    ----------
    model : Model

    Returns
    -------
    str
    """
    from napari_unet_seg.core.portable import NORMALISATION, multiple
    from napari_unet_seg.core.unet import receptive_radius

    diameter = model.card.get("diameter")
    limits = [f"- {limit}" for limit in _listed(model.card.get("limits"))]
    return _DOCUMENTATION.format(
        name=model.name,
        description=describe_model(model),
        normalisation=NORMALISATION,
        multiple=multiple(model),
        diameter=f"{diameter} pixels" if diameter else "20 pixels",
        count=len(model.settings.maps),
        maps=", ".join(model.settings.maps),
        decoding=_INSTANCES if model.settings.distance else _CLASSES,
        halo=receptive_radius(model.settings),
        training=_training(model.card),
        validation=_validation(model.card),
        limits="\n".join(["", "## Limits", "", *limits, ""]) if limits else "",
    )


def _training(card: Mapping[str, Any]) -> str:
    parts = [f"{card['images']:,} images." if isinstance(card.get("images"), int) else "", f"{card['data']}." if card.get("data") else ""]
    parts += [f"It started from {card['base']}." if card.get("base") else "", f"{card['steps']:,} steps." if "steps" in card else ""]
    return " ".join(part for part in parts if part) or "The model does not say what it learned from."


def _validation(card: Mapping[str, Any]) -> str:
    """Draw the figures of a card as a table, or those of the report of a training."""
    figures = card.get("figures")
    if isinstance(figures, Mapping):
        kinds = {name: values for name, values in figures.items() if isinstance(values, Mapping)}
        lines = [_line(["images of", *next(iter(kinds.values()))])] if kinds else []
        lines += [_line(["---"] * (1 + len(next(iter(kinds.values())))))] if kinds else []
        lines += [_line([name, *values.values()]) for name, values in kinds.items()]
        return "\n".join([f"Measured on: {figures.get('data', 'images that it did not learn from')}.", "", *lines])
    from napari_unet_seg.core.report import sentences

    try:
        said = sentences(card["report"])
    except (KeyError, TypeError, ValueError):  # none, or of another version
        said = []
    return " ".join(said) or "No figures are known: it was not measured."


def _line(cells: list[Any]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _listed(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else [str(value)] if value else []
