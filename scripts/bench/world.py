"""A network without arithmetic and concept data without files: only the engine is left.

Both compute their data from an image's index on each request, and store nothing per image.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import nn

from dissection.networks.preprocessing import Preprocessing
from dissection.vocabulary import Concept, Labels, Layer
from neuronexplain import Network

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Float, UInt8
    from torch import Tensor

_BANK = 96
_SILENT = 1.0
"""In standard deviations of the noise: 84 % of the cells are 0, as in a rectified map."""

_SPREAD = 0.5
_LAYOUTS, _REGIONS, _LABELS = 32, 10, 112


class Maps(nn.Module):
    """Maps of the images whose indices the photographs hold: windows of rectified smooth noise, of varying loudness."""

    def __init__(self, units: int, height: int, width: int) -> None:
        super().__init__()
        self._shape = units, height, width
        noise = np.random.default_rng(0).standard_normal((units, _BANK, _BANK), np.float32)
        noise = gaussian_filter(noise, 1, axes=(1, 2), mode="wrap")
        self._bank = np.maximum(noise / noise.std() - _SILENT, 0)

    def forward(self, images: Float[Tensor, "images 3 h w"]) -> Float[Tensor, "images units h w"]:
        """Cut a window for each image."""
        units, height, width = self._shape
        colours = (images[:, :, 0, 0] * 255).round().long()
        maps = np.empty((len(images), *self._shape), np.float32)
        for unit_maps, index in zip(maps, (colours @ torch.tensor([1, 256, 65536])).tolist(), strict=True):
            generator = np.random.default_rng(index)
            y, x = generator.integers(0, (_BANK - height, _BANK - width), endpoint=True)
            loudness = np.exp(_SPREAD * generator.standard_normal((units, 1, 1), np.float32))
            np.multiply(self._bank[:, y : y + height, x : x + width], loudness, out=unit_maps)
        return torch.from_numpy(maps)


def mapping(layer: Layer, classes: int) -> Network:
    """A network that reads only an image's index; pooling and one linear layer follow the maps."""
    torch.manual_seed(0)
    maps = Maps(layer.units, layer.height, layer.width)
    module = nn.Sequential(maps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(layer.units, classes)).eval()
    preprocessing = Preprocessing(size=(2, 2), resize=(2, 2), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return Network(module, "maps", layer, preprocessing, tuple(f"class {index}" for index in range(classes)))


class Drawn:
    """Label maps of 112 x 112 in three layers of ten regions each, and a scene; concepts are frequent and rare.

    Args:
        images: number of images.
        concepts: number of concepts: eleven colours, and objects, parts and scenes in equal shares.
    """

    name = "drawn"
    categories: Sequence[str] = ("color", "object", "part", "scene")

    def __init__(self, images: int, concepts: int) -> None:
        self._images = images
        edges = [1, 12, *(12 + (concepts - 11) * part // 3 for part in (1, 2, 3))]
        self._ranges = list(pairwise(edges))
        self.concepts: Mapping[int, Concept] = {
            number: Concept(number, f"{category} {number}", category)
            for category, (first, last) in zip(self.categories, self._ranges, strict=True)
            for number in range(first, last)
        }
        self._layouts = _layouts()

    def __len__(self) -> int:
        return self._images

    def image_name(self, index: int) -> str:
        """The image's number."""
        return f"{index:06}"

    def photograph(self, index: int) -> Image.Image:
        """A colour that encodes the image's index."""
        return Image.new("RGB", (2, 2), (index % 256, index // 256 % 256, index // 65536))

    def labels(self, index: int) -> Labels:
        """Three random layouts, with random concepts in their regions."""
        generator = np.random.default_rng([index, 1])
        maps = np.empty((3, _LABELS, _LABELS), np.int32)
        for label_map, span, layout in zip(maps, self._ranges[:3], generator.integers(0, _LAYOUTS, 3), strict=True):
            np.take(_chosen(generator, span, _REGIONS), self._layouts[layout], out=label_map)
        return Labels(maps, tuple(_chosen(generator, self._ranges[3], 1).tolist()))

    def files(self, _index: int) -> Sequence[Path]:
        """None."""
        return []


def _chosen(generator: np.random.Generator, span: tuple[int, int], count: int) -> np.ndarray:
    first, last = span
    return (first + (last - first) * generator.random(count) ** 2).astype(np.int32)


def _layouts() -> UInt8[np.ndarray, "layouts h w"]:
    """Layouts, in which each pixel holds the nearest of ten points."""
    points = np.random.default_rng(0).uniform(0, _LABELS, (_LAYOUTS, _REGIONS, 2, 1, 1))
    rows, columns = np.mgrid[:_LABELS, :_LABELS]
    return ((points[:, :, 0] - rows) ** 2 + (points[:, :, 1] - columns) ** 2).argmin(1).astype(np.uint8)
