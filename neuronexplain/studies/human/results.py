"""What the ratings say, in the form of the paper's Table 2.

Human classification accuracy is the share of ratings that name the category that was explained (Sec. 5.1); relative
reliability is the mean score of the first network over the second (Sec. 5.2). Intervals treat ratings of one rater,
and of one image, as alike: see :mod:`neuronexplain.metrics.rated`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from neuronexplain.evaluation.tables import Report, shown
from neuronexplain.methods import METHODS
from neuronexplain.metrics.rated import difference_of_ratings, mean_rating
from neuronexplain.sentence import nothing_to_say

from .errors import StudyError
from .questions import SENTENCE, score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from neuronexplain.evaluation.tables import TableRow
    from neuronexplain.metrics.intervals import Figure

    from .questions import Rating
    from .ratings import Raters
    from .study import Study

_FIGURES = {"discrimination": "accuracy", "trust": "reliability"}
_HEADINGS = {"accuracy": "human classification accuracy %", "reliability": "relative reliability"}
_SECTIONS = {"discrimination": "Class discrimination (Sec. 5.1)", "trust": "Trust (Sec. 5.2)"}

PLAYED = "PLAYED RATERS, NOT PEOPLE"
"""How every table of played raters begins."""

_COMPARED = (("deconv-grad-cam", "deconvolution"), ("guided-grad-cam", "guided-backprop"))
"""Pairs of which the paper reports what Grad-CAM adds."""


class StudyResults:
    """The results of one study.

    Args:
        study: the study.
        ratings: its ratings.
        raters: who gave them.

    Raises:
        StudyError: if there are no ratings.
    """

    def __init__(self, study: Study, ratings: Sequence[Rating], raters: Raters) -> None:
        if not ratings:
            whose = "of played raters " if raters == "played" else ""
            raise StudyError(f"{study.folder} has no ratings {whose}yet; collect them with `neuronexplain study serve`")
        self.study, self.ratings = study, ratings
        self.raters: Raters = raters
        solutions = [study.solutions[rating.question] for rating in ratings]
        scale = 100 if study.kind == "discrimination" else 1
        self._visualisations = [solution.visualisation for solution in solutions]
        self._images = [solution.image for solution in solutions]
        self._raters = [rating.rater for rating in ratings]
        self._scores = [
            scale * score(study.kind, solution, rating.answer)
            for solution, rating in zip(solutions, ratings, strict=True)
        ]

    @property
    def figures(self) -> Mapping[str, Figure]:
        """The accuracy in per cent, or the relative reliability, of each visualisation that has ratings."""
        return {
            name: mean_rating(*self._of(chosen))
            for name in self.study.heading["visualisations"]
            if (chosen := [index for index, other in enumerate(self._visualisations) if other == name])
        }

    @property
    def rows(self) -> Sequence[TableRow]:
        """A row for each visualisation that has ratings."""
        return tuple(
            {"method": title(name), _FIGURES[self.study.kind]: figure, **self._counts(name), "images": figure.images}
            for name, figure in self.figures.items()
        )

    @property
    def gains(self) -> Sequence[str]:
        """What Grad-CAM adds to each method, in words."""
        unit = " points of accuracy" if self.study.kind == "discrimination" else " of relative reliability"
        gains = []
        for fused, plain in _COMPARED:
            chosen = [index for index, name in enumerate(self._visualisations) if name in {fused, plain}]
            if {self._visualisations[index] for index in chosen} == {fused, plain}:
                values, raters, images = self._of(chosen)
                is_fused = [self._visualisations[index] == fused for index in chosen]
                gain = difference_of_ratings(values, is_fused, raters, images)
                gains.append(f"Grad-CAM adds {shown(gain)}{unit} to {title(plain)}")
        return gains

    @property
    def notes(self) -> Sequence[str]:
        """What a reader must know about the figures."""
        heading = self.study.heading
        networks = [network["name"] for network in heading["networks"]]
        of = f"of {networks[0]}" if self.study.kind == "discrimination" else f"of {networks[0]} over {networks[1]}"
        needed = heading["ratings"] * len(self.study.questions)
        collected = "" if len(self.ratings) >= needed else f": {len(self.ratings)} of {needed} ratings, so not finished"
        chance = "; guessing gives 50 %" if self.study.kind == "discrimination" else "; from -2 to +2"
        notes = [f"{_SECTIONS[self.study.kind]}: {of}, on {heading['data name']}{chance}{collected}", *self.gains]
        return [*notes, *self._silent()]

    def _silent(self) -> Sequence[str]:
        """How many sentences say nothing: a rater can only guess what they are for."""
        sentences = [
            stimulus.text
            for question in self.study.questions.values()
            for stimulus in question.stimuli
            if self.study.solutions[question.id].visualisation == SENTENCE
        ]
        empty = sum(text in {nothing_to_say("neuron"), nothing_to_say("feature")} for text in sentences)
        return [f"{empty} of {len(sentences)} sentences say nothing"] if empty else []

    def _of(self, chosen: Sequence[int]) -> tuple[list[float], list[str], list[str]]:
        return (
            [self._scores[index] for index in chosen],
            [self._raters[index] for index in chosen],
            [self._images[index] for index in chosen],
        )

    def _counts(self, name: str) -> Mapping[str, int]:
        chosen = [index for index, other in enumerate(self._visualisations) if other == name]
        return {"ratings": len(chosen), "raters": len({self._raters[index] for index in chosen})}


def table(results: Sequence[StudyResults]) -> Report:
    """One table of one study, or of one of each kind: the paper's Table 2.

    Raises:
        StudyError: if there are several studies of one kind, or people's ratings beside played ones.
    """
    kinds = Counter(result.study.kind for result in results)
    if max(kinds.values()) > 1:
        raise StudyError("a table holds one study of each kind; name one of discrimination, one of trust, or both")
    raters = {result.raters for result in results}
    if len(raters) > 1:
        raise StudyError("ratings of people and of played raters are never in one table; name studies of one kind")
    is_played = raters == {"played"}
    columns = {"method": "visualisation"}
    for result in results:
        columns[_FIGURES[result.study.kind]] = _HEADINGS[_FIGURES[result.study.kind]]
    if len(results) == 1:
        columns |= {"ratings": "ratings", "raters": "raters", "images": "images"}
    by_method: dict[str, dict[str, Any]] = {}
    for result in results:
        for row in result.rows:
            by_method.setdefault(str(row["method"]), {}).update(row)
    rows = tuple({key: row.get(key) for key in columns} for row in by_method.values())
    notes = [note for result in results for note in result.notes]
    heading = f"{PLAYED}: " if is_played else ""
    if is_played:
        notes.insert(0, "programs gave these ratings; they say nothing about what people see")
    return Report(f"{heading}What raters say of explanations (Table 2)", columns, rows, tuple(notes))


def title(visualisation: str) -> str:
    """A visualisation's name for readers."""
    return "Sentence" if visualisation == SENTENCE else METHODS[visualisation].title
