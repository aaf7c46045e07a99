"""Small worlds with known answers, and the definitions written out slowly."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from dissection.networks.layers import Layers
from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.recording import record
from dissection.vocabulary import Concept, Labels, Layer

SHARED = Path(__file__).parents[2] / "shared" / "data"
"""Real networks and photographs, where a developer has them."""


@dataclass(frozen=True)
class MemoryConcepts:
    """A concept dataset that is made up in memory."""

    photographs: list[Image.Image]
    all_labels: list[Labels]
    concepts: dict[int, Concept]
    categories: tuple[str, ...] = ("color", "object", "scene")
    name: str = "memory"
    folder: Path = field(default=Path())

    def __len__(self) -> int:
        return len(self.photographs)

    def image_name(self, index: int) -> str:
        return f"photo {index}"

    def photograph(self, index: int) -> Image.Image:
        return self.photographs[index]

    def labels(self, index: int) -> Labels:
        return self.all_labels[index]

    def files(self, index: int) -> list[Path]:
        return []


COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
}
DETECTORS = [[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -1]]
BIASES = [0, 0, 0, -1]
CLASSES = ("fire", "lawn", "lake", "sun")
HEAD = [[3.0, -2.0, -1.0, 0.5], [-2.0, 3.0, 0.25, -1.0], [-1.0, 0.25, 3.0, -2.0], [0.5, -1.0, -2.0, 3.0]]


class Square(nn.Module):
    """Makes alphas depend on the image."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (1 + x) ** 2


