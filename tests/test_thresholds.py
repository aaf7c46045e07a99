"""Bounds, kept cells and thresholds against sorted lists."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thread_ranks import on_ranks
from worlds import slow_threshold

import dissection.engine.cells as cells_module
from dissection.engine.bounds import Bounds
from dissection.engine.cells import Block, Cells, block
from dissection.engine.thresholds import strong_values, thresholds
from dissection.errors import CheckpointError
from dissection.execution.ranks import Ranks

SHAPES = [(1, 1), (1, 3), (4, 4), (3, 7)]


@st.composite
def streams(draw):
    """Batches of maps of units that are ordinary, sparse, dead, saturated, negative, huge, tiny, or wake up late."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.sampled_from(SHAPES))
    batches = []
    for number in range(draw(st.integers(1, 6))):
        shape = (draw(st.integers(1, 5)), height, width)
        normal = generator.normal(size=shape)
        kinds = [
            np.maximum(normal, 0),
            np.maximum(normal - 2, 0),
            np.zeros(shape),
            np.clip(normal * 3, 0, 1),
            np.clip(normal * 3, -0.3, 0.3),
            normal - 5,
            np.exp(np.clip(normal, -4, 4) * 20),
            -np.exp(np.clip(normal, -9, 9) * 9),
            normal * 1e-30,
            np.full(shape, 2.0) if number < 3 else normal,
            np.full(shape, 2.0) if number < 3 else 1 + np.abs(normal),
            np.round(normal) * -0.0,
        ]
        batches.append(np.stack(kinds, 1).astype(np.float32))
    return batches, draw(st.sampled_from([0.005, 0.05, 0.3, 0.5, 0.9]))


def values_of(batches, unit):
    return np.concatenate([batch[:, unit].ravel() for batch in batches]).astype(float).tolist()


def looked_at(batches, strong, folder, *, first=0, step=1):
    units, height, width = batches[0].shape[1:]
    bounds, kept = Bounds(units, strong), Cells(folder, units, height, width)
    start = 0
    for number, batch in enumerate(batches):
        if number % step == first:
            maxima, finite = bounds.add(batch.reshape(*batch.shape[:2], -1))
            assert finite.all()
            kept.add(block(start, batch, maxima, bounds))
        start += len(batch)
    return bounds, kept


@settings(max_examples=60, deadline=None)
@given(streams())
def test_bounds_stay_below_the_threshold_and_rise(stream):
    batches, quantile = stream
    units = batches[0].shape[1]
    final = [slow_threshold(values_of(batches, unit), quantile) for unit in range(units)]
    strong = strong_values(quantile, len(values_of(batches, 0)))
    bounds, before = Bounds(units, strong), np.full(units, -np.inf)
    for number, batch in enumerate(batches):
        maxima, _ = bounds.add(batch.reshape(*batch.shape[:2], -1))
        flat = batch.reshape(*batch.shape[:2], -1)
        assert (maxima == flat.max(2)).all()
        for unit in range(units):
            seen = sorted(set(values_of(batches[: number + 1], unit)))
            assert bounds.maximum[unit] == seen[-1]
            assert bounds.runner_up[unit] == (seen[-2] if len(seen) > 1 else -math.inf)
            assert bounds.steady[unit] == (len(seen) == 1)
            assert bounds.lower[unit] <= final[unit]
        assert (bounds.lower >= before).all()
        before = bounds.lower.copy()


@settings(max_examples=60, deadline=None)
@given(streams(), st.sampled_from([1, 2, 3]))
def test_thresholds_are_those_of_sorted_lists_on_any_number_of_ranks(tmp_path_factory, stream, count):
    batches, quantile = stream
    strong = strong_values(quantile, len(values_of(batches, 0)))
    expected = [slow_threshold(values_of(batches, unit), quantile) for unit in range(batches[0].shape[1])]
    folder = tmp_path_factory.mktemp("cells")

    def work(ranks):
        bounds, kept = looked_at(batches, strong, folder / str(ranks.number), first=ranks.number, step=ranks.count)
        bounds.raise_to(bounds.shared(ranks))
        bounds.pool(ranks)
        return thresholds(kept, bounds, strong, ranks).tolist()

    assert on_ranks(count, work) == [expected] * count


def test_bounds_come_close_with_few_bins():
    generator = np.random.default_rng(0)
    maps = np.maximum(generator.normal(size=(2000, 3, 49)), 0).astype(np.float32)
    bounds = Bounds(3, strong_values(0.005, 2000 * 49))
    bounds.add(maps)
    for unit in range(3):
        exact = np.sort(maps[:, unit].ravel())[::-1][bounds._rank - 1]
        assert 0.99 * exact < bounds.lower[unit] <= exact


