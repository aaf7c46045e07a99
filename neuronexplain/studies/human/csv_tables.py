"""Studies for other platforms: questions as CSV to load into one, and ratings as CSV to read back.

A row of the questions is what one page shows, so each question has two rows, one for each order; ``ratings`` says how
many raters are to see it. A row of the ratings is one answer, as the rater saw it::

    rater,item,answer,played
    w1,3f7c…-1,2,no

An answer of a discrimination study is 1 or 2, the option that was chosen; one of a trust study is -2 to 2, where 2
means that robot A is clearly more reliable. ``played`` says whether the rater was a program.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from dissection.plain_text import cell

from .errors import StudyError
from .questions import Rating, answers_of, turned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .questions import Question, StudyKind
    from .ratings import Raters
    from .study import Study

_COLUMNS: Mapping[StudyKind, tuple[str, ...]] = {
    "discrimination": ("item", "picture", "text", "option_1", "option_2", "ratings"),
    "trust": ("item", "predicted", "picture_a", "text_a", "picture_b", "text_b", "ratings"),
}
_RATING_COLUMNS = ("rater", "item", "answer", "played")
_PLAYED: Mapping[str, Raters] = {"yes": "played", "no": "people"}
_ORDERS = {"1": False, "2": True}
"""The end of an item's name, and whether labels or stimuli are in the other order."""


def questions_csv(kind: StudyKind, questions: Sequence[Question], ratings: int) -> bytes:
    """The questions as CSV, with the names of their pictures.

    Args:
        kind: what raters are asked.
        questions: the questions.
        ratings: how many ratings each needs; each order gets half, and the odd one goes to either order in turn.
    """
    rows = [
        _row(kind, question, order, (ratings + (number + swapped) % 2) // 2)
        for number, question in enumerate(questions)
        for order, swapped in _ORDERS.items()
    ]
    return _written(_COLUMNS[kind], rows)


def ratings_csv(study: Study, ratings: Sequence[Rating], raters: Raters) -> bytes:
    """Ratings as CSV, in the questions' first order."""
    played = next(word for word, kind in _PLAYED.items() if kind == raters)
    first = next(iter(_ORDERS))
    rows = [
        {
            "rater": cell(rating.rater),
            "item": f"{rating.question}-{first}",
            "answer": rating.answer + 1 if study.kind == "discrimination" else rating.answer,
            "played": played,
        }
        for rating in ratings
    ]
    return _written(_RATING_COLUMNS, rows)


def read_ratings(study: Study, file: Path) -> tuple[list[Rating], Raters]:
    """The ratings in a CSV file, and who gave them.

    Raises:
        StudyError: if the file is not such a table, has an item or an answer that the study has not, has two ratings of
            one question by one rater, or mixes people and played raters.
    """
    ratings: dict[tuple[str, str], Rating] = {}
    raters: set[Raters] = set()
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            if missing := [name for name in _RATING_COLUMNS if name not in (reader.fieldnames or ())]:
                raise StudyError(
                    f"{file} has no column {', '.join(missing)}; the columns {','.join(_RATING_COLUMNS)} are needed"
                )
            for row in reader:
                rating, of_whom = _rating(study, row, f"{file}, line {reader.line_num}")
                if (rating.rater, rating.question) in ratings:
                    raise StudyError(
                        f"{file}, line {reader.line_num}: {rating.rater!r} has rated that question before; keep the "
                        "first rating"
                    )
                ratings[rating.rater, rating.question] = rating
                raters.add(of_whom)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StudyError(f"{file} cannot be read as CSV in UTF-8 ({error}); export it again") from error
    if len(raters) > 1:
        raise StudyError(f"{file} mixes people and played raters, which are never in one table; keep one kind")
    return list(ratings.values()), raters.pop() if raters else "people"


def _row(kind: StudyKind, question: Question, order: str, ratings: int) -> dict[str, object]:
    swapped = _ORDERS[order]
    labels = [cell(label) for label in question.labels][:: -1 if swapped else 1]
    stimuli = question.stimuli[:: -1 if swapped else 1]
    row: dict[str, object] = {"item": f"{question.id}-{order}", "ratings": ratings}
    if kind == "discrimination":
        (stimulus,) = stimuli
        return row | {
            "picture": stimulus.picture,
            "text": cell(stimulus.text),
            "option_1": labels[0],
            "option_2": labels[1],
        }
    row["predicted"] = labels[0]
    for letter, stimulus in zip("ab", stimuli, strict=True):
        row |= {f"picture_{letter}": stimulus.picture, f"text_{letter}": cell(stimulus.text)}
    return row


def _rating(study: Study, row: Mapping[str | None, str | None], where: str) -> tuple[Rating, Raters]:
    rater, item, answer, played = ((row.get(name) or "").strip() for name in _RATING_COLUMNS)
    question, _, order = item.rpartition("-")
    if not rater:
        raise StudyError(f"{where}: no rater is named; every rating needs one")
    if question not in study.questions or order not in _ORDERS:
        raise StudyError(f"{where}: the study has no item {item!r}; name the study that was rated")
    if played not in _PLAYED:
        raise StudyError(f"{where}: played is {played!r}; choose 'no' for people or 'yes' for programs")
    shift = 1 if study.kind == "discrimination" else 0
    answers = {str(possible + shift): possible for possible in answers_of(study.kind)}
    if answer not in answers:
        raise StudyError(f"{where}: the answer is {answer!r}; choose one of {', '.join(sorted(answers, key=int))}")
    value = turned(study.kind, answers[answer]) if _ORDERS[order] else answers[answer]
    return Rating(rater, question, value), _PLAYED[played]


def _written(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()
