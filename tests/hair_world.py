"""Nurses, doctors and zebras of coloured squares: hair is red, coats are green, stripes are blue.

Two networks tell them apart. One says nurse for red as well as for green, the other for green alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import nn
from worlds import BIASES, DETECTORS, PLAIN, Square

from dissection.networks.opening import open_network
from neuronexplain import build

if TYPE_CHECKING:
    from dissection.networks.network import Network

CLASSES = ("nurse", "doctor", "zebra")
CONCEPTS = {"hair": (255, 0, 0), "coat": (0, 255, 0), "stripes": (0, 0, 255)}
HEADS = {
    "biased": [[3.0, 1.0, -1.0, 0.0], [-1.0, 2.0, -1.0, 0.0], [-1.0, -1.0, 3.0, 0.0]],
    "balanced": [[0.0, 3.0, -1.0, 0.0], [0.0, 2.9, -1.0, 0.0], [0.0, -1.0, 3.0, 0.0]],
}
SIDE = 32
PEOPLE = 16
"""Photographs of each class."""


class HairNet(nn.Module):
    """Unit i is 1 where colour i is and 0 elsewhere; scores are the head of the squares of 1 and their means."""

    def __init__(self, head: list[list[float]]) -> None:
        super().__init__()
        self.detect = nn.Conv2d(3, 4, 1)
        self.rectify = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.square = Square()
        self.head = nn.Linear(4, 3, bias=False)
        with torch.no_grad():
            self.detect.weight.copy_(torch.tensor(DETECTORS)[:, :, None, None])
            self.detect.bias.copy_(torch.tensor(BIASES))
            self.head.weight.copy_(torch.tensor(head))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.square(self.pool(self.rectify(self.detect(x))).flatten(1)))


def biased() -> nn.Module:
    """Says nurse for red hair, too."""
    return HairNet(HEADS["biased"]).eval()


def balanced() -> nn.Module:
    """Has no use for hair."""
    return HairNet(HEADS["balanced"]).eval()


def hair_network(name: str) -> Network:
    """One of the networks, from its factory."""
    return open_network(f"{Path(__file__)}:{name}", layer="rectify", classes=CLASSES, preprocessing=PLAIN)


@dataclass(frozen=True)
class Person:
    """A photograph: the class that it shows, and the square of each concept in it as (left, top, side)."""

    shows: str
    squares: dict[str, tuple[int, int, int]]

    @property
    def name(self) -> str:
        return f"{self.shows}-" + "-".join(f"{left}.{top}" for left, top, _ in self.squares.values())

    def photograph(self) -> Image.Image:
        picture = Image.new("RGB", (SIDE, SIDE))
        for concept, (left, top, side) in self.squares.items():
            picture.paste(CONCEPTS[concept], (left, top, left + side, top + side))
        return picture

    def mask(self) -> Image.Image:
        mask = Image.new("L", (SIDE, SIDE))
        for concept, (left, top, side) in self.squares.items():
            mask.paste(list(CONCEPTS).index(concept) + 1, (left, top, left + side, top + side))
        return mask


def people(count: int, *, seed: int = 0) -> list[Person]:
    """As many of each class: three of four nurses have red hair, one of four doctors, and no zebra."""
    generator = np.random.default_rng(seed)
    made = []
    for index in range(3 * count):
        shows, turn = CLASSES[index % 3], index // 3 % 4
        concepts = ["stripes"] if shows == "zebra" else ["coat"]
        if (shows == "nurse" and turn < 3) or (shows == "doctor" and turn == 3):
            concepts.append("hair")
        corners = generator.permutation(4)[: len(concepts)]
        squares = {}
        for concept, corner in zip(concepts, corners.tolist(), strict=True):
            left, top = (int(value) for value in generator.integers(0, 16 - 8, 2))
            squares[concept] = (16 * (corner % 2) + left, 16 * (corner // 2) + top, 8)
        made.append(Person(shows, squares))
    return made


def write_masks(root: Path, shown: list[Person]) -> Path:
    """The photographs with their masks, in the plain layout."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for number, person in enumerate(shown):
        person.photograph().save(root / "images" / f"{number:03}.png")
        person.mask().save(root / "masks" / f"{number:03}.png")
    rows = [f"{number},{name},object" for number, name in enumerate(CONCEPTS, 1)]
    (root / "concepts.csv").write_text("\n".join(["number,name,category", *rows, "4,shoes,object"]) + "\n")
    return root


def write_hair_world(root: Path) -> None:
    """``photos`` with a folder per class, ``hair-masks`` of the same, and a database for each network."""
    shown = people(PEOPLE)
    write_masks(root / "hair-masks", shown)
    for number, person in enumerate(shown):
        folder = root / "photos" / person.shows
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:03}.png").write_bytes((root / "hair-masks" / "images" / f"{number:03}.png").read_bytes())
    named = write_masks(root / "named", people(10, seed=1))
    for name in HEADS:
        build(hair_network(name), named, str(root / f"{name}.db"), min_images=1, draws=19)
