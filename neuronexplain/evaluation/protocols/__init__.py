"""The protocols, a module each: a protocol is an immutable value whose fields are all that changes its result.

The arithmetic is in :mod:`neuronexplain.metrics`; :mod:`neuronexplain.evaluation.runner` runs a protocol over images.
"""

from .insertion_deletion import InsertionDeletion
from .localisation import Localisation
from .occlusion_correlation import OcclusionCorrelation
from .pointing import Pointing
from .protocol import Protocol
from .ratio import Ratio
from .seeds import Seeds
from .unit_ablation import UnitAblation
from .words import Words

__all__ = [
    "InsertionDeletion",
    "Localisation",
    "OcclusionCorrelation",
    "Pointing",
    "Protocol",
    "Ratio",
    "Seeds",
    "UnitAblation",
    "Words",
]
