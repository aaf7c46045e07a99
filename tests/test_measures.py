"""The arithmetic of the measurements, against slow versions written from the paper's text."""

import math
from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from neuronexplain.metrics import (
    boxes as localisation,
)
from neuronexplain.metrics import (
    energy_ratio as ratio,
)
from neuronexplain.metrics import (
    faithfulness,
)
from neuronexplain.metrics import (
    pointing_game as pointing,
)
from neuronexplain.metrics import (
    rank_correlation as correlation,
)
from neuronexplain.metrics import (
    seed_maps as seeds,
)
from neuronexplain.metrics.gaze import gaze_correlation, on_grid
from neuronexplain.metrics.guessing import guesses
from neuronexplain.metrics.intervals import UNKNOWN, difference, figure, quantile, transformed

MAPS = arrays.arrays(np.float64, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 6).map(float))
MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7)))


def flood(lit: set[tuple[int, int]]) -> list[set[tuple[int, int]]]:
    """Segments of pixels connected by their sides, in the reading order of their first pixels."""
    left, found = sorted(lit), []
    while left:
        segment, queue = {left[0]}, deque([left[0]])
        while queue:
            row, column = queue.popleft()
            for near in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                if near in lit and near not in segment:
                    segment.add(near)
                    queue.append(near)
        left = [pixel for pixel in left if pixel not in segment]
        found.append(segment)
    return found


def slow_box(values: np.ndarray, share: float):
    """Sec. 4.1: binarize at a share of the maximum, take the largest segment, draw a box around it."""
    peak = max(map(float, values.ravel()))
    if peak <= 0:
        return None
    lit = {(r, c) for r in range(values.shape[0]) for c in range(values.shape[1]) if values[r, c] > share * peak}
    segment = max(flood(lit), key=len)
    rows, columns = [r for r, _ in segment], [c for _, c in segment]
    return min(columns), min(rows), max(columns) + 1, max(rows) + 1


def slow_iou(one, other) -> float:
    """Pixel by pixel."""
    pixels = [
        {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])} for box in (one, tuple(map(int, other)))
    ]
    union = pixels[0] | pixels[1]
    return len(pixels[0] & pixels[1]) / len(union) if union else 0.0


@given(MAPS, st.sampled_from([0.15, 0.2, 0.5]))
def test_a_maps_box_is_the_flood_fills(values, share):
    assert localisation.map_box(values, share) == slow_box(values, share)


BOX = st.tuples(*[st.integers(0, 5)] * 2, *[st.integers(6, 9)] * 2)


@given(BOX, st.lists(BOX, min_size=1, max_size=3))
def test_ious_are_those_of_pixels(box, others):
    wanted = [slow_iou(box, other) for other in others]
    assert localisation.box_ious(box, np.array(others, float)) == pytest.approx(wanted)


def test_of_several_instances_the_best_counts():
    values = np.zeros((10, 10))
    values[2:6, 2:6] = 1
    instances = np.array([[0, 0, 10, 10], [2, 2, 6, 8]], float)
    assert localisation.best_iou(values, instances) == pytest.approx(16 / 24)
    assert localisation.best_iou(values, np.zeros((0, 4))) == 0
    assert localisation.best_iou(np.zeros((10, 10)), instances) == 0


def test_of_equal_segments_the_first_is_taken():
    assert localisation.map_box(np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1.0]])) == (0, 0, 1, 1)


def test_a_signed_map_counts_from_its_least_value():
    values = np.array([[-2.0, 0.0, 1.0]])
    assert localisation.map_box(localisation.intensity(values, signed=False)) == (2, 0, 3, 1)
    assert localisation.map_box(localisation.intensity(values, signed=True)) == (1, 0, 3, 1)


@given(MAPS, MASKS, st.sampled_from([0, 1, 1.5, 3]))
def test_a_hit_is_a_maximum_near_the_annotation(values, mask, tolerance):
    mask = np.resize(mask, values.shape)
    flat = values.tolist()
    best = max(max(row) for row in flat)
    point = next((r, c) for r, row in enumerate(flat) for c, value in enumerate(row) if value == best)
    inside = [(r, c) for r in range(mask.shape[0]) for c in range(mask.shape[1]) if mask[r, c]]
    wanted = any(math.dist(point, pixel) <= tolerance for pixel in inside) and len(set(values.ravel())) > 1
    assert pointing.is_hit(values, pointing.within(mask, tolerance)) == wanted


