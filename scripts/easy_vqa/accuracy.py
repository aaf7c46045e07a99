"""How many questions are answered rightly, beside what can be answered without a look at the picture."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np
import torch
from questions import KINDS
from training import EncodedPictures

from neuronexplain.evaluation.tables import Report
from neuronexplain.metrics.intervals import difference, figure

if TYPE_CHECKING:
    from answerer import Answerer
    from jaxtyping import Bool, Float64
    from questions import AskedPictures

_COLUMNS = {
    "kind": "asked for",
    "questions": "questions",
    "right": "right, %",
    "habit": "by the question alone, %",
    "seen": "difference",
}


def report_accuracy(answerer: Answerer, learnt_from: AskedPictures, data: AskedPictures) -> Report:
    """The share of right answers by kind of question, with intervals over pictures.

    Args:
        answerer: who is asked, in eval mode.
        learnt_from: what the habits are counted on.
        data: what is asked.
    """
    encoded = EncodedPictures.of(data, answerer)
    said = encoded.said(answerer, torch.arange(len(data.questions)))
    is_right = (said == encoded.answer).numpy()
    habits = usual_answers(learnt_from)
    is_usual = np.array([habits.get(question.text) == question.answer for question in data.questions])
    rows = []
    for kind in (*KINDS, "all"):
        is_asked = np.array([kind in {question.kind, "all"} for question in data.questions])
        asked, right, usual = (by_picture(values & is_asked, data) for values in (is_asked, is_right, is_usual))
        rows.append(
            {
                "kind": kind,
                "questions": int(is_asked.sum()),
                "right": figure(100 * right, asked),
                "habit": figure(100 * usual, asked),
                "seen": difference((100 * right, asked), (100 * usual, asked)),
            }
        )
    note = "by the question alone: the answer that most often went with the same words in training"
    return Report(f"Right answers about {len(data.pictures)} pictures", _COLUMNS, tuple(rows), (note,))


def usual_answers(data: AskedPictures) -> dict[str, str]:
    """The commonest answer to each question, which nobody who sees no pictures can better."""
    answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for question in data.questions:
        answers[question.text][question.answer] += 1
    return {text: counts.most_common(1)[0][0] for text, counts in answers.items()}


def by_picture(
    values: Bool[np.ndarray, " questions"] | Float64[np.ndarray, " questions"], data: AskedPictures
) -> Float64[np.ndarray, " pictures"]:
    """Sums over the questions about each picture."""
    picture = [question.picture for question in data.questions]
    return np.bincount(picture, np.asarray(values, np.float64), len(data.pictures))
