"""Where units respond, in relation to their thresholds."""

from __future__ import annotations

import numpy as np

from neuronexplain.activity import concept_map


def test_concept_maps_are_one_at_the_threshold():
    maps = np.array([[[2.0]], [[1.0]], [[0.5]]])
    assert concept_map(maps[:2], np.array([1.0, 4.0]), (2, 2)).tolist() == [[2.0, 2.0], [2.0, 2.0]]
    assert concept_map(maps[2:], np.array([0.0]), (1, 1)).tolist() == [[1.5]]
    assert concept_map(maps[1:2], np.array([4.0]), (1, 1)).tolist() == [[0.25]]