CLAIMS = st.lists(st.tuples(st.integers(0, 5).map(float), st.booleans(), st.booleans()), min_size=1, max_size=12)


@given(CLAIMS)
def test_the_rejecting_threshold_is_the_best_there_is(claims):
    def hits(threshold: float) -> int:
        """Sec. 4.3: rejecting is right if the class is absent, accepting is right if the map points at it."""
        return sum((not there) if peak < threshold else (there and hit) for peak, there, hit in claims)

    peaks, present, pointed = (np.array(each) for each in zip(*claims, strict=True))
    found = pointing.Claims(peaks, present, pointed)
    threshold = found.best_threshold()
    assert found.hits(threshold).sum() == hits(threshold)
    assert hits(threshold) == max(hits(each) for each in [*peaks, math.inf])
    wanted = [(peak >= threshold) == there for peak, there, _ in claims]
    assert found.told_apart(threshold).tolist() == wanted


def test_halves_are_halves_and_not_every_other():
    chosen = pointing.halves(100)
    assert chosen.sum() == 50
    assert not (chosen == np.arange(100) % 2).all()
    assert (chosen == pointing.halves(100)).all()


@settings(deadline=None)
@given(MAPS)
def test_means_under_patches_are_means(values):
    places = [
        (slice(top, top + 3), slice(left, left + 2))
        for top in range(values.shape[0])
        for left in range(values.shape[1])
    ]
    wanted = [values[place].mean() for place in places]
    assert correlation.under_patches(values, places) == pytest.approx(wanted)


def slow_rank_correlation(one: list[float], other: list[float]) -> float:
    """Pearson's correlation of mean ranks; 0 if either is flat."""

    def ranks(values):
        return [sum(o < v for o in values) + (sum(o == v for o in values) + 1) / 2 for v in values]

    return 0.0 if len(set(one)) == 1 or len(set(other)) == 1 else float(np.corrcoef(ranks(one), ranks(other))[0, 1])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=20))
def test_rank_correlation_is_pearsons_of_mean_ranks(pairs):
    one, other = (np.array(each, float) for each in zip(*pairs, strict=True))
    found = correlation.rank_correlation(one, other)
    assert found == pytest.approx(slow_rank_correlation(one.tolist(), other.tolist()), abs=1e-12)


def test_inside_by_outside():
    values = np.array([[4.0, 4.0], [1.0, -3.0]])
    inside = np.array([[True, True], [False, False]])
    assert ratio.quotient(*ratio.inside_outside(values, inside)) == 8
    assert ratio.quotient(*ratio.inside_outside(np.ones((2, 2)), inside)) == 1
    assert ratio.quotient(*ratio.inside_outside(values, ~inside)) == 0.125
    assert ratio.quotient(*ratio.inside_outside(values, np.ones((2, 2), bool))) is None
    assert ratio.quotient(*ratio.inside_outside(np.zeros((2, 2)), inside)) is None


@given(MAPS, st.integers(1, 5))
def test_pixels_are_taken_strongest_first_in_equal_steps(values, steps):
    masks = faithfulness.strongest_first(values, steps)
    flat = values.ravel().tolist()
    order = sorted(range(len(flat)), key=lambda pixel: (-flat[pixel], pixel))
    assert len(masks) == steps + 1
    for step, mask in enumerate(masks):
        count = round(step / steps * len(flat))
        assert abs(int(mask.sum()) - count) <= 1
        assert set(np.flatnonzero(mask)) == set(order[: int(mask.sum())])
    assert not masks[0].any()
    assert masks[-1].all()


def test_the_area_under_a_curve():
    assert faithfulness.area_under(np.array([1.0, 1.0, 1.0])) == 1
    assert faithfulness.area_under(np.array([0.0, 1.0])) == 0.5
    assert faithfulness.area_under(np.array([0.0, 1.0, 0.0])) == 0.5
    curve = np.random.default_rng(0).random(9)
    assert faithfulness.area_under(curve) == pytest.approx(np.trapezoid(curve, dx=1 / 8))


def test_blurring_keeps_what_is_even():
    even = np.full((3, 20, 20), 0.7, np.float32)
    assert faithfulness.blurred(even) == pytest.approx(even, abs=1e-5)


