"""Measurements of explanations: the protocols of the Grad-CAM paper, and those that became usual after it.

:func:`evaluate` runs a protocol over annotated images. The arithmetic of each is in a module of its own, as
functions of maps from anywhere: ``localisation``, ``pointing``, ``correlation``, ``seeds``, ``ratio``,
``faithfulness``; ``intervals`` says how sure a figure is.
"""

from .evaluation import evaluate
from .ground import Annotated, Ground, Place, open_ground
from .intervals import Figure, figure
from .protocols import (
    InsertionDeletion,
    Localisation,
    OcclusionCorrelation,
    Pointing,
    Protocol,
    Ratio,
    Seeds,
    UnitAblation,
)
from .report import Report

__all__ = [
    "Annotated",
    "Figure",
    "Ground",
    "InsertionDeletion",
    "Localisation",
    "OcclusionCorrelation",
    "Place",
    "Pointing",
    "Protocol",
    "Ratio",
    "Report",
    "Seeds",
    "UnitAblation",
    "evaluate",
    "figure",
    "open_ground",
]
