"""The nouns of network dissection, as frozen values. Nothing here needs torch.

Unit
    one channel of a layer, counted from 0, or one feature of a dictionary; users read "neuron" or "feature" for it.
Concept
    something a person can point at in an image: a name and a category.
Name
    the concept that a unit's strongest activations overlap best, if that overlap is large enough.
Meaning
    what sentences say that a unit stands for: its name, or a formula of several concepts that describes it better.
"""

from .concepts import Concept, ConceptSupport, Labels, spoken_list
from .dissections import Dissection
from .evidence import Evidence, Quarter, Truth
from .formulas import OPERATORS, Composition, Formula, FormulaAreas, Meaning, Operator, implies, operator_of
from .layers import DICTIONARY_AT, CommonNoun, Layer, UnitNoun, common_noun
from .settings import (
    DRAWS,
    INTERVAL,
    KEPT_OVERLAPS,
    LONGEST_FORMULA,
    MAX_Q,
    MIN_IMAGES,
    MIN_IOU,
    MOST_SAMPLED,
    QUANTILE,
    QUARTERS,
    RECTIFIERS,
    RUNNER_UP,
    THIN_EVIDENCE,
    UPSAMPLING,
    Precision,
)
from .units import Description, Exemplar, Overlap, Unit, UnitName

__all__ = [
    "DICTIONARY_AT",
    "DRAWS",
    "INTERVAL",
    "KEPT_OVERLAPS",
    "LONGEST_FORMULA",
    "MAX_Q",
    "MIN_IMAGES",
    "MIN_IOU",
    "MOST_SAMPLED",
    "OPERATORS",
    "QUANTILE",
    "QUARTERS",
    "RECTIFIERS",
    "RUNNER_UP",
    "THIN_EVIDENCE",
    "UPSAMPLING",
    "CommonNoun",
    "Composition",
    "Concept",
    "ConceptSupport",
    "Description",
    "Dissection",
    "Evidence",
    "Exemplar",
    "Formula",
    "FormulaAreas",
    "Labels",
    "Layer",
    "Meaning",
    "Operator",
    "Overlap",
    "Precision",
    "Quarter",
    "Truth",
    "Unit",
    "UnitName",
    "UnitNoun",
    "common_noun",
    "implies",
    "operator_of",
    "spoken_list",
]
