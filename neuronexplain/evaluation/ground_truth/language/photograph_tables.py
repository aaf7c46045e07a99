"""A folder of photographs beside a CSV file with captions of them, or questions about them.

::

    captions.csv      image,caption                        one line for each caption
    questions.csv     image,question,answer[,kind][,id]    one line for each question
    ...               the photographs: image is a path in the folder, or in its folder images/
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from dissection.concepts.csv_tables import header, read_table
from dissection.concepts.problems import BadFileError, stop
from dissection.files.paths import leads_out, readable
from dissection.images.photographs import open_photograph
from neuronexplain.evaluation.ground_truth.stamps import digest, stamp
from neuronexplain.evaluation.ground_truth.truth import AnnotatedImage, Question

from .plain_words import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from dissection.concepts.csv_tables import CsvRow
    from neuronexplain.evaluation.ground_truth.truth import Objects

    from .gaze_maps import GazeMaps

Line = TypeVar("Line")
_CAPTIONS, _QUESTIONS = "captions.csv", "questions.csv"


class CaptionedPhotographs:
    """Photographs and captions of them; nobody says what is where.

    Args:
        root: the folder, or the CSV file in it.

    Raises:
        ConceptDataError: if the table is not in this form.
    """

    def __init__(self, root: Path) -> None:
        self._table = _read(_file(root, _CAPTIONS), ("image", "caption"), _caption)
        self.name = readable(self._table.file.parent.name)
        self.objects: Objects = {}

    def __len__(self) -> int:
        return len(self._table.images)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph and its captions."""
        name, captions = self._table.images[index]
        return AnnotatedImage(readable(name), open_photograph(self._table.photograph(name)), {}, captions=captions)

    def identity(self) -> str:
        """Names and sizes of the photographs, and the table."""
        return self._table.identity()


class AskedPhotographs:
    """Photographs and questions about them; nobody says what is where.

    Args:
        root: the folder, or the CSV file in it.
        gazes: where people looked to answer them; questions without any are left out then.

    Raises:
        ConceptDataError: if the table is not in this form, or no question is left.
    """

    def __init__(self, root: Path, *, gazes: GazeMaps | None = None) -> None:
        file = _file(root, _QUESTIONS)
        known = header(file)
        optional = [column for column in ("kind", "id") if column in known]
        if gazes is not None and "id" not in optional:
            raise BadFileError(file, "it has no column id, by which the maps of where people look are found; add it")
        table = _read(file, ("image", "question", "answer", *optional), _question)
        images = [(name, [q for q in questions if gazes is None or gazes.of(q.id)]) for name, questions in table.images]
        self._table = _Table(table.file, [(name, tuple(questions)) for name, questions in images if questions])
        if not self._table.images:
            raise BadFileError(
                file,
                f"none of its questions has a map in {gazes and gazes.folder}; name the maps by the "
                "questions' ids, such as ID_1.png",
            )
        self._gazes = gazes
        self.name = readable(file.parent.name)
        self.objects: Objects = {}

    def __len__(self) -> int:
        return len(self._table.images)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph and what is asked about it."""
        name, rows = self._table.images[index]
        photograph = open_photograph(self._table.photograph(name))
        questions = [
            Question(row.text, row.answer, row.kind, gazes=self._gazes.read(row.id) if self._gazes else ())
            for row in rows
        ]
        return AnnotatedImage(readable(name), photograph, {}, questions=tuple(questions))

    def identity(self) -> str:
        """Names and sizes of the photographs, the table, and where people looked."""
        gazes = self._gazes.identity() if self._gazes else ""
        return f"{self._table.identity()} {gazes}"


@dataclass(frozen=True, slots=True)
class _QuestionRow:
    text: str
    answer: str
    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class _Table(Generic[Line]):
    """The lines of a table, by image, in the order of the file."""

    file: Path
    images: Sequence[tuple[str, tuple[Line, ...]]]

    def photograph(self, name: str) -> Path:
        """The file of a photograph."""
        beside, inside = self.file.parent / name, self.file.parent / "images" / name
        return inside if inside.is_file() and not beside.is_file() else beside

    def identity(self) -> str:
        """Names and sizes of the photographs, and the file."""
        return digest([self.file, *(stamp(self.photograph(name)) for name, _ in self.images)])


def _file(root: Path, name: str) -> Path:
    return root / name if root.is_dir() else root


def _read(file: Path, columns: Iterable[str], parse: Callable[[Mapping[str, str], CsvRow], Line]) -> _Table[Line]:
    by_image: defaultdict[str, list[Line]] = defaultdict(list)

    def line(row: CsvRow) -> tuple[str, Line]:
        image = row.text("image")
        if leads_out(image):
            raise row.bad(f"image {image!r} leads out of the folder; a path inside it is needed")
        return image, parse(row.cells, row)

    for image, value in read_table(file, [*columns], line, stop):
        by_image[image].append(value)
    if not by_image:
        raise BadFileError(file, "it has no lines; at least one is needed")
    return _Table(file, [(image, tuple(values)) for image, values in by_image.items()])


def _caption(_cells: Mapping[str, str], row: CsvRow) -> str:
    words = plain(row.text("caption"))
    if not words:
        raise row.bad(f"caption {row.cells['caption']!r} has no words; write some")
    return words


def _question(cells: Mapping[str, str], row: CsvRow) -> _QuestionRow:
    return _QuestionRow(row.text("question"), row.text("answer"), cells.get("kind", ""), cells.get("id", ""))