def test_bounds_of_all_ranks_are_those_of_one():
    generator = np.random.default_rng(0)
    maps = np.maximum(generator.normal(size=(40, 5, 50)) * [[[1], [100], [1e-3], [7], [0]]], 0).astype(np.float32)
    maps[20:, 3] *= 1000
    alone = Bounds(5, 30)
    alone.add(maps)

    def work(ranks):
        own = Bounds(5, 30)
        own.add(maps[ranks.number :: ranks.count])
        shared = own.shared(ranks).tolist()
        own.pool(ranks)
        return shared, own

    for shared, pooled in on_ranks(3, work):
        assert shared == alone.shared(Ranks()).tolist()
        assert (pooled.maximum == alone.maximum).all()
        assert (pooled.runner_up == alone.runner_up).all()


def test_bounds_go_on_from_their_state():
    maps = np.random.default_rng(0).normal(size=(30, 4, 20)).astype(np.float32)
    whole, first, second = Bounds(4, 20), Bounds(4, 20), Bounds(4, 20)
    whole.add(maps[:15])
    first.add(maps[:15])
    second.restore({name: array.copy() for name, array in first.state().items()})
    whole.add(maps[15:] * 50)
    second.add(maps[15:] * 50)
    assert all((one == other).all() for one, other in zip(whole.state().values(), second.state().values(), strict=True))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_image_that_is_not_finite_is_told(bad):
    maps = np.ones((3, 2, 4), np.float32)
    maps[1, 1, 2] = bad
    assert Bounds(2, 1).add(maps)[1].tolist() == [True, False, True]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(SHAPES), st.floats(-1, 3), st.floats(0, 2))
def test_a_block_keeps_cells_above_the_bound_and_their_neighbours(seed, shape, bound, rise):
    generator = np.random.default_rng(seed)
    maps = generator.normal(size=(3, 4, *shape)).astype(np.float32)
    bounds = Bounds(4, 10**6)
    maxima, _ = bounds.add(maps.reshape(3, 4, -1))
    bounds.lower[:] = bound
    kept = block(7, maps, maxima, bounds)
    again = Block.from_bytes(kept.to_bytes(), 4)
    assert (again.first, again.count) == (7, 3)
    _holds(again, maps, bound)
    higher = np.full(4, bound + rise, np.float32)
    _holds(again.pruned(higher, *shape), maps, higher[0])


def _holds(kept, maps, bound):
    steady = kept.steady
    expected = [(i, u) for i in range(3) for u in range(4) if (maps[i, u] > bound).any() and not steady[u]]
    assert list(zip(kept.images.tolist(), kept.units.tolist(), strict=True)) == expected
    for (image, unit), found in zip(expected, kept.maps(*maps.shape[2:]), strict=True):
        for y, x in np.ndindex(found.shape):
            near = maps[image, unit, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            assert found[y, x] == (maps[image, unit, y, x] if (near > bound).any() else -np.inf)


def test_files_are_pruned_one_by_one_and_go_on_from_a_state(tmp_path, monkeypatch):
    monkeypatch.setattr(cells_module, "_SEGMENT", 4000)
    monkeypatch.setattr(cells_module, "_ROOM", 1000)
    maps = np.random.default_rng(0).normal(size=(12, 2, 3, 5, 5)).astype(np.float32)
    bounds, kept = Bounds(3, 10**6), Cells(tmp_path, 3, 5, 5)
    for number, batch in enumerate(maps):
        maxima, _ = bounds.add(batch.reshape(2, 3, -1))
        kept.add(block(2 * number, batch, maxima, bounds))
        if number == 7:
            state = kept.state()
        if number == 9:
            kept.state()
    size = sum(file.stat().st_size for file in tmp_path.iterdir())
    kept.prune(np.full(3, 1.5, np.float32))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < size
    again = Cells(tmp_path, 3, 5, 5)
    again.restore(state)
    assert [one.first for one in again.blocks()] == list(range(0, 16, 2))
    again.add(block(16, maps[8], maxima, bounds))
    assert [one.first for one in again.blocks()] == list(range(0, 18, 2))
    again.clear()
    assert list(again.blocks()) == []


def test_what_is_damaged_is_refused(tmp_path):
    maps = np.random.default_rng(0).normal(size=(1, 2, 3, 3)).astype(np.float32)
    bounds, kept = Bounds(2, 10**6), Cells(tmp_path, 2, 3, 3)
    maxima, _ = bounds.add(maps.reshape(1, 2, -1))
    kept.add(block(0, maps, maxima, bounds))
    state = kept.state()
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CheckpointError, match=r"damaged.*--fresh"):
        list(kept.blocks())
    file.write_bytes(data[:-1])
    with pytest.raises(CheckpointError, match=r"incomplete.*--fresh"):
        kept.restore(state)
