"""The linter for concept datasets: it finds everything wrong with one before hours are spent on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dissection.concepts.broden.layout import BrodenLayout

from .layouts import open_layout
from .problems import BadFileError, Problem
from .surveys import Survey, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

    from dissection.vocabulary import ConceptSupport

    from .plain_layout import PlainLayout
    from .problems import Counter


_SHOWN = 20
"""How many images without a label are named."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the linter found.

    Attributes:
        problems: everything that is wrong or odd, in the order of the files.
        survey: how much of each concept the good label maps show.
    """

    problems: tuple[Problem, ...]
    survey: Survey


def check(path: str | PathLike[str], *, progress: Counter | None = None) -> list[Problem]:
    """Every bad file and line of the dataset in a folder; an empty list if all is well."""
    return list(inspect(path, progress=progress).problems)


def inspect(path: str | PathLike[str], *, progress: Counter | None = None) -> Inspection:
    """Read the whole dataset once, for the problems that ``check`` returns and for the survey."""
    root = Path(path)
    problems: dict[Problem, None] = {}  # a file that two readers refuse is one problem
    incomplete = False

    def report(error: BadFileError) -> None:
        nonlocal incomplete
        incomplete |= error.severity == "error"
        problems[error.problem(root)] = None

    try:
        layout = open_layout(root, report)
    except BadFileError as error:
        return Inspection((error.problem(root),), Survey(0, 0, ()))
    tally, unlabelled = Tally(layout.concepts), list[int]()
    for index in range(len(layout)):
        try:
            layout.photograph(index)
        except BadFileError as error:
            problems[error.problem(root)] = None
        labels = layout.read_labels(index, report)
        tally.add(labels)
        if len(labels.maps) and not (labels.maps.any() or labels.whole):
            unlabelled.append(index)
        if progress is not None:
            progress(index + 1, len(layout))
    survey = tally.survey()
    miscounted = () if incomplete else _miscounted(layout, survey)
    oddities = (*_empty(root, layout, unlabelled), *_unused(layout, survey), *miscounted)
    return Inspection((*problems, *oddities), survey)


def _empty(root: Path, layout: BrodenLayout | PlainLayout, unlabelled: Sequence[int]) -> Iterator[Problem]:
    """Label maps without a label: a few may be meant, all cannot be."""
    if unlabelled and len(unlabelled) == len(layout):
        yield Problem(".", "every label map is 0 throughout, so nothing is labelled; write the labels into them")
    for index in unlabelled[:_SHOWN]:
        for file in layout.files(index)[1:]:
            yield BadFileError(
                file,
                "it is 0 throughout, so nothing in this image is labelled; label it, if something in it has a name",
                "warning",
            ).problem(root)
    if len(unlabelled) > _SHOWN:
        yield Problem(
            ".",
            f"{len(unlabelled) - _SHOWN} more images have label maps of 0 throughout; label them, if something in "
            "them has a name",
            "warning",
        )


def _unused(layout: BrodenLayout | PlainLayout, survey: Survey) -> Iterator[Problem]:
    if not survey.images:
        yield Problem(".", "there are no images that can be used; at least one is needed")
        return
    table = "label.csv" if isinstance(layout, BrodenLayout) else "concepts.csv"
    for support in survey.concepts:
        if not support.images:
            yield Problem(
                table,
                f"label {_number_and_name(support)} is on no image; remove it, unless images of it are to come",
                "warning",
            )


def _miscounted(layout: BrodenLayout | PlainLayout, survey: Survey) -> Iterator[Problem]:
    frequency = layout.frequency if isinstance(layout, BrodenLayout) else {}
    for support in survey.concepts:
        stated = frequency.get(support.concept.number, support.images)
        if support.images and stated != support.images:
            counts = f"label {_number_and_name(support)} is on {support.images} images, frequency says {stated:g}"
            yield Problem("label.csv", f"{counts}; correct one of the two", "warning")


def _number_and_name(support: ConceptSupport) -> str:
    return f"{support.concept.number} ({support.concept.name})"
