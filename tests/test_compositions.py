"""Compositional names: formulas searched for on half of the images and checked on the other, against bitmaps."""

from dataclasses import astuple
from functools import cache

import numpy as np
import pytest
import torch
from test_evidence import SMALL, hand_made_world, labelled_world, slow_fifth, slow_map, slow_quarters
from thread_ranks import on_ranks
from worlds import table_world

from dissection.dissect import dissect_layers
from dissection.engine import signatures
from dissection.engine.evidence import Draws
from dissection.engine.formula_search import BEAM
from dissection.engine.upsampling import upsample
from dissection.execution.settings import Execution
from dissection.vocabulary import OPERATORS, Concept, Formula, Labels, Truth

CATEGORIES = ("object", "color", "scene")
SEED = 5


def composed(network, concepts, execution=None, *, min_images=1, quantile=0.1, draws=9, longest=3):
    (dissection,) = dissect_layers(
        network,
        [network.layer],
        concepts,
        quantile=quantile,
        min_images=min_images,
        draws=Draws(draws, SEED, longest),
        execution=execution or Execution(),
    )
    return dissection


@cache
def composed_world(seed):
    """A world of labels, its maps, and the names of its units; nothing changes any of them."""
    (network, concepts), maps = labelled_world(seed)
    return network, concepts, maps, composed(network, concepts)


@cache
def bitmaps(seed):
    """The same, slowly."""
    _, concepts, maps, dissection = composed_world(seed)
    return Bitmaps(maps.astype(np.float32), concepts.all_labels, SMALL, CATEGORIES, dissection)


@cache
def searched_formulas(seed, unit):
    return bitmaps(seed).search(unit, list(SMALL), 3)


