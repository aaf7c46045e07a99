"""Says in words why an image classifier predicts what it predicts.

Name the units of a convolutional layer once (:func:`build`), keep the names in a database (:class:`NameStore`), and
explain predictions with them (:func:`explain`). Each name is imported when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would be imported first, before the command line listens for signals
if TYPE_CHECKING:
    from db import NameStore
    from db.frames import importances_frame, overlaps_frame, runs_frame, units_frame
    from dissection.concepts.layouts import open_concepts
    from dissection.errors import AssumedPreprocessingWarning, NeuronExplainError
    from dissection.execution.settings import Execution
    from dissection.networks.network import Network
    from dissection.networks.opening import open_network
    from dissection.networks.preprocessing import Preprocessing
    from dissection.vocabulary import Concept, Dissection, Layer, Overlap, Unit, UnitName

    from .building import Built, build, build_layers
    from .class_images import open_class_images
    from .dissecting import dissect
    from .explainer import Explainer
    from .explaining import explain
    from .explanation import Comparison, ExplainedCaption, Explanation
    from .language.captions import CaptionExplainer, explain_caption
    from .methods import METHODS, saliency
    from .report.page import write_page
    from .run_networks import open_network_of
    from .vocabulary import RankedUnit, Rules, Score

_HOMES = {
    "METHODS": "neuronexplain.methods",
    "AssumedPreprocessingWarning": "dissection.errors",
    "Built": "neuronexplain.building",
    "CaptionExplainer": "neuronexplain.language.captions",
    "Comparison": "neuronexplain.explanation",
    "Concept": "dissection.vocabulary",
    "Dissection": "dissection.vocabulary",
    "Execution": "dissection.execution.settings",
    "ExplainedCaption": "neuronexplain.explanation",
    "Explainer": "neuronexplain.explainer",
    "Explanation": "neuronexplain.explanation",
    "Layer": "dissection.vocabulary",
    "NameStore": "db",
    "Network": "dissection.networks.network",
    "NeuronExplainError": "dissection.errors",
    "Overlap": "dissection.vocabulary",
    "Preprocessing": "dissection.networks.preprocessing",
    "RankedUnit": "neuronexplain.vocabulary",
    "Rules": "neuronexplain.vocabulary",
    "Score": "neuronexplain.vocabulary",
    "Unit": "dissection.vocabulary",
    "UnitName": "dissection.vocabulary",
    "build": "neuronexplain.building",
    "build_layers": "neuronexplain.building",
    "dissect": "neuronexplain.dissecting",
    "explain": "neuronexplain.explaining",
    "explain_caption": "neuronexplain.language.captions",
    "importances_frame": "db.frames",
    "open_class_images": "neuronexplain.class_images",
    "open_concepts": "dissection.concepts.layouts",
    "open_network": "dissection.networks.opening",
    "open_network_of": "neuronexplain.run_networks",
    "overlaps_frame": "db.frames",
    "runs_frame": "db.frames",
    "saliency": "neuronexplain.methods",
    "units_frame": "db.frames",
    "write_page": "neuronexplain.report.page",
}

__all__ = [
    "METHODS",
    "AssumedPreprocessingWarning",
    "Built",
    "CaptionExplainer",
    "Comparison",
    "Concept",
    "Dissection",
    "Execution",
    "ExplainedCaption",
    "Explainer",
    "Explanation",
    "Layer",
    "NameStore",
    "Network",
    "NeuronExplainError",
    "Overlap",
    "Preprocessing",
    "RankedUnit",
    "Rules",
    "Score",
    "Unit",
    "UnitName",
    "build",
    "build_layers",
    "dissect",
    "explain",
    "explain_caption",
    "importances_frame",
    "open_class_images",
    "open_concepts",
    "open_network",
    "open_network_of",
    "overlaps_frame",
    "runs_frame",
    "saliency",
    "units_frame",
    "write_page",
]


def __getattr__(name: str) -> object:
    from functools import reduce
    from importlib import import_module

    from ._renamed import KEYWORDS, NAMES, warn, with_old_keywords

    if name in NAMES:
        warn(f"neuronexplain.{name}", NAMES[name])
        first, *attributes = NAMES[name].split(".")
        return reduce(getattr, attributes, __getattr__(first))
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    if name in KEYWORDS:
        value = with_old_keywords(value, KEYWORDS[name])
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
