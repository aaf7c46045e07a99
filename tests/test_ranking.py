"""Ranking against sorting by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissection.errors import ClassNotFoundError
from neuronexplain.classes import find_class
from neuronexplain.ranking import strongest


@given(st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0]), min_size=1, max_size=12), st.integers(1, 5), st.data())
def test_equals_sorting(values, k, data):
    chosen = data.draw(st.sets(st.integers(0, len(values) - 1)))
    order = sorted(range(len(values)), key=lambda unit: (-values[unit], unit))
    back = sorted(range(len(values)), key=lambda unit: (values[unit], unit))
    found = strongest(np.array(values), k)
    assert found.top == tuple(unit for unit in order if values[unit] > 0)[:k]
    assert found.bottom == tuple(unit for unit in back if values[unit] < 0)[:k]
    asked = []
    among = strongest(np.array(values), k, is_eligible=lambda unit: asked.append(unit) or unit in chosen)
    assert among.top == tuple(unit for unit in order if values[unit] > 0 and unit in chosen)[:k]
    assert among.passed_over == tuple(unit for unit in (*found.top, *found.bottom) if unit not in chosen)
    assert len(asked) == len(set(asked))


LABELS = ["great_white_shark, white shark", "tench", "/b/beer_hall", "crane", "crane", "forest-road"]


@pytest.mark.parametrize(
    ("typed", "index"),
    [("TENCH", 1), ("white shark", 0), ("great white_shark", 0), ("beer hall", 2), ("4", 4), ("Forest Road", 5)],
)
def test_classes_are_found_as_people_type_them(typed, index):
    assert find_class(LABELS, typed) == index


@pytest.mark.parametrize(
    ("typed", "told"), [("tensh", "tench"), ("crane", "classes 3, 4"), ("9", "one of its 6"), ("", "one of its 6")]
)
def test_other_classes_are_refused_with_near_ones(typed, told):
    with pytest.raises(ClassNotFoundError, match=told):
        find_class(LABELS, typed)
