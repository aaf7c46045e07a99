"""Label maps of COCO's regions: polygons and run lengths, whatever file of annotations they are from."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from dissection.concepts.label_maps import shrink

from .coco import Coco
from .coco_regions import drawn
from .outlines import BadRegionError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Int32

    from .coco_files import CocoFile, CocoImage, CocoRecord


class CocoRegions(Coco):
    """The regions of one or more files; images without any are left out.

    Regions of one category, including crowds (``iscrowd``), are merged: only what a pixel shows counts. Categories that
    overlap are put on different layers, since COCO's annotations have no order.
    """

    def __init__(self, root: Path, files: Sequence[CocoFile], label_size: int) -> None:
        self._regions: dict[Path, dict[int, dict[int, list[CocoRecord]]]] = {}
        super().__init__(root, files, label_size)

    def files(self, index: int) -> Sequence[Path]:
        """The photograph; the annotations of all images are in one file."""
        return [self._images[index][1].file]

    def fingerprint_extra(self, index: int) -> str:
        """A digest of the regions, and the label size."""
        regions = self._regions_of(*self._images[index])
        content = json.dumps(sorted(regions.items()), default=np.ndarray.tolist)
        return f"{hashlib.sha256(content.encode()).hexdigest()} at {self._label_size}"

    def _annotated(self, file: CocoFile) -> Sequence[CocoImage]:
        self._regions[file.file] = by_image = file.by_image()
        return [image for number, image in file.images.items() if number in by_image]

    def _layers(self, file: CocoFile, image: CocoImage) -> Int32[np.ndarray, "layers size size"]:
        size = (self._label_size, self._label_size)
        layers: list[Int32[np.ndarray, "size size"]] = []
        for category, regions in sorted(self._regions_of(file, image).items()):
            try:
                mask = shrink(drawn(regions, image.size), *size) > 0
            except BadRegionError as error:
                raise file.bad_content(
                    f"category {category} of image {image.number} cannot be drawn ({error}); correct its region"
                ) from error
            layer = next((layer for layer in layers if not layer[mask].any()), None)
            if layer is None:
                layer = np.zeros(size, np.int32)
                layers.append(layer)
            layer[mask] = category + self._offset
        return np.stack(layers) if layers else np.zeros((0, *size), np.int32)

    def _regions_of(self, file: CocoFile, image: CocoImage) -> dict[int, list[Any]]:
        by_category = self._regions[file.file][image.number]
        return {
            category: [record.get("segmentation") for record in records] for category, records in by_category.items()
        }
