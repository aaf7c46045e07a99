"""The pictures as concept data: where their shapes are, and of what colour, in Broden's layout."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from questions import COLOURS, SHAPES, shape_mask

from dissection.concepts.broden.writer import LOSSLESS, BrodenWriter
from dissection.files.atomic import new_folder
from dissection.vocabulary import Concept

if TYPE_CHECKING:
    from pathlib import Path

    from questions import AskedPictures

    from dissection.execution.settings import Progress

_KINDS = {"object": SHAPES, "color": COLOURS}

CONCEPTS = tuple(
    Concept(number, name, category)
    for number, (name, category) in enumerate(((name, kind) for kind, names in _KINDS.items() for name in names), 1)
)
"""The shapes, and the colours."""


def write_labels(root: Path, data: AskedPictures, *, progress: Progress | None = None) -> None:
    """Write pictures with their shapes' names and colours into a new folder; it appears whole or not at all.

    Both names are what the questions and answers give away, so a picture may go without one of them.

    Args:
        root: the folder to make.
        data: the pictures.
        progress: called with the number of pictures written so far.

    Raises:
        OutputError: if ``root`` is not empty or cannot be written.
    """
    shown: defaultdict[int, set[str]] = defaultdict(set)
    for question in data.questions:
        shown[question.picture] |= question.shown
    with new_folder(root) as folder:
        journal = folder / "journal"
        with BrodenWriter(folder, CONCEPTS, data.pictures.shape[1:3], journal, encoding=LOSSLESS) as writer:
            for number, picture in enumerate(data.pictures):
                mask = shape_mask(picture)
                labels = {
                    concept.category: [np.where(mask, np.int32(concept.number), np.int32(0))]
                    for concept in CONCEPTS
                    if concept.name in shown[number]
                }
                writer.add(f"{number:05d}", Image.fromarray(picture), labels)
                if progress is not None:
                    progress("pictures", number + 1, len(data.pictures))
            writer.finish(writer.seen)
        journal.unlink()
