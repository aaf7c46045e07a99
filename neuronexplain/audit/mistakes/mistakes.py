"""What a network gets wrong, and what tells the class that it says from the class that is shown (Sec. 6.1)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from dissection.vocabulary import UnitNoun  # noqa: TC001 -- msgspec reads the annotations
from neuronexplain.clauses import persuasive
from neuronexplain.sentence import say_unspoken
from neuronexplain.vocabulary import Score  # noqa: TC001 -- as above

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Float64
    from torch import Tensor

    from neuronexplain.answer import Contrast
    from neuronexplain.audit.photograph_pass import LabelledBatch, PhotographPass
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.explainer import Explainer
    from neuronexplain.explanation import Comparison
    from neuronexplain.vocabulary import RankedUnit

TOP = 5
"""The paper's top-5."""


@dataclass(frozen=True, slots=True)
class ConceptPart:
    """The part that the neurons of one name have in the lead of one class over another.

    Attributes:
        concept: the name, or the formula that stands in for it, as it is spoken.
        category: its category.
        is_formula: whether it is a formula of several concepts.
        units: its neurons that may be said to respond.
        truth: the greatest truth of these; ``None`` where no evidence is kept.
        effect: what the lead loses to first order without them; below 0 where they speak for the other class.
    """

    concept: str
    category: str
    is_formula: bool
    units: tuple[int, ...]
    truth: float | None
    effect: float


@dataclass(frozen=True, slots=True)
class SpeaksFor:
    """What speaks for one of two classes rather than the other.

    Attributes:
        parts: what may be said to, strongest first.
        loss: what the lead of the class loses where the maps of all these neurons are set to 0; ``None`` without any.
        gain: what of that the other class gains; the rest is what the class loses.
    """

    parts: tuple[ConceptPart, ...]
    loss: float | None
    gain: float | None


@dataclass(frozen=True, slots=True)
class Mistake:
    """A photograph whose most probable class is not the one that it shows.

    Attributes:
        image: its path in the folder.
        shown: the class that it shows.
        said: the class that the network says.
        rank: the place of the shown class among all, from 2.
        classes: the most probable classes, at most five.
        for_said: what speaks for the said class rather than the shown one.
        for_shown: what speaks for the shown class rather than the said one.
        responding: all names whose neurons may be said to respond, with their part in the lead of the said class.
        unspoken: what is among the strongest neurons for either and not spoken of, in words.
        why_said: the sentence that explains the said class.
        why_shown: the sentence that explains the shown class.
        noun: what readers call a unit.
    """

    image: str
    shown: Score
    said: Score
    rank: int
    classes: tuple[Score, ...]
    for_said: SpeaksFor
    for_shown: SpeaksFor
    responding: tuple[ConceptPart, ...]
    unspoken: str
    why_said: str
    why_shown: str
    noun: UnitNoun = "neuron"

    @property
    def lead(self) -> float:
        """By how much the score of the said class exceeds that of the shown one."""
        return self.said.logit - self.shown.logit

    @property
    def is_in_top(self) -> bool:
        """Whether the shown class is among the five most probable."""
        return self.rank <= TOP


@dataclass(frozen=True, slots=True)
class CheckedPhotograph:
    """What the network says of a photograph whose class is known.

    Attributes:
        image: its path in the folder.
        shown: the index of the class that it shows.
        rank: the place of that class among all, from 1, where the network is right.
        mistake: the mistake, if it is one.
    """

    image: str
    shown: int
    rank: int
    mistake: Mistake | None = None


def check_photographs(work: PhotographPass, explainer: Explainer) -> list[CheckedPhotograph]:
    """Look at photographs whose class is known, and explain the mistakes, in one pass.

    Raises:
        NeuronExplainError: as :meth:`PhotographPass.records`.
    """
    records = work.records("mistakes", asdict(explainer.rules), partial(_observe, explainer))
    return [msgspec.convert(record, CheckedPhotograph) for record in records]


def _observe(explainer: Explainer, batch: LabelledBatch) -> list[Record]:
    logits = batch.result.scores.detach().double().cpu()
    said = logits.numpy().argmax(1).tolist()  # of equal scores the first, as ranks count them
    wrong = [number for number, shown in enumerate(batch.classes) if shown != said[number]]
    comparisons = explainer.compare_each(
        [(batch.names[number], batch.photographs[number]) for number in wrong],
        [(said[number], batch.classes[number]) for number in wrong],
        batch_size=max(len(wrong), 1),
    )
    mistakes = dict(zip(wrong, comparisons, strict=True))
    return [
        msgspec.to_builtins(_checked(name, shown, scores, mistakes.get(number)))
        for number, (name, shown, scores) in enumerate(zip(batch.names, batch.classes, logits, strict=True))
    ]


def _checked(
    name: str, shown: int, logits: Float64[Tensor, " classes"], comparison: Comparison | None
) -> CheckedPhotograph:
    rank = 1 + int((logits > logits[shown]).sum()) + int((logits[:shown] == logits[shown]).sum())
    if comparison is None:
        return CheckedPhotograph(name, shown, rank)
    return CheckedPhotograph(name, shown, rank, _mistake(name, rank, comparison))


def _mistake(name: str, rank: int, comparison: Comparison) -> Mistake:
    said, shown = comparison.answers
    for_said, for_shown = comparison.contrasts
    return Mistake(
        image=name,
        shown=shown.target,
        said=said.target,
        rank=rank,
        classes=said.classes,
        for_said=_speaks_for(for_said),
        for_shown=_speaks_for(for_shown),
        responding=tuple(_parts(for_said.responding)),
        unspoken=say_unspoken(for_said),
        why_said=said.sentence,
        why_shown=shown.sentence,
        noun=for_said.noun,
    )


def _speaks_for(contrast: Contrast) -> SpeaksFor:
    parts = tuple(_parts(persuasive((*contrast.top, *contrast.bottom))))
    return SpeaksFor(parts, contrast.loss, contrast.gain)


def _parts(units: Sequence[RankedUnit]) -> Iterator[ConceptPart]:
    """Units by their names, in the order of the first of each name."""
    by_name: dict[str, list[RankedUnit]] = {}
    for unit in units:
        if unit.meaning is not None:
            by_name.setdefault(unit.meaning.spoken, []).append(unit)
    for spoken, namesakes in by_name.items():
        meaning, truths = namesakes[0].meaning, [unit.truth for unit in namesakes if unit.truth is not None]
        assert meaning is not None
        yield ConceptPart(
            concept=spoken,
            category=meaning.category,
            is_formula=len(meaning.concepts) > 1,
            units=tuple(unit.unit for unit in namesakes),
            truth=max(truths, default=None),
            effect=sum(unit.effect for unit in namesakes),
        )
