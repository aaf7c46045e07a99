"""Generated scenes on disk, in the Broden layout."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dissection.files.atomic import new_folder
from dissection.scenes.canvas import LABELS, PHOTO
from dissection.scenes.scene import Scene, draw_scene
from dissection.scenes.words import CATEGORIES, CONCEPTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Float64, Int32, Int64

    from dissection.vocabulary import Concept

_MAPS = CATEGORIES[1:]


def write_scenes(root: Path, *, images: int, seed: int = 0, progress: Callable[[int], None] | None = None) -> None:
    """Draw ``images`` scenes of a seed into a new folder ``root``; it appears whole or not at all.

    Args:
        root: the folder to make.
        images: number of scenes.
        seed: chooses the set; the first scenes of a larger set are the smaller set.
        progress: called with the number of scenes written so far.

    Raises:
        OutputError: if ``root`` holds something, or cannot be written.
        ValueError: if ``images`` is not positive.
    """
    write_drawn(root, (draw_scene(seed, index) for index in range(images)), progress=progress)


def write_drawn(root: Path, scenes: Iterable[Scene], *, progress: Callable[[int], None] | None = None) -> None:
    """Write scenes into a new folder ``root``; it appears whole or not at all.

    Args:
        root: the folder to make.
        scenes: what is written, each as soon as it is drawn.
        progress: called with the number of scenes written so far.

    Raises:
        OutputError: if ``root`` holds something, or cannot be written.
        ValueError: if there is no scene.
    """
    with new_folder(root) as folder:
        _write(folder, scenes, progress)


def _write(root: Path, scenes: Iterable[Scene], progress: Callable[[int], None] | None) -> None:
    (root / "images").mkdir()
    frequency = np.zeros(len(CONCEPTS) + 1, dtype=np.int64)
    coverage = np.zeros(len(CONCEPTS) + 1, dtype=np.float64)
    rows = []
    for index, scene in enumerate(scenes):
        rows.append(_write_scene(root / "images", f"{index:05d}", scene))
        share = _shares(scene)
        frequency += share > 0
        coverage += share
        if progress is not None:
            progress(index + 1)
    if not rows:
        raise ValueError("0 images were asked for; ask for at least 1")
    _write_index(root / "index.csv", rows)
    _write_vocabulary(root, frequency, coverage)


def _write_scene(folder: Path, stem: str, scene: Scene) -> Mapping[str, str | int]:
    """Write a scene's files; returns its row of index.csv."""
    scene.photograph.save(folder / f"{stem}.png", compress_level=1)
    for category in _MAPS:
        _label_image(scene.labels[category]).save(folder / f"{stem}_{category}.png", compress_level=1)
    sizes = {"ih": PHOTO, "iw": PHOTO, "sh": LABELS, "sw": LABELS}
    maps = {category: f"{stem}_{category}.png" for category in _MAPS}
    return {"image": f"{stem}.png", "split": "train", **sizes, "scene": scene.number, **maps}


def _label_image(numbers: Int32[np.ndarray, "h w"]) -> Image.Image:
    """Label numbers as R + 256 * G."""
    channels = [numbers % 256, numbers // 256, np.zeros_like(numbers)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def _shares(scene: Scene) -> Float64[np.ndarray, " numbers"]:
    """The share of the scene that each label number covers; number 0 is left out."""
    pixels = sum(np.bincount(scene.labels[category].ravel(), minlength=len(CONCEPTS) + 1) for category in _MAPS)
    share: Float64[np.ndarray, " numbers"] = np.asarray(pixels) / LABELS**2
    share[0], share[scene.number] = 0.0, 1.0
    return share


def _write_index(path: Path, rows: Sequence[Mapping[str, str | int]]) -> None:
    _write_csv(path, tuple(rows[0]), (tuple(row.values()) for row in rows))


def _write_vocabulary(root: Path, frequency: Int64[np.ndarray, " n"], coverage: Float64[np.ndarray, " n"]) -> None:
    """label.csv, category.csv and the categories' own tables, of the concepts that occur."""
    occurring = [concept for concept in CONCEPTS if frequency[concept.number]]
    counts = {c.number: (int(frequency[c.number]), f"{coverage[c.number]:.6g}") for c in occurring}
    _write_csv(
        root / "label.csv",
        ("number", "name", "category", "frequency", "coverage", "syns"),
        ((c.number, c.name, f"{c.category}({counts[c.number][0]})", *counts[c.number], c.name) for c in occurring),
    )
    members = {category: [c for c in occurring if c.category == category] for category in CATEGORIES}
    _write_csv(
        root / "category.csv",
        ("name", "first", "last", "count", "frequency"),
        (_category_row(category, own, frequency) for category, own in members.items()),
    )
    for category, own in members.items():
        rows = ((code, c.number, c.name, *counts[c.number]) for code, c in enumerate(own, start=1))
        _write_csv(root / f"c_{category}.csv", ("code", "number", "name", "frequency", "coverage"), rows)


def _category_row(category: str, own: Sequence[Concept], frequency: Int64[np.ndarray, " n"]) -> tuple[str | int, ...]:
    return category, own[0].number, own[-1].number, len(own), int(sum(frequency[c.number] for c in own))


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
