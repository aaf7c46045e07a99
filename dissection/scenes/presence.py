"""Which concepts are in a scene: a second target of training, so that the last map's units come to detect concepts.

A head gives each unit one concept: the unit's greatest activation says whether the concept is in the scene. The head is
thrown away after training.

From whole scenes alone, units would learn the class instead: a bed is in every bedroom, and nowhere else. So what is
asked for is presence in each of four quarters, which meet at a random point, and in half of the scenes the quarters
come from four others. Where a pillow may lie beside a lighthouse, only the thing itself tells that it is there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .canvas import LABELS
from .words import CONCEPTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jaxtyping import Bool, Float, Int32, UInt8

SIDE = 7
"""Cells along a side of the grid in which pixels are counted. Quarters meet at a corner of its cells."""

_PRESENT = 2.0
"""How much more a concept that is present counts than one that is absent, which is far more frequent."""

_FIRST_LOGIT = -3.0
"""Where a unit is silent, the head says at first that its concept is not there: most are absent from most scenes."""

_LEAST = 8
"""Pixels of the label maps from which on a concept counts as present; fewer are a sliver at the edge of a quarter."""


def count_cells(
    labels: Iterable[Int32[np.ndarray, "112 112"]], concepts: Sequence[int]
) -> UInt8[np.ndarray, "7 7 concepts"]:
    """How many pixels of each cell show each concept, given by its label number; 255 stands for more, too."""
    rows, columns = np.indices((LABELS, LABELS)) * SIDE // LABELS
    shape = (SIDE, SIDE, len(CONCEPTS) + 1)
    first = (rows * SIDE + columns) * shape[2]
    counts = sum(np.bincount((first + numbers).ravel(), minlength=math.prod(shape)) for numbers in labels)
    return np.reshape(counts, shape)[:, :, list(concepts)].clip(max=255).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Scenes to learn from.

    Attributes:
        images: the network's input.
        classes: how much of each scene is of each class; sums to 1.
        cells: how many pixels of each cell show each concept.
        quarters: which cells are in each of four quarters.
    """

    images: Float[Tensor, "scenes 3 h w"]
    classes: Float[Tensor, "scenes classes"]
    cells: UInt8[Tensor, "scenes 7 7 concepts"]
    quarters: Bool[Tensor, "scenes 4 7 7"]

    def present(self) -> Bool[Tensor, "scenes 4 concepts"]:
        """Which concepts are in each quarter."""
        pixels = torch.einsum("sqrc,srck->sqk", self.quarters.float(), self.cells.float())
        return pixels >= _LEAST

    def joined(self, scenes: int) -> Batch:
        """The batch with its first scenes replaced by scenes whose quarters come from four scenes of the batch."""
        images, classes, cells = self.images.clone(), self.classes.clone(), self.cells.clone()
        classes[:scenes] = 0
        for quarter in self.quarters[:scenes].unbind(1):
            others = torch.randperm(len(images))[:scenes]
            is_inside = _enlarged(quarter, images.shape[2] // SIDE)
            images[:scenes] = torch.where(is_inside[:, None], self.images[others], images[:scenes])
            cells[:scenes] = torch.where(quarter[..., None], self.cells[others], cells[:scenes])
            classes[:scenes] += quarter.float().mean((1, 2))[:, None] * self.classes[others]
        return Batch(images, classes, cells, self.quarters)


def draw_quarters(scenes: int) -> Bool[Tensor, "scenes 4 7 7"]:
    """Quarters that meet at a random point of each scene, not too close to its border."""
    is_before = torch.arange(SIDE) < torch.randint(2, SIDE - 1, (2, scenes, 1))
    (upper, left), (lower, right) = is_before, ~is_before
    pairs = [(rows, columns) for rows in (upper, lower) for columns in (left, right)]
    return torch.stack([rows[:, :, None] & columns[:, None, :] for rows, columns in pairs], 1)


class ConceptHead(nn.Module):
    """Tells which concepts are in a quarter from the greatest activation there of one unit for each.

    Args:
        concepts: how many concepts there are; the first unit is for the first of them, and so on.
    """

    def __init__(self, concepts: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(concepts))
        self.bias = nn.Parameter(torch.full((concepts,), _FIRST_LOGIT))

    def losses(
        self, maps: Float[Tensor, "scenes units h w"], batch: Batch
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """How wrong the head is, and how much units respond in quarters without their concept."""
        height, width = maps.shape[2:]
        is_inside = _enlarged(batch.quarters.flatten(0, 1), height // SIDE).reshape(-1, 4, 1, height, width)
        inside = maps[:, None, : len(self.scale)] * is_inside
        present = batch.present().float()
        logits = F.softplus(self.scale) * inside.amax((3, 4)) + self.bias
        wrong = F.binary_cross_entropy_with_logits(logits, present, pos_weight=logits.new_tensor(_PRESENT))
        noise = inside.mean((3, 4)) * (1 - present)
        return wrong, noise.sum(1).mean()


def _enlarged(quarters: Bool[Tensor, "any 7 7"], factor: int) -> Bool[Tensor, "any h w"]:
    return quarters.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
