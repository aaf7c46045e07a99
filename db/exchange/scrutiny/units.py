"""A unit: its threshold, its overlaps, its exemplars, and the evidence for its name."""

from __future__ import annotations

from itertools import groupby, pairwise
from math import isfinite
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from db.errors import StoreError
from dissection.vocabulary import KEPT_OVERLAPS

from .evidence import require_possible_evidence, require_possible_truths

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from db.records import WholeRun
    from dissection.vocabulary import Concept, Dissection, Exemplar, Layer, Overlap, Unit

_GREATEST: Final = {"relu": float("inf"), "relu6": 6.0}
"""The greatest value that a rectifier gives; the smallest is 0."""


def require_possible_unit(unit: Unit, whole: WholeRun) -> None:
    """Check all that is kept of a unit.

    Raises:
        StoreError: naming the first impossible value.
    """
    where, dissection = f"{whole.origin}, unit {unit.number}", whole.dissection
    is_built = not whole.run.key.imported
    _require_order(unit.overlaps, where)
    _require_areas(unit.overlaps, dissection, where, is_built=is_built)
    if is_built:
        _require_exemplars(unit.exemplars, dissection, where)
        _require_ordered_concepts(unit.exemplars, where)
        _require_activations(unit, dissection.layer, where)
        _require_support(unit.overlaps, dissection, where)
    require_possible_truths(unit, dissection.images, where)
    if dissection.draws and (unit.evidence is not None) is not bool(unit.overlaps):
        raise StoreError(f"{where}: a unit has evidence where it has overlaps, and no other has any")
    if unit.evidence is not None:
        require_possible_evidence(unit.evidence, unit, whole.run, where)


def require_same_images(units: Iterable[Unit], where: str) -> None:
    """Check that exemplars of one index are one image.

    Raises:
        StoreError: naming the first that is not.
    """
    names: dict[int, str] = {}
    for exemplar in (exemplar for unit in units for exemplar in unit.exemplars):
        if names.setdefault(exemplar.index, exemplar.image) != exemplar.image:
            raise StoreError(
                f"{where}: image {exemplar.index} has two names, {names[exemplar.index]!r} and {exemplar.image!r}"
            )


def require_same_places(dissection: Dissection, where: str) -> None:
    """Check that exemplars show the same at one place of an image, and nothing on more images than carry it.

    Raises:
        StoreError: naming the first that does not.
    """
    shown: dict[tuple[int, int, int], tuple[Concept, ...]] = {}
    images: dict[Concept, set[int]] = {support.concept: set() for support in dissection.concepts}
    for exemplar in (exemplar for unit in dissection.units for exemplar in unit.exemplars):
        place = (exemplar.index, exemplar.row, exemplar.column)
        if shown.setdefault(place, exemplar.concepts) != exemplar.concepts:
            raise StoreError(
                f"{where}: image {exemplar.index} does not show the same to all units at row {exemplar.row} and column "
                f"{exemplar.column}"
            )
        for concept in exemplar.concepts:
            images[concept].add(exemplar.index)
    for support in dissection.concepts:
        if len(images[support.concept]) > support.images:
            raise StoreError(
                f"{where}: exemplars show {support.concept.name!r} on {len(images[support.concept])} images, of "
                f"{support.images} that carry it"
            )


def _require_ordered_concepts(exemplars: Sequence[Exemplar], where: str) -> None:
    """The order of categories is the dataset's, which is not kept; those of one category follow each other."""
    for exemplar in exemplars:
        runs = [list(members) for _, members in groupby(exemplar.concepts, key=attrgetter("category"))]
        numbers = [[concept.number for concept in members] for members in runs]
        categories = [members[0].category for members in runs]
        if len(set(categories)) < len(categories) or any(of_one != sorted(set(of_one)) for of_one in numbers):
            raise StoreError(
                f"{where}: what its exemplar {exemplar.image!r} shows is not in order: by category, then by number, "
                "each concept once"
            )


