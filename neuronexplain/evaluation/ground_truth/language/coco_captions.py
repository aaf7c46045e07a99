"""COCO's captions, beside its instances: five sentences about each photograph, and where its things are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dissection.concepts.formats.shared.coco_files import coco_file, required_text
from neuronexplain.evaluation.ground_truth.coco_objects import CocoObjects
from neuronexplain.evaluation.ground_truth.stamps import digest

from .plain_words import plain

if TYPE_CHECKING:
    from pathlib import Path

    from neuronexplain.evaluation.ground_truth.truth import AnnotatedImage, Objects


class CocoCaptions:
    """A folder with ``annotations/captions_SPLIT.json`` and ``annotations/instances_SPLIT.json``.

    Args:
        root: the folder.
        split: which images, such as ``val2017``.

    Raises:
        ConceptDataError: if the folder is not in this layout.
    """

    def __init__(self, root: Path, *, split: str = "val2017") -> None:
        self._instances = CocoObjects(root, None, split=split)
        captions = coco_file(root, "captions", split, has_categories=False)
        self._file = captions.file
        self._captions: dict[str, list[str]] = {}
        for record in captions.annotations:
            name = captions.images[captions.image_of(record)].name
            self._captions.setdefault(name, []).append(plain(required_text(captions.file, record, "caption")))
        self.name = self._instances.name
        self.objects: Objects = self._instances.objects

    def __len__(self) -> int:
        return len(self._instances)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph with its captions, boxes and masks."""
        annotated = self._instances.annotated(index)
        return replace(annotated, captions=tuple(filter(None, self._captions.get(annotated.name, ()))))

    def identity(self) -> str:
        """What identifies the instances, and the file of captions."""
        return digest([self._instances.identity(), self._file])
