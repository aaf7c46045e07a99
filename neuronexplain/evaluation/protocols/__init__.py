"""What can be measured: a module per protocol, each a frozen value whose fields are whatever changes its answer.

The arithmetic is in :mod:`neuronexplain.metrics`; who runs a protocol over images is
:mod:`neuronexplain.evaluation.runner`.
"""

from .insertion_deletion import InsertionDeletion
from .localisation import Localisation
from .occlusion_correlation import OcclusionCorrelation
from .pointing import Pointing
from .protocol import Protocol
from .ratio import Ratio
from .seeds import Seeds
from .unit_ablation import UnitAblation

__all__ = [
    "InsertionDeletion",
    "Localisation",
    "OcclusionCorrelation",
    "Pointing",
    "Protocol",
    "Ratio",
    "Seeds",
    "UnitAblation",
]
