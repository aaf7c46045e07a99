"""Says in words why an image classifier predicts what it predicts.

Name the units of a convolutional layer once (:func:`build`), keep the names in a database (:class:`NameStore`), and
explain predictions with them (:func:`explain`). Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db import NameStore
    from db.frames import importances_frame, overlaps_frame, runs_frame, units_frame
    from dissection.concepts import open_concepts
    from dissection.dissect import dissect
    from dissection.errors import NeuronExplainError
    from dissection.networks import Network, open_network
    from dissection.preprocessing import Preprocessing
    from dissection.running import Means
    from dissection.vocabulary import Concept, Dissection, Layer, Overlap, Unit, UnitName

    from .evidence import open_class_images
    from .explainer import Explainer
    from .explanation import Explanation, RankedUnit, Score
    from .methods import METHODS, saliency
    from .pipeline import Built, build, build_layers, explain, reopen, speaker
    from .report import write_page

_HOMES = {
    "METHODS": "neuronexplain.methods",
    "Built": "neuronexplain.pipeline",
    "Concept": "dissection.vocabulary",
    "Dissection": "dissection.vocabulary",
    "Explainer": "neuronexplain.explainer",
    "Explanation": "neuronexplain.explanation",
    "Layer": "dissection.vocabulary",
    "Means": "dissection.running",
    "NameStore": "db",
    "Network": "dissection.networks",
    "NeuronExplainError": "dissection.errors",
    "Overlap": "dissection.vocabulary",
    "Preprocessing": "dissection.preprocessing",
    "RankedUnit": "neuronexplain.explanation",
    "Score": "neuronexplain.explanation",
    "Unit": "dissection.vocabulary",
    "UnitName": "dissection.vocabulary",
    "build": "neuronexplain.pipeline",
    "build_layers": "neuronexplain.pipeline",
    "dissect": "dissection.dissect",
    "explain": "neuronexplain.pipeline",
    "importances_frame": "db.frames",
    "open_class_images": "neuronexplain.evidence",
    "open_concepts": "dissection.concepts",
    "open_network": "dissection.networks",
    "overlaps_frame": "db.frames",
    "reopen": "neuronexplain.pipeline",
    "runs_frame": "db.frames",
    "saliency": "neuronexplain.methods",
    "speaker": "neuronexplain.pipeline",
    "units_frame": "db.frames",
    "write_page": "neuronexplain.report",
}

__all__ = [
    "METHODS",
    "Built",
    "Concept",
    "Dissection",
    "Explainer",
    "Explanation",
    "Layer",
    "Means",
    "NameStore",
    "Network",
    "NeuronExplainError",
    "Overlap",
    "Preprocessing",
    "RankedUnit",
    "Score",
    "Unit",
    "UnitName",
    "build",
    "build_layers",
    "dissect",
    "explain",
    "importances_frame",
    "open_class_images",
    "open_concepts",
    "open_network",
    "overlaps_frame",
    "reopen",
    "runs_frame",
    "saliency",
    "speaker",
    "units_frame",
    "write_page",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
