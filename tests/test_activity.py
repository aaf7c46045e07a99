"""Which units are active, against the definition: some pixel of the upsampled map exceeds the threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dissection.engine.upsampling import upsample
from neuronexplain.activity import active_units, concept_map

if TYPE_CHECKING:
    from jaxtyping import Float64


def test_active_units_have_a_lit_pixel():
    maps = np.zeros((3, 2, 2))
    maps[0, 0, 0], maps[1] = 1.0, 0.5
    assert active_units(maps, np.array([0.5, 0.5, -1.0]), (8, 8)) == {0, 2}


def test_concept_maps_are_one_at_the_threshold():
    maps = np.array([[[2.0]], [[1.0]], [[0.5]]])
    assert concept_map(maps, np.array([1.0, 4.0, 0.0]), [0, 1], (2, 2)).tolist() == [[2.0, 2.0], [2.0, 2.0]]
    assert concept_map(maps, np.array([1.0, 4.0, 0.0]), [2], (1, 1)).tolist() == [[1.5]]
    assert concept_map(maps, np.array([1.0, 4.0, 0.0]), [1], (1, 1)).tolist() == [[0.25]]


@st.composite
def layers(draw: st.DrawFn) -> tuple[Float64[np.ndarray, "units h w"], Float64[np.ndarray, " units"], tuple[int, int]]:
    """Maps with thresholds at, just under and just over the deciding values, and a size to upsample to."""
    h, w, height, width = (draw(st.integers(1, most)) for most in (5, 5, 23, 23))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    maps = generator.normal(size=(12, h, w)) * 10.0 ** generator.integers(-3, 4, (12, h, w))
    maps = np.where(generator.random(maps.shape) < draw(st.sampled_from([0.0, 0.6])), 0, maps)
    raised = upsample(maps, height, width)
    highest, anywhere = raised.max((1, 2)), generator.choice(raised.reshape(12, -1), axis=1)
    cells = generator.choice(maps.reshape(12, -1), axis=1)
    at = np.choose(generator.integers(0, 4, 12), [highest, highest, anywhere, cells])
    return maps, np.nextafter(at, at + generator.integers(-1, 2, 12)), (height, width)


@given(layers())
def test_active_units_equal_the_dense_definition(
    layer: tuple[Float64[np.ndarray, "units h w"], Float64[np.ndarray, " units"], tuple[int, int]],
) -> None:
    maps, thresholds, size = layer
    lit = (upsample(maps, *size) > thresholds[:, None, None]).any((1, 2))
    assert active_units(maps, thresholds, size) == frozenset(np.flatnonzero(lit).tolist())