def slow_seeds(maps: np.ndarray, share: float, background: float) -> list[list[int]]:
    """SEC: what exceeds a share of each class's maximum, smaller classes first; the coldest pixels are background."""
    count, height, width = maps.shape
    heat = [[0.0] * width for _ in range(height)]
    for values in maps:
        for r in range(height):
            for c in range(width):
                heat[r][c] = max(heat[r][c], values[r, c] / values.max() if values.max() > 0 else 0)

    def mirrored(index: int, length: int) -> int:
        return -index - 1 if index < 0 else 2 * length - index - 1 if index >= length else index

    smooth = [
        [
            sorted(heat[mirrored(r + i, height)][mirrored(c + j, width)] for i in (-1, 0, 1) for j in (-1, 0, 1))[4]
            for c in range(width)
        ]
        for r in range(height)
    ]
    limit = np.quantile(smooth, background)
    lit = [values > share * values.max() if values.max() > 0 else np.zeros_like(values, bool) for values in maps]
    order = sorted(range(count), key=lambda index: (int(lit[index].sum()), -index))
    return [
        [
            next((index + 1 for index in order if lit[index][r, c]), 0 if smooth[r][c] <= limit else -1)
            for c in range(width)
        ]
        for r in range(height)
    ]


@given(arrays.arrays(np.float64, (2, 5, 6), elements=st.integers(0, 6).map(float)), st.sampled_from([0.2, 0.5]))
def test_seeds_are_those_of_the_recipe(maps, share):
    assert seeds.seed_map(maps, share=share).tolist() == slow_seeds(maps, share, 0.1)


def test_cues_are_what_sec_reads():
    found = np.full((82, 82), seeds.NONE)
    found[:2, :2] = 0
    found[40:44, 80:] = 2
    number, rows, columns = seeds.cues(found, {1: 9, 2: 15})
    assert list(zip(number.tolist(), rows.tolist(), columns.tolist(), strict=True)) == [
        (0, 0, 0),
        (15, 20, 40),
        (15, 21, 40),
    ]
    labels = np.zeros((21, 41, 41))
    labels[number, rows, columns] = 1  # how SEC's training uses them
    assert labels.sum() == 3


def test_counts_of_seeds():
    one = np.array([[True, True], [False, False]])
    assert seeds.counts(one, np.array([[True, False], [True, False]])) == (1, 2, 2)


def test_a_figure_is_the_mean_of_quotients_and_its_interval_holds_it():
    hits, trials = np.array([[1, 0], [0, 2], [1, 0]]), np.array([[1, 0], [1, 2], [1, 0]])
    found = figure(hits, trials)
    assert found.value == pytest.approx((2 / 3 + 2 / 2) / 2)
    assert found.low <= found.value <= found.high
    assert found.images == 3
    assert found == figure(hits, trials)
    assert math.isnan(figure([0.0], [0.0]).value)
    assert figure([3.0, 3.0]).low == figure([3.0, 3.0]).high == 3


def test_intervals_are_the_percentile_bootstraps():
    values = np.random.default_rng(1).exponential(size=60)
    found = figure(values, resamples=4000)
    wanted = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=0).confidence_interval
    assert found.low == pytest.approx(wanted.low, abs=0.03)
    assert found.high == pytest.approx(wanted.high, abs=0.03)


def test_a_difference_redraws_the_images_of_both():
    generator = np.random.default_rng(1)
    before, after = generator.random((2, 40))
    counts = generator.integers(1, 4, 40)
    found, alike = difference((after, counts), (before, counts)), figure(after - before, counts)
    assert (found.value, found.low, found.high) == pytest.approx((alike.value, alike.low, alike.high))
    assert found.images == 40
    same = difference((after, counts), (after, counts))
    assert same.value == same.low == same.high == 0


@pytest.mark.parametrize("empty", [0, 1])
def test_a_difference_from_nothing_is_unknown(empty):
    sums = [([1.0, 2.0], [1.0, 1.0]), ([0.0, 0.0], [0.0, 0.0])]
    assert difference(sums[empty], sums[1 - empty]) is UNKNOWN


