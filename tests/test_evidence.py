"""Evidence for names: tables of cells, the permutation null, resampled names, against slow versions."""

import math
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, gaussian_filter
from thread_ranks import on_ranks
from worlds import slow_upsample, table_world

from dissection.dissect import dissect, dissect_layers
from dissection.engine import evidence_blocks
from dissection.engine.cell_tables import CellTables, labelled_cells, lit_cells
from dissection.engine.chance import chance, p_values, q_values
from dissection.engine.evidence import Draws
from dissection.engine.overlaps import Columns
from dissection.engine.stability import stability
from dissection.engine.thresholds import strong_values
from dissection.execution.settings import Execution
from dissection.vocabulary import Concept, Description, Labels, Quarter, Truth

CONCEPTS = {number: Concept(number, f"c{number}", ("object", "color")[number % 2]) for number in (2, 3, 5, 8)}
COLUMNS = Columns.of(CONCEPTS, ("object", "color"))


def world(seed, images=12, units=6, grid=(3, 4)):
    """Maps and labels of several sizes, some images labelled in one category only."""
    generator = np.random.default_rng(seed)
    maps = generator.normal(size=(images, units, *grid)).astype(np.float32)
    labels = []
    for index in range(images):
        shape = [(6, 8), (9, 7), (12, 12)][index % 3]
        numbers = [[0, 2, 8], [0, 3, 5], [0, *CONCEPTS]][index % 4 % 3]
        maps_of_image = generator.choice(numbers, (1 + index % 2, *shape)).astype(np.int32)
        labels.append(Labels(maps_of_image, (3,) if index == 5 else ()))
    return maps, labels, np.full(units, 1.0)


def tables(maps, labels, thresholds):
    images, units = np.nonzero((maps > thresholds[:, None, None]).any((2, 3)))
    lit = lit_cells(images.astype(np.int32), units.astype(np.int32), maps[images, units], thresholds)
    return CellTables.of(maps.shape[1], COLUMNS, lit, labelled_cells(labels, COLUMNS, *maps.shape[2:]))


def intersections(made):
    return (made.lit @ made.labelled).toarray()


def ious(made):
    return intersections(made) / (made.areas() - intersections(made))


