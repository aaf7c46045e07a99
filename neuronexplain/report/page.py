"""The page: one HTML file that holds everything it shows, and the article of one explanation for other pages."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dissection.files.atomic import replace_file
from dissection.plain_text import visible
from neuronexplain.answer import Answer, AnswerPair
from neuronexplain.figures import fixed, true_minus
from neuronexplain.pictures.overlay import COLORMAP, DIVERGING

from . import inline_pictures as pictures
from . import numbers
from .glossary import meaning
from .marks import marked
from .scores import score_rows

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from dissection.vocabulary import UnitNoun
    from neuronexplain.caption import AnyAnswer

    from .sections import ClassSection, NeuronCard

CONTENTS_FROM = 4
"""A page of fewer explanations has no table of contents."""


def write_page(
    path: str | os.PathLike[str],
    explanations: Sequence[AnyAnswer],
    *,
    title: str,
    facts: Mapping[str, str],
    classes: Sequence[ClassSection] = (),
    neurons: Sequence[NeuronCard] = (),
) -> None:
    """Write explanations and their context as one HTML file without outside assets.

    Its one script stands in the page, which allows no other: it only lights words and pixels.

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
    page = render(
        "page.html.j2",
        title=title,
        facts=facts,
        explanations=explanations,
        classes=classes,
        neurons=neurons,
        contents_from=CONTENTS_FROM,
        noun=_noun(explanations),
        **_colour_keys(),
        article_script=Markup(article_script()),  # noqa: S704 - ours
        script_source=script_source(),
    )
    replace_file(path, page.encode("utf-8", "replace"))  # a path may hold bytes that are not text


def _noun(explanations: Sequence[AnyAnswer]) -> UnitNoun:
    """What the page calls the units of its explanations."""
    for explanation in explanations:
        if isinstance(explanation, Answer):
            return explanation.noun
        if isinstance(explanation, AnswerPair):
            return explanation.answers[0].noun
    return "neuron"


def article(explanation: AnyAnswer, *, number: int = 1, total: int = 1, anchor: str | None = None) -> str:
    """The page's article of one explanation, as an HTML element, every name and path in it escaped.

    That is ``<article>``, or for two targets a ``<section>`` of two.

    The page around it needs, once: an element of the class ``neuronexplain`` around the article; ``<style>`` with
    :func:`article_style`, which touches nothing outside such elements; and, at its end, ``<script>`` with
    :func:`article_script`, without which words and pixels still light where the pointer is or the focus. A policy for
    contents must allow ``img-src data:``, ``style-src 'unsafe-inline'`` (bars have their length in an attribute) and
    ``script-src`` :func:`script_source`. For a dark page set ``color-scheme: dark`` on that element; by default it
    follows the reader's system.

    Args:
        explanation: what is shown.
        number: which of ``total`` explanations it is, from 1.
        total: how many there are; the number is shown if there are several.
        anchor: the article's ``id``, with which the other ids in it begin; by default ``explanation-NUMBER``.
    """
    values = {"number": number, "total": total, "anchor": anchor or f"explanation-{number}"}
    return render("one.html.j2", explanation=explanation, **values)


def fragment(explanation: AnyAnswer) -> str:
    """The article with its style and script, for a place in somebody else's page, such as a notebook."""
    anchor = "neuronexplain-" + hashlib.sha256(article(explanation).encode("utf-8", "replace")).hexdigest()[:12]
    return (
        f'<div class="neuronexplain embedded"><style>{article_style()}</style>'
        f"{article(explanation, anchor=anchor)}<script>{article_script()}</script></div>"
    )


@cache
def article_style() -> str:
    """The style sheet of articles; all of it is for elements within the class ``neuronexplain``."""
    return render("common.css") + render("article.css.j2", **_colour_keys())


@cache
def article_script() -> str:
    """The script of articles, which may stand in a page more than once."""
    return files("neuronexplain.report").joinpath("templates", "article.js").read_text("utf-8")


def script_source() -> str:
    """The source by which a Content-Security-Policy allows :func:`article_script` and nothing else."""
    digest = hashlib.sha256(article_script().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


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
    environment.globals["meaning"] = meaning
    environment.filters |= {
        "percent": numbers.percentage,
        "whole_percent": numbers.whole_percentage,
        "fixed": fixed,
        "true_minus": true_minus,
        "labelled": numbers.labelled,
        "scale": numbers.Scale.of,
        "data_uri": pictures.data_uri,
        "picture_uri": pictures.picture_uri,
        "overlay_uri": pictures.overlay_uri,
        "thumbnail_uri": pictures.thumbnail_uri,
        "concept_maps": pictures.concept_maps,
        "exemplar_uri": pictures.exemplar_uri,
        "score_rows": score_rows,
        "marked": marked,
        "method_uri": pictures.method_uri,
    }
    return environment


def render(template: str, **values: object) -> str:
    """A template with its values, every one of which is treated as hostile."""
    return environment().get_template(template).render(**values)


def _visible(value: object) -> object:
    """Text without overrides of the direction of writing, which would reorder what stands beside it."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _colour_keys() -> dict[str, list[str]]:
    return {"heat": _colours(COLORMAP), "signed": _colours(DIVERGING)}


def _colours(colormap: str, steps: int = 8) -> list[str]:
    """A colormap from its low to its high end, as CSS colours."""
    from matplotlib import colormaps  # noqa: PLC0415 - see neuronexplain.pictures.overlay
    from matplotlib.colors import to_hex  # noqa: PLC0415

    return [to_hex(colormaps[colormap](step / (steps - 1))) for step in range(steps)]