def test_resamples_without_one_of_the_two_do_not_count():
    once, often = ([5.0, 0.0, 0.0], [1.0, 0.0, 0.0]), ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0])
    found = difference(once, often)
    assert found.value == found.low == found.high == 4


def test_intervals_cover_as_often_as_they_say():
    generator = np.random.default_rng(2)
    covered = 0
    for _ in range(150):
        found = figure(generator.normal(5, 1, 50), resamples=400)
        covered += found.low <= 5 <= found.high
    assert 0.87 <= covered / 150 <= 0.99


@given(
    st.lists(st.lists(st.sampled_from([0.0, 1.0, 2.5, 7.0, math.inf]), max_size=3), min_size=1, max_size=6),
    st.floats(0.05, 1),
)
def test_a_quantile_is_the_least_value_that_enough_values_do_not_exceed(values, share):
    flat = sorted(value for of_image in values for value in of_image)
    found = quantile(values, share, resamples=20)
    if not flat:
        assert found is UNKNOWN
        return
    enough = [value for value in flat if sum(other <= value for other in flat) >= share * len(flat)]
    assert found.value == enough[0]
    assert found.low <= found.high
    assert found.images == sum(map(bool, values))


def test_the_interval_of_a_quantile_is_the_percentile_bootstraps():
    generator = np.random.default_rng(3)
    values = [generator.exponential(size=count).tolist() for count in generator.integers(1, 4, 40)]
    found = quantile(values, 0.5, resamples=2000)
    medians = []
    for _ in range(2000):
        pooled = sorted(value for index in generator.integers(40, size=40) for value in values[index])
        medians.append(pooled[math.ceil(len(pooled) / 2) - 1])
    low, high = np.quantile(medians, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.08)
    assert found.high == pytest.approx(high, abs=0.08)


def test_a_function_of_a_figure_moves_its_interval():
    found = transformed(figure([0.0, 1.0, 2.0]), math.exp)
    assert (found.value, found.images) == (pytest.approx(math.e), 3)
    assert found.low < found.value < found.high


QUESTIONS = st.lists(
    st.tuples(st.sampled_from("xy"), st.sampled_from("pqr"), st.sampled_from(["red", "blue"]), st.booleans()),
    max_size=12,
)


@given(QUESTIONS)
def test_guesses_are_the_most_frequent_answers_of_the_other_half(questions):
    def slow(question):
        first, second, _, half = question
        learnt = [other for other in questions if other[3] != half]
        for like in (
            [other for other in learnt if (other[0], other[1]) == (first, second)],
            [other for other in learnt if other[0] == first],
            learnt,
        ):
            if like:
                counts = {answer: sum(other[2] == answer for other in like) for answer in ("blue", "red")}
                return "red" if counts["red"] > counts["blue"] else "blue"
        return ""

    known = [[(first, second), first] for first, second, _, _ in questions]
    found = guesses(known, [answer for _, _, answer, _ in questions], [half for *_, half in questions])
    assert found == [slow(question) for question in questions]


def test_balanced_answers_cannot_be_guessed():
    """Learnt on the same images, guesses would be above chance; learnt on all but the one, they would be below it."""
    generator = np.random.default_rng(5)
    right = []
    for _ in range(200):
        answers = ["red", "blue"] * 40
        halves_of = generator.permutation(80) < 40
        found = guesses([["colour"]] * 80, answers, halves_of.tolist())
        right.append(np.mean([guess == answer for guess, answer in zip(found, answers, strict=True)]))
    assert 0.40 < np.mean(right) < 0.5


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=30)
def test_cells_of_the_grid_are_means_of_what_lies_in_them(height, width, cut_rows, cut_columns):
    values = np.random.default_rng(height * width).random((height, width))
    top, left = cut_rows / 8, cut_columns / 8
    found = on_grid(values, (left, top, 1.0, 1.0))
    fine = np.kron(values, np.ones((112, 112)))[round(top * height * 112) :, round(left * width * 112) :]
    cells = fine.reshape(14, fine.shape[0] // 14, 14, fine.shape[1] // 14).mean((1, 3))
    assert found == pytest.approx(cells, abs=1e-9)


def test_a_map_that_is_flat_stays_flat_on_the_grid():
    assert gaze_correlation(on_grid(np.full((31, 45), 0.1)), on_grid(np.random.default_rng(0).random((31, 45)))) == 0