class Bitmaps:
    """Every pixel of every image, written out: where units are lit and where concepts are."""

    def __init__(self, maps, labels, concepts, categories, dissection):
        self.concepts, self.images, carried, lit, domains, image_of = concepts, len(labels), [], [], [], []
        for index, label in enumerate(labels):
            height, width = label.maps.shape[1:]
            numbers = list(concepts)
            there = [(label.maps == number).any(0) | (number in label.whole) for number in numbers]
            carried.append(np.reshape(there, (len(numbers), -1)))
            raised = upsample(maps[index].astype(np.float64), height, width)
            lit.append([row.ravel() > unit.threshold for row, unit in zip(raised, dissection.units, strict=True)])
            has = {concepts[number].category for number, mask in zip(numbers, there, strict=True) if mask.any()}
            domains.append(tuple(category in has for category in categories))
            image_of.append(np.full(height * width, index))
        self.carried = dict(zip(concepts, np.concatenate(carried, 1), strict=True))
        self.lit, self.image_of = np.concatenate(lit, 1), np.concatenate(image_of)
        self.labelled = {
            category: np.array([domain[place] for domain in domains])[self.image_of]
            for place, category in enumerate(categories)
        }
        self.held_out = np.zeros(self.images, bool)
        for stratum, kind in enumerate(sorted(set(domains))):
            members = [index for index, domain in enumerate(domains) if domain == kind]
            dealt = np.random.default_rng([SEED, 1, stratum]).permutation(members)
            self.held_out[dealt[(len(dealt) + 1) // 2 :]] = True
        self.strata = np.array([sorted(set(domains)).index(domain) for domain in domains])

    def sides(self, formula):
        """Where a formula holds, and where it is defined."""
        (_, first), *steps = formula
        holds = self.carried[first]
        for operator, number in steps:
            other = self.carried[number]
            holds = {"or": holds | other, "and": holds & other, "and not": holds & ~other}[operator]
        domain = np.all([self.labelled[self.concepts[number].category] for _, number in formula], 0)
        return holds & domain, domain

    def areas(self, unit, formula, pixels):
        holds, domain = self.sides(formula)
        lit = self.lit[unit]
        return int((lit & holds & pixels).sum()), int((lit & domain & pixels).sum()), int((holds & pixels).sum())

    def iou(self, *arguments):
        intersection, unit_area, formula_area = self.areas(*arguments)
        return intersection / (unit_area + formula_area - intersection) if intersection else 0.0

    def search(self, unit, numbers, longest):
        """The best formula of each length by trying them, each a bitmap; longer ones begin with the best pairs."""
        pixels = ~self.held_out[self.image_of]
        best, beam = [], [((("or", number),), self.iou(unit, (("or", number),), pixels)) for number in numbers]
        best.append(max(beam, key=lambda scored: scored[1]))
        for length in range(2, longest + 1):
            tried = {}
            for operator in OPERATORS:
                for head, _ in beam:
                    for number in numbers:
                        is_turned = length == 2 and operator != "and not" and number < head[0][1]
                        if number in [other for _, other in head] or is_turned:
                            continue
                        formula = (*head, (operator, number))
                        tried[formula] = self.iou(unit, formula, pixels)
            beam = sorted((one for one in tried.items() if one[1]), key=lambda scored: -scored[1])[:BEAM]
            if beam and beam[0][1] > best[-1][1]:
                best.append(beam[0])
        return [formula for formula, iou in best if iou]


def numbers_of(formula: Formula):
    return (("or", formula.first.number), *((operator, concept.number) for operator, concept in formula.steps))


def counted(areas):
    return areas.intersection, areas.unit_area, areas.formula_area


@pytest.mark.parametrize("seed", range(3))
def test_formulas_are_those_of_a_search_over_bitmaps(seed):
    dissection, world = composed_world(seed)[-1], bitmaps(seed)
    found = 0
    for unit in dissection.units:
        expected = searched_formulas(seed, unit.number) if unit.overlaps else []
        told = [numbers_of(one.formula) for one in unit.compositions]
        assert told == [formula for formula in expected if len(formula) > 1]
        for one in unit.compositions:
            for areas, pixels in ((one.searched, ~world.held_out), (one.held_out, world.held_out)):
                assert counted(areas) == world.areas(unit.number, numbers_of(one.formula), pixels[world.image_of])
            found += 1
    assert found > 10


@pytest.mark.parametrize("seed", range(2))
def test_checks_are_those_of_held_out_images_drawn_by_hand(seed):
    (_, _, maps, dissection), world = composed_world(seed), bitmaps(seed)
    weights = np.zeros((world.images, 200), int)
    for stratum in range(world.strata.max() + 1):
        members = np.flatnonzero((world.strata == stratum) & world.held_out)
        if len(members):
            generator = np.random.default_rng([SEED, 2, stratum])
            weights[members] = generator.multinomial(len(members), [1 / len(members)] * len(members), 200).T

    def resampled(unit, formula, domain):
        holds, lit = world.sides(formula)[0] & domain, world.lit[unit] & domain
        sums = [
            np.bincount(world.image_of[mask], minlength=world.images) @ weights for mask in (lit & holds, lit, holds)
        ]
        union = sums[1] + sums[2] - sums[0]
        return np.divide(sums[0], union, out=np.zeros(200), where=union > 0)

    gaining = 0
    for unit in dissection.units:
        best = [((("or", unit.best.concept.number),))] if unit.best else []
        searched = searched_formulas(seed, unit.number) if unit.overlaps else []
        for one in unit.compositions:
            formula = numbers_of(one.formula)
            gains = []
            for rival in [*searched[: searched.index(formula)], *best]:
                domain = world.sides(formula)[1] & world.sides(rival)[1]
                gains.append(resampled(unit.number, formula, domain) - resampled(unit.number, rival, domain))
            assert one.gain == pytest.approx(np.quantile(np.min(gains, 0), (0.025, 0.975)))
            holds, domain = world.sides(formula)
            images = [index for index in range(world.images) if domain[world.image_of == index].all()]
            responses = maps[:, unit.number].astype(np.float32)
            lit = [index for index in images if responses[index].max() > unit.threshold]
            carries = [index for index in images if holds[world.image_of == index].any()]
            hits = len({*lit} & {*carries})
            assert one.truth == Truth(len(lit), hits, len(images) - len(lit), len(carries) - hits)
            if one.gain[0] > 0:
                peaks = {index: responses[index].max() for index in lit}
                assert [astuple(quarter) for quarter in one.quarters] == [*slow_quarters(peaks, {*carries})]
                (shown,) = slow_fifth(peaks, {*carries})
                assert one.lit_map == pytest.approx(slow_map(responses[shown], unit.threshold))
                gaining += 1
            else:
                assert (one.quarters, one.lit_map) == ((), ())
    assert (gaining > 0) == (seed == 1)


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_compositions_do_not_depend_on_batches(batch_size):
    network, concepts, _, dissection = composed_world(1)
    assert composed(network, concepts, Execution(batch_size)) == dissection


@pytest.mark.parametrize("count", [2, 3])
def test_compositions_do_not_depend_on_ranks(count):
    network, concepts, _, alone = composed_world(1)
    assert any(one.p < 1 for unit in alone.units for one in unit.compositions)
    assert on_ranks(count, lambda ranks: composed(network, concepts, Execution(4, ranks=ranks))) == [alone] * count


@pytest.mark.parametrize("at", [8, 56])
def test_compositions_do_not_depend_on_where_a_build_was_stopped(at, tmp_path, monkeypatch):
    monkeypatch.setattr("dissection.execution.checkpoint._PAUSE", 0)
    monkeypatch.setattr("dissection.execution.checkpoint._SHARE", 1e9)
    network, concepts, _, dissection = composed_world(0)

    class StoppedError(Exception):
        pass

    def stop(stage, done, _total):
        if "comparing" in stage and done >= at:
            raise StoppedError

    with pytest.raises(StoppedError):
        composed(network, concepts, Execution(4, scratch=tmp_path, progress=stop))
    assert composed(network, concepts, Execution(4, scratch=tmp_path)) == dissection


def test_they_change_nothing_else():
    network, concepts, _, found = composed_world(0)
    alone = composed(network, concepts, longest=1)
    assert all(not unit.compositions for unit in alone.units)
    assert [unit.overlaps for unit in alone.units] == [unit.overlaps for unit in found.units]
    assert [unit.evidence for unit in alone.units] == [unit.evidence for unit in found.units]


def test_many_signatures_are_narrowed_to_concepts_that_matter_and_sums_stay_exact(monkeypatch):
    monkeypatch.setattr(signatures, "MOST_SIGNATURES", 60)
    monkeypatch.setattr(signatures, "_MOST_OF_A_KIND", 2)
    (network, concepts), maps = labelled_world(2)
    dissection = composed(network, concepts)
    world = Bitmaps(maps.astype(np.float32), concepts.all_labels, SMALL, CATEGORIES, dissection)
    told = [(unit.number, one) for unit in dissection.units for one in unit.compositions]
    assert len(told) > 1
    for unit, one in told:
        pixels = world.held_out[world.image_of]
        assert counted(one.held_out) == world.areas(unit, numbers_of(one.formula), pixels)


def test_units_of_a_known_formula_get_it_and_a_plain_one_gets_no_longer_name():
    generator, images = np.random.default_rng(0), 200
    named = {number: Concept(number, f"c{number}", "object" if number < 5 else "color") for number in range(1, 8)}
    labels, where = [], np.zeros((images, 8, 14, 14), bool)
    for image in range(images):
        numbers = np.zeros((2, 56, 56), np.int32)
        for number in generator.permutation(7) + 1:
            height, width = (24, 24) if number < 5 else (56, 20)
            top, left = generator.integers(0, (60 - height) // 4), generator.integers(0, (60 - width) // 4)
            if generator.random() < (0.3 if number in (3, 4) else 0.6):
                numbers[int(number > 4), 4 * top : 4 * top + height, 4 * left : 4 * left + width] = number
        labels.append(Labels(numbers))
        for number in named:
            where[image, number] = (numbers == number).any(0)[2::4, 2::4]
    a, c, d = (where[:, number] for number in (1, 5, 6))
    shown = [a & ~c, where[:, 3] | where[:, 4], a & c, a, a & ~c & ~d]
    strength = generator.uniform(0.9, 1.1, (images, 1, 1))
    noise = [np.maximum(generator.normal(size=a.shape), 0) for _ in range(6)]
    maps = np.stack([*(one * strength + 0.1 * generator.random(a.shape) for one in shown), *noise], 1)
    network, concepts = table_world(torch.tensor(maps, dtype=torch.float32), labels, named, ("object", "color"))
    dissection = composed(network, concepts, quantile=0.06, min_images=10, draws=19)
    found = [unit.composition() for unit in dissection.units]
    assert [one and one.formula.spoken for one in found[:5]] == [
        "c1 but not c5",
        "c3 or c4",
        "c1 and c5",
        None,
        "c1 but not c5 or c6",
    ]
    assert found[5:] == [None] * 6
    for one in filter(None, found):
        assert one.held_out.iou > 0.3
        assert one.q <= 0.05


def test_hardly_any_other_unit_gets_one():
    maps, labels, _ = hand_made_world(0, images=100)
    maps, named = maps[:, 80:], {number: Concept(number, f"c{number}", "object") for number in range(1, 25)}
    network, concepts = table_world(torch.tensor(maps), labels, named, ("object",))
    dissection = composed(network, concepts, quantile=0.005, min_images=10, draws=19, longest=2)
    accepted = [unit.number for unit in dissection.units if any(one.is_accepted() for one in unit.compositions)]
    assert len([unit for unit in accepted if unit < 60]) <= 1  # noise, and one place whatever is there
    assert sum(bool(unit.compositions) for unit in dissection.units[:60]) > 20  # and yet the search finds them


def test_without_evidence_none_is_looked_for():
    (network, concepts), _ = labelled_world(3)
    assert all(not unit.compositions for unit in composed(network, concepts, draws=0).units)
