"""Ultralytics' layout for segmentation (docs.ultralytics.com, "Instance Segmentation Datasets Overview").

::

    data.yaml       names: a list, or a dictionary by number; classes.txt will do, a name per line
    images/**.jpg   photographs
    labels/**.txt   a line per shape: class x1 y1 x2 y2 ..., as shares of width and height

A photograph's labels are at its path with the last ``images`` replaced by ``labels``, or beside it if there is none, as
in Ultralytics' ``img2label_paths``. All photographs of the folder are read: the paths in ``data.yaml`` are often those
of another machine. A line of five numbers is a box (class, centre, width, height). Of two shapes the smaller one is on
top, as in ``polygons2masks_overlap``. A photograph without a file of labels, or with an empty one, shows none of the
classes: it counts as labelled in no category, and is left out.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from dissection.concepts.problems import BadFileError
from dissection.images.photographs import photographs_in

from .shared.drawings import BOX, Drawing, Drawings, DrawnPhotograph, Shape
from .shared.outlines import Polygon, box
from .shared.photograph_folder import read_lines, read_text
from .shared.photograph_names import PhotographNames

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jaxtyping import Bool, Float64

_SLACK = 0.01
"""How far beyond the picture a share may be, as Ultralytics allows."""

_CLASSES = "classes.txt"

_LARGEST = 2**20
"""Characters of ``data.yaml``, at most."""


class YoloSegments(Drawings):
    """A folder in Ultralytics' layout, with all its splits.

    Raises:
        ConceptDataError: if the folder names no classes, or a line of labels is in another form.
    """

    def __init__(self, src: Path, *, label_size: int) -> None:
        root = src.parent if src.is_file() else src
        classes = _classes(src)
        pairs = [(picture, label_file(picture, root)) for picture in photographs_in(root)]
        _refuse_orphans(root, {file for _, file in pairs})
        names, numbered = PhotographNames(root), json.dumps(sorted(classes.items()))
        photographs = (
            DrawnPhotograph(
                names.name_of(picture),
                file,
                (picture, file) if file.is_file() else (picture,),
                partial(Path, picture),
                partial(_drawing, file, classes),
                numbered,
            )
            for picture, file in pairs
        )
        super().__init__(root, photographs, label_size, present=len(pairs))


@dataclass(frozen=True, slots=True, eq=False)
class _Shares:
    """A polygon in shares of a picture's width and height."""

    corners: Float64[np.ndarray, "corners 2"]

    @property
    def area(self) -> float:
        """Its share of the picture (the shoelace formula)."""
        x, y = self.corners.T
        return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2

    def mask(self, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
        """The polygon's pixels."""
        return Polygon(self.corners * size[::-1]).mask(size)


def label_file(picture: Path, root: Path) -> Path:
    """Where the labels of a photograph in ``root`` are.

    >>> label_file(Path("data/images/val/a.jpg"), Path("data")).as_posix()
    'data/labels/val/a.txt'
    """
    parts = list(picture.relative_to(root).parts)
    folders = [place for place, part in enumerate(parts[:-1]) if part == "images"]
    if folders:
        parts[folders[-1]] = "labels"
    return root.joinpath(*parts).with_suffix(".txt")


def _refuse_orphans(root: Path, expected: set[Path]) -> None:
    """Refuse labels of photographs that are not there."""
    for file in sorted(root.rglob("labels/**/*.txt")):
        if file not in expected and file.name != _CLASSES:
            raise BadFileError(file, "there is no photograph for these labels; add it, or remove them")


def _classes(src: Path) -> Mapping[int, str]:
    """The names of the classes by number."""
    files = [src] if src.is_file() else sorted([*src.glob("*.yaml"), *src.glob("*.yml")])
    for file in files:
        names = _names(file)
        if names:
            return names
    plain = src / _CLASSES
    if plain.is_file():
        return dict(enumerate(read_lines(plain)))
    raise BadFileError(src, "there is no data.yaml with names in it, nor a classes.txt; one of them is needed")


def _names(file: Path) -> dict[int, str]:
    text = read_text(file)
    if len(text) > _LARGEST:
        raise BadFileError(
            file, f"it has {len(text)} characters; a list of classes has at most {_LARGEST}: name such a list"
        )
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadFileError(file, f"it is not YAML ({' '.join(str(error).split())}); correct it") from error
    names = content.get("names") if isinstance(content, dict) else None
    pairs = names if isinstance(names, dict) else dict(enumerate(names)) if isinstance(names, list) else {}
    for number, name in pairs.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 0 or not str(name).strip():
            raise BadFileError(file, f"names has {number!r:.20}: {name!r:.40}; a number from 0 and a name are needed")
    return {number: str(name).strip() for number, name in pairs.items()}


def _drawing(file: Path, classes: Mapping[int, str]) -> Drawing:
    if not file.is_file():
        return Drawing()
    kinds: Counter[str] = Counter()
    shapes = list(_shapes(file, classes, kinds))
    shapes.sort(key=lambda pair: -pair[0])
    return Drawing(tuple(shape for _, shape in shapes), kinds=kinds)


def _shapes(file: Path, classes: Mapping[int, str], kinds: Counter[str]) -> Iterator[tuple[float, Shape]]:
    """The shapes with their areas."""
    for line, text in enumerate(read_lines(file), start=1):
        name, values = _parsed(file, line, text, classes)
        if len(values) == 4:
            kinds[BOX] += 1
            x, y, width, height = values.tolist()
            outline = _Shares(box(x - width / 2, y - height / 2, x + width / 2, y + height / 2).corners)
        else:
            outline = _Shares(values.reshape(-1, 2))
        yield outline.area, Shape(name, outline)


def _parsed(
    file: Path, line: int, text: str, classes: Mapping[int, str]
) -> tuple[str, Float64[np.ndarray, " coordinates"]]:
    """The class and the coordinates of a line."""
    try:
        number, *values = (float(word) for word in text.split())
    except ValueError:
        raise BadFileError(file, f"line {line} is {text!r:.60}; numbers are needed") from None
    if number not in classes:
        raise BadFileError(
            file, f"line {line} is of class {number:g}, which has no name; use one of {_listed(classes)}, or name it"
        )
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise BadFileError(
            file, f"line {line} has {len(values)} coordinates; 4 for a box, or an even number from 6, are needed"
        )
    coordinates = np.array(values, np.float64)
    if not ((coordinates >= -_SLACK) & (coordinates <= 1 + _SLACK)).all():  # also refuses NaN
        raise BadFileError(file, f"line {line} has coordinates outside the picture; shares from 0 to 1 are needed")
    return classes[int(number)], coordinates


def _listed(classes: Mapping[int, str]) -> str:
    return f"{min(classes)} to {max(classes)}"
