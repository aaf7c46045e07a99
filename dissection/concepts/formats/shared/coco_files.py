"""COCO's folders and JSON files: photographs by number, categories, licences; all of it is untrusted until checked.

::

    annotations/<what>_<split>.json    images, annotations, categories, licenses
    <split>/*.jpg                      photographs; also images/<split>/ or images/
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from PIL import Image

from dissection.concepts.csv_tables import LARGEST
from dissection.concepts.problems import BadFileError
from dissection.files.paths import leads_out, readable

from .coco_words import CocoCategory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path


CocoRecord = dict[str, Any]

_LONGEST = 1_000_000
"""Pixels along a side of a photograph, at most."""


@dataclass(frozen=True, slots=True)
class CocoImage:
    """A photograph in the annotations: its file, its name in the dataset, and the height and width that they state."""

    number: int
    name: str
    file: Path
    size: tuple[int, int]
    licence: int


@dataclass(frozen=True, slots=True)
class CocoFile:
    """One JSON file of annotations.

    Attributes:
        file: where it is.
        split: the part of its name after ``<what>_``, e.g. train2017.
        images: by number, ascending.
        categories: by number, ascending.
        annotations: as they are in the file.
        head: what it says about itself (``info`` and ``licenses``).
    """

    file: Path
    split: str
    images: Mapping[int, CocoImage]
    categories: Sequence[CocoCategory]
    annotations: Sequence[CocoRecord]
    head: CocoRecord

    def bad_content(self, what: str) -> BadFileError:
        """The error that names this file."""
        return BadFileError(self.file, what)

    def image_of(self, annotation: CocoRecord) -> int:
        """The number of the image that an annotation belongs to.

        Raises:
            BadFileError: if this file has no such image.
        """
        number = whole(self.file, annotation, "image_id", least=0)
        if number not in self.images:
            raise self.bad_content(
                f"there is an annotation of image {number}, which is not among its images; add it there, or "
                "remove the annotation"
            )
        return number

    def by_image(self) -> dict[int, dict[int, list[CocoRecord]]]:
        """The annotations of each image that has any, by category.

        Raises:
            BadFileError: if one has an image or a category that is not in the file.
        """
        known = {category.number for category in self.categories}
        by_image: dict[int, dict[int, list[CocoRecord]]] = {}
        for record in self.annotations:
            number, category = self.image_of(record), whole(self.file, record, "category_id", least=0)
            if category not in known:
                raise self.bad_content(
                    f"image {number} has a region of category {category}, which is not among its categories; add "
                    "it there"
                )
            by_image.setdefault(number, {}).setdefault(category, []).append(record)
        return by_image


def coco_files(root: Path, what: str, *, hook: Callable[[CocoRecord], CocoRecord] | None = None) -> list[CocoFile]:
    """The files ``annotations/<what>_*.json`` under ``root``; ``hook`` is called with each JSON object as it is read.

    If some splits have a folder of photographs, those without are left out: COCO packs the annotations of all splits.

    Raises:
        ConceptDataError: if there is none, or one is not in COCO's form.
    """
    files = sorted((root / "annotations").glob(f"{what}_*.json"))
    if not files:
        raise BadFileError(root, f"there is no annotations/{what}_*.json in it; COCO's own layout is needed")
    splits = {file: file.stem.removeprefix(f"{what}_") for file in files}
    present = {file: folder for file, split in splits.items() if (folder := _folder(root, split))}
    folders = present or dict.fromkeys(files, root / "images")
    return [
        read_coco(file, splits[file], partial(_in_folder, file, splits[file], folder), hook)
        for file, folder in folders.items()
    ]


def coco_file(
    root: Path,
    what: str,
    split: str,
    *,
    hook: Callable[[CocoRecord], CocoRecord] | None = None,
    has_categories: bool = True,
) -> CocoFile:
    """The file ``annotations/<what>_<split>.json`` under ``root``, see :func:`coco_files`; captions have no categories.

    Raises:
        ConceptDataError: if it is missing or not in COCO's form.
    """
    file = root / "annotations" / f"{what}_{split}.json"
    if not file.is_file():
        splits = sorted(path.stem.removeprefix(f"{what}_") for path in file.parent.glob(f"{what}_*.json"))
        raise BadFileError(
            file, f"there is no such file; choose one of the splits there: {', '.join(splits) or 'none'}"
        )
    place = partial(_in_folder, file, split, _folder(root, split) or root / "images")
    return read_coco(file, split, place, hook, has_categories=has_categories)


def _folder(root: Path, split: str) -> Path | None:
    """The folder of a split's photographs, if there is one."""
    return next((folder for folder in (root / split, root / "images" / split) if folder.is_dir()), None)


def coco_licences(files: Sequence[CocoFile]) -> str:
    """What the annotations say about their origin and the photographs' licences."""
    return "".join(f"{line}\n" for file in files for line in _licence_lines(file))