class ColourNet(nn.Module):
    """Unit i is 1 where colour i is and 0 elsewhere, at the resolution of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.detect = nn.Conv2d(3, 4, 1)
        self.rectify = nn.ReLU(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.square = Square()
        self.head = nn.Linear(4, 4)
        with torch.no_grad():
            self.detect.weight.copy_(torch.tensor(DETECTORS)[:, :, None, None])
            self.detect.bias.copy_(torch.tensor(BIASES))
            self.head.weight.copy_(torch.tensor(HEAD))
            self.head.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.rectify(self.detect(x)))
        return self.head(self.square(x.flatten(1)))


def colour_net() -> nn.Module:
    """A factory, as a user would write one."""
    return ColourNet().eval()


PLAIN = Preprocessing(size=(32, 32), resize=(32, 32), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def colour_network() -> Network:
    return Network(colour_net(), "ColourNet", Layer("rectify", 4, 32, 32), PLAIN, CLASSES)


def colour_square(colour: str, *, at: tuple[int, int] = (4, 6), side: int = 12) -> Image.Image:
    """A square of one colour on black, 32 x 32."""
    picture = Image.new("RGB", (32, 32))
    picture.paste(COLOURS[colour], (at[0], at[1], at[0] + side, at[1] + side))
    return picture


def colour_concepts(images: int = 40) -> MemoryConcepts:
    """Squares of each colour in turn, labelled to the pixel."""
    generator = np.random.default_rng(0)
    photographs, labels = [], []
    for index in range(images):
        colour = list(COLOURS)[index % 4]
        at = tuple(int(value) for value in generator.integers(0, 20, 2))
        photographs.append(colour_square(colour, at=at))
        numbers = np.zeros((1, 32, 32), np.int32)
        numbers[0, at[1] : at[1] + 12, at[0] : at[0] + 12] = index % 4 + 1
        labels.append(Labels(numbers))
    concepts = {number: Concept(number, f"{name}-c", "color") for number, name in enumerate(COLOURS, 1)}
    return MemoryConcepts(photographs, labels, concepts, ("color",))


def write_colour_folder(root: Path, images: int = 40) -> Path:
    """The same squares as a folder in the plain layout."""
    world = colour_concepts(images)
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for index, photograph in enumerate(world.photographs):
        photograph.save(root / "images" / f"{index:03}.png")
        mask = Image.fromarray(world.all_labels[index].maps[0].astype(np.uint8))
        mask.save(root / "masks" / f"{index:03}.png")
    rows = [f"{number},{concept.spoken},color" for number, concept in world.concepts.items()]
    (root / "concepts.csv").write_text("\n".join(["number,name,category", *rows]) + "\n")
    return root


def default_layer(module: nn.Module, size: tuple[int, int]) -> Layer:
    """The layer that is dissected unless another is named."""
    return Layers(record(module, seeing(size))).default()


def seeing(size: tuple[int, int]) -> Preprocessing:
    """The preprocessing of a network that takes images of this height and width."""
    return Preprocessing(size, size)


def network_at(module: nn.Module, layer: str, size: tuple[int, int]) -> Network:
    """A network of any output, at the layer of this name."""
    return Network.of_any_output(module, layer=layer, preprocessing=seeing(size))


class Table(nn.Module):
    """Looks feature maps up by the red of an image's first pixel."""

    def __init__(self, maps: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("maps", maps)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.maps[(images[:, 0, 0, 0] * 255).round().long().clamp(0, len(self.maps) - 1)]


def table_world(maps: torch.Tensor, labels: list[Labels], concepts: dict[int, Concept], categories: tuple[str, ...]):
    """A network that gives ``maps`` for the photographs of a concept dataset with ``labels``."""
    units, height, width = maps.shape[1:]
    module = nn.Sequential(Table(maps), nn.Flatten(), nn.Linear(units * height * width, 2)).eval()
    preprocessing = Preprocessing(size=(2, 2), resize=(2, 2), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    network = Network(module, "Table", Layer("0", units, height, width), preprocessing, ("a", "b"))
    photographs = [Image.new("RGB", (2, 2), (index, 0, 0)) for index in range(len(maps))]
    return network, MemoryConcepts(photographs, labels, concepts, categories)


def slow_threshold(values: list[float], quantile: float) -> float:
    """The smallest observed value that at most floor(q n) values exceed; lowered where nothing exceeds it."""
    allowed = math.floor(Fraction(str(quantile)) * len(values))
    observed = sorted(set(values))
    threshold = next(value for value in observed if sum(other > value for other in values) <= allowed)
    below = [value for value in observed if value < threshold]
    if threshold == observed[-1] and below:
        return below[-1]
    return threshold


def slow_upsample(grid: list[list[float]], height: int, width: int) -> list[list[float]]:
    """Bilinear, half-pixel centres, clamped at the border: rows first, then columns."""

    def line(values: list[float], size: int) -> list[float]:
        out = []
        for pixel in range(size):
            centre = min(max((pixel + 0.5) * (len(values) / size) - 0.5, 0), len(values) - 1)
            low = math.floor(centre)
            high = min(low + 1, len(values) - 1)
            out.append(values[low] + (centre - low) * (values[high] - values[low]))
        return out

    columns = [line([row[x] for row in grid], height) for x in range(len(grid[0]))]
    return [line([column[y] for column in columns], width) for y in range(height)]


def slow_counts(
    maps: np.ndarray,
    labels: list[Labels],
    concepts: dict[int, Concept],
    thresholds: list[float],
    unit: int,
    number: int,
) -> tuple[int, int, int, int]:
    """I, A, G and the number of images of one unit and one concept, pixel by pixel."""
    intersection = unit_area = concept_area = images = 0
    category = concepts[number].category
    for index, label in enumerate(labels):
        height, width = label.maps.shape[1:]
        raised = slow_upsample(maps[index, unit].astype(float).tolist(), height, width)
        lit = labelled = 0
        has_category = any(
            concepts[int(found)].category == category
            for found in [*label.maps.flatten().tolist(), *label.whole]
            if found != 0
        )
        for y in range(height):
            for x in range(width):
                is_lit = raised[y][x] > thresholds[unit]
                is_concept = number in label.whole or any(int(layer[y, x]) == number for layer in label.maps)
                lit += is_lit
                labelled += is_concept
                intersection += is_lit and is_concept
        concept_area += labelled
        images += labelled > 0
        unit_area += lit if has_category else 0
    return intersection, unit_area, concept_area, images
