"""The protocols, a module each: a protocol is an immutable value whose fields are all that changes its result.

The arithmetic is in :mod:`neuronexplain.metrics`; :mod:`neuronexplain.evaluation.runner` runs a protocol over images.
"""

from .answers.accuracy import AnswerAccuracy
from .answers.attention import AnswerAttention
from .answers.occlusion import AnswerOcclusion
from .answers.pointing import AnswerPointing
from .captions.accuracy import CaptionAccuracy
from .captions.debts import CaptionDebts
from .captions.pointing import CaptionPointing
from .captions.ratio import CaptionRatio
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
    "AnswerAccuracy",
    "AnswerAttention",
    "AnswerOcclusion",
    "AnswerPointing",
    "CaptionAccuracy",
    "CaptionDebts",
    "CaptionPointing",
    "CaptionRatio",
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
