"""Checks before a run is published: a store that accepted anything would return meaningless names."""

from __future__ import annotations

from math import isfinite, isnan
from typing import TYPE_CHECKING

import numpy as np

from .errors import StoreError
from .records import OLDEST_SCHEMA, SCHEMA, STATISTICS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from collections.abc import Set as AbstractSet

    from dissection.vocabulary import Concept, Dissection, Layer, Unit

    from .records import ClassImportance, Run


def require_agreement(
    run: Run,
    dissection: Dissection,
    importances: Sequence[ClassImportance],
    pictures: Collection[int],
) -> None:
    """Check that a run, its dissection, its class importances and its pictures belong together.

    Raises:
        StoreError: naming the first disagreement.
    """
    _known_schema(run, dissection, importances)
    _one_run(run, dissection)
    _every_unit_once(dissection)
    _known_concepts(dissection)
    known = {support.concept for support in dissection.concepts}
    for unit in dissection.units:
        _numbers(unit)
        _evidence(unit, dissection, has_control=run.key.control)
        _compositions(unit, run, known)
        _lit_maps(unit, dissection.layer)
    _known_classes(run, importances)
    _known_images(dissection, pictures)


def _known_schema(run: Run, dissection: Dissection, importances: Sequence[ClassImportance]) -> None:
    schema = run.key.schema
    if not OLDEST_SCHEMA <= schema <= SCHEMA:
        raise StoreError(f"the run's schema is {schema}: one from {OLDEST_SCHEMA} to {SCHEMA} is needed")
    has_more = run.draws or run.licence or run.key.control or any(importance.statistics for importance in importances)
    if has_more and not run.key.keeps_evidence:
        raise StoreError(f"a run of schema {schema} has no draws, licence or class statistics: make it {SCHEMA}")
    exemplars = (exemplar for unit in dissection.units for exemplar in unit.exemplars)
    compositions = (one for unit in dissection.units for one in unit.compositions)
    if not run.key.keeps_formula_responses and any(one.quarters or one.lit_map for one in compositions):
        raise StoreError(f"a run of schema {schema} does not say how units respond to formulas: make it {SCHEMA}")
    if run.key.length > 1 and not run.key.keeps_formulas:
        raise StoreError(f"a run of schema {schema} has no formulas of {run.key.length} concepts: make it {SCHEMA}")
    if not run.key.keeps_exemplar_concepts and any(exemplar.concepts for exemplar in exemplars):
        raise StoreError(f"a run of schema {schema} does not say what its exemplars show: make it {SCHEMA}")


def _one_run(run: Run, dissection: Dissection) -> None:
    for name, run_value, dissection_value in (
        ("layer", run.layer, dissection.layer),
        ("key's layer", run.key.layer, dissection.layer.name),
        ("key's quantile", run.key.quantile, dissection.quantile),
        ("key's min_images", run.key.min_images, dissection.min_images),
        ("key's draws", run.key.draws, dissection.draws),
        ("key's control", run.key.control, run.control is not None),
        ("number of images", run.images, dissection.images),
        ("number of pixels", run.pixels, dissection.pixels),
    ):
        if run_value != dissection_value:
            raise StoreError(
                f"the run's {name} is {run_value!r} but the dissection has {dissection_value!r}: publish matching parts"
            )


def _every_unit_once(dissection: Dissection) -> None:
    count = len(dissection.units)  # compared first: a file may claim a layer of any size
    if count != dissection.layer.units or [unit.number for unit in dissection.units] != list(range(count)):
        raise StoreError(
            f"layer {dissection.layer.name} has {dissection.layer.units} units but the dissection holds "
            f"{len(dissection.units)}: give each unit once, in order"
        )


def _known_concepts(dissection: Dissection) -> None:
    numbers = [support.concept.number for support in dissection.concepts]
    if numbers != sorted(set(numbers)):
        raise StoreError("a dissection's concepts must be in ascending order of their numbers, each once")
    known = {support.concept for support in dissection.concepts}
    for unit in dissection.units:
        for overlap in unit.overlaps:
            if overlap.concept not in known:
                raise StoreError(
                    f"unit {unit.number} overlaps {overlap.concept!r}, which the dissection does not list: add it there"
                )
        for concept in (concept for exemplar in unit.exemplars for concept in exemplar.concepts):
            if concept not in known:
                raise StoreError(
                    f"unit {unit.number} has an exemplar of {concept!r}, which the dissection does not list: add it "
                    "there"
                )
        for concept in unit.evidence.runners_up if unit.evidence else ():
            if concept not in known:
                raise StoreError(
                    f"unit {unit.number} has the runner-up {concept!r}, which the dissection does not list: add it "
                    "there"
                )


