"""The images: scenes of the generated world, and photographs without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.concepts.generated import write_scenes
from dissection.concepts.layouts import open_concepts
from dissection.images.photographs import open_photograph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from PIL import Image

    from dissection.concepts.dataset import ConceptDataset
    from dissection.execution.settings import Progress
    from dissection.vocabulary import Concept

NAMED, LEARNED, CHOSEN, JUDGED = (
    ("named", 400, 8001),
    ("learned", 400, 8002),
    ("chosen", 240, 8003),
    ("judged", 240, 8004),
)
"""Sets of scenes: what for, how many, and their seed."""


def scenes(out: Path, which: tuple[str, int, int], progress: Progress) -> ConceptDataset:
    """A set of scenes, drawn once."""
    name, images, seed = which
    if not (out / name).exists():
        write_scenes(
            out / name, images=images, seed=seed, progress=lambda done: progress(f"drawing {name}", done, images)
        )
    return open_concepts(out / name)


class Photographs:
    """Photographs without labels.

    Args:
        paths: their files.
    """

    name = "photographs"
    concepts: Mapping[int, Concept] = {}
    categories: Sequence[str] = ()

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def image_name(self, index: int) -> str:
        """The file's name."""
        return self._paths[index].name

    def photograph(self, index: int) -> Image.Image:
        """The photograph."""
        return open_photograph(self._paths[index])
