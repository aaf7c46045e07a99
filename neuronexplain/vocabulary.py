"""The nouns of explanations, and the choices that a user makes by name. Nothing here imports anything heavy.

Each choice is a literal type, which annotates the library's functions and which the command line offers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dissection.vocabulary import UnitName

RankBy = Literal["alpha", "contribution"]
"""What units are ranked by: their importance (Eq. 1), or their importance times their mean activation."""

ClassRankBy = Literal["lit", "alpha", "contribution"]
"""What the database's answers about classes are ranked by, see :data:`db.RankBy`."""

Among = Literal["all", "named"]
"""Which units are ranked."""

MethodName = Literal[
    "grad-cam",
    "counterfactual",
    "guided-grad-cam",
    "deconv-grad-cam",
    "guided-backprop",
    "deconvolution",
    "gradient",
    "cam",
    "c-mwp",
    "occlusion",
    "grad-cam-no-relu",
    "grad-cam-absolute",
    "grad-cam-max",
    "grad-cam-guided-relu",
    "grad-cam-deconv-relu",
]
"""The methods of :data:`neuronexplain.methods.METHODS`."""

DataKind = Literal["concepts", "voc", "coco", "ilsvrc", "scenes", "photographs"]
"""The layouts of annotated images."""

ViewKind = Literal["whole", "centre", "ten"]
"""Which part of a photograph the network sees, see :mod:`neuronexplain.evaluation.framing`."""


@dataclass(frozen=True, slots=True)
class Score:
    """A network's score for one class: probability after the softmax (or sigmoid), logit before it."""

    label: str
    index: int
    probability: float
    logit: float


@dataclass(frozen=True, slots=True)
class RankedUnit:
    """A unit's part in one prediction.

    Attributes:
        unit: index of the channel.
        alpha: importance for the target (Eq. 1).
        contribution: ``alpha * mean(A)``, the unit's share of the linearised score.
        name: its name, or ``None``.
        active: whether its mask on this image is not empty, that is, some activation exceeds its threshold.
    """

    unit: int
    alpha: float
    contribution: float
    name: UnitName | None
    active: bool
