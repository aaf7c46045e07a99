"""How often words and answers are right, beside what can be guessed without looking: shared by both.

of another picture
    what the network says of other pictures, compared with what is right here.
guessed from the question, or from the place in the caption
    what is right most often in the other half of the images.
and the setting
    likewise, but only in images that show the same place. What asks for the place itself is not guessed from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuronexplain.metrics.guessing import guesses
from neuronexplain.metrics.intervals import difference, figure
from neuronexplain.metrics.pointing_game import halves

from .tables import Report

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from .tables import TableRow

PLACE = "place"
"""The kind of words and questions that tell, or ask for, the setting itself."""

_ALL = "all"


@dataclass(frozen=True, slots=True)
class Said:
    """Something that the network says, and what would be right.

    Attributes:
        kind: of what kind it is.
        known: what is known without looking: the question, or the place in the caption.
        right: what would be right.
        is_right: whether the network says that.
        beside: how often it says that of other pictures; None if there are none.
    """

    kind: str
    known: Hashable
    right: str
    is_right: bool
    beside: float | None


def accuracy_report(
    title: str,
    said: Sequence[Sequence[Said]],
    settings: Sequence[str],
    *,
    of_what: str,
    known: str,
    notes: Sequence[str],
    seed: int,
) -> Report:
    """A row for all, and for each kind.

    Args:
        title: what was measured.
        said: what is said of each image.
        settings: the setting of each image; empty where it is not known.
        of_what: what is said: words or answers.
        known: what is known without looking.
        notes: what a reader must know.
        seed: seed of the two halves of the images.
    """
    columns = {
        "kind": "kind",
        "right": "right %",
        "beside": "of another picture %",
        "guessed": f"guessed from the {known} %",
        "setting": "and the setting %",
        "lead": "ahead of guesses, points",
        "count": of_what,
        "images": "images",
    }
    if not any(settings):
        del columns["setting"]
    blind = _guessed(said, [""] * len(said), seed)
    placed = _guessed(said, settings, seed)
    kinds = dict.fromkeys(one.kind for of_image in said for one in of_image)
    rows = [_row(_ALL, said, blind, placed, None)]
    rows += [_row(kind or "no kind", said, blind, placed, kind) for kind in kinds if len(kinds) > 1]
    halved = "guesses are the most frequent in the other half of the images"
    return Report(title, columns, tuple(rows), (halved, *notes))


def _guessed(said: Sequence[Sequence[Said]], settings: Sequence[str], seed: int) -> list[list[bool]]:
    """Whether each would be right if it were guessed, from the setting too where that is not what is asked for."""
    flat = [(image, one) for image, of_image in enumerate(said) for one in of_image]
    known = [
        [(one.known, "" if one.kind == PLACE else settings[image]), (one.kind, one.known), one.kind]
        for image, one in flat
    ]
    half_of = halves(len(said), seed)
    guessed = guesses(known, [one.right for _, one in flat], [bool(half_of[image]) for image, _ in flat])
    remaining = iter(guess == one.right for guess, (_, one) in zip(guessed, flat, strict=True))
    return [[next(remaining) for _ in of_image] for of_image in said]


def _row(
    title: str,
    said: Sequence[Sequence[Said]],
    blind: Sequence[Sequence[bool]],
    placed: Sequence[Sequence[bool]],
    kind: str | None,
) -> TableRow:
    def shares(values: Sequence[Sequence[float | None]]) -> tuple[list[float], list[int]]:
        counted = [
            [
                value
                for one, value in zip(of_image, of_values, strict=True)
                if kind in {None, one.kind} and value is not None
            ]
            for of_image, of_values in zip(said, values, strict=True)
        ]
        return [100 * sum(values) for values in counted], [len(values) for values in counted]

    right = shares([[one.is_right for one in of_image] for of_image in said])
    return {
        "kind": title,
        "right": figure(*right),
        "beside": figure(*shares([[one.beside for one in of_image] for of_image in said])),
        "guessed": figure(*shares(blind)),
        "setting": figure(*shares(placed)),
        "lead": difference(right, shares(blind)),
        "count": sum(right[1]),
        "images": sum(map(bool, right[1])),
    }
