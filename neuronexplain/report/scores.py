"""The classes that an explanation's page shows, and what each of them is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuronexplain.answer import Answer
    from neuronexplain.vocabulary import Score


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A class's score, and whether it is the predicted one, the explained one or the true one."""

    score: Score
    roles: tuple[str, ...]


def score_rows(explanation: Answer) -> list[ScoreRow]:
    """The most probable classes, then the explained and the true one where they are not among them."""
    special = {"predicted": explanation.prediction, "explained": explanation.target, "true": explanation.true_class}
    if explanation.target.index == explanation.prediction.index:
        del special["explained"]
    shown = {score.index: score for score in (*explanation.classes, *filter(None, special.values()))}
    return [
        ScoreRow(score, tuple(role for role, of_role in special.items() if of_role and of_role.index == index))
        for index, score in shown.items()
    ]
