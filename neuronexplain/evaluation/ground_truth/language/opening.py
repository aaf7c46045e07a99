"""Opens photographs with captions or questions by the user's name for their layout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dissection.concepts.formats import needing
from dissection.errors import ConceptDataError
from neuronexplain.evaluation.ground_truth.opening import DEFAULT_SCENES, Sample

from .described_scenes import DescribedScenes
from .gaze_maps import GazeMaps
from .photograph_tables import AskedPhotographs, CaptionedPhotographs
from .word_table import WordTable

if TYPE_CHECKING:
    from pathlib import Path

    from neuronexplain.evaluation.ground_truth.truth import Ground
    from neuronexplain.vocabulary import CaptionDataKind, QuestionDataKind


@dataclass(frozen=True, slots=True, eq=False)
class Captioned:
    """Photographs with captions.

    Attributes:
        ground: the photographs.
        words: which words mean which of their objects.
    """

    ground: Ground
    words: WordTable


def open_captioned(
    data: Path | None,
    *,
    kind: CaptionDataKind,
    split: str | None = None,
    table: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Captioned:
    """Open photographs with captions.

    Args:
        data: the folder; described scenes need none.
        kind: the layout.
        split: which images of COCO.
        table: CSV file of ``word,object``, in place of the words that are known.
        limit: use at most this many images, spread evenly.
        seed: seed of described scenes.

    Raises:
        ConceptDataError: if the data or the table is not in its layout.
    """
    if kind == "described":
        scenes = DescribedScenes(images=limit or DEFAULT_SCENES, seed=seed)
        meanings = scenes.words if table is None else WordTable.read(table, scenes.objects)
        return Captioned(scenes, replace(scenes.words, objects=meanings.objects))
    folder = _existing(data)
    if kind == "captions":
        return Captioned(_limited(CaptionedPhotographs(folder), limit), WordTable({}))
    with needing("coco", "reading COCO's instances"):
        from .coco_captions import CocoCaptions  # noqa: PLC0415 -- pycocotools is in an extra
    ground = CocoCaptions(folder, **({} if split is None else {"split": split}))
    if not len(ground):
        raise ConceptDataError(f"{folder}: the data holds no images; at least one is needed")
    words = WordTable.of_coco() if table is None else WordTable.read(table, ground.objects)
    return Captioned(_limited(ground, limit), words)


def open_asked(
    data: Path | None,
    *,
    kind: QuestionDataKind,
    gazes: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Ground:
    """Open photographs with questions.

    Args:
        data: the folder or its table; described scenes need none.
        kind: the layout.
        gazes: folder of pictures of where people looked to answer the questions.
        limit: use at most this many images, spread evenly.
        seed: seed of described scenes.

    Raises:
        ConceptDataError: if the data is not in its layout.
    """
    if kind == "described":
        return DescribedScenes(images=limit or DEFAULT_SCENES, seed=seed)
    maps = None if gazes is None else GazeMaps(gazes)
    return _limited(AskedPhotographs(_existing(data), gazes=maps), limit)


def _existing(data: Path | None) -> Path:
    if data is None or not data.exists():
        raise ConceptDataError(f"--data {data or ''}: there is no such folder; name the one that holds the data")
    return data


def _limited(ground: Ground, limit: int | None) -> Ground:
    return ground if limit is None or limit >= len(ground) else Sample(ground, limit)
