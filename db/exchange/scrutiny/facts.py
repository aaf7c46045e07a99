"""What a run says of itself: its key, its names, its source, and the concepts that it knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, get_args

from db.errors import StoreError
from dissection.plain_text import steers
from dissection.vocabulary import LONGEST_FORMULA, RECTIFIERS, UPSAMPLING, Precision

from .preprocessing import preprocessing_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from db.records import Run, WholeRun
    from dissection.vocabulary import Dissection

_SOURCE: Final = {
    "network": str,
    "weights": str | None,
    "output": str,
    "multi_label": bool,
    "ema": bool,
    "dictionary": str | None,
    "learned": str | None,
    "imported": str,
}
"""Types of a source's entries, which :class:`dissection.networks.network_source.Source` reads."""


def require_possible_facts(whole: WholeRun) -> None:
    """Check a run's key and its facts for people.

    Raises:
        StoreError: naming the first impossible value.
    """
    run, where = whole.run, whole.origin
    _require_names(run, where)
    _require_settings(run, where)
    _require_body(run, where)
    _require_source(run.source, where)
    if run.key.imported:
        _require_nothing_measured(whole)
    else:
        _require_measured(run, where)


def require_possible_concepts(dissection: Dissection, where: str, *, is_built: bool) -> None:
    """Check the concepts and their support.

    Raises:
        StoreError: naming the first impossible one.
    """
    for support in dissection.concepts:
        concept = support.concept
        if concept.number < 1 or not concept.name or not concept.category:
            raise StoreError(f"{where}: concept {concept.number} lacks a number from 1, a name or a category")
        _require_text(f"the name or the category of concept {concept.number}", concept.name + concept.category, where)
        if is_built and not support.images <= min(support.pixels, dissection.images):
            raise StoreError(
                f"{where}: concept {concept.name!r} cannot be on {support.images} of {dissection.images} images with "
                f"{support.pixels} pixels"
            )
        if is_built and (support.pixels > dissection.pixels or bool(support.pixels) is not bool(support.images)):
            raise StoreError(
                f"{where}: concept {concept.name!r} cannot cover {support.pixels} of {dissection.pixels} pixels on "
                f"{support.images} images"
            )


def _require_names(run: Run, where: str) -> None:
    texts = {
        "the network's name": run.network,
        "the layer's name": run.layer.name,
        "the concept data's name": run.concepts,
        "what it says of its evidence": run.evidence + run.key.evidence,
        "the key's network": run.key.network,
        "the key's concepts": run.key.concepts,
    }
    for what, text in texts.items():
        _require_text(what, text, where)
    for number, label in enumerate(run.classes):
        _require_text(f"the label of class {number}", label, where)
    _require_text("its licence", "".join(run.licence.split()), where)


def _require_text(what: str, text: str, where: str) -> None:
    if steers(text):
        raise StoreError(f"{where}: {what} holds characters that steer a terminal or a line: {text[:80]!r}")


def _require_settings(run: Run, where: str) -> None:
    key, layer = run.key, run.layer
    if not 0 < key.quantile < 1:
        raise StoreError(f"{where}: its quantile is {key.quantile}, not a share between 0 and 1")
    if key.precision not in get_args(Precision):
        raise StoreError(f"{where}: its precision is {key.precision!r}, not {', '.join(get_args(Precision))}")
    if layer.rectifier not in {"", *RECTIFIERS}:
        raise StoreError(f"{where}: its layer's rectifier is {layer.rectifier!r}, not {' or '.join(RECTIFIERS)}")
    if not layer.name or layer.units < 1:
        raise StoreError(f"{where}: its layer has no name or no units")
    if key.draws == 1 or (key.control and not key.draws):
        raise StoreError(f"{where}: it has {key.draws} draws; evidence needs at least 2, and a control needs evidence")
    if not 1 <= key.length <= LONGEST_FORMULA or (key.length > 1 and (not key.draws or key.imported)):
        raise StoreError(
            f"{where}: it has formulas of {key.length} concepts; they have at most {LONGEST_FORMULA}, and need draws"
        )
    if (run.control is not None) is not key.control or not 0 <= (run.control or 0) <= layer.units:
        raise StoreError(f"{where}: its control has names for {run.control} of {layer.units} units, unlike its key")


def _require_body(run: Run, where: str) -> None:
    """A run of a network without classes is known by its body, and that of a classifier by more."""
    keeps_body = run.key.keeps_body and not run.key.imported
    if bool(run.body) is not keeps_body:
        kept = (
            "lacks its body" if keeps_body else "has a body, which runs before schema 5 and imported ones do not keep"
        )
        raise StoreError(f"{where}: it {kept}")
    if keeps_body and bool(run.classes) is (run.body == run.key.network):
        known = "more than its body" if run.classes else "its body"
        raise StoreError(
            f"{where}: it has {len(run.classes)} classes, so it is known by {known}, but its body is {run.body[:12]} "
            f"and it is known by {run.key.network[:12]}"
        )


def _require_source(source: Mapping[str, object], where: str) -> None:
    for name, kind in _SOURCE.items():
        if name in source and not isinstance(source[name], kind):
            raise StoreError(f"{where}: the {name} of its source is {source[name]!r:.80}, of the wrong type")
    try:
        json.dumps(dict(source), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"{where}: its source holds invalid text") from error


def _require_nothing_measured(whole: WholeRun) -> None:
    """Names of another tool come without images, thresholds and importances."""
    run, units = whole.run, whole.dissection.units
    thresholds = {unit.threshold for unit in units}
    exemplars = [unit for unit in units if unit.exemplars]
    if run.images or run.pixels or run.draws or exemplars or whole.importances or thresholds != {float("inf")}:
        raise StoreError(f"{whole.origin}: it is of another tool, but has images, thresholds, evidence or importances")


def _require_measured(run: Run, where: str) -> None:
    key, layer = run.key, run.layer
    if not 1 <= run.images <= run.pixels or key.min_images < 1:
        raise StoreError(
            f"{where}: it cannot be of {run.images} images with {run.pixels} pixels, nor name what is on "
            f"{key.min_images} images"
        )
    if layer.height < 1 or layer.width < 1:
        raise StoreError(f"{where}: it has a map of {layer.height} x {layer.width}; at least 1 x 1 is needed")
    if key.upsampling != UPSAMPLING:
        raise StoreError(f"{where}: its maps are upsampled by {key.upsampling!r}, not by {UPSAMPLING!r}")
    if problem := preprocessing_problem(key.preprocessing):
        raise StoreError(f"{where}: its preprocessing {key.preprocessing[:80]!r} is not one: {problem}")
