"""Converters into Broden's layout."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dissection.errors import ConceptDataError
from dissection.vocabulary import MIN_IMAGES, ConceptSupport

from .plain import LABEL_SIZE, PlainLayout
from .surveys import survey
from .write import writing_broden

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from jaxtyping import Int32

    from dissection.vocabulary import Concept

    from .dataset import Labels
    from .problems import Counter
    from .surveys import Survey

SIZE = 224
"""Height and width of converted photographs: what Broden has."""

_NOTES = re.compile(r"(licen[cs]e|copying|notice|readme|credits|attribution).*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a converter did.

    Attributes:
        images: images written.
        concepts: concepts kept.
        dropped: those left out, with their support.
        survey: what the source shows, in pixels of the label maps.
    """

    images: int
    concepts: int
    dropped: tuple[ConceptSupport, ...]
    survey: Survey


def convert_plain(
    src: str | PathLike[str],
    dst: str | PathLike[str],
    *,
    size: int = SIZE,
    label_size: int = LABEL_SIZE,
    min_images: int = MIN_IMAGES,
    progress: Counter | None = None,
) -> Summary:
    """Write a folder of the plain layout in Broden's.

    Photographs are squashed to ``size`` x ``size`` (bilinear, antialiased), masks to ``label_size`` x ``label_size``
    (nearest neighbour). Notes on licence and origin come along.

    Args:
        src: the folder in the plain layout.
        dst: the folder to write; it must not exist, or be empty.
        size: height and width of the photographs.
        label_size: height and width of the label maps.
        min_images: concepts on fewer images are dropped, as Broden does. Their pixels become 0: an image whose only
            labels of a category are dropped no longer counts as labelled in it, so unions (``A``) of that category
            are smaller than the source's. With 0 nothing is dropped, and ``dissect`` applies its own ``min_images``
            without this loss.
        progress: is told about images, of twice their number: they are counted first and then written.

    Raises:
        ConceptDataError: if the source breaks its layout, no concept is left, or the folder cannot be written.
    """
    source, target = Path(src), Path(dst)
    dataset = PlainLayout(source, label_size=label_size)
    total = len(dataset)
    found = survey(dataset, progress=progress and (lambda done, count: progress(done, 2 * count)))
    dropped = tuple(support for support in found.concepts if support.images < min_images)
    kept = {support.concept.number: support.concept for support in found.concepts if support.images >= min_images}
    if not kept:
        raise ConceptDataError(f"{source}: no concept is on {min_images} images; lower the least number of images")
    with writing_broden(target, kept.values(), label_size=(label_size, label_size)) as writer:
        for index in range(total):
            photograph = dataset.photograph(index).resize((size, size), Image.Resampling.BILINEAR)
            writer.add(dataset.image_name(index), photograph, _by_category(dataset.labels(index), kept))
            if progress is not None:
                progress(total + index + 1, 2 * total)
        _copy_notes(source, writer.folder)
    return Summary(total, len(kept), dropped, found)


def _by_category(labels: Labels, concepts: Mapping[int, Concept]) -> dict[str, list[Int32[np.ndarray, "h w"] | int]]:
    """The labels that are among the concepts, apart by category; a category without labels is left out."""
    numbers: dict[str, list[int]] = {}
    for concept in concepts.values():
        numbers.setdefault(concept.category, []).append(concept.number)
    cells: dict[str, list[Int32[np.ndarray, "h w"] | int]] = {}
    for category, members in numbers.items():
        layers = [np.where(np.isin(layer, members), layer, 0) for layer in labels.maps]
        whole = [number for number in labels.whole if number in members]
        cells[category] = [*(layer for layer in layers if layer.any()), *whole]
    return cells


def _copy_notes(source: Path, target: Path) -> None:
    for file in sorted(source.iterdir()):
        if file.is_file() and _NOTES.fullmatch(file.name):
            shutil.copyfile(file, target / file.name)
