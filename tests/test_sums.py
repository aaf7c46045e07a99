"""Sums that do not depend on the order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thread_ranks import on_ranks

from dissection.engine.exact_sums import ClassSums
from dissection.errors import ActivationError

numbers = st.floats(-1e6, 1e6, width=32) | st.floats(-(2.0**-10), 2.0**-10, width=32)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), numbers), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_means_are_right_and_the_same_in_any_order_on_any_number_of_ranks(rows, random):
    def means(rows, ranks=None):
        sums = ClassSums((1,), "numbers")
        for index, value in rows:
            sums.add(np.array([index]), np.array([[value]], np.float32))
        if ranks:
            sums.pool(ranks)
        return {index: (count, mean.tolist()) for index, (count, mean) in sums.means().items()}

    found = means(rows)
    for index, (count, (mean,)) in found.items():
        own = [value for other, value in rows if other == index]
        assert count == len(own)
        assert mean == pytest.approx(np.mean(own), rel=1e-12, abs=1e-18)
    shuffled = random.sample(rows, len(rows))
    assert means(shuffled) == found
    assert on_ranks(3, lambda ranks: means(shuffled[ranks.number :: 3], ranks)) == [found] * 3


def test_sums_go_on_from_their_state():
    sums, again = ClassSums((2,), "numbers"), ClassSums((2,), "numbers")
    sums.add(np.array([5, 1]), np.array([[1, 2], [3, 4]], np.float32))
    again.restore(sums.state())
    again.add(np.array([5]), np.array([[3, 3]], np.float32))
    assert {index: (count, mean.tolist()) for index, (count, mean) in again.means().items()} == {
        1: (1, [3.0, 4.0]),
        5: (2, [2.0, 2.5]),
    }
    nothing = ClassSums((2,), "numbers")
    nothing.restore(ClassSums((2,), "numbers").state())
    assert nothing.means() == {}


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e12])
def test_what_cannot_be_summed_is_refused(bad):
    with pytest.raises(ActivationError, match="numbers are not finite"):
        ClassSums((1,), "numbers").add(np.array([0]), np.array([[bad]], np.float32))


def test_a_sum_that_grows_too_large_is_refused():
    sums = ClassSums((1,), "numbers")
    sums.add(np.array([0]), np.array([[6e10]], np.float32))
    with pytest.raises(ActivationError, match="add up to more than"):
        sums.add(np.array([0]), np.array([[6e10]], np.float32))
