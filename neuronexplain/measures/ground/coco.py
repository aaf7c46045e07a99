"""COCO in its own layout: boxes and masks of all instances in one JSON file.

::

    annotations/instances_val2017.json
    val2017/*.jpg

Crowds are left out: their box is no instance's.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as rle

from dissection.concepts import BadFileError
from dissection.concepts.labels import read_photograph

from .files import check_box, check_frame, digest, inside, stamp
from .matching import match
from .truth import Annotated, Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Bool

    from .truth import Objects


class Coco:
    """A folder with ``annotations/instances_SPLIT.json``.

    Args:
        root: the folder.
        classes: the network's labels.
        split: which images, such as ``val2017``.
        table: matches of classes and objects, see :func:`match`.

    Raises:
        ConceptDataError: if it is not in this layout, or no class means one of its objects.
    """

    def __init__(
        self, root: Path, classes: Sequence[str], *, split: str = "val2017", table: Path | None = None
    ) -> None:
        self._file = root / "annotations" / f"instances_{split}.json"
        content = _read(self._file)
        try:
            names = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
            self._images = sorted(content["images"], key=lambda image: str(image["file_name"]))
            self._paths = [inside(root / split, str(image["file_name"]), self._file) for image in self._images]
            self._found: dict[Any, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
            for entry in content["annotations"]:
                if not entry.get("iscrowd"):
                    self._found[entry["image_id"]][names[entry["category_id"]]].append(entry)
        except (KeyError, TypeError) as error:
            raise BadFileError(
                self._file, f"{error} was not found where COCO has it; an instances file is wanted"
            ) from None
        self.name = f"COCO {split}"
        self.objects: Objects = match(names.values(), classes, table=table)

    def __len__(self) -> int:
        return len(self._images)

    def annotated(self, index: int) -> Annotated:
        """A photograph with boxes and masks."""
        image, file = self._images[index], self._paths[index]
        size = int(image["width"]), int(image["height"])
        photograph = read_photograph(file)
        check_frame(file, photograph, size)
        found = self._found.get(image["id"], {})
        places = {name: self._place(name, found[name], size) for name in self.objects if name in found}
        return Annotated(str(image["file_name"]), photograph, places)

    def reading(self) -> str:
        """Names and sizes of the photographs, and the file that describes them."""
        return digest([repr(self.objects), self._file, *map(stamp, self._paths)])

    def _place(self, name: str, entries: list[dict[str, Any]], size: tuple[int, int]) -> Place:
        boxes = []
        for entry in entries:
            left, top, width, height = map(float, entry["bbox"])
            boxes.append((left, top, left + width, top + height))
            check_box(self._file, f"{name} {entry.get('id')}", boxes[-1], size)
        mask = np.logical_or.reduce([self._mask(entry, size) for entry in entries])
        return Place(np.array(boxes, np.float64) / (size * 2), mask)

    def _mask(self, entry: dict[str, Any], size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
        drawn = entry["segmentation"]
        try:
            if isinstance(drawn, list):
                coded = rle.merge(rle.frPyObjects(drawn, size[1], size[0]))
            else:
                coded = rle.frPyObjects(drawn, size[1], size[0]) if isinstance(drawn["counts"], list) else drawn
            mask: Bool[np.ndarray, "h w"] = rle.decode(coded).astype(bool)
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise BadFileError(
                self._file, f"the mask of annotation {entry.get('id')} cannot be read ({error})"
            ) from error
        if mask.shape != size[::-1]:
            raise BadFileError(self._file, f"the mask of annotation {entry.get('id')} is not of its photograph's size")
        return mask


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        others = ", ".join(
            sorted(each.stem.removeprefix("instances_") for each in file.parent.glob("instances_*.json"))
        )
        raise BadFileError(file, f"there is no such file; splits there: {others or 'none'} (--split)") from error
    except ValueError as error:
        raise BadFileError(file, f"this is no JSON that can be read ({error}); get the file again") from error
    if not isinstance(content, dict):
        raise BadFileError(file, "a JSON object with images, annotations and categories is wanted")
    return content
