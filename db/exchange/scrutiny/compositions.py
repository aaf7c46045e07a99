"""Formulas of several concepts: their areas on both halves of the images, what they gain, and their rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from db.errors import StoreError

from .responses import require_possible_responses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.records import WholeRun
    from dissection.vocabulary import Composition, Dissection, Formula, FormulaAreas, Unit

_ROUNDING: Final = 1e-9


def require_possible_compositions(whole: WholeRun) -> None:
    """Check the formulas of all units.

    Raises:
        StoreError: naming the first impossible value.
    """
    dissection, where, keeps_responses = whole.dissection, whole.origin, whole.run.key.keeps_formula_responses
    for unit in dissection.units:
        place = f"{where}, unit {unit.number}"
        for one in unit.compositions:
            _require_formula(one.formula, dissection, place)
            _require_halves(one, unit, dissection, place)
            _require_truth(one, dissection, place)
            _require_gain(one, place)
            if keeps_responses and one.gain[0] > 0:
                require_possible_responses(one, one.truth, unit, f"{place}, {one.formula.spoken!r}")
        ious = [one.searched.iou for one in unit.compositions]
        if ious != sorted(set(ious)):
            raise StoreError(
                f"{place}: a longer formula has no greater IoU where it was searched for than a shorter one"
            )
    _require_rates([one for unit in dissection.units for one in unit.compositions], where)


def _require_formula(formula: Formula, dissection: Dissection, where: str) -> None:
    if len(set(formula.concepts)) < formula.length:
        raise StoreError(f"{where}: the formula {formula.spoken!r} has a concept twice")
    rare = {support.concept for support in dissection.concepts if support.images < dissection.min_images}
    for concept in formula.concepts:
        if concept in rare:
            raise StoreError(
                f"{where}: {concept.name!r} of the formula {formula.spoken!r} is on fewer than {dissection.min_images} "
                "images"
            )


def _require_halves(one: Composition, unit: Unit, dissection: Dissection, where: str) -> None:
    spoken, halves = one.formula.spoken, (one.searched, one.held_out)
    for areas in halves:
        if areas.intersection > min(areas.unit_area, areas.formula_area):
            raise StoreError(f"{where}: the intersection with {spoken!r} is larger than one of the areas")
    if not one.searched.intersection:
        raise StoreError(f"{where}: it does not meet {spoken!r} where that was searched for")
    if sum(map(_union, halves)) > dissection.pixels:
        raise StoreError(f"{where}: it and {spoken!r} cover more than the {dissection.pixels} pixels that there are")
    most = _most_pixels(one.formula, dissection)
    if sum(areas.formula_area for areas in halves) > most:
        raise StoreError(f"{where}: {spoken!r} covers more than its concepts do, {most} pixels")
    lit = {overlap.concept.category: overlap.unit_area for overlap in unit.overlaps}
    for concept in one.formula.concepts:
        if sum(areas.unit_area for areas in halves) > lit.get(concept.category, dissection.pixels):
            raise StoreError(
                f"{where}: its mask is larger for {spoken!r} than on all images labelled by its categories"
            )


def _most_pixels(formula: Formula, dissection: Dissection) -> int:
    """How many pixels a formula covers at most, by what its concepts cover."""
    pixels = {support.concept: support.pixels for support in dissection.concepts}
    most = pixels[formula.first]
    for operator, concept in formula.steps:
        if operator == "or":
            most += pixels[concept]
        elif operator == "and":
            most = min(most, pixels[concept])
    return most


def _union(areas: FormulaAreas) -> int:
    return areas.unit_area + areas.formula_area - areas.intersection


def _require_truth(one: Composition, dissection: Dissection, where: str) -> None:
    truth, spoken = one.truth, one.formula.spoken
    if truth.hit_images > truth.lit_images or truth.missed_images > truth.dark_images:
        raise StoreError(f"{where}: {spoken!r} holds in more images than there are with the unit lit, or not lit")
    if truth.lit_images + truth.dark_images > dissection.images:
        raise StoreError(f"{where}: {spoken!r} speaks of more images than the {dissection.images} that there are")
    if one.images < dissection.min_images:
        raise StoreError(f"{where}: {spoken!r} holds in {one.images} images, fewer than {dissection.min_images}")


def _require_gain(one: Composition, where: str) -> None:
    (low, high), spoken = one.gain, one.formula.spoken
    if not -1 <= low <= high <= 1:
        raise StoreError(f"{where}: what {spoken!r} gains is not an interval of differences between IoUs")
    if not 0 <= one.p <= one.q <= 1:
        raise StoreError(f"{where}: p and q of {spoken!r} are not from 0 to 1, in this order")
    if low <= 0 and (one.quarters or one.lit_map):
        raise StoreError(f"{where}: {spoken!r} gains nothing, and yet it is kept how the unit responds to it")
    if low <= 0 and one.p < 1:
        raise StoreError(f"{where}: {spoken!r} gains nothing, and yet has been held against chance")


def _require_rates(compositions: Sequence[Composition], where: str) -> None:
    """Check each q against the p of all formulas that gain anything (Benjamini and Hochberg 1995)."""
    tested = sorted((one for one in compositions if one.gain[0] > 0), key=lambda one: one.p)
    p = np.array([one.p for one in tested])
    ranks = np.searchsorted(p, p, side="right")
    rates = np.minimum.accumulate(np.minimum(p * len(p) / np.maximum(ranks, 1), 1)[::-1])[::-1]
    for one, rate in zip(tested, rates.tolist(), strict=True):
        if abs(one.q - rate) > _ROUNDING * rate:
            raise StoreError(f"{where}: the q of {one.formula.spoken!r} does not follow from the p of all formulas")
    for one in compositions:
        if one.gain[0] <= 0 and one.q < 1:
            raise StoreError(f"{where}: {one.formula.spoken!r} gains nothing, and yet has a rate of false ones")