def _licence_lines(file: CocoFile) -> Iterator[str]:
    info = file.head.get("info")
    fields = info if isinstance(info, dict) else {}
    origin = ", ".join(
        str(fields[key]) for key in ("description", "version", "year", "contributor", "url") if key in fields
    )
    yield f"{file.file.name}: {origin or 'COCO'}"
    if "cocodataset.org" in origin:
        yield "  annotations: Creative Commons Attribution 4.0 (https://cocodataset.org/#termsofuse)"
    licences = file.head.get("licenses")
    names = {
        licence["id"]: f"{licence.get('name')} ({licence.get('url')})"
        for licence in (licences if isinstance(licences, list) else [])
        if isinstance(licence, dict) and isinstance(licence.get("id"), int)
    }
    for number, count in sorted(Counter(image.licence for image in file.images.values()).items()):
        yield f"  {count} photographs: {names.get(number, 'no licence is given')}"


def read_coco(
    file: Path,
    split: str,
    place: Callable[[str], tuple[str, Path]],
    hook: Callable[[CocoRecord], CocoRecord] | None = None,
    *,
    has_categories: bool = True,
) -> CocoFile:
    """A JSON file in COCO's form.

    Args:
        file: where it is.
        split: what the file is about.
        place: gives the name in the dataset, and the file, of a photograph that has a ``file_name``.
        hook: is called with each JSON object as it is read.
        has_categories: whether it must have categories.

    Raises:
        BadFileError: if it is in another form.
    """
    content = _json(file, hook)
    records = _list(file, content, "categories") if has_categories else []
    categories = sorted((_category(file, record) for record in records), key=lambda category: category.number)
    if has_categories and not categories:
        raise BadFileError(file, "it has no categories; at least one is needed")
    _refuse_twins(file, "category", [category.number for category in categories])
    images = [_image(file, place, record) for record in _list(file, content, "images")]
    _refuse_twins(file, "image", [image.number for image in images])
    by_number = {image.number: image for image in sorted(images, key=lambda image: image.number)}
    return CocoFile(file, split, by_number, categories, _list(file, content, "annotations"), content)


def _json(file: Path, hook: Callable[[CocoRecord], CocoRecord] | None) -> CocoRecord:
    try:
        with file.open("rb") as stream:
            content = json.load(stream, object_hook=hook)
    except OSError as error:
        raise BadFileError(file, f"it cannot be read ({error.strerror}); check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise BadFileError(file, f"it is not JSON ({error}); get it again") from error
    if not isinstance(content, dict):
        raise BadFileError(file, "it holds no JSON object; COCO's annotations are needed")
    return content


def _list(file: Path, content: CocoRecord, key: str) -> list[CocoRecord]:
    values = content.get(key)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise BadFileError(file, f"{key!r} is not a list of objects; COCO's annotations are needed")
    return values


def _category(file: Path, record: CocoRecord) -> CocoCategory:
    number = whole(file, record, "id", least=0, most=LARGEST - 1)
    return CocoCategory(number, required_text(file, record, "name"), str(record.get("supercategory", "")))


def _in_folder(file: Path, split: str, folder: Path, name: str) -> tuple[str, Path]:
    """A photograph in the folder of its split."""
    if leads_out(name):
        raise BadFileError(file, f"file_name {name!r} leads out of the folder; a path inside {folder.name}/ is needed")
    return readable(f"{split}/{name}"), folder / name


def _image(file: Path, place: Callable[[str], tuple[str, Path]], record: CocoRecord) -> CocoImage:
    name, path = place(required_text(file, record, "file_name"))
    licence = record.get("license")
    height, width = (whole(file, record, side, most=_LONGEST) for side in ("height", "width"))
    if Image.MAX_IMAGE_PIXELS is not None and height * width > Image.MAX_IMAGE_PIXELS:
        raise BadFileError(
            file,
            f"{name} is said to be {width} x {height} pixels, and the limit is {Image.MAX_IMAGE_PIXELS}; correct it",
        )
    return CocoImage(
        number=whole(file, record, "id", least=0),
        name=name,
        file=path,
        size=(height, width),
        licence=licence if isinstance(licence, int) else 0,
    )


def whole(file: Path, record: CocoRecord, key: str, *, least: int = 1, most: int | None = None) -> int:
    """The whole number under a key of a record."""
    value = record.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < least or (most is not None and value > most):
        needed = f"a whole number from {least}" + ("" if most is None else f" to {most}")
        raise BadFileError(file, f"{key} is {value!r:.60}; {needed} is needed")
    return value


def required_text(file: Path, record: CocoRecord, key: str) -> str:
    """The text under a key of a record; it must not be empty."""
    value = record.get(key)
    if not isinstance(value, str) or not value.strip():
        raise BadFileError(file, f"{key} is {value!r:.60}; text is needed")
    return value.strip()


def _refuse_twins(file: Path, kind: str, numbers: Sequence[int]) -> None:
    twins = [number for number, count in Counter(numbers).items() if count > 1]
    if twins:
        raise BadFileError(file, f"{kind} {twins[0]} appears twice; each needs its own id")
