"""Photographs with shapes that people drew, as annotation tools keep them: painted in order, the last on top.

Every word for a shape is an ``object``, and every word for a whole photograph a ``scene``: tools have no other
categories. Photographs that carry neither are left out. What covers no pixels (lines, points) is passed over, and both
are counted.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.csv_tables import LARGEST
from dissection.concepts.folders import Folder
from dissection.concepts.label_maps import bad_image, check_size, shrink
from dissection.concepts.problems import BadFileError
from dissection.errors import PhotographError
from dissection.images.photographs import open_photograph, photograph_size
from dissection.vocabulary import Concept, Labels

from .label_table import plain
from .outlines import BadRegionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from PIL import Image

    from dissection.images.image_files import Encoded

    from .outlines import Outline

SHAPE, WHOLE = "object", "scene"
"""The categories of words for shapes and for whole photographs."""

BOX = "box"
"""How a shape is counted that is a box: it is filled to its edges."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape and its word; an empty word means that what it covers is not labelled."""

    word: str
    outline: Outline


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn on a photograph.

    Attributes:
        shapes: in the order in which they are painted.
        words: words for the whole photograph.
        size: the photograph's height and width as the tool wrote them down, if it does.
        kinds: how many shapes of a kind there are that are worth a remark: `BOX`, or kinds that were passed over.
    """

    shapes: tuple[Shape, ...] = ()
    words: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    kinds: Counter[str] | None = None


@dataclass(frozen=True, slots=True)
class DrawnPhotograph:
    """A photograph, and where to read what is drawn on it.

    Attributes:
        name: its name in the dataset.
        source: the file that tells what is drawn on it.
        files: what it is made of, the photograph first.
        picture: gives the photograph's file, or its bytes where another file holds them.
        drawing: reads what is drawn on it.
        extra: what its labels depend on besides the contents of its files.
    """

    name: str
    source: Path
    files: tuple[Path, ...]
    picture: Callable[[], Path | Encoded]
    drawing: Callable[[], Drawing]
    extra: str = ""


class Drawings(Folder):
    """Photographs with drawn shapes as a ``ConceptDataset``.

    Args:
        root: the dataset's folder.
        photographs: all that the tool knows, also those without shapes.
        label_size: height and width of the label maps.
        present: how many photographs the folder holds, also those that the tool does not know.

    Raises:
        ConceptDataError: if no photograph has a label, two have one name, or a word has no letters.
    """

    def __init__(self, root: Path, photographs: Iterable[DrawnPhotograph], label_size: int, *, present: int) -> None:
        self._photographs: list[DrawnPhotograph] = []
        self._kinds: Counter[str] = Counter()
        words: dict[str, set[str]] = {SHAPE: set(), WHOLE: set()}
        for photograph in photographs:
            drawing = photograph.drawing()
            shown = {plain(shape.word) for shape in drawing.shapes if shape.word}, set(map(plain, drawing.words))
            if "" in shown[0] | shown[1]:
                raise BadFileError(photograph.source, "a label is made of underscores alone; name it or remove it")
            words[SHAPE] |= shown[0]
            words[WHOLE] |= shown[1]
            self._kinds.update(drawing.kinds or {})
            if any(shown):
                self._photographs.append(photograph)
        self._refuse_twins()
        if not self._photographs:
            raise BadFileError(root, f"none of its {present} photographs has a label; at least one is needed")
        self._bare = present - sum(photograph.files[0] != photograph.source for photograph in self._photographs)
        pairs = [(category, word) for category, known in words.items() for word in sorted(known)]
        if len(pairs) > LARGEST:
            raise BadFileError(
                root, f"it has {len(pairs)} different labels; at most {LARGEST} are possible: leave some out"
            )
        self._numbers = {pair: number for number, pair in enumerate(pairs, start=1)}
        self._label_size = label_size
        super().__init__(
            root, {number: Concept(number, word, category) for (category, word), number in self._numbers.items()}
        )

    @property
    def remarks(self) -> Sequence[str]:
        """What was left out or taken for something else, each in a sentence."""
        boxes = self._kinds[BOX]
        passed = [f"{kind} ({count})" for kind, count in sorted(self._kinds.items()) if kind != BOX]
        told = (
            (self._bare, f"Photographs without a label, which are left out: {self._bare}."),
            (boxes, f"Boxes, which are filled to their edges: {boxes}."),
            (len(passed), f"Shapes that cover no area, which are passed over: {', '.join(passed)}."),
        )
        return [sentence for number, sentence in told if number]

    def __len__(self) -> int:
        return len(self._photographs)

    def image_name(self, index: int) -> str:
        """The photograph's path inside the dataset."""
        return self._photographs[index].name

    def photograph(self, index: int) -> Image.Image:
        """The photograph at its own size."""
        photograph = self._photographs[index]
        try:
            return open_photograph(photograph.picture())
        except PhotographError as error:
            raise bad_image(photograph.files[0], error) from error

    def labels(self, index: int) -> Labels:
        """One map of what is on top, if anything is, and the words for the whole photograph."""
        photograph = self._photographs[index]
        drawing, codes = photograph.drawing(), np.zeros(self._size(photograph), np.int32)
        if drawing.size is not None:
            check_size(photograph.files[0], codes.shape, drawing.size, f"{photograph.source.name} says")
        for shape in drawing.shapes:
            try:
                mask = shape.outline.mask(codes.shape)
            except BadRegionError as error:
                problem = f"a shape of {shape.word!r} on {photograph.name} cannot be drawn ({error}); correct it"
                raise BadFileError(photograph.source, problem) from error
            codes[mask] = self._numbers[SHAPE, plain(shape.word)] if shape.word else 0
        layers = [shrink(codes, self._label_size, self._label_size)] if codes.any() else []
        maps = np.stack(layers) if layers else np.zeros((0, self._label_size, self._label_size), np.int32)
        return Labels(maps, tuple(sorted({self._numbers[WHOLE, plain(word)] for word in drawing.words})))

    def files(self, index: int) -> Sequence[Path]:
        """What the image is made of, the photograph first."""
        return self._photographs[index].files

    def fingerprint_extra(self, index: int) -> str:
        """What the labels depend on besides the files' contents, for a fingerprint."""
        return json.dumps([self._label_size, self._photographs[index].extra])

    def _size(self, photograph: DrawnPhotograph) -> tuple[int, int]:
        try:
            width, height = photograph_size(photograph.picture())
        except PhotographError as error:
            raise bad_image(photograph.files[0], error) from error
        return height, width

    def _refuse_twins(self) -> None:
        sources: dict[str, Path] = {}
        for photograph in self._photographs:
            if photograph.name in sources:
                raise BadFileError(
                    photograph.source,
                    f"{photograph.name} is labelled in {sources[photograph.name].name} too; keep one of the two",
                )
            sources[photograph.name] = photograph.source