def _require_order(overlaps: Sequence[Overlap], where: str) -> None:
    ranks = [(-overlap.iou, overlap.concept.number) for overlap in overlaps]
    numbers = {overlap.concept.number for overlap in overlaps}
    if ranks != sorted(ranks) or len(numbers) < len(overlaps):
        raise StoreError(f"{where}: its overlaps are not in order, best first, each concept once")
    categories = [overlap.concept.category for overlap in overlaps]
    for rank, category in enumerate(categories[KEPT_OVERLAPS:], KEPT_OVERLAPS):
        if category in categories[:rank]:
            raise StoreError(
                f"{where}: it keeps more than the {KEPT_OVERLAPS} best overlaps and the best of each category"
            )


def _require_areas(overlaps: Sequence[Overlap], dissection: Dissection, where: str, *, is_built: bool) -> None:
    areas: dict[str, int] = {}
    for overlap in overlaps:
        name = repr(overlap.concept.name)
        if not 1 <= overlap.intersection <= min(overlap.unit_area, overlap.concept_area):
            raise StoreError(f"{where}: the intersection with {name} is none, or larger than one of the areas")
        if areas.setdefault(overlap.concept.category, overlap.unit_area) != overlap.unit_area:
            raise StoreError(f"{where}: its mask has two areas in the images labelled by {overlap.concept.category!r}")
        if is_built and overlap.union > dissection.pixels:
            raise StoreError(
                f"{where}: it and {name} cover {overlap.union} pixels, of {dissection.pixels} that there are"
            )


def _require_support(overlaps: Sequence[Overlap], dissection: Dissection, where: str) -> None:
    """An overlap counts all of the concept; one on too few images cannot be among them."""
    supports = {support.concept: support for support in dissection.concepts} if overlaps else {}
    for overlap in overlaps:
        support = supports[overlap.concept]
        if (overlap.images, overlap.concept_area) != (support.images, support.pixels):
            raise StoreError(
                f"{where}: {overlap.concept.name!r} is on {support.images} images with {support.pixels} pixels, not on "
                f"{overlap.images} with {overlap.concept_area}"
            )
        if overlap.images < dissection.min_images:
            raise StoreError(
                f"{where}: {overlap.concept.name!r} is on {overlap.images} images, and cannot be a name below "
                f"{dissection.min_images}"
            )


def _require_activations(unit: Unit, layer: Layer, where: str) -> None:
    activations = [exemplar.activation for exemplar in unit.exemplars]
    values = (unit.threshold, *activations)
    if not all(map(isfinite, values)):
        raise StoreError(f"{where}: its threshold {unit.threshold} or an exemplar's activation is not finite")
    if layer.rectifier and not 0 <= min(values) <= max(values) <= _GREATEST[layer.rectifier]:
        raise StoreError(
            f"{where}: {layer.rectifier} does not give values from {min(values):g} to {max(values):g}, as its "
            "threshold and exemplars have"
        )
    if unit.threshold > activations[0] or (unit.overlaps and unit.threshold == activations[0]):
        raise StoreError(
            f"{where}: its threshold {unit.threshold:g} is not below its greatest value {activations[0]:g}"
        )


def _require_exemplars(exemplars: Sequence[Exemplar], dissection: Dissection, where: str) -> None:
    layer = dissection.layer
    if not exemplars:
        raise StoreError(f"{where}: it has no exemplars, though some image excites it most")
    for exemplar in exemplars:
        if exemplar.row >= layer.height or exemplar.column >= layer.width or exemplar.index >= dissection.images:
            raise StoreError(
                f"{where}: its exemplar {exemplar.image!r} is image {exemplar.index} of {dissection.images}, at row "
                f"{exemplar.row} and column {exemplar.column} of a map of {layer.height} x {layer.width}"
            )
    ranks = [(-exemplar.activation, exemplar.index) for exemplar in exemplars]
    if any(rank >= following for rank, following in pairwise(ranks)) or len({rank[1] for rank in ranks}) < len(ranks):
        raise StoreError(f"{where}: its exemplars are not in order, strongest first, each image once")
