"""Exact thresholds of a layer's units, from a stream of feature maps.

``T_k`` is the smallest observed value of unit k that at most ``floor(q n)`` of its n activations exceed: the
``floor(q n) + 1``-th largest (Bau et al. 2017, Sec. 2.2, who approximate it). Where nothing exceeds it, because the
unit saturates, ``T_k`` is the largest observed value below, so that the saturated cells are the mask; a unit that never
varies keeps its only value, which nothing exceeds.

What has been seen at any time bounds the final threshold from below: more values can only raise it.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float64
    from torch import Tensor


def strong_values(quantile: float, values: int) -> int:
    """How many of a unit's values may exceed its threshold: ``floor(q n)``, with q as the decimal that was written."""
    return math.floor(Fraction(repr(quantile)) * values)


class Thresholds:
    """The largest values of each unit, seen so far.

    ``add`` in any order, ``merge`` with others that saw other images: the answer is the same.

    Args:
        units: number of units.
        values: number of activations each unit will have had in the end, ``N h w``.
        quantile: share of them that is strong.
    """

    def __init__(self, units: int, values: int, quantile: float) -> None:
        self._keep = strong_values(quantile, values) + 1
        self._largest = torch.empty(units, 0)
        self._waiting: list[Tensor] = []
        self._maximum = torch.full((units,), -math.inf)
        self._runner_up = torch.full((units,), -math.inf)

    def add(self, maps: Float[Tensor, "images units h w"]) -> None:
        """Take in the feature maps of some images."""
        values = maps.detach().transpose(0, 1).flatten(1)
        maximum = values.amax(1)
        below = values.masked_fill(values == maximum[:, None], -math.inf).amax(1)
        self._rank(maximum, below)
        self._waiting.append(_largest(values, self._keep))
        if sum(waiting.shape[1] for waiting in self._waiting) >= self._keep:
            self._settle()

    def merge(self, other: Thresholds) -> None:
        """Take in what another has seen of the same units."""
        self._rank(other._maximum, other._runner_up)
        self._waiting += [other._largest, *other._waiting]
        self._settle()

    @property
    def varied(self) -> Bool[Tensor, " units"]:
        """Which units have shown two different values."""
        return self._runner_up > -math.inf

    def bounds(self) -> Float64[Tensor, " units"]:
        """What each final threshold cannot be below: ``-inf`` until enough was seen, and while a unit does not vary."""
        self._settle()
        if self._largest.shape[1] < self._keep:
            return torch.full_like(self._maximum, -math.inf, dtype=torch.float64)
        threshold = self._largest.amin(1)
        return torch.where(threshold == self._maximum, self._runner_up, threshold).double()

    def thresholds(self) -> Float64[Tensor, " units"]:
        """``T_k`` of each unit, once all values were seen."""
        return torch.where(self.varied, self.bounds(), self._maximum.double())

    def _rank(self, maximum: Tensor, below: Tensor) -> None:
        seen = torch.stack([self._maximum, self._runner_up, maximum.cpu(), below.cpu()])
        self._maximum = seen.amax(0)
        self._runner_up = seen.masked_fill(seen == self._maximum, -math.inf).amax(0)

    def _settle(self) -> None:
        if self._waiting:
            self._largest = _largest(torch.cat([self._largest, *(part.cpu() for part in self._waiting)], 1), self._keep)
            self._waiting = []


def _largest(values: Float[Tensor, "units values"], keep: int) -> Float[Tensor, "units kept"]:
    if values.shape[1] <= keep:
        return values
    return values.topk(keep, dim=1, sorted=False).values
