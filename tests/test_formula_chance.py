"""Formulas over dealt labels, and all that is said of a formula, against bitmaps in a world of a dozen images."""

import numpy as np
import pytest
import torch
from scipy.stats import gumbel_r
from test_compositions import SEED, Bitmaps, composed, counted, numbers_of
from thread_ranks import on_ranks
from worlds import table_world

from dissection.engine.upsampling import upsample
from dissection.execution.settings import Execution
from dissection.vocabulary import Concept, Labels

CONCEPTS = {number: Concept(number, f"c{number}", "object" if number < 4 else "color") for number in range(1, 6)}
CATEGORIES = ("object", "color")
IMAGES, CELLS, SIDE, DRAWS = 12, 6, 3, 9
"""Images; cells along the side of a map; pixels along the side of a cell; searches over dealt labels."""


def tiny_world(seed):
    """Units that respond to formulas of what is there, and to nothing; every fourth image has no colours."""
    generator = np.random.default_rng(seed)
    numbers = np.stack(
        [generator.integers(0, 4, (IMAGES, CELLS, CELLS)), generator.integers(3, 6, (IMAGES, CELLS, CELLS))], 1
    )
    numbers[:, 1][numbers[:, 1] == 3] = 0
    numbers[::4, 1] = 0
    a, b, c, d = (numbers[:, 0] == 1, numbers[:, 0] == 2, numbers[:, 1] == 4, numbers[:, 1] == 5)
    shown = [a | b, a & ~c, (a | b) & d, a, np.zeros_like(a)]
    maps = np.stack(shown, 1) * 3.0 + np.maximum(generator.normal(size=(IMAGES, len(shown), CELLS, CELLS)), 0)
    labels = [Labels(np.kron(layers, np.ones((SIDE, SIDE))).astype(np.int32)) for layers in numbers]
    network, concepts = table_world(torch.tensor(maps, dtype=torch.float32), labels, CONCEPTS, CATEGORIES)
    return network, concepts, maps.astype(np.float32)


class DealtBitmaps(Bitmaps):
    """Every pixel of the searched images, with the labels of other images: what is lit of a cell is so at its pixels.

    A unit lights of a cell as many of its 4 x 4 points as exceed the threshold; areas are in sixteenths of a pixel.
    """

    def __init__(self, maps, labels, dissection):
        super().__init__(maps, labels, CONCEPTS, CATEGORIES, dissection)
        self.searched = np.flatnonzero(~self.held_out)
        finer = np.stack([upsample(one.astype(np.float64), 4 * CELLS, 4 * CELLS) for one in maps])
        thresholds = np.array([unit.threshold for unit in dissection.units])[:, None, None]
        points = (finer > thresholds).reshape(IMAGES, -1, CELLS, 4, CELLS, 4).sum((3, 5))
        self.points = np.kron(points, np.ones((SIDE, SIDE), int)).reshape(IMAGES, len(thresholds), -1)
        self.own = {"carried": self.carried, "labelled": self.labelled}
        self.pixels = np.arange(len(self.image_of)).reshape(IMAGES, -1)

    def deal(self, sources):
        """Give each searched image the labels of its source."""
        chosen = self.pixels[sources].ravel()
        self.carried, self.labelled = (
            {key: values[chosen] for key, values in self.own[side].items()} for side in ("carried", "labelled")
        )
        self.held_out, self.image_of = np.zeros(IMAGES, bool), self.image_of[: len(chosen)] * 0

    def areas(self, unit, formula, pixels):
        holds, domain = self.sides(formula)
        lit = self.points[self.searched, unit].ravel()
        return int(lit @ holds), int(lit @ domain), 16 * int(holds.sum())

    def greatest(self, unit):
        """The greatest IoU of formulas of up to two concepts, and of up to three."""
        ious = {len(formula): self.iou(unit, formula, None) for formula in self.search(unit, list(CONCEPTS), 3)}
        return [max(iou for length, iou in ious.items() if length <= most) for most in (2, 3)] if ious else [0.0, 0.0]


