"""The page: one HTML file that holds everything it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dissection.files.atomic import replace_file
from dissection.plain_text import visible
from neuronexplain.pictures.overlay import COLORMAP, DIVERGING

from . import inline_pictures as pictures
from . import numbers

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from neuronexplain.explanation import Explanation

    from .sections import ClassSection, NeuronCard

CONTENTS_FROM = 4
"""A page of fewer explanations has no table of contents."""


def write_page(
    path: str | os.PathLike[str],
    explanations: Sequence[Explanation],
    *,
    title: str,
    facts: Mapping[str, str],
    classes: Sequence[ClassSection] = (),
    neurons: Sequence[NeuronCard] = (),
) -> None:
    """Write explanations and their context as one HTML file without outside assets or scripts.

    Args:
        path: the file; it appears whole or not at all.
        explanations: shown in this order, with a table of contents if there are many.
        title: headline of the page.
        facts: what a reader must know about the run (network, layer, ...), in this order.
        classes: concepts that matter for whole classes.
        neurons: named neurons with the images that excite them most.

    Raises:
        OutputError: if the file cannot be written.
    """
    page = (
        environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            facts=facts,
            explanations=explanations,
            classes=classes,
            neurons=neurons,
            contents_from=CONTENTS_FROM,
            heat=_colours(COLORMAP),
            signed=_colours(DIVERGING),
        )
    )
    replace_file(path, page.encode("utf-8", "replace"))  # a path may hold bytes that are not text


def environment() -> Environment:
    """Templates that treat every value as hostile."""
    environment = Environment(
        loader=PackageLoader("neuronexplain.report"),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": numbers.percentage,
        "scale": numbers.Scale.of,
        "data_uri": pictures.data_uri,
        "picture_uri": pictures.picture_uri,
        "overlay_uri": pictures.overlay_uri,
        "thumbnail_uri": pictures.thumbnail_uri,
        "concept_maps": pictures.concept_maps,
        "method_uri": pictures.method_uri,
    }
    return environment


def _visible(value: object) -> object:
    """Text without overrides of the direction of writing, which would reorder what stands beside it."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _colours(colormap: str, steps: int = 8) -> list[str]:
    """A colormap from its low to its high end, as CSS colours."""
    from matplotlib import colormaps  # noqa: PLC0415 - see neuronexplain.pictures.overlay
    from matplotlib.colors import to_hex  # noqa: PLC0415

    return [to_hex(colormaps[colormap](step / (steps - 1))) for step in range(steps)]
