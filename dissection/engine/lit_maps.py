"""The maps of units on images that show what they stand for: what a unit's map becomes where it is switched on."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from .cells import place_of
from .truth import strongest_carriers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jaxtyping import Float32, Float64, Int64

    from dissection.execution.ranks import Ranks

    from .cells import Block, Cells
    from .peaks import PeakSource

_SHOWN = 5
"""Not the strongest image, which is extreme, but the fifth strongest: a clear case."""


@dataclass(frozen=True, slots=True, eq=False)
class LitMaps:
    """The maps of units on the images that this rank has compared.

    Attributes:
        cells: what was kept of them.
        places: where each block is.
        blocks: the images of each block, ascending.
        thresholds: ``T_k`` of every unit.
        first: each unit's first value, which is its map on all images of a block where it is steady.
    """

    cells: Cells
    places: Sequence[tuple[int, int]]
    blocks: Sequence[range]
    thresholds: Float64[np.ndarray, " units"]
    first: Float32[np.ndarray, " units"]

    def of(self, pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], tuple[float, ...]]]:
        """Each of some pairs of a unit and an image with the unit's map on it, where this rank has the image."""
        starts = [block.start for block in self.blocks]
        by_block: dict[int, list[tuple[int, int]]] = {}
        for unit, image in pairs:
            number = bisect_right(starts, image) - 1
            if number >= 0 and image in self.blocks[number]:
                by_block.setdefault(number, []).append((unit, image))
        for number, of_block in by_block.items():
            block = self.cells.read(place_of(self.places, number))
            for unit, image in of_block:
                yield (unit, image), self._map(block.of(image - starts[number], unit), unit)

    def shown(
        self, source: PeakSource, units: Int64[np.ndarray, " units"], ranks: Ranks
    ) -> dict[int, tuple[float, ...]]:
        """By place in the source, the map of a unit on its fifth strongest image that shows what it stands for.

        Or on the weakest of them, where there are fewer. The rank that has seen it tells the others: every rank must
        call it.

        Args:
            source: responses.
            units: the unit of each place.
            ranks: the processes that share the images.
        """
        carriers = strongest_carriers(source, len(units), _SHOWN, ranks)
        pairs = {
            place: (int(units[place]), int(images[images >= 0][-1]))
            for place, images in enumerate(carriers)
            if (images >= 0).any()
        }
        maps = dict(chain.from_iterable(ranks.gather(list(self.of(dict.fromkeys(pairs.values()))))))
        return {place: maps[pair] for place, pair in pairs.items()}

    def _map(self, pair: Block, unit: int) -> tuple[float, ...]:
        """Cells above the threshold and their neighbours, and 0 elsewhere."""
        pruned = self.cells.pruned(pair, self.thresholds.astype(np.float32))
        if not len(pruned.units):
            return (float(self.first[unit]),) * self.cells.area
        cells = self.cells.maps(pruned)[0].ravel()
        return tuple(np.where(np.isfinite(cells), cells, 0).astype(float).tolist())
