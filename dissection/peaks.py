"""Keeps the few feature maps that can still matter once the thresholds are known.

A map whose maximum does not exceed a lower bound of its unit's final threshold has an empty mask and can be forgotten.
So one forward pass is enough: what is left at its end is the maps that have a mask.

While a unit has shown one value only, its maps are not kept: they are that value everywhere. Should lower values turn
up, they are its saturated maps and are made again from what is remembered of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Bool, Float, Float64, Int64
    from torch import Tensor

_ROOM = 4096
"""Pairs that may pile up before those ruled out are sought."""


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Maps of some unit-image pairs.

    Attributes:
        images: index of the image, by pair.
        units: index of the unit, by pair.
        maps: the unit's map on the image, by pair.
    """

    images: Int64[Tensor, " pairs"]
    units: Int64[Tensor, " pairs"]
    maps: Float[Tensor, "pairs h w"]

    def above(self, thresholds: Float64[Tensor, " units"]) -> Peaks:
        """The pairs whose maximum exceeds their unit's threshold."""
        return self._pick(self.maps.flatten(1).amax(1) > thresholds[self.units])

    def by_image(self, images: int) -> Iterator[tuple[Int64[Tensor, " pairs"], Float[Tensor, "pairs h w"]]]:
        """For each image from 0 to ``images - 1``, its units, ascending, and their maps."""
        order = torch.argsort(self.images * (int(self.units.max()) + 1 if len(self.units) else 1) + self.units)
        counts = torch.bincount(self.images, minlength=images).tolist()
        for pairs in torch.split(order, counts):
            yield self.units[pairs], self.maps[pairs]

    def _pick(self, keep: Bool[Tensor, " pairs"]) -> Peaks:
        return Peaks(self.images[keep], self.units[keep], self.maps[keep])

    @staticmethod
    def join(parts: list[Peaks], height: int, width: int) -> Peaks:
        """All pairs of all parts."""
        empty = Peaks(
            torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64), torch.empty(0, height, width)
        )
        parts = [empty, *parts]
        return Peaks(
            torch.cat([part.images for part in parts]),
            torch.cat([part.units for part in parts]),
            torch.cat([part.maps for part in parts]),
        )


class PeakKeeper:
    """Collects peaks over a stream of feature maps, forgetting what the rising bounds rule out."""

    def __init__(self, units: int, height: int, width: int) -> None:
        self._size = (height, width)
        self._parts: list[Peaks] = []
        self._images = torch.empty(0, dtype=torch.int64)
        self._steady = torch.ones(units, dtype=torch.bool)
        self._value = torch.zeros(units)
        self._left = _ROOM

    def add(
        self,
        images: Int64[Tensor, " images"],
        maps: Float[Tensor, "images units h w"],
        *,
        bounds: Float64[Tensor, " units"],
        varied: Bool[Tensor, " units"],
    ) -> None:
        """Take in the maps of some images, with the bounds and variation that include them."""
        self._recall(bounds, varied)
        maxima = maps.flatten(2).amax(2)
        image, unit = torch.where((maxima > bounds) & varied)
        self._parts.append(Peaks(images[image], unit, maps[image, unit]))
        self._steady &= ~varied
        self._value[self._steady] = maps[0, self._steady, 0, 0]
        self._images = torch.cat([self._images, images])
        if sum(len(part.units) for part in self._parts) > 2 * self._left:
            self._parts = [self.peaks().above(bounds)]
            self._left = max(len(self._parts[0].units), _ROOM)

    def peaks(self) -> Peaks:
        """What is kept."""
        return Peaks.join(self._parts, *self._size)

    def _recall(self, bounds: Float64[Tensor, " units"], varied: Bool[Tensor, " units"]) -> None:
        woken = torch.where(self._steady & varied & (self._value > bounds))[0]
        if len(woken) and len(self._images):
            images = self._images.repeat_interleave(len(woken))
            units = woken.repeat(len(self._images))
            flat = self._value[units][:, None, None].expand(-1, *self._size).clone()
            self._parts.append(Peaks(images, units, flat))
