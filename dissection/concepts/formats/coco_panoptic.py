"""COCO's panoptic annotations (Kirillov et al. 2019): every pixel a thing or stuff.

::

    annotations/panoptic_<split>.json     images, categories, and the segments of each annotation
    annotations/panoptic_<split>/*.png    segment ids: R + 256 G + 65536 B, 0 = none
    <split>/*.jpg                         photographs
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dissection.concepts.formats.shared.coco import Coco
from dissection.concepts.formats.shared.coco_files import coco_files, required_text, whole
from dissection.concepts.label_maps import check_size, color_numbers, read_colors
from dissection.concepts.problems import BadFileError
from dissection.files.paths import leads_out

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Int32

    from dissection.concepts.formats.shared.coco_files import CocoFile, CocoImage, CocoRecord

_MOST = 0xFFFFFF


@dataclass(frozen=True, slots=True)
class _Segments:
    """The segments of one image: the file that shows them, and the category of each by its id."""

    file: Path
    categories: Mapping[int, int]


class CocoPanoptic(Coco):
    """Panoptic annotations as published, in all splits present.

    Crowds are labelled as what they consist of. All categories share one layer; each image's groups are a second layer.

    Raises:
        ConceptDataError: if the folder has another layout.
    """

    def __init__(self, src: Path, *, label_size: int) -> None:
        self._segments: dict[Path, dict[int, _Segments]] = {}
        super().__init__(src, coco_files(src, "panoptic"), label_size)

    def files(self, index: int) -> Sequence[Path]:
        """The photograph and the segments."""
        file, image = self._images[index]
        return [image.file, self._segments[file.file][image.number].file]

    def fingerprint_extra(self, index: int) -> str:
        """The categories of the segments, and the label size."""
        file, image = self._images[index]
        return json.dumps([self._label_size, sorted(self._segments[file.file][image.number].categories.items())])

    def _annotated(self, file: CocoFile) -> Sequence[CocoImage]:
        known = {category.number for category in file.categories}
        by_image = dict(self._read(file, known, record) for record in file.annotations)
        self._segments[file.file] = by_image
        return [image for number, image in file.images.items() if number in by_image]

    def _read(self, file: CocoFile, known: set[int], record: CocoRecord) -> tuple[int, _Segments]:
        number = file.image_of(record)
        name = required_text(file.file, record, "file_name")
        if leads_out(name):
            raise file.bad_content(
                f"file_name {name!r} leads out of the folder; a path inside {file.file.stem}/ is needed"
            )
        segments = record.get("segments_info")
        if not isinstance(segments, list) or not all(isinstance(segment, dict) for segment in segments):
            raise file.bad_content(
                f"the segments_info of image {number} is not a list of segments; get the dataset again"
            )
        categories = {
            whole(file.file, segment, "id", most=_MOST): whole(file.file, segment, "category_id", least=0)
            for segment in segments
        }
        unknown = sorted(set(categories.values()) - known)
        if unknown:
            raise file.bad_content(
                f"image {number} has a segment of category {unknown[0]}, which is not among its categories; add it "
                "there"
            )
        return number, _Segments(file.file.with_suffix("") / name, categories)

    def _layers(self, file: CocoFile, image: CocoImage) -> Int32[np.ndarray, "1 size size"]:
        segments = self._segments[file.file][image.number]
        colors = read_colors(segments.file)
        check_size(segments.file, (colors.height, colors.width), image.size, f"{file.file.name} says")
        small = colors.resize((self._label_size, self._label_size), Image.Resampling.NEAREST)
        ids, positions = np.unique(color_numbers(small), return_inverse=True)
        unknown = [segment for segment in ids.tolist() if segment and segment not in segments.categories]
        if unknown:
            raise BadFileError(
                segments.file,
                f"segment {unknown[0]} was found, which {file.file.name} does not list for it; get the dataset again",
            )
        labels = {segment: category + self._offset for segment, category in segments.categories.items()}
        numbers = np.array([labels.get(segment, 0) for segment in ids.tolist()], np.int32)
        return numbers[positions].reshape(1, self._label_size, self._label_size)
