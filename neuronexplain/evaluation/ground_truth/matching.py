"""Which of a network's classes mean which object of a dataset.

Classes are matched by name (``sofa`` is ``couch``) and, if they are ImageNet's, also by a table of their numbers. A
user's table, a CSV file with the columns ``class`` and ``object``, replaces both.
"""

from __future__ import annotations

import csv
from importlib import resources
from typing import TYPE_CHECKING

from dissection.concepts.problems import BadFileError
from dissection.errors import ConceptDataError
from neuronexplain.classes import find_class, normal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .truth import Objects

_SYNONYMS = (
    {"aeroplane", "airplane"},
    {"motorbike", "motorcycle"},
    {"sofa", "couch", "studio couch"},
    {"tv", "tvmonitor", "tv monitor", "television"},
    {"pottedplant", "potted plant"},
    {"diningtable", "dining table"},
    {"cell phone", "mobile phone", "cellular telephone"},
    {"fridge", "refrigerator"},
    {"keyboard", "computer keyboard"},
    {"remote", "remote control"},
    {"toilet", "toilet seat"},
)
_LANDMARKS = {1: "goldfish", 207: "golden retriever", 404: "airliner", 671: "mountain bike", 954: "banana"}
"""Classes of ImageNet whose labels are the same in every list."""
_SHOWN = 8


def match(objects: Iterable[str], classes: Sequence[str], *, table: Path | None = None) -> Objects:
    """The classes that mean each object, without the objects that no class means.

    Args:
        objects: names of a dataset's objects.
        classes: the network's labels.
        table: a CSV file with the columns ``class`` (label, synonym or number) and ``object``, used instead of names.

    Raises:
        ConceptDataError: if no class means any of the objects, or the table cannot be used.
    """
    names = list(dict.fromkeys(objects))
    classes_of = _by_table(names, classes, table) if table else _by_name(names, classes)
    matched = {name: tuple(sorted(classes_of[name])) for name in names if classes_of[name]}
    if not matched:
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        raise ConceptDataError(
            f"no class of the network ({', '.join(classes[:3])}, ...) means one of the objects {shown}; "
            "give a table with the columns class,object (--matches)"
        )
    return matched


def _by_name(names: Sequence[str], classes: Sequence[str]) -> dict[str, set[int]]:
    labels: dict[str, set[int]] = {}
    for index, label in enumerate(classes):
        for word in label.split(","):
            labels.setdefault(normal(word), set()).add(index)
    classes_of = {name: set[int]().union(*(labels.get(word, set()) for word in _words(name))) for name in names}
    if is_imagenet(classes):
        for first, last, object_name in _imagenet():
            for name in names:
                if object_name in _words(name):
                    classes_of[name].update(range(first, last + 1))
    return classes_of


def is_imagenet(classes: Sequence[str]) -> bool:
    """Whether these are ImageNet's 1000 classes in their usual order."""
    return len(classes) == 1000 and all(normal(classes[n]).startswith(label) for n, label in _LANDMARKS.items())


def _words(name: str) -> set[str]:
    """An object's name and its synonyms, without endings of panoptic data such as ``-merged``."""
    plain = normal(name).removesuffix(" merged").removesuffix(" other").removesuffix(" stuff")
    return {plain}.union(*(group for group in _SYNONYMS if plain in group))


def _imagenet() -> list[tuple[int, int, str]]:
    text = resources.files(__name__.rpartition(".")[0]).joinpath("imagenet.csv").read_text("utf-8")
    return [(int(row["first"]), int(row["last"]), row["object"]) for row in csv.DictReader(text.splitlines())]


def _by_table(names: Sequence[str], classes: Sequence[str], table: Path) -> dict[str, set[int]]:
    classes_of: dict[str, set[int]] = {name: set() for name in names}
    names_by_normal = {normal(name): name for name in names}
    for line, row in enumerate(_rows(table), 2):
        matched_name = names_by_normal.get(normal(row["object"] or ""))
        if matched_name is None:
            raise BadFileError(
                table, f"line {line}: the data has no object {row['object']!r}; choose one of {_some(names)}"
            )
        classes_of[matched_name].add(find_class(classes, row["class"] or ""))
    return classes_of


def _rows(table: Path) -> list[dict[str, str | None]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not {"class", "object"} <= set(reader.fieldnames or ()):
                raise BadFileError(table, f"its columns are {reader.fieldnames}; class,object are needed")
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadFileError(table, f"it cannot be read ({error}); a CSV file with class,object is needed") from error


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
