"""COCO's instances: boxes and masks of things, see ``dissection.concepts.formats.coco_instances``.

Crowds are left out, since a crowd's box is not the box of an instance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.formats.shared.coco_files import coco_file
from dissection.concepts.formats.shared.coco_regions import drawn, packed
from dissection.concepts.formats.shared.outlines import BadRegionError
from dissection.concepts.label_maps import read_photograph_of

from .box_files import check_box
from .matching import match
from .stamps import digest, stamp
from .truth import AnnotatedImage, ObjectLocation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dissection.concepts.formats.shared.coco_files import CocoRecord

    from .truth import Objects


class CocoObjects:
    """A folder with ``annotations/instances_SPLIT.json``.

    Args:
        root: the folder.
        classes: the network's labels; None for a network without classes, which can be asked about every object.
        split: which images, such as ``val2017``.
        table: matches of classes and objects, see :func:`match`.

    Raises:
        ConceptDataError: if the folder is not in this layout, or no class means one of its objects.
    """

    def __init__(
        self, root: Path, classes: Sequence[str] | None, *, split: str = "val2017", table: Path | None = None
    ) -> None:
        self._file = coco_file(root, "instances", split, hook=packed)
        self._images = sorted(self._file.images.values(), key=lambda image: image.name)
        self._records_of_image = self._file.by_image()
        self._names = {category.number: category.name for category in self._file.categories}
        self.name = f"COCO {split}"
        names = self._names.values()
        self.objects: Objects = dict.fromkeys(names, ()) if classes is None else match(names, classes, table=table)

    def __len__(self) -> int:
        return len(self._images)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph with boxes and masks."""
        image = self._images[index]
        photograph = read_photograph_of(image.file, image.size, f"{self._file.file.name} says")
        records_of_name: dict[str, list[CocoRecord]] = {}
        for category, records in self._records_of_image.get(image.number, {}).items():
            records_of_name.setdefault(self._names[category], []).extend(
                record for record in records if not record.get("iscrowd")
            )
        places = {
            name: self._place(name, records_of_name[name], image.size)
            for name in self.objects
            if records_of_name.get(name)
        }
        return AnnotatedImage(image.name, photograph, places, categories=frozenset(records_of_name))

    def identity(self) -> str:
        """Names and sizes of the photographs, and the file that describes them."""
        return digest([repr(self.objects), self._file.file, *(stamp(image.file) for image in self._images)])

    def _place(self, name: str, records: Sequence[CocoRecord], size: tuple[int, int]) -> ObjectLocation:
        height, width = size
        boxes = np.array([self._box(name, record, (width, height)) for record in records])
        try:
            mask = drawn([record.get("segmentation") for record in records], size)
        except BadRegionError as error:
            ids = ", ".join(str(record.get("id")) for record in records)
            raise self._file.bad_content(
                f"annotation {ids} of {name} cannot be drawn ({error}); correct its region"
            ) from error
        return ObjectLocation(boxes / (width, height, width, height), mask.astype(bool))

    def _box(self, name: str, record: CocoRecord, size: tuple[int, int]) -> tuple[float, float, float, float]:
        sides = record.get("bbox")
        if not isinstance(sides, list) or len(sides) != 4 or not all(isinstance(side, int | float) for side in sides):
            raise self._file.bad_content(
                f"bbox of annotation {record.get('id')} is {sides!r:.60}; four numbers are needed"
            )
        try:
            left, top, width, height = map(float, sides)
        except OverflowError:
            raise self._file.bad_content(
                f"bbox of annotation {record.get('id')} has numbers without bounds; correct it"
            ) from None
        box = left, top, left + width, top + height
        check_box(self._file.file, f"{name}, annotation {record.get('id')},", box, size)
        return box
