"""COCO's JSON as annotation tools export it (CVAT, Roboflow, Label Studio, makesense.ai), without COCO's folders.

::

    *.json     images, annotations, categories: anywhere in the folder, or the file itself is named
    *.jpg      photographs: where ``file_name`` says, seen from the JSON file or from any folder

Regions are polygons or run lengths, plain or compressed; where there is only a ``bbox``, that is filled. Categories may
count from 0. As in ``coco-instances``, all regions are kept, on layers where they overlap: the format has no order. A
supercategory that holds all other categories is the project's name (Roboflow), and no group.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.formats.shared.coco_files import read_coco
from dissection.concepts.formats.shared.coco_region_maps import CocoRegions
from dissection.concepts.formats.shared.coco_regions import packed
from dissection.concepts.formats.shared.photograph_names import PhotographNames
from dissection.concepts.problems import BadFileError
from dissection.files.paths import readable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dissection.concepts.formats.shared.coco_files import CocoFile, CocoImage, CocoRecord


class CocoPolygons(CocoRegions):
    """The annotations of every JSON file in a folder, or of one file; images without any are left out.

    Raises:
        ConceptDataError: if there is no JSON file, one is not in COCO's form, or a photograph is missing.
    """

    def __init__(self, src: Path, *, label_size: int) -> None:
        root = src.parent if src.is_file() else src
        files = [src] if src.is_file() else sorted(src.rglob("*.json"))
        if not files:
            raise BadFileError(src, "there is no JSON file in it; COCO's annotations are needed")
        names = PhotographNames(root)
        read = [_plain(read_coco(file, file.stem, partial(_place, names, file), packed)) for file in files]
        self._bare = self._boxes = 0
        super().__init__(root, [self._filled(file) for file in read], label_size)
        twins = sorted({image.file for _, image in self._images})
        if len(twins) < len(self._images):
            raise BadFileError(root, "a photograph is annotated in several of its files; name one of them")

    @property
    def remarks(self) -> Sequence[str]:
        """What was left out or taken for something else, each in a sentence."""
        told = (
            (self._bare, f"Photographs without a label, which are left out: {self._bare}."),
            (self._boxes, f"Boxes, which are filled to their edges: {self._boxes}."),
        )
        return [sentence for number, sentence in told if number]

    def _annotated(self, file: CocoFile) -> Sequence[CocoImage]:
        images = super()._annotated(file)
        self._bare += len(file.images) - len(images)
        for image in images:
            if not image.file.is_file():
                raise file.bad_content(
                    f"there is no photograph {image.name!r}; put it where the file says, or beside it"
                )
        return images

    def _filled(self, file: CocoFile) -> CocoFile:
        """The file with a polygon where a region is only a box."""
        annotations = [_filled(file, record) for record in file.annotations]
        self._boxes += sum(after is not before for after, before in zip(annotations, file.annotations, strict=True))
        return replace(file, annotations=annotations)


def _filled(file: CocoFile, record: CocoRecord) -> CocoRecord:
    if record.get("segmentation") or not record.get("bbox"):
        return record
    try:
        left, top, width, height = (float(side) for side in record["bbox"])
    except (TypeError, ValueError):
        raise file.bad_content(f"bbox is {record['bbox']!r:.60}; left, top, width and height are needed") from None
    right, bottom = left + width, top + height
    return {**record, "segmentation": [np.array([left, top, right, top, right, bottom, left, bottom])]}


def _place(names: PhotographNames, file: Path, name: str) -> tuple[str, Path]:
    """A photograph's name and file; one that is missing is put beside the JSON file."""
    photograph = names.find(file, name)
    if photograph is None:
        return readable(name), file.parent / PureWindowsPath(name).name
    return names.name_of(photograph), photograph


def _plain(file: CocoFile) -> CocoFile:
    """The file without a supercategory that holds all of its other categories."""
    supers = {category.supercategory for category in file.categories}
    for name in supers:
        outside = [category for category in file.categories if category.supercategory != name]
        if all(category.name == name for category in outside):
            return replace(file, categories=[replace(category, supercategory="") for category in file.categories])
    return file
