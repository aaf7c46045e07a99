"""How strongly units are lit on an image: the mean of ``A_k [A_k > T_k]`` over the Z cells of the layer's own grid.

Cells that were not kept do not exceed the threshold. Each sum is taken in double precision in the order of the cells,
so it does not depend on what else was kept, or on which images lie in the same block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.execution.kernels import kernel

if TYPE_CHECKING:
    from jaxtyping import Float32, Float64, Int32


def lit_means(
    images: Int32[np.ndarray, " pairs"],
    units: Int32[np.ndarray, " pairs"],
    maps: Float32[np.ndarray, "pairs h w"],
    thresholds: Float64[np.ndarray, " units"],
    count: int,
) -> Float64[np.ndarray, "count units"]:
    """The lit means of a few images; 0 where a unit is not lit.

    Args:
        images: the image of each map.
        units: the unit of each map; no pair of image and unit occurs twice.
        maps: the maps; cells below the unit's threshold may hold anything below it, such as ``-inf``.
        thresholds: ``T_k`` of every unit.
        count: number of images.
    """
    means = np.zeros((count, len(thresholds)))
    _add_lit(images, units, maps, thresholds, means)
    means /= maps.shape[1] * maps.shape[2]
    return means


@kernel
def _add_lit(
    images: Int32[np.ndarray, " pairs"],
    units: Int32[np.ndarray, " pairs"],
    maps: Float32[np.ndarray, "pairs h w"],
    thresholds: Float64[np.ndarray, " units"],
    sums: Float64[np.ndarray, "images units"],
) -> None:
    for pair in range(len(units)):
        threshold, lit = thresholds[units[pair]], 0.0
        for row in maps[pair]:
            for value in row:
                if value > threshold:
                    lit += np.float64(value)
        sums[images[pair], units[pair]] += lit
