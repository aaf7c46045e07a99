"""Opens ground truth by the user's name for its layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.concepts.formats import needing
from dissection.concepts.layouts import open_concepts
from dissection.concepts.wrappers import spread_evenly
from dissection.errors import ConceptDataError, NetworkError

from .ilsvrc_objects import IlsvrcObjects
from .labelled_objects import LabelledObjects
from .scene_things import SceneThings
from .unlabelled import Photographs
from .voc_objects import VocObjects

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neuronexplain.vocabulary import DataKind

    from .truth import AnnotatedImage, Ground, Objects

DEFAULT_SCENES = 240
"""Number of generated scenes, unless a limit is given."""


def open_ground(
    data: Path | None,
    classes: Sequence[str],
    *,
    kind: DataKind = "concepts",
    split: str | None = None,
    masks: bool = False,
    table: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Ground:
    """Open photographs whose objects are matched to a network's classes.

    Args:
        data: the folder; generated scenes need none.
        classes: the network's labels.
        kind: the layout.
        split: which list of images, if the layout has several.
        masks: read masks, if the layout stores them separately (VOC).
        table: CSV file of ``class,object``, instead of matching by name.
        limit: use at most this many images, spread evenly.
        seed: seed of generated scenes.

    Raises:
        ConceptDataError: if the data is not in that layout, holds no images, or no class means one of its objects.
        NetworkError: if there are no classes.
    """
    if not classes:
        raise NetworkError(
            "the network has no classes, and what is measured here is how it tells classes apart; name another network"
        )
    if kind == "scenes":
        return SceneThings(classes, images=limit or DEFAULT_SCENES, seed=seed)
    if data is None or not data.exists():
        raise ConceptDataError(f"--data {data or ''}: there is no such folder; name the one that holds the data")
    ground = _opened(data, classes, kind, {} if split is None else {"split": split}, masks=masks, table=table)
    if not len(ground):
        raise ConceptDataError(f"{data}: the data holds no images; at least one is needed")
    return ground if limit is None or limit >= len(ground) else Sample(ground, limit)


def _opened(
    data: Path, classes: Sequence[str], kind: DataKind, split: dict[str, str], *, masks: bool, table: Path | None
) -> Ground:
    match kind:
        case "voc":
            return VocObjects(data, classes, masks=masks, table=table, **split)
        case "coco":
            with needing("coco", "reading COCO's instances"):
                from .coco_objects import CocoObjects  # noqa: PLC0415 -- pycocotools is in an extra

            return CocoObjects(data, classes, table=table, **split)
        case "ilsvrc":
            return IlsvrcObjects(data, classes, **split)
        case "photographs":
            return Photographs(data)
        case _:
            return LabelledObjects(open_concepts(data), classes, table=table)


class Sample:
    """``count`` images of a ground truth, spread evenly."""

    def __init__(self, ground: Ground, count: int) -> None:
        self._ground = ground
        self._indices = spread_evenly(len(ground), count)
        self.name = f"{ground.name} ({count} of {len(ground)} images)"
        self.objects: Objects = ground.objects

    def __len__(self) -> int:
        return len(self._indices)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph and what is in it, as in the whole data."""
        return self._ground.annotated(self._indices[index])

    def identity(self) -> str:
        """The identity of the whole data, and which images are used."""
        return f"{self._ground.identity()} {len(self)}"
