"""The protocols: what is looked at in each image, and the table that is made of it."""

from .insertion import InsertionDeletion
from .localisation import Localisation
from .occlusion import OcclusionCorrelation
from .pointing import Pointing
from .protocol import Protocol
from .ratio import Ratio
from .seeds import Seeds
from .units import UnitAblation

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
