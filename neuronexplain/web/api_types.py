"""What the data below ``/api`` is made of, for its description in OpenAPI; nothing is converted to it.

The values are those of :mod:`neuronexplain.listings` and :mod:`neuronexplain.serialise`, where what they mean is said.
The tests hold every answer against these types, which allow no field that they do not name.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from dissection.vocabulary import UnitNoun

from .jobs import State
from .searching import Kind


class _Described(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Refusal(_Described):
    """Why something cannot be had, in one sentence."""

    detail: str


class Run(_Described):
    """A run: the names of one layer's units."""

    run: int
    network: str
    layer: str
    units: int
    named: int
    concepts: str
    images: int | None
    quantile: float
    created: str
    differs: dict[str, str]
    fingerprint: str
    body: str | None
    source: dict[str, object]


class UnitName(_Described):
    """A unit's name, and the numbers of its best concept."""

    unit: int
    name: str | None
    category: str | None
    iou: float | None
    truth: float | None
    lit_images: int | None
    hit_images: int | None
    p: float | None
    q: float | None
    proven: bool
    threshold: float | None
    intersection: int | None
    union: int | None
    images: int | None
    best: str | None
    formula: str | None
    formula_iou: float | None
    formula_gain_low: float | None
    formula_gain_high: float | None
    formula_q: float | None


class _Importance(_Described):
    lit: float | None
    lit_low: float | None
    lit_high: float | None
    alpha: float
    contribution: float
    thin: bool
    units: list[int]


class ConceptOfClass(_Importance):
    """A concept that matters for a class."""

    concept: str
    category: str
    iou: float
    class_images: int


class ClassForConcept(_Importance):
    """A class that a concept matters for."""

    label: str = Field(alias="class")
    index: int
    images: int


class Hit(_Described):
    """Something that is called so."""

    kind: Kind
    run: int
    name: str
    number: int
    runs: int


class Score(_Described):
    """A class and its score."""

    label: str
    index: int
    probability: float | None
    logit: float | None


class Evidence(_Described):
    """What speaks for a name."""

    p: float | None
    q: float | None
    kept: float | None
    iou_interval: list[float | None]
    margin_interval: list[float | None]
    runners_up: list[str]


class RankedUnit(_Described):
    """A unit that speaks for or against a class."""

    unit: int
    alpha: float | None
    effect: float | None
    contribution: float | None
    potential: float | None
    lit: bool
    peak: float | None
    name: str | None
    category: str | None
    iou: float | None
    meaning: str | None
    truth: float | None
    absence: float | None
    excess: float | None
    lit_images: int | None
    hit_images: int | None
    dark_images: int | None
    missed_images: int | None
    evidence: Evidence | None
    clause: str | None
    unspoken: str | None
    formula: str | None
    formula_iou: float | None
    formula_gain_low: float | None
    formula_gain_high: float | None
    formula_q: float | None


class LabelledConcept(_Described):
    """A concept that is labelled at a place."""

    name: str
    category: str


class Exemplar(_Described):
    """An image that excites a unit most, and what is labelled where it does."""

    unit: int
    image: str
    activation: float | None
    concepts: list[LabelledConcept]


class MethodShown(_Described):
    """Another method that explains the same."""

    name: str
    title: str
    reference: str
    picture: str | None


class LeftOver(_Described):
    """What a score owes to what features do not make up of a layer's map, and to all of the map; to first order."""

    effect: float | None
    total: float | None


class Explanation(_Described):
    """Why the network gives a class its score."""

    image: str
    prediction: Score
    target: Score
    classes: list[Score]
    true_class: Score | None
    question: str | None
    sentence: str
    loss: float | None
    rank_by: str
    among: str
    min_iou: float
    max_q: float
    min_truth: float
    has_evidence: bool
    labels: str | None
    constant_alpha: bool
    noun: UnitNoun
    left_over: LeftOver | None
    top: list[RankedUnit]
    bottom: list[RankedUnit]
    passed_over: list[RankedUnit]
    exemplars: list[Exemplar]
    heatmap: str | None
    methods: list[MethodShown]


class Contrast(_Described):
    """What speaks for one class rather than another."""

    rather: str
    than: str
    sentence: str
    lead: float | None
    loss: float | None
    top: list[RankedUnit]


class Comparison(_Described):
    """Why the network gives two classes their scores, and what tells them apart."""

    image: str
    explanations: list[Explanation]
    contrasts: list[Contrast]


class Debt(_Described):
    """What a word owes to the picture."""

    nats: float | None
    interval: list[float | None]
    pictures: int
    is_owed: bool


class SaidWord(_Described):
    """A word of a caption, given those before it."""

    word: str
    log_probability: float | None
    probability: float
    owes_to_picture: Debt | None
    sentence: str
    explanation: Explanation | None


class Caption(_Described):
    """Why a captioner says the words of a caption."""

    image: str
    caption: str
    log_probability: float | None
    words: list[SaidWord]


class UnitSeen(_Described):
    """Where a unit responds in a photograph."""

    unit: int
    image: str
    peak: float
    share: float


class Asked(_Described):
    """How far what was asked for is, and what came of it."""

    id: str
    state: State
    page: str
    ahead: int = Field(default=0, description="How many come before it; until it is over.")
    stage: str = Field(default="", description="What is being done; until it is over.")
    done: int = Field(default=0, description="How much of the stage is done.")
    total: int = Field(default=0, description="How much there is to do; 0 where that is not known.")
    explanations: list[Explanation | Comparison | Caption] = Field(default=[], description="Once it is done.")
    neuron: UnitSeen | None = Field(default=None, description="Once it is done, where that was asked for.")
    error: str = Field(default="", description="Why it failed.")


REFUSALS: dict[int | str, dict[str, object]] = {
    "4XX": {"model": Refusal, "description": "It cannot be had; the sentence says why."},
    "503": {"model": Refusal, "description": "The database fails."},
}
"""How everything below ``/api`` may answer besides."""
