"""The nouns of explanations, and the choices that a user makes by name. Nothing here imports anything heavy.

Each choice is a literal type, which annotates the library's functions and which the command line offers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from dissection.vocabulary import MAX_Q, MIN_IOU

if TYPE_CHECKING:
    from dissection.vocabulary import Composition, Evidence, Meaning, Truth, UnitName

RankBy = Literal["alpha", "effect", "contribution"]
"""What units are ranked by: their importance (Eq. 1), what the score loses to first order without them, or their
importance times their mean activation."""

ClassRankBy = Literal["lit", "alpha", "contribution"]
"""What the database's answers about classes are ranked by, see :data:`db.RankBy`."""

Among = Literal["proven", "named", "all"]
"""Which units are ranked: those with a proven name of which something may be said, those with a name, or all."""

Clause = Literal["responds", "absent", "against", "missed", "outweighed"]
"""What a sentence says of a unit, see :mod:`neuronexplain.clauses`."""

Role = Literal["responds", "absent", "against", "missed", "torn"]
"""What a sentence says of a name: a clause, or that it pulls both ways."""

Unspoken = Literal["no name", "no proven name", "true too rarely", "unclear effect", "not lit"]
"""Why a sentence says nothing of a unit."""

MIN_TRUTH = 0.5
"""A unit that responds is spoken of if its concept is there in at least this share of such images."""

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

CaptionDataKind = Literal["described", "coco", "captions"]
"""The layouts of photographs with captions: generated, COCO's, or a table beside a folder."""

QuestionDataKind = Literal["described", "questions"]
"""The layouts of photographs with questions: generated, or a table beside a folder."""

CaptionSource = Literal["written", "reference"]
"""Whose captions are explained: those that the network writes, or those of people."""

INTERVAL = "In brackets: the interval of 95 % of resamples of the images."
"""What a table of figures says of them."""

CoverKind = Literal["mean", "blur"]
"""What pixels are covered with: the mean colour of photographs, or the photograph out of focus."""

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
class LeftOver:
    """What a score owes to the part of a layer's map that a dictionary's features do not make up, to first order.

    Attributes:
        effect: ``sum_ij dy/dA_ij (A - decode(z))_ij``, over all units.
        total: ``sum_ij dy/dA_ij A_ij``: what it owes to the map as a whole.
    """

    effect: float
    total: float


@dataclass(frozen=True, slots=True)
class Rules:
    """Which units are ranked, and what may be said of them.

    Attributes:
        k: how many of the most persuasive, and how many of the most inhibitive, units.
        rank_by: what units are ranked by.
        among: which units are ranked.
        min_iou: least IoU at which a unit has a name.
        max_q: greatest rate of false names at which a name is proven.
        min_truth: least truth of a mention.
    """

    k: int = 5
    rank_by: RankBy = "alpha"
    among: Among = "proven"
    min_iou: float = MIN_IOU
    max_q: float = MAX_Q
    min_truth: float = MIN_TRUTH


DEFAULT_RULES = Rules()


@dataclass(frozen=True, slots=True)
class RankedUnit:
    """A unit's part in one prediction.

    Attributes:
        unit: index of the channel.
        alpha: importance for the target (Eq. 1).
        contribution: ``alpha * mean(A)``, the unit's share of the linearised score.
        effect: ``sum_ij dy/dA_ij A_ij``, what the score loses to first order without the unit.
        potential: what the score would gain to first order if a unit that is not lit responded as it does where what it
            stands for is; ``None`` if it is lit, or no such map is kept.
        lit: whether some activation exceeds its threshold.
        peak: its greatest activation.
        name: its name, or ``None``.
        truth: the share of images that show what it stands for where the unit responds this strongly; ``None`` if it is
            not lit, or that was not counted.
        counts: the images on which it is lit or not, and those of them that show what it stands for; ``None`` if not
            counted.
        evidence: what speaks for the name; ``None`` if there is no name, or none is kept.
        clause: what the sentence says of it, or why nothing.
        absence: the share of images without what it stands for among those where the unit is not lit; ``None`` if it is
            lit, or that was not counted.
        excess: the mean lit contribution to the target's class above that to the average class; ``None`` if unknown.
        composition: the formula of several concepts that describes it better on held-out images; ``None`` if there is
            none, or none was searched for.
    """

    unit: int
    alpha: float
    contribution: float
    effect: float
    potential: float | None
    lit: bool
    peak: float
    name: UnitName | None = None
    truth: float | None = None
    counts: Truth | None = None
    evidence: Evidence | None = None
    clause: Clause | Unspoken = "no name"
    absence: float | None = None
    excess: float | None = None
    composition: Composition | None = None

    @property
    def meaning(self) -> Meaning | None:
        """What sentences say that it stands for: its formula, or else its name; ``None`` if it has neither."""
        if self.composition is not None:
            return self.composition.formula
        return self.name.concept if self.name else None

    @property
    def is_spoken(self) -> bool:
        """Whether the sentence speaks of it."""
        return self.clause in get_args(Clause)
