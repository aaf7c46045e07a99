"""PASCAL VOC 2007 and 2012: boxes of the images in ``ImageSets/Main``, masks of those in ``ImageSets/Segmentation``.

Objects marked difficult are left out, as in VOC's own evaluation; the void border belongs to no object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.concepts.formats.shared.photograph_folder import locate
from dissection.concepts.formats.shared.voc_classes import CLASSES
from dissection.concepts.formats.shared.voc_masks import BOUNDARY, COLOURS_FILE, read_colours, read_voc_mask
from dissection.concepts.formats.voc import voc_names
from dissection.concepts.label_maps import check_size, read_photograph_of
from dissection.concepts.problems import BadFileError
from dissection.files.paths import readable

from .box_files import read_boxes
from .matching import match
from .stamps import digest, stamp
from .truth import AnnotatedImage, ObjectLocation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from jaxtyping import Int32

    from .box_files import BoxFile
    from .truth import Objects

_NUMBERS = {name: number for number, name in enumerate(CLASSES, start=1)}


class VocObjects:
    """A folder ``VOC2007`` or ``VOC2012``, or the ``VOCdevkit`` around one.

    Args:
        root: the folder.
        classes: the network's labels.
        split: which list of images.
        masks: read masks as well, which only the images of ``ImageSets/Segmentation`` have.
        table: matches of classes and objects, see :func:`match`.

    Raises:
        ConceptDataError: if the folder is not in this layout, or no class means one of its objects.
    """

    def __init__(
        self, root: Path, classes: Sequence[str], *, split: str = "val", masks: bool = False, table: Path | None = None
    ) -> None:
        self._root = locate(root, "JPEGImages").parent
        self._masks = masks
        self._colours = read_colours(self._root)
        kind = "Segmentation" if masks else "Main"
        list_file = self._root / "ImageSets" / kind / f"{split}.txt"
        if not list_file.is_file():
            splits = ", ".join(sorted(file.stem for file in list_file.parent.glob("*.txt"))) or "none"
            raise BadFileError(
                list_file, f"there is no such list of images; choose one of the lists there: {splits} (--split)"
            )
        self._names = voc_names(list_file)
        self.name = readable(f"{self._root.name} {split}")
        self.objects: Objects = match(CLASSES, classes, table=table)

    def __len__(self) -> int:
        return len(self._names)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph with its boxes, and its mask if masks are read."""
        name = self._names[index]
        file, boxes = self._photograph(name), read_boxes(self._xml(name))
        photograph = read_photograph_of(file, boxes.size, f"{name}.xml says")
        numbers = self._numbers(name, boxes.size) if self._masks else None
        places = {object_name: place for object_name in self.objects if (place := _place(object_name, boxes, numbers))}
        void = None if numbers is None else numbers == BOUNDARY
        categories = frozenset(instance.name for instance in boxes.instances)
        return AnnotatedImage(name, photograph, places, void, categories)

    def identity(self) -> str:
        """Names and sizes of the photographs, and the contents of their annotations."""
        parts: list[str | Path] = [repr(self.objects)]
        if (colours := self._root / COLOURS_FILE).exists():
            parts.append(colours)
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

    def _numbers(self, name: str, size: tuple[int, int]) -> Int32[np.ndarray, "h w"]:
        file = self._mask(name)
        numbers = read_voc_mask(file, self._colours)
        check_size(file, numbers.shape, size, f"{name}.xml says")
        return numbers


def _place(name: str, boxes: BoxFile, numbers: Int32[np.ndarray, "h w"] | None) -> ObjectLocation | None:
    shares = boxes.shares(name)
    mask = None if numbers is None else numbers == _NUMBERS[name]
    is_present = len(shares) or (mask is not None and mask.any())
    return ObjectLocation(shares, mask) if is_present else None
