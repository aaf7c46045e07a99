"""PASCAL VOC 2007 and 2012 in their own layout: boxes of all images, masks of those in the segmentation lists.

::

    JPEGImages/*.jpg  Annotations/*.xml  SegmentationClass/*.png
    ImageSets/Main/val.txt  ImageSets/Segmentation/val.txt

Objects marked difficult are left out, as in VOC's own evaluation; the border that it calls void belongs to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.concepts import BadFileError
from dissection.concepts.labels import read_index_mask, read_photograph

from .files import check_frame, digest, inside, read_boxes, read_names, stamp
from .matching import match
from .truth import Annotated, Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from jaxtyping import Int32

    from .files import BoxFile
    from .truth import Objects

NAMES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog"),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""The objects; a mask's pixel is an object's place in this list, from 1."""

_VOID = 255


class Voc:
    """A folder ``VOC2007`` or ``VOC2012``, or the ``VOCdevkit`` around one.

    Args:
        root: the folder.
        classes: the network's labels.
        split: which list of images.
        masks: read masks as well, which the images of ``ImageSets/Segmentation`` alone have.
        table: matches of classes and objects, see :func:`match`.

    Raises:
        ConceptDataError: if it is not in this layout, or no class means one of its objects.
    """

    def __init__(
        self, root: Path, classes: Sequence[str], *, split: str = "val", masks: bool = False, table: Path | None = None
    ) -> None:
        self._root = _year(root)
        self._masks = masks
        kind = "Segmentation" if masks else "Main"
        listed = self._root / "ImageSets" / kind / f"{split}.txt"
        self._names = read_names(listed)
        for name in self._names:
            inside(self._root, name, listed)
        self.name = f"{self._root.name} {split}"
        self.objects: Objects = match(NAMES, classes, table=table)

    def __len__(self) -> int:
        return len(self._names)

    def annotated(self, index: int) -> Annotated:
        """A photograph with its boxes, and its mask where masks are read."""
        name = self._names[index]
        file, boxes = self._photograph(name), read_boxes(self._xml(name))
        photograph = read_photograph(file)
        check_frame(file, photograph, boxes.size)
        numbers = read_index_mask(self._mask(name)) if self._masks else None
        places = {each: place for each in self.objects if (place := _place(each, boxes, numbers))}
        return Annotated(name, photograph, places, None if numbers is None else numbers == _VOID)

    def reading(self) -> str:
        """Names and sizes of the photographs, and all that is said of them."""
        parts: list[str | Path] = [repr(self.objects)]
        for name in self._names:
            parts += [stamp(self._photograph(name)), *([self._mask(name)] if self._masks else [])]
            parts.append(self._xml(name) if self._xml(name).is_file() else "missing")
        return digest(parts)

    def _photograph(self, name: str) -> Path:
        return self._root / "JPEGImages" / f"{name}.jpg"

    def _xml(self, name: str) -> Path:
        return self._root / "Annotations" / f"{name}.xml"

    def _mask(self, name: str) -> Path:
        file = self._root / "SegmentationClass" / f"{name}.png"
        if not file.is_file():
            raise BadFileError(file, "there is no such mask; each image of ImageSets/Segmentation needs one")
        return file


def _place(name: str, boxes: BoxFile, numbers: Int32[np.ndarray, "h w"] | None) -> Place | None:
    shares = boxes.shares(name)
    mask = None if numbers is None else numbers == NAMES.index(name) + 1
    there = len(shares) or (mask is not None and mask.any())
    return Place(shares, mask) if there else None


def _year(root: Path) -> Path:
    if (root / "JPEGImages").is_dir():
        return root
    years = sorted(each for each in root.glob("VOC*") if (each / "JPEGImages").is_dir())
    if len(years) == 1:
        return years[0]
    found = " and ".join(each.name for each in years) or "no JPEGImages/"
    raise BadFileError(root, f"found in it: {found}; name the folder of one year, such as VOCdevkit/VOC2007")
