"""Covers a concept's pixels, and as many others: what a fall of the score is compared with.

Covering anything lowers a score: it hides part of the picture and draws edges. So as much is covered elsewhere, in the
same shape where it fits, and otherwise as a patch of the same area. Neither covers what the class itself is: else the
network that leans on a place would seem not to, since covering the animal in it costs more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.signal import fftconvolve

from neuronexplain.metrics.faithfulness import blurred

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jaxtyping import Bool, Float32, Int64
    from torch import Tensor

    from neuronexplain.vocabulary import CoverKind

COVERS: Mapping[CoverKind, Callable[[Float32[Tensor, "channels h w"]], Float32[Tensor, "channels h w"]]] = {
    "mean": torch.zeros_like,
    "blur": lambda image: torch.from_numpy(blurred(image.numpy())),
}
"""What stands in place of covered pixels of a preprocessed image."""


@dataclass(frozen=True, slots=True)
class AuditDraws:
    """What is random in an audit, and what pixels are covered with.

    Attributes:
        count: how many times other units, and other pixels, are drawn for each photograph.
        seed: seed of the draws.
        cover: what pixels are covered with.
    """

    count: int = 4
    seed: int = 0
    cover: CoverKind = "mean"


def has_room(region: Bool[np.ndarray, "h w"], taken: Bool[np.ndarray, "h w"]) -> bool:
    """Whether as many pixels as a region has can be covered beside those that are taken."""
    return bool(0 < region.sum() <= (~taken).sum())


def elsewhere(
    region: Bool[np.ndarray, "h w"], taken: Bool[np.ndarray, "h w"], generator: np.random.Generator
) -> Bool[np.ndarray, "h w"]:
    """As many pixels as a region has, drawn at random: its shape moved, or a patch of its area if that fits nowhere.

    Args:
        region: the region, for which there is room.
        taken: pixels that are not covered, the region's among them.
        generator: where chance comes from.
    """
    (top, left), (bottom, right) = (edge(np.argwhere(region), 0) for edge in (np.min, np.max))
    shape = region[top : bottom + 1, left : right + 1]
    free = _free_places(taken, shape)
    if not len(free):
        return _patch(int(region.sum()), taken, generator)
    row, column = free[generator.integers(len(free))].tolist()
    moved = np.zeros_like(region)
    moved[row : row + shape.shape[0], column : column + shape.shape[1]] = shape
    return moved


def elsewhere_often(
    region: Bool[np.ndarray, "h w"], taken: Bool[np.ndarray, "h w"], draws: AuditDraws, number: int
) -> list[Bool[np.ndarray, "h w"]]:
    """The draws of :func:`elsewhere` for the photograph of this number."""
    generator = np.random.default_rng((draws.seed, number))
    return [elsewhere(region, taken, generator) for _ in range(draws.count)]


def _free_places(taken: Bool[np.ndarray, "h w"], shape: Bool[np.ndarray, "_ _"]) -> Int64[np.ndarray, "places 2"]:
    """Where the upper left corner of a shape can lie so that it covers no pixel that is taken."""
    overlaps = fftconvolve(taken.astype(np.float64), shape[::-1, ::-1].astype(np.float64), mode="valid")
    return np.argwhere(overlaps < 0.5)  # a number of pixels


def _patch(area: int, taken: Bool[np.ndarray, "h w"], generator: np.random.Generator) -> Bool[np.ndarray, "h w"]:
    """The pixels that are not taken and are nearest to one of them, so many."""
    free = np.argwhere(~taken)
    middle = free[generator.integers(len(free))]
    nearest = free[np.argsort(((free - middle) ** 2).sum(1), kind="stable")[:area]]
    patch = np.zeros_like(taken)
    patch[tuple(nearest.T)] = True
    return patch
