"""COCO's instances and stuff (Lin et al. 2014, Caesar et al. 2018): regions as polygons or run lengths in a JSON file.

::

    annotations/instances_<split>.json    things
    annotations/stuff_<split>.json        stuff, and "other" in place of things
    <split>/*.jpg                         photographs
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dissection.concepts.formats.shared.coco_files import coco_files
from dissection.concepts.formats.shared.coco_region_maps import CocoRegions
from dissection.concepts.formats.shared.coco_regions import packed

if TYPE_CHECKING:
    from pathlib import Path

    from dissection.concepts.formats.shared.coco_files import CocoFile

_OTHER = "other"


class CocoInstances(CocoRegions):
    """Things as published, in all splits present; images without any are left out.

    Raises:
        ConceptDataError: if the folder has another layout.
    """

    what = "instances"

    def __init__(self, src: Path, *, label_size: int) -> None:
        super().__init__(src, [_without_other(file) for file in coco_files(src, self.what, hook=packed)], label_size)


class CocoStuff(CocoInstances):
    """Stuff as published; "other" stands for all things and is left out."""

    what = "stuff"


def _without_other(file: CocoFile) -> CocoFile:
    others = {category.number for category in file.categories if category.name == _OTHER}
    return replace(
        file,
        categories=[category for category in file.categories if category.number not in others],
        annotations=[record for record in file.annotations if record.get("category_id") not in others],
    )
