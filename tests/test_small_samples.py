"""Intervals from formulas, against scipy's and published examples."""

import math

import numpy as np
import pytest
from scipy import stats

from neuronexplain.metrics.intervals import UNKNOWN
from neuronexplain.metrics.small_samples import (
    difference_of_means,
    difference_of_shares,
    is_apart_from_0,
    mean_of,
    share,
)


@pytest.mark.parametrize(("hits", "trials"), [(0, 1), (1, 1), (0, 7), (7, 7), (3, 7), (191, 300)])
def test_a_share_has_wilsons_interval(hits, trials):
    interval = stats.binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    measured = share(hits, trials)
    assert (measured.value, measured.images) == (hits / trials, trials)
    assert (measured.low, measured.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert measured.low < measured.high, "it is never a point"


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [  # Newcombe 1998, Table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_a_difference_of_shares_has_newcombes_interval(first, second, low, high):
    measured = difference_of_shares(share(*first), share(*second))
    assert measured.value == pytest.approx(first[0] / first[1] - second[0] / second[1])
    assert (measured.low, measured.high) == pytest.approx((low, high), abs=5e-5)
    turned = difference_of_shares(share(*second), share(*first))
    assert (turned.low, turned.high) == pytest.approx((-high, -low), abs=5e-5)


@pytest.mark.parametrize("count", [2, 3, 40])
def test_means_have_students_and_welchs_intervals(count):
    generator = np.random.default_rng(count)
    first, second = generator.normal(1, 1, count), generator.normal(0, 3, count + 5)
    interval = stats.ttest_1samp(first, 0).confidence_interval()
    assert mean_of(first).value == pytest.approx(first.mean())
    assert (mean_of(first).low, mean_of(first).high) == pytest.approx((interval.low, interval.high))
    interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
    measured = difference_of_means(first, second)
    assert (measured.low, measured.high) == pytest.approx((interval.low, interval.high))
    assert (measured.value, measured.images) == (pytest.approx(first.mean() - second.mean()), 2 * count + 5)


def test_what_no_image_tells_is_unknown():
    assert share(0, 0) is mean_of([]) is difference_of_means([1.0], []) is UNKNOWN
    assert difference_of_shares(share(1, 2), share(0, 0)) is UNKNOWN
    one = mean_of([4.0])
    assert (one.value, one.images) == (4.0, 1)
    assert math.isnan(one.low)
    assert math.isnan(difference_of_means([1.0, 2.0], [0.0]).high)
    assert not is_apart_from_0(one)


def test_images_that_agree_have_a_point_for_an_interval():
    same = mean_of([2.0, 2.0, 2.0])
    assert (same.low, same.high) == (2.0, 2.0)
    assert is_apart_from_0(same)
    assert not is_apart_from_0(difference_of_means([1.0, 1.0], [1.0, 1.0]))
