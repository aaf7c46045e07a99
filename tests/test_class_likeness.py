"""Which classes rest on the same concepts, and what tells them apart."""

import numpy as np
import pytest
from scipy.special import stdtrit

from db.excess import LitContributions
from neuronexplain.class_likeness import most_alike

UNITS = {"sky": (0,), "sea": (1, 2), "sand": (3,)}


def kept(means, images=(20, 20, 20)) -> LitContributions:
    values = np.array(means, float)
    return LitContributions([0, 2, 5], list(images), values, values**2 + 1)


def test_the_most_alike_class_is_the_one_of_the_same_direction():
    alike = most_alike(kept([[1, 0, 0, 2, 9], [2, 0, 0, 3, -9], [0, 4, 4, 0, 0]]), 0, UNITS)
    assert [other.index for other in alike] == [2], "the opposite is not alike; unit 4 has no name and does not count"
    centred = np.array([[1, 0, 0, 2], [2, 0, 0, 3], [0, 4, 4, 0]], float)
    centred -= centred.mean(0)
    cosine = centred[0] @ centred[1] / np.linalg.norm(centred[0]) / np.linalg.norm(centred[1])
    assert alike[0].likeness == pytest.approx(cosine)
    apart = alike[0].apart
    assert [contrast.concept for contrast in apart] == ["sky", "sand", "sea"]
    assert [contrast.difference.value for contrast in apart] == [-1, -1, 0]


def test_nothing_is_alike_where_nothing_is_kept():
    assert most_alike(kept([[1, 0, 0, 2]] * 3), 0, UNITS) == []
    assert most_alike(kept([[1, 0, 0, 2], [1, 1, 1, 1], [0, 4, 4, 0]]), 3, UNITS) == []
    assert most_alike(kept([[1, 0, 0, 2], [1, 1, 1, 1], [0, 4, 4, 0]]), 0, {}) == []


def test_the_interval_of_a_contrast_is_that_of_two_samples():
    """With as many images of both classes, Student's interval with the freedom of one of them."""
    lit = kept([[1.0, 0, 0, 0], [3.0, 0, 0, 0], [0, 0, 0, 0]])
    difference = lit.contrast(2, 0, [0])
    deviation = np.sqrt(20 / 19)
    error = np.sqrt(2 * deviation**2 / 20)
    assert difference.value == 2
    half = stdtrit(19, 0.975) * error
    assert difference.interval == pytest.approx((2 - half, 2 + half))
    assert kept([[1, 0, 0, 0]] * 3, images=(1, 20, 20)).contrast(0, 2, [0]).interval is None
