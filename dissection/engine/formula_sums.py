"""Loops of the search for formulas: what beginnings of formulas share with concepts, and which of them join best.

Sums are of whole pixels, so they do not depend on their order. In each table, what is shared with the candidates stands
first, and then what is shared with all categories.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.execution.kernels import kernel

if TYPE_CHECKING:
    from jaxtyping import Bool, Int64

OR, AND = 0, 1
"""Places in `OPERATORS`; "and not" comes after them."""


@kernel
def share_of_pairs(
    pixels: Int64[np.ndarray, " signatures"],
    starts: Int64[np.ndarray, " signatures_and_end"],
    columns: Int64[np.ndarray, " columns"],
    place: Int64[np.ndarray, " both"],
    count: int,
) -> Int64[np.ndarray, "rows rows"]:
    """Pixels that candidates, and then categories, share with each other.

    Args:
        pixels: of each signature.
        starts: where the concepts and categories of each signature begin, and their number.
        columns: those concepts and categories.
        place: the row of each concept and category in the result; -1 for a concept that is no candidate.
        count: how many rows there are.
    """
    shared = np.zeros((count, count), np.int64)
    there = np.empty(count, np.int64)
    for signature in range(len(pixels)):
        if pixels[signature] > 0:
            length = 0
            for column in columns[starts[signature] : starts[signature + 1]]:
                if place[column] >= 0:
                    there[length] = place[column]
                    length += 1
            for one in there[:length]:
                for other in there[:length]:
                    shared[one, other] += pixels[signature]
    return shared


@kernel
def share_of_domains(
    pixels: Int64[np.ndarray, " signatures"],
    needed: Bool[np.ndarray, "domains categories"],
    labelled: Bool[np.ndarray, "signatures categories"],
    starts: Int64[np.ndarray, " signatures_and_end"],
    columns: Int64[np.ndarray, " columns"],
    count: int,
) -> Int64[np.ndarray, "domains both"]:
    """Pixels that concepts and categories have of the images that are labelled in all categories of a domain.

    Args:
        pixels: of each signature.
        needed: the categories of each domain.
        labelled: categories that the images of each signature are labelled in.
        starts: where the concepts and categories of each signature begin, and their number.
        columns: those concepts and categories.
        count: how many concepts and categories there are.
    """
    shared = np.zeros((len(needed), count), np.int64)
    for signature in range(len(pixels)):
        if pixels[signature] > 0:
            for domain in range(len(needed)):
                is_defined = True
                for category in range(labelled.shape[1]):
                    is_defined = is_defined and (labelled[signature, category] or not needed[domain, category])
                if is_defined:
                    for column in columns[starts[signature] : starts[signature + 1]]:
                        shared[domain, column] += pixels[signature]
    return shared


@kernel
def share_of_heads(  # noqa: PLR0913, PLR0917
    operators: Int64[np.ndarray, "heads length"],
    places: Int64[np.ndarray, "heads length"],
    categories: Int64[np.ndarray, " concepts"],
    pixels: Int64[np.ndarray, "2 signatures"],
    carried: Bool[np.ndarray, "signatures concepts"],
    labelled: Bool[np.ndarray, "signatures categories"],
    starts: Int64[np.ndarray, " signatures_and_end"],
    columns: Int64[np.ndarray, " columns"],
    carriers: Int64[np.ndarray, " carriers"],
    edges: Int64[np.ndarray, " concepts_and_end"],
) -> Int64[np.ndarray, "2 heads both"]:
    """Pixels at which formulas hold, and that concepts and categories have as well.

    Args:
        operators: the operator before each concept of each formula, by its place in `OPERATORS`.
        places: the concepts of each formula.
        categories: the category of each concept.
        pixels: of each signature, twice: those that a unit lights, and all.
        carried: which concepts they carry.
        labelled: categories that their images are labelled in.
        starts: where the concepts and categories of each signature begin, and their number.
        columns: those concepts and categories.
        carriers: the signatures that carry each concept.
        edges: where those of each concept begin, and their number.
    """
    shared = np.zeros((2, len(places), len(categories) + labelled.shape[1]), np.int64)
    for head in range(len(places)):
        for term in range(places.shape[1]):
            if term and operators[head, term] != OR:
                continue  # nothing holds here that does not hold without this term
            concept = places[head, term]
            for signature in carriers[edges[concept] : edges[concept + 1]]:
                is_first, is_defined, holds = True, True, False
                for other in range(places.shape[1]):
                    there = carried[signature, places[head, other]]
                    is_defined = is_defined and labelled[signature, categories[places[head, other]]]
                    if other == 0 or operators[head, other] == OR:
                        is_first = is_first and (other >= term or not there)
                        holds = holds or there
                    elif operators[head, other] == AND:
                        holds = holds and there
                    else:
                        holds = holds and not there
                if is_first and is_defined and holds:
                    for column in columns[starts[signature] : starts[signature + 1]]:
                        shared[0, head, column] += pixels[0, signature]
                        shared[1, head, column] += pixels[1, signature]
    return shared


@kernel
def rank_joined(
    shared: Int64[np.ndarray, "rows columns"],
    covered: Int64[np.ndarray, "rows columns"],
    holds: Int64[np.ndarray, " heads"],
    domains: Int64[np.ndarray, " heads"],
    of_category: Int64[np.ndarray, " candidates"],
    among: Int64[np.ndarray, "heads length"],
    first: Int64[np.ndarray, "operators heads"],
    most: int,
) -> tuple[Int64[np.ndarray, "chosen 3"], Int64[np.ndarray, "chosen 3"]]:
    """The formulas of greatest IoU that join a candidate to a head and share any pixel with the unit, best first.

    Ties go to the operator that comes first, then to the head, then to the candidate.

    Args:
        shared: pixels that the unit lights of what heads and their domains share with candidates and categories.
        covered: all pixels of these.
        holds: the row of each head.
        domains: the row of its domain.
        of_category: the column of each candidate's category.
        among: the concepts of each head, by their places among the candidates.
        first: the first candidate that is joined to each head by each operator.
        most: how many are returned at most.

    Returns:
        Operator, head and candidate of each formula; what it and the unit share, and the areas of the unit and of it.
    """
    chosen, areas = np.zeros((most, 3), np.int64), np.zeros((most, 3), np.int64)
    ious, length = np.zeros(most), 0
    for operator in range(len(first)):
        for head in range(len(holds)):
            here, domain = holds[head], domains[head]
            for candidate in range(first[operator, head], len(of_category)):
                if _is_among(among[head], candidate):
                    continue
                category = of_category[candidate]
                meeting, formula_area = shared[here, candidate], covered[here, candidate]
                if operator == OR:
                    meeting = shared[here, category] + shared[domain, candidate] - meeting
                    formula_area = covered[here, category] + covered[domain, candidate] - formula_area
                elif operator != AND:
                    meeting = shared[here, category] - meeting
                    formula_area = covered[here, category] - formula_area
                if meeting <= 0:
                    continue
                unit_area = shared[domain, category]
                iou = meeting / (unit_area + formula_area - meeting)
                if length == most and not iou > ious[most - 1]:
                    continue
                place = min(length, most - 1)
                while place > 0 and iou > ious[place - 1]:
                    ious[place], chosen[place], areas[place] = ious[place - 1], chosen[place - 1], areas[place - 1]
                    place -= 1
                ious[place] = iou
                chosen[place, 0], chosen[place, 1], chosen[place, 2] = operator, head, candidate
                areas[place, 0], areas[place, 1], areas[place, 2] = meeting, unit_area, formula_area
                length = min(length + 1, most)
    return chosen[:length], areas[:length]


@kernel
def _is_among(places: Int64[np.ndarray, " places"], candidate: int) -> bool:
    for place in places:  # noqa: SIM110 -- a generator is slower here
        if place == candidate:
            return True
    return False
