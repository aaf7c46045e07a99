"""Generated scenes as concept data on disk, in Broden's layout, exact to the pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.files.atomic import new_folder
from dissection.scenes.canvas import LABELS
from dissection.scenes.described.scene import draw_described
from dissection.scenes.scene import Scene, draw_scene
from dissection.scenes.words import CATEGORIES, CONCEPTS

from .broden.writer import LOSSLESS, BrodenWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


def write_scenes(root: Path, *, images: int, seed: int = 0, progress: Callable[[int], None] | None = None) -> None:
    """Draw ``images`` scenes from a seed into a new folder ``root``; it appears whole or not at all.

    Args:
        root: the folder to make.
        images: number of scenes.
        seed: chooses the set; the first scenes of a larger set are the smaller set.
        progress: called with the number of scenes written so far.

    Raises:
        OutputError: if ``root`` is not empty or cannot be written.
        ValueError: if ``images`` is not positive.
    """
    write_drawn(root, (draw_scene(seed, index) for index in range(images)), progress=progress)


def write_described(root: Path, *, images: int, seed: int = 0, progress: Callable[[int], None] | None = None) -> None:
    """Draw ``images`` described scenes from a seed into a new folder ``root``; as :func:`write_scenes`."""
    write_drawn(root, (draw_described(seed, index).scene for index in range(images)), progress=progress)


def write_drawn(root: Path, scenes: Iterable[Scene], *, progress: Callable[[int], None] | None = None) -> None:
    """Write scenes into a new folder ``root``; it appears whole or not at all.

    Args:
        root: the folder to make.
        scenes: the scenes, each written as soon as it is drawn.
        progress: called with the number of scenes written so far.

    Raises:
        OutputError: if ``root`` is not empty or cannot be written.
        ValueError: if there is no scene.
    """
    with new_folder(root) as folder:
        journal = folder / "journal"
        with BrodenWriter(folder, CONCEPTS, (LABELS, LABELS), journal, encoding=LOSSLESS) as writer:
            for index, scene in enumerate(scenes):
                labels = {category: [scene.labels[category]] for category in CATEGORIES[1:]}
                writer.add(f"{index:05d}", scene.photograph, {CATEGORIES[0]: [scene.number], **labels})
                if progress is not None:
                    progress(index + 1)
            if not len(writer):
                raise ValueError("0 images were asked for; ask for at least 1")
            writer.finish(writer.seen)
        journal.unlink()
