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
    from dissection.concepts.layouts import open_concepts
    from dissection.dissect import dissect
    from dissection.errors import NeuronExplainError
    from dissection.networks.network import Network
    from dissection.networks.opening import open_network
    from dissection.networks.passes import Means
    from dissection.networks.preprocessing import Preprocessing
    from dissection.vocabulary import Concept, Dissection, Layer, Overlap, Unit, UnitName
    from neuronexplain.report.page import write_page

    from .class_images import open_class_images
    from .explainer import Explainer
    from .explanation import Explanation, RankedUnit, Score
    from .methods import METHODS, saliency
    from .pipeline import Built, build, build_layers, explain, reopen, speaker

_HOMES = {
    "METHODS": "neuronexplain.methods",
    "Built": "neuronexplain.pipeline",
    "Concept": "dissection.vocabulary",
    "Dissection": "dissection.vocabulary",
    "Explainer": "neuronexplain.explainer",
    "Explanation": "neuronexplain.explanation",
    "Layer": "dissection.vocabulary",
    "Means": "dissection.networks.passes",
    "NameStore": "db",
    "Network": "dissection.networks.network",
    "NeuronExplainError": "dissection.errors",
    "Overlap": "dissection.vocabulary",
    "Preprocessing": "dissection.networks.preprocessing",
    "RankedUnit": "neuronexplain.explanation",
    "Score": "neuronexplain.explanation",
    "Unit": "dissection.vocabulary",
    "UnitName": "dissection.vocabulary",
    "build": "neuronexplain.pipeline",
    "build_layers": "neuronexplain.pipeline",
    "dissect": "dissection.dissect",
    "explain": "neuronexplain.pipeline",
    "importances_frame": "db.frames",
    "open_class_images": "neuronexplain.class_images",
    "open_concepts": "dissection.concepts.layouts",
    "open_network": "dissection.networks.opening",
    "overlaps_frame": "db.frames",
    "reopen": "neuronexplain.pipeline",
    "runs_frame": "db.frames",
    "saliency": "neuronexplain.methods",
    "speaker": "neuronexplain.pipeline",
    "units_frame": "db.frames",
    "write_page": "neuronexplain.report.page",
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
