"""How much the strength of responses says about their truth."""

from __future__ import annotations

from math import lgamma

import numpy as np
import pytest

from dissection.vocabulary import Concept, Evidence, Overlap, Quarter, Truth, Unit
from neuronexplain.named_layer import NamedLayer
from neuronexplain.strength import overall_weight
from neuronexplain.vocabulary import Rules

CONCEPT = Concept(1, "sand", "object")


def unit(number, hits, images, q=0.01):
    """A unit named after sand, with the hits and images of its quarters."""
    quarters = tuple(
        Quarter(float(1 + place), count, hit) for place, (hit, count) in enumerate(zip(hits, images, strict=True))
    )
    evidence = Evidence(0.001, q, 1.0, (0.1, 0.3), (0.1, 0.2), (), quarters, ())
    truth = Truth(sum(images), sum(hits), 50, 1)
    return Unit(number, 0.5, (Overlap(CONCEPT, 20, 60, 60, 30, truth),), (), evidence)


def drawn(weight, *, units=150, images=12, seed=0):
    """Units whose quarters have shares around the unit's own, drawn with a weight."""
    generator = np.random.default_rng(seed)
    made = []
    for number in range(units):
        overall = generator.uniform(0.1, 0.9)
        shares = generator.beta(weight * overall, weight * (1 - overall), 4)
        made.append(unit(number, generator.binomial(images, shares).tolist(), [images] * 4))
    return made


def slow_log_likelihood(units, weight):
    """The beta-binomial likelihood, quarter by quarter, without what does not depend on the weight."""
    total = 0.0
    for one in units:
        truth = one.overlaps[0].truth
        for quarter in one.evidence.quarters:
            h, n = quarter.hits, quarter.images
            others = (truth.hit_images - h + 0.5) / (truth.lit_images - n + 1)
            a, b = weight * others, weight * (1 - others)
            total += lgamma(h + a) + lgamma(n - h + b) - lgamma(n + a + b)
            total -= lgamma(a) + lgamma(b) - lgamma(a + b)
    return total


@pytest.mark.parametrize("weight", [2.0, 6.0, 25.0])
def test_the_weight_is_the_likeliest_of_all(weight):
    units = drawn(weight)
    chosen = overall_weight(units)
    others = [2.0 ** (step / 4) for step in range(25)]
    assert chosen == max(others, key=lambda other: slow_log_likelihood(units, other))
    assert weight / 2 <= chosen <= 1.5 * weight


def test_where_strength_tells_everything_a_quarter_speaks_for_itself():
    assert overall_weight([unit(number, [0, 0, 12, 12], [12] * 4) for number in range(20)]) == 1


def test_where_strength_tells_nothing_the_unit_speaks_for_its_quarters():
    assert overall_weight([unit(number, [6, 6, 6, 6], [12] * 4) for number in range(20)]) == 64  # the greatest


def test_without_quarters_the_weight_is_one():
    assert overall_weight([]) == 1
    assert overall_weight([Unit(0, 0.5, (), ())]) == 1


def test_a_layer_learns_from_its_proven_units_only():
    proven = drawn(30.0, seed=1)
    doubtful = [unit(150 + number, [0, 0, 12, 12], [12] * 4, q=0.5) for number in range(150)]
    layer = NamedLayer([*proven, *doubtful], Rules())
    assert layer.overall_weight == overall_weight(proven) > 6
    assert NamedLayer([*proven, *doubtful], Rules(max_q=1.0)).overall_weight < 6