def slow_chances(maps, labels, dissection, units):
    """p of each unit's formulas by their length, from searches over labels that are dealt within strata."""
    world = DealtBitmaps(maps, labels, dissection)
    strata = world.strata[world.searched]
    world.deal(world.searched)
    observed = {unit: world.greatest(unit) for unit in units}
    nulls = {unit: [] for unit in units}
    for draw in range(DRAWS):
        generator, sources = np.random.default_rng([SEED, 3, draw]), world.searched.copy()
        for stratum in range(strata.max() + 1):
            members = np.flatnonzero(strata == stratum)
            sources[members] = world.searched[generator.permutation(members)]
        world.deal(sources)
        for unit in units:
            nulls[unit].append(world.greatest(unit))
    return {
        (unit, length): slow_p(observed[unit][length - 2], np.array(nulls[unit])[:, length - 2])
        for unit in units
        for length in (2, 3)
    }


def slow_p(observed, maxima):
    counted_p = (1 + sum(maximum >= observed for maximum in maxima)) / (len(maxima) + 1)
    deviation = maxima.std(ddof=1)
    if observed <= maxima.max() or not deviation:
        return counted_p
    scale = deviation * np.sqrt(6) / np.pi
    return min(counted_p, gumbel_r.sf(observed, maxima.mean() - np.euler_gamma * scale, scale))


@pytest.mark.parametrize("seed", range(3))
def test_chances_are_those_of_searches_over_bitmaps_with_dealt_labels(seed):
    network, concepts, maps = tiny_world(seed)
    dissection = composed(network, concepts, quantile=0.2, draws=DRAWS)
    compositions = [(unit.number, one) for unit in dissection.units for one in unit.compositions]
    tested = [(unit, one) for unit, one in compositions if one.gain[0] > 0]
    chances = slow_chances(maps, concepts.all_labels, dissection, sorted({unit for unit, _ in tested}))
    assert [one.p for _, one in tested] == pytest.approx([chances[unit, one.formula.length] for unit, one in tested])
    assert len({one.p for _, one in tested}) > 1
    for _, one in compositions:
        as_small = [other.p for _, other in tested if other.p >= one.p]
        rates = [p * len(tested) / sum(other.p <= p for _, other in tested) for p in as_small]
        expected = min([*rates, 1.0]) if one.gain[0] > 0 else 1.0
        assert one.q == pytest.approx(expected)
        assert one.gain[0] > 0 or one.p == 1


@pytest.mark.parametrize("seed", range(3))
def test_searches_and_checks_of_a_dozen_images_are_exact(seed):
    network, concepts, maps = tiny_world(seed)
    dissection = composed(network, concepts, quantile=0.2, draws=DRAWS)
    world = Bitmaps(maps, concepts.all_labels, CONCEPTS, CATEGORIES, dissection)
    weights = np.zeros((IMAGES, 200), int)
    for stratum in range(world.strata.max() + 1):
        members = np.flatnonzero((world.strata == stratum) & world.held_out)
        generator = np.random.default_rng([SEED, 2, stratum])
        weights[members] = generator.multinomial(len(members), [1 / len(members)] * len(members), 200).T
    drawn = weights[world.image_of]

    def resampled(unit, formula, rival):
        common = world.sides(formula)[1] & world.sides(rival)[1]
        holds, lit = world.sides(formula)[0] & common, world.lit[unit] & common
        return (holds & lit) @ drawn / np.maximum((holds | lit) @ drawn, 1)

    for unit in dissection.units:
        searched = world.search(unit.number, list(CONCEPTS), 3)
        assert [numbers_of(one.formula) for one in unit.compositions] == [one for one in searched if len(one) > 1]
        for one in unit.compositions:
            formula = numbers_of(one.formula)
            for areas, half in ((one.searched, ~world.held_out), (one.held_out, world.held_out)):
                assert counted(areas) == world.areas(unit.number, formula, half[world.image_of])
            rivals = [*searched[: searched.index(formula)], (("or", unit.overlaps[0].concept.number),)]
            gains = [resampled(unit.number, formula, one) - resampled(unit.number, one, formula) for one in rivals]
            assert one.gain == tuple(np.quantile(np.min(gains, 0), (0.025, 0.975)))


@pytest.mark.parametrize(("count", "batch_size"), [(1, 5), (2, 1), (3, 5)])
def test_a_dozen_images_give_the_same_for_any_ranks_and_batches(count, batch_size):
    network, concepts, _ = tiny_world(0)
    alone = composed(network, concepts, quantile=0.2, draws=DRAWS)
    assert any(one.p < 1 for unit in alone.units for one in unit.compositions)
    shared = on_ranks(
        count, lambda ranks: composed(network, concepts, Execution(batch_size, ranks=ranks), quantile=0.2, draws=DRAWS)
    )
    assert shared == [alone] * count