def _numbers(unit: Unit) -> None:
    if isnan(unit.threshold) or any(isnan(exemplar.activation) for exemplar in unit.exemplars):
        raise StoreError(
            f"unit {unit.number} has a threshold or an exemplar's activation that is not a number: give one"
        )


def _evidence(unit: Unit, dissection: Dissection, *, has_control: bool) -> None:
    evidence = unit.evidence
    is_gathered = evidence is not None or any(overlap.truth is not None for overlap in unit.overlaps)
    if is_gathered and not dissection.draws:
        raise StoreError(f"unit {unit.number} has evidence, but the dissection no draws: give their number")
    if evidence is None:
        return
    if (evidence.control is not None) is not has_control:
        raise StoreError(
            f"unit {unit.number} has {'no' if has_control else 'a'} control, unlike the run: give one to both, "
            "or to neither"
        )
    shares = (evidence.p, evidence.q, evidence.kept, *evidence.iou, *evidence.margin, evidence.control or 0.0)
    if not all(map(isfinite, (*shares, *(quarter.least for quarter in evidence.quarters), *evidence.lit_map))):
        raise StoreError(f"unit {unit.number} has evidence that is not a finite number: give finite ones")


def _compositions(unit: Unit, run: Run, known: AbstractSet[Concept]) -> None:
    lengths = [one.formula.length for one in unit.compositions]
    if lengths != sorted(set(lengths)) or not set(lengths) <= set(range(2, run.key.length + 1)):
        raise StoreError(
            f"unit {unit.number} has formulas of {', '.join(map(str, lengths))} concepts, the run's key names "
            f"{run.key.length}: give at most one of each length, shortest first"
        )
    for one in unit.compositions:
        if not set(one.formula.concepts) <= known:
            raise StoreError(
                f"unit {unit.number} has a formula of concepts that the dissection does not all list: add them there"
            )
        least = (quarter.least for quarter in one.quarters)
        if not all(map(isfinite, (*one.gain, one.p, one.q, *least, *one.lit_map))):
            raise StoreError(f"unit {unit.number} has a formula with a number that is not finite: give finite ones")


def _lit_maps(unit: Unit, layer: Layer) -> None:
    area = layer.height * layer.width
    for described in (*unit.compositions, *((unit.evidence,) if unit.evidence else ())):
        if len(described.lit_map) not in {0, area}:
            raise StoreError(
                f"unit {unit.number} has a lit map of {len(described.lit_map)} cells, its layer has {area}: give one "
                "value for each, or none"
            )


def _known_classes(run: Run, importances: Sequence[ClassImportance]) -> None:
    indices = [importance.index for importance in importances]
    if len(set(indices)) < len(indices):
        raise StoreError("a class has two importances: give one for each class")
    for importance in importances:
        _known_class(run, importance)


def _known_class(run: Run, importance: ClassImportance) -> None:
    name = f"class {importance.index} ({importance.label!r})"
    if not 0 <= importance.index < len(run.classes) or run.classes[importance.index] != importance.label:
        raise StoreError(
            f"{name} of the importances is not a class of the run, which has {len(run.classes)}: give one of its own"
        )
    if len(importance.statistics) not in {0, len(STATISTICS)}:
        raise StoreError(f"{name} has only some of its statistics: give all of {', '.join(STATISTICS)}, or none")
    for array in (*importance.means, *importance.statistics):
        if array.shape != (run.layer.units,):
            raise StoreError(f"{name} has importances of shape {array.shape}: give shape ({run.layer.units},)")
        if not np.isfinite(array).all():
            raise StoreError(f"{name} has an importance that is not a finite number: give finite ones")


def _known_images(dissection: Dissection, pictures: Collection[int]) -> None:
    known = {exemplar.index for unit in dissection.units for exemplar in unit.exemplars}
    for image in pictures:
        if image not in known:
            raise StoreError(
                f"a picture is of image {image}, which no unit has as an exemplar: give only pictures of exemplars"
            )