def slow_shares(maps, thresholds):
    """Points of each cell that are lit."""
    images, units, height, width = maps.shape
    points = np.zeros(maps.shape, int)
    for image in range(images):
        for unit in range(units):
            raised = slow_upsample(maps[image, unit].astype(float).tolist(), 4 * height, 4 * width)
            for y in range(4 * height):
                for x in range(4 * width):
                    points[image, unit, y // 4, x // 4] += raised[y][x] > thresholds[unit]
    return points


def slow_pixels(labels, height, width):
    """Pixels of each cell that each concept covers, by image, concept, row and column."""
    pixels = np.zeros((len(labels), len(CONCEPTS), height, width), int)
    for index, label in enumerate(labels):
        _, rows, columns = label.maps.shape
        for y in range(rows):
            for x in range(columns):
                numbers = {*label.maps[:, y, x].tolist(), *label.whole}
                for column, number in enumerate(CONCEPTS):
                    pixels[index, column, y * height // rows, x * width // columns] += number in numbers
    return pixels


@pytest.mark.parametrize("seed", range(4))
def test_cells_are_counted_as_by_hand(seed):
    maps, labels, thresholds = world(seed)
    made = tables(maps, labels, thresholds)
    points, pixels = slow_shares(maps, thresholds), slow_pixels(labels, *maps.shape[2:])
    expected = np.einsum("iuyx,icyx->uc", points, pixels)
    assert (intersections(made) == expected).all()
    assert (made.concept_areas() == pixels.sum((0, 2, 3))).all()
    assert (made.carried() == pixels.any((2, 3))).all()
    by_category = np.stack([pixels[:, COLUMNS.categories == g].any((1, 2, 3)) for g in range(2)], 1)
    assert (made.categories() == by_category).all()
    sizes = made.sizes.reshape(len(labels), *maps.shape[2:])
    areas = np.einsum("iuyx,iyx,ig->ug", points, sizes, by_category)
    assert (made.unit_areas() == areas).all()
    assert [row.sum() for row in made.sizes] == [label.maps[0].size for label in labels]
    concept_areas = pixels.sum((0, 2, 3))
    assert (made.areas() == areas[:, COLUMNS.categories] + 16 * concept_areas).all()
    assert (made.lit_by_image() == np.einsum("iuyx,iyx->iu", points, sizes)).all()
    assert (made.covered_by_image() == 16 * pixels.sum((2, 3))).all()


@pytest.mark.parametrize("sources", [[0, 1, 2, 3, 4, 5], [3, 0, 0, 5, 1, 2]])
def test_entries_meet_the_labels_of_their_sources(sources):
    maps, labels, thresholds = world(1)
    entries = tables(maps, labels, thresholds).entries()
    points, pixels = slow_shares(maps, thresholds), slow_pixels(labels, *maps.shape[2:])
    sources = np.array(sources + sources)[: len(labels)]
    met = entries.labelled_as(sources)
    shared = np.zeros((maps.shape[1], len(CONCEPTS)), int)
    for unit in range(maps.shape[1]):
        for entry in range(entries.units[unit], entries.units[unit + 1]):
            for label in range(entries.rows[met[entry]], entries.rows[met[entry] + 1]):
                shared[unit, entries.columns[label]] += int(entries.points[entry]) * int(entries.pixels[label])
    assert (shared == np.einsum("iuyx,icyx->uc", points, pixels[sources])).all()


def test_what_was_not_kept_of_a_map_is_not_lit():
    maps, labels, thresholds = world(0)
    above = maps > thresholds[:, None, None]
    near = np.zeros_like(above)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            shifted = np.roll(above, (dy, dx), (2, 3))
            near |= shifted
    pruned = np.where(near, maps, -np.inf).astype(np.float32)
    assert (intersections(tables(pruned, labels, thresholds)) == intersections(tables(maps, labels, thresholds))).all()


def slow_null(maps, labels, thresholds, eligible, draws, seed):
    """The greatest IoU of each unit in each draw, with label tables dealt by hand."""
    made = tables(maps, labels, thresholds)
    strata, points = made.strata(), slow_shares(maps, thresholds)
    pixels, sizes = slow_pixels(labels, *maps.shape[2:]), made.sizes.reshape(len(labels), *maps.shape[2:])
    labelled = made.categories()
    maxima = []
    for draw in range(draws):
        generator, source = np.random.default_rng([seed, draw]), list(range(len(labels)))
        for stratum in sorted(set(strata.tolist())):
            members = [image for image in source if strata[image] == stratum]
            for image, other in zip(members, generator.permutation(members).tolist(), strict=True):
                source[image] = other
        greatest = []
        for unit in range(maps.shape[1]):
            best = 0.0
            for column, concept in enumerate(CONCEPTS.values()):
                category = ("object", "color").index(concept.category)
                shared = sum(int((points[i, unit] * pixels[source[i], column]).sum()) for i in range(len(labels)))
                area = sum(int((points[i, unit] * sizes[i]).sum()) for i in range(len(labels)) if labelled[i, category])
                union = area + 16 * int(pixels[:, column].sum()) - shared
                if eligible[column] and union:
                    best = max(best, shared / union)
            greatest.append(best)
        maxima.append(greatest)
    return np.array(maxima)


def test_chance_is_that_of_label_tables_dealt_by_hand():
    maps, labels, thresholds = world(2)
    eligible = np.array([True, True, False, True])
    told = chance(tables(maps, labels, thresholds), eligible, draws=19, seed=7)
    maxima = slow_null(maps, labels, thresholds, eligible, 19, 7)
    assert told.p == pytest.approx(p_values(told.observed, maxima))
    assert told.q == pytest.approx(q_values(told.p, told.observed > 0))
    strata = tables(maps, labels, thresholds).strata()
    assert told.alone == sum((strata == stratum).sum() == 1 for stratum in strata) / len(strata)


def test_p_values_count_draws_and_follow_a_gumbel_tail_beyond_them():
    maxima = np.array([[0.1, 0.1], [0.2, 0.2], [0.3, 0.3], [0.2, 0.2]])
    counted, beyond = p_values(np.array([0.2, 0.9]), maxima)
    assert counted == (1 + 3) / 5
    scale = np.std(maxima[:, 1], ddof=1) * math.sqrt(6) / math.pi
    location = maxima[:, 1].mean() - 0.5772156649015329 * scale
    assert beyond == pytest.approx(1 - math.exp(-math.exp(-(0.9 - location) / scale)))
    assert p_values(np.array([0.5]), np.full((9, 1), 0.2)).tolist() == [0.1]  # no tail to follow


def test_q_values_are_benjamini_and_hochbergs():
    p = np.array([0.01, 0.04, 0.03, 0.5, 1.0, 0.002])
    tested = np.array([True, True, True, True, False, True])
    q = q_values(p, tested)
    expected = [0.01 * 5 / 2, 0.04 * 5 / 4, 0.04 * 5 / 4, 0.5, 1.0, 0.002 * 5]
    assert q == pytest.approx(expected)


def test_stability_is_that_of_images_drawn_by_hand():
    maps, labels, thresholds = world(3)
    made = tables(maps, labels, thresholds)
    quotients = ious(made)
    overlaps = [sorted(np.flatnonzero(row).tolist(), key=lambda column, row=row: -row[column])[:3] for row in quotients]
    told = stability(made, overlaps, resamples=40, seed=5)
    strata, points = made.strata(), slow_shares(maps, thresholds)
    pixels, sizes = slow_pixels(labels, *maps.shape[2:]), made.sizes.reshape(len(labels), *maps.shape[2:])
    for unit, columns in enumerate(overlaps):
        values = []
        for resample in range(40):
            generator, weights = np.random.default_rng([5, resample]), np.zeros(len(labels), int)
            for stratum in range(strata.max() + 1):
                members = np.flatnonzero(strata == stratum)
                weights[members] = generator.multinomial(len(members), [1 / len(members)] * len(members))
            row = []
            for column in columns:
                category = COLUMNS.categories[column]
                shared = sum(w * int((points[i, unit] * pixels[i, column]).sum()) for i, w in enumerate(weights))
                area = sum(
                    w * int((points[i, unit] * sizes[i]).sum())
                    for i, w in enumerate(weights)
                    if made.categories()[i, category]
                )
                union = area + 16 * sum(w * int(pixels[i, column].sum()) for i, w in enumerate(weights)) - shared
                row.append(shared / union if union else 0.0)
            values.append(row)
        values = np.array(values)
        assert told[unit].kept == (values.argmax(1) == 0).mean()
        assert told[unit].iou == pytest.approx(np.quantile(values[:, 0], (0.025, 0.975)))
        margins = values[:, 0] - values[:, 1:].max(1)
        assert told[unit].margin == pytest.approx(np.quantile(margins, (0.025, 0.975)))
    assert stability(made, [()] * 6, resamples=3, seed=0) == [None] * 6


SMALL = {number: Concept(number, f"c{number}", ("object", "color", "scene")[number % 3]) for number in range(1, 9)}


def labelled_world(seed, images=60):
    """A network of 10 units, of which some are saturated, and labels in some categories only."""
    generator = np.random.default_rng(seed)
    maps = np.maximum(generator.normal(size=(images, 10, 4, 5)), 0)
    maps[:, 1] = np.minimum(maps[:, 1], 0.5)
    maps[:, 2] = 0
    labels = []
    for index in range(images):
        numbers = [0, *[number for number in SMALL if number % 3 in ((0, 1), (1, 2), (0, 1, 2))[index % 3]]]
        layers = generator.choice(numbers, (1 + index % 2, 8, 10)).astype(np.int32)
        layers[:, generator.integers(0, 8) :] = 0
        labels.append(Labels(layers, (3,) if index % 7 == 0 else ()))
    return table_world(torch.tensor(maps, dtype=torch.float32), labels, SMALL, ("object", "color", "scene")), maps


def slow_evidence(maps, labels, dissection):
    """Truth, quarters and lit maps, written out from their definitions."""
    for unit in dissection.units:
        lit = [image for image in range(len(maps)) if maps[image, unit.number].max() > unit.threshold]
        dark = [image for image in range(len(maps)) if image not in lit]
        for overlap in unit.overlaps:
            counts = []
            for images in (lit, dark):
                same = [image for image in images if _categories(labels[image]) & {overlap.concept.category}]
                hits = [image for image in same if overlap.concept.number in _numbers(labels[image])]
                counts += [len(same), len(hits)]
            yield unit.number, "truth", overlap.concept.number, *counts
        if not unit.overlaps:
            continue
        best = unit.overlaps[0].concept
        same = [image for image in lit if best.category in _categories(labels[image])]
        carriers = {image for image in same if best.number in _numbers(labels[image])}
        peaks = {image: maps[image, unit.number].max() for image in same}
        for quarter in slow_quarters(peaks, carriers):
            yield unit.number, "quarter", *quarter
        for image in slow_fifth(peaks, carriers):
            yield unit.number, "map", image


def slow_quarters(peaks, carriers):
    """The weakest peak of each quarter, its images and its hits, given the peaks of all lit images."""
    ranked = np.sort(np.float32([*peaks.values()]))
    edges = [ranked[quarter * len(ranked) // 4] for quarter in (1, 2, 3)] if peaks else []
    for quarter in range(4):
        there = [image for image, peak in peaks.items() if sum(peak >= edge for edge in edges) == quarter]
        if there:
            yield float(min(peaks[image] for image in there)), len(there), len({*there} & carriers)


def slow_fifth(peaks, carriers):
    """The image of the fifth strongest peak among those with a hit, or of the weakest of fewer."""
    return sorted(carriers & peaks.keys(), key=lambda image: (-peaks[image], image))[:5][-1:]


def slow_map(cells, threshold):
    """Cells above the threshold and their neighbours, 0 elsewhere."""
    return np.where(binary_dilation(cells > threshold, np.ones((3, 3))), cells, 0).ravel().tolist()


def _numbers(label):
    return ({*label.maps.ravel().tolist(), *label.whole}) - {0}


def _categories(label):
    return {SMALL[number].category for number in _numbers(label)}


@pytest.mark.parametrize("seed", range(3))
def test_truth_quarters_and_lit_maps_are_those_counted_by_hand(seed):
    (network, concepts), maps = labelled_world(seed)
    maps = maps.astype(np.float32)
    dissection = dissect(network, concepts, quantile=0.1, min_images=1, draws=9, execution=Execution(batch_size=7))
    told = []
    for unit in dissection.units:
        told += [(unit.number, "truth", overlap.concept.number, *astuple(overlap.truth)) for overlap in unit.overlaps]
        if unit.evidence is not None:
            told += [(unit.number, "quarter", *astuple(quarter)) for quarter in unit.evidence.quarters]
            for *_, image in [
                row for row in slow_evidence(maps, concepts.all_labels, dissection) if row[:2] == (unit.number, "map")
            ]:
                assert unit.evidence.lit_map == pytest.approx(slow_map(maps[image, unit.number], unit.threshold))
    assert told == [row for row in slow_evidence(maps, concepts.all_labels, dissection) if row[1] != "map"]


def test_evidence_changes_no_count():
    (network, concepts), _ = labelled_world(3)
    plain = dissect(network, concepts, quantile=0.1, min_images=1)
    dissection = dissect(network, concepts, quantile=0.1, min_images=1, draws=5)
    assert plain.draws == 0
    assert dissection.draws == 5
    units = [
        replace(unit, overlaps=tuple(replace(overlap, truth=None) for overlap in unit.overlaps), evidence=None)
        for unit in dissection.units
    ]
    assert replace(dissection, units=tuple(units), draws=0) == plain


def with_draws(network, concepts, execution):
    (dissection,) = dissect_layers(
        network, [network.layer], concepts, quantile=0.1, min_images=2, draws=Draws(11, 5), execution=execution
    )
    return dissection


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 0), (5, 0), (64, 0), (5, 2)])
def test_evidence_does_not_depend_on_batches_and_workers(batch_size, workers):
    (network, concepts), _ = labelled_world(4)
    assert with_draws(network, concepts, Execution(batch_size, workers)) == with_draws(network, concepts, Execution())


@pytest.mark.parametrize("count", [2, 3])
def test_evidence_does_not_depend_on_ranks(count):
    (network, concepts), _ = labelled_world(5)
    alone = with_draws(network, concepts, Execution())
    told = on_ranks(count, lambda ranks: with_draws(network, concepts, Execution(4, ranks=ranks)))
    assert told == [alone] * count


@pytest.mark.parametrize("at", [8, 30, 56])
def test_evidence_does_not_depend_on_where_a_build_was_stopped(at, tmp_path, monkeypatch):
    monkeypatch.setattr("dissection.execution.checkpoint._PAUSE", 0)
    monkeypatch.setattr("dissection.execution.checkpoint._SHARE", 1e9)
    (network, concepts), _ = labelled_world(6)

    class StoppedError(Exception):
        pass

    def stop(stage, done, _total):
        if "comparing" in stage and done >= at:
            raise StoppedError

    with pytest.raises(StoppedError):
        with_draws(network, concepts, Execution(4, scratch=tmp_path, progress=stop))
    resumed = with_draws(network, concepts, Execution(4, scratch=tmp_path))
    assert resumed == with_draws(network, concepts, Execution())


def test_a_sample_is_spread_evenly(monkeypatch):
    monkeypatch.setattr(evidence_blocks, "MOST_SAMPLED", 20)
    (network, concepts), _ = labelled_world(7)
    dissection = with_draws(network, concepts, Execution(7))
    assert dissection == with_draws(network, concepts, Execution(3))
    assert evidence_blocks.in_sample(np.arange(60), 60).sum() == 20
    assert np.diff(np.flatnonzero(evidence_blocks.in_sample(np.arange(60), 60))).tolist() == [3] * 19


def test_the_truth_of_a_response_is_its_quarters_with_one_image_at_the_overall_precision():
    quarters, overall = (Quarter(1.0, 4, 1), Quarter(2.0, 4, 2), Quarter(4.0, 2, 2)), Truth(10, 5, 30, 2)
    description = Description(SMALL[1], overall, quarters)
    assert [description.truth_at(peak) for peak in (0.5, 1.5, 2.0, 9.0)] == [1.5 / 5, 1.5 / 5, 2.5 / 5, 2.5 / 3]
    assert Description(SMALL[1], overall).truth_at(9.0) == 0.5
    assert Description(SMALL[1], None).truth_at(9.0) is None


def test_absence_has_one_image_more_at_the_concepts_own_rate():
    assert Truth(10, 5, 30, 1).absence == (29 + 34 / 40) / 31
    assert Truth(0, 0, 0, 0).absence == 0
    assert Truth(4, 4, 0, 0).absence == 0  # a concept on every image is never known to lack
    assert Truth(0, 0, 40, 0).absence == 1


def hand_made_world(seed, images=200, concepts=24, grid=14, side=112):
    """120 units of noise, 20 that light at one place, 30 detectors, 10 that light beside a concept."""
    generator = np.random.default_rng(seed)
    labels, where = [], np.zeros((images, concepts, grid, grid))
    for image in range(images):
        numbers = np.zeros((side, side), np.int32)
        for number in generator.choice(np.arange(1, concepts + 1), generator.integers(2, 6), replace=False):
            height, width = generator.integers(16, 56, 2)
            top, left = generator.integers(0, side - height), generator.integers(0, side - width)
            numbers[top : top + height, left : left + width] = number
        labels.append(Labels(numbers[None]))
        for number in range(1, concepts + 1):
            where[image, number - 1] = (numbers == number).reshape(grid, 8, grid, 8).mean((1, 3))
    units, detected = [], []
    for _ in range(120):
        noise = gaussian_filter(generator.normal(size=(images, grid, grid)), (0, 1.5, 1.5))
        units.append(np.maximum(6 * noise, 0))
    for _ in range(20):
        spot = np.zeros((grid, grid))
        spot[tuple(generator.integers(2, grid - 2, 2))] = 1
        spot = gaussian_filter(spot, 1.5)
        strength = generator.uniform(0.5, 1.5, (images, 1, 1))
        units.append(spot / spot.max() * strength + 0.05 * generator.random((images, grid, grid)))
    for number in generator.integers(1, concepts + 1, 40).tolist():
        there, strength = where[:, number - 1], generator.uniform(0.5, 1.5, (images, 1, 1))
        if len(detected) < 30:
            detected.append(number)
            units.append(np.maximum(there * strength + 0.15 * generator.normal(size=there.shape), 0))
        else:
            beside = gaussian_filter((there > 0).astype(float), (0, 2, 2)) * (there == 0)
            units.append(np.maximum(2 * beside * strength + 0.1 * generator.normal(size=there.shape), 0))
    return np.stack(units, 1).astype(np.float32), labels, np.array(detected)


@pytest.mark.parametrize("seed", [0, 1])
def test_detectors_are_proven_and_hardly_anything_else(seed):
    maps, labels, detected = hand_made_world(seed)
    columns = Columns.of({number: Concept(number, f"c{number}", "object") for number in range(1, 25)}, ("object",))
    flat = maps.transpose(1, 0, 2, 3).reshape(maps.shape[1], -1)
    thresholds = np.sort(flat)[:, ::-1][:, strong_values(0.005, flat.shape[1])].astype(float)
    images, units = np.nonzero((maps > thresholds[:, None, None]).any((2, 3)))
    lit = lit_cells(images.astype(np.int32), units.astype(np.int32), maps[images, units], thresholds)
    made = CellTables.of(maps.shape[1], columns, lit, labelled_cells(labels, columns, *maps.shape[2:]))
    told = chance(made, np.ones(24, bool), draws=99, seed=seed)
    quotients = ious(made)
    proven = (told.q <= 0.05) & (quotients.max(1) >= 0.05)
    assert proven[140:170].all()
    assert (quotients[140:170].argmax(1) + 1 == detected).all()
    assert proven.sum() - 30 <= 0.05 * proven.sum()
