"""The columns of frames, and a whole run as frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.records import STATISTICS
from db.schema import AREAS, HALVES

if TYPE_CHECKING:
    import pandas as pd

RUNS = (
    "id",
    "network",
    "layer",
    "units",
    "concepts",
    "images",
    "quantile",
    "evidence",
    "fingerprint",
    "body",
    "created",
)
UNITS = (
    "unit",
    "name",
    "category",
    "iou",
    "threshold",
    "intersection",
    "union",
    "images",
    "best",
    "formula",
    "formula_iou",
    "truth",
    "lit_images",
    "p",
    "q",
    "kept",
    "iou_low",
    "iou_high",
)
THRESHOLDS = ("unit", "threshold")
CONCEPTS = ("number", "name", "category", "images", "pixels")
OVERLAPS = (
    "unit",
    "rank",
    "number",
    "concept",
    "category",
    "intersection",
    "unit_area",
    "concept_area",
    "union",
    "iou",
    "images",
)
EXEMPLARS = ("unit", "rank", "image", "index", "activation", "row", "column")
EXEMPLAR_CONCEPTS = ("unit", "rank", "place", "number")
IMPORTANCES = ("index", "label", "images", "unit", "alpha", "contribution")
IMPORTANCES_WITH_ERRORS = (*IMPORTANCES, "alpha_error", "contribution_error", "lit", "lit_error")
TRUTHS = ("unit", "rank", "lit_images", "hit_images", "dark_images", "missed_images")
EVIDENCE = ("unit", "p", "q", "kept", "iou_low", "iou_high", "margin_low", "margin_high")
RUNNERS_UP = ("unit", "rank", "number")
QUARTERS = ("unit", "quarter", "least", "images", "hits")
LIT_MAPS = ("unit", "cell", "activation")
CONTROLS = ("unit", "iou")
COMPOSITIONS = (
    "unit",
    "length",
    *(f"{half}_{area}" for half in HALVES for area in AREAS),
    *("gain_low", "gain_high", "p", "q", "lit_images", "hit_images", "dark_images", "missed_images"),
)
FORMULA_QUARTERS = ("unit", "length", *QUARTERS[1:])
FORMULA_MAPS = ("unit", "length", *LIT_MAPS[1:])
FORMULA_TERMS = ("unit", "length", "place", "operator", "number")
CLASS_STATISTICS = ("index", "unit", *STATISTICS)


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """A whole run as frames, each in the columns that this module's constants list.

    Attributes:
        concepts: concepts with their support.
        thresholds: units with their thresholds.
        overlaps: overlaps by unit and rank; ``union``, ``iou``, ``concept`` and ``category`` are for people, and
            `values` ignores them.
        exemplars: exemplars by unit and rank.
        exemplar_concepts: numbers of the concepts that exemplars show, by unit, rank and their place in that list.
        importances: one row per class and unit.
        truths: how often concepts are there when units respond, by unit and rank of the overlap.
        evidence: what speaks for the best overlaps, by unit.
        runners_up: numbers of concepts, by unit and rank.
        quarters: quarters of the lit images, by unit.
        lit_maps: cells of the lit maps, by unit.
        controls: the control's greatest IoU with the best concept, by unit.
        class_statistics: the other statistics of classes, where they were gathered, by class and unit.
        compositions: formulas of several concepts, by unit and length: their areas, gains, rates and truths.
        formula_terms: numbers of their concepts and the operators that join them, by unit, length and place.
        formula_quarters: quarters of the images that light a unit, by unit and length of its formula.
        formula_maps: cells of the lit maps, likewise.
    """

    concepts: pd.DataFrame
    thresholds: pd.DataFrame
    overlaps: pd.DataFrame
    exemplars: pd.DataFrame
    exemplar_concepts: pd.DataFrame
    importances: pd.DataFrame
    truths: pd.DataFrame
    evidence: pd.DataFrame
    runners_up: pd.DataFrame
    quarters: pd.DataFrame
    lit_maps: pd.DataFrame
    controls: pd.DataFrame
    class_statistics: pd.DataFrame
    compositions: pd.DataFrame
    formula_terms: pd.DataFrame
    formula_quarters: pd.DataFrame
    formula_maps: pd.DataFrame
