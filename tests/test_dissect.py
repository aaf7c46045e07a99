"""The dissection against the definitions, written out as slow loops."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import (
    MemoryConcepts,
    colour_concepts,
    colour_network,
    slow_counts,
    slow_threshold,
    slow_upsample,
    table_world,
)

from dissection.dissect import dissect
from dissection.engine.thresholds import strong_values
from dissection.engine.upsampling import upsample
from dissection.errors import ActivationError, ConceptDataError
from dissection.execution.settings import Execution
from dissection.vocabulary import Concept, Labels

CATEGORIES = ("scene", "object", "color")
CONCEPTS = {
    number: Concept(number, f"c{number}", category)
    for number, category in [(1, "object"), (2, "color"), (4, "object"), (7, "scene"), (9, "color"), (12, "object")]
}


@st.composite
def worlds(draw):
    """Random maps with ties, saturated and dead units, and random multi-category labels, sparse by category."""
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    images, units = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    height, width = draw(st.sampled_from([(1, 1), (2, 3), (4, 4)]))
    levels = draw(st.sampled_from([2, 4, 1000]))
    maps = np.maximum(generator.integers(-levels, levels, (images, units, height, width)) / 8, 0)
    maps[:, 0] *= draw(st.sampled_from([0, 1]))
    labels = []
    for _ in range(images):
        layers = draw(st.integers(0, 2))
        size = draw(st.sampled_from([(5, 6), (8, 8)]))
        numbers = generator.choice([0, 0, 1, 2, 4, 9, 12], (layers, *size)).astype(np.int32)
        whole = tuple(draw(st.sets(st.sampled_from([7, 9]), max_size=2)))
        labels.append(Labels(numbers, whole))
    quantile = draw(st.sampled_from([0.005, 0.05, 0.2, 0.5]))
    return torch.tensor(maps, dtype=torch.float32), labels, quantile


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.integers(1, 3), st.integers(1, 4))
def test_equals_the_definitions(world, min_images, batch_size):
    maps, labels, quantile = world
    network, concepts = table_world(maps, labels, CONCEPTS, CATEGORIES)
    execution = Execution(batch_size=batch_size)
    found = dissect(network, concepts, quantile=quantile, min_images=min_images, execution=execution)
    array = maps.numpy()
    thresholds = [slow_threshold(array[:, unit].flatten().tolist(), quantile) for unit in range(array.shape[1])]
    assert [unit.threshold for unit in found.units] == thresholds
    for unit in found.units:
        expected = []
        for number, concept in CONCEPTS.items():
            i, a, g, images = slow_counts(array, labels, CONCEPTS, thresholds, unit.number, number)
            support = next(entry for entry in found.concepts if entry.concept == concept)
            assert (support.images, support.pixels) == (images, g)
            if i and images >= min_images:
                expected.append((-i / (a + g - i), number, i, a, g, images))
        got = [
            (-one.iou, one.concept.number, one.intersection, one.unit_area, one.concept_area, one.images)
            for one in unit.overlaps
        ]
        assert got == sorted(expected)


def test_quantile_is_the_decimal_that_was_written():
    assert strong_values(0.29, 100) == 29
    assert strong_values(0.005, 1000) == 5


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 5), st.integers(1, 13), st.integers(1, 13))
def test_upsampling_equals_slow_loop(seed, height, width, tall, wide):
    grid = np.random.default_rng(seed).random((1, height, width)).astype(np.float32).astype(np.float64)
    assert upsample(grid, tall, wide)[0].tolist() == slow_upsample(grid[0].tolist(), tall, wide)


def test_upsampling_agrees_with_torch():
    grid = torch.rand(3, 7, 7, dtype=torch.float64)
    theirs = torch.nn.functional.interpolate(grid[None], (112, 112), mode="bilinear", align_corners=False)[0]
    assert np.allclose(upsample(grid.numpy(), 112, 112), theirs.numpy(), atol=1e-14, rtol=0)


def test_plateau_at_the_threshold_is_not_lit():
    value = float(np.float32(0.1))
    assert not (upsample(np.full((1, 13, 13), value), 112, 112) > value).any()


def test_colour_detectors_are_named_after_their_colours():
    found = dissect(colour_network(), colour_concepts())
    for unit, colour in zip(found.units, ("red", "green", "blue", "yellow"), strict=True):
        name = unit.name()
        assert (name.concept.spoken, name.iou, name.images) == (colour, 1.0, 10)
        assert unit.best.intersection == unit.best.union == 10 * 12 * 12


def test_rare_concepts_cannot_become_names():
    assert len(dissect(colour_network(), colour_concepts(39)).names()) == 3
    assert len(dissect(colour_network(), colour_concepts(39), min_images=9).names()) == 4


def test_exemplars_are_the_strongest_images_with_their_cell():
    maps = torch.zeros(12, 1, 2, 3)
    for image, value in enumerate([1, 5, 3, 5, 2, 9, 8, 7, 6, 4, 0, 0]):
        maps[image, 0, 1, 2] = value
    labels = [Labels(np.ones((1, 4, 4), np.int32))] * 12
    network, concepts = table_world(maps, labels, CONCEPTS, CATEGORIES)
    exemplars = dissect(network, concepts, execution=Execution(batch_size=5)).units[0].exemplars
    assert [exemplar.index for exemplar in exemplars] == [5, 6, 7, 8, 1, 3, 9, 2, 4]
    assert {(exemplar.row, exemplar.column) for exemplar in exemplars} == {(1, 2)}
    assert exemplars[0].image == "photo 5"


def test_batch_size_does_not_matter_given_the_same_activations():
    maps = torch.rand(11, 5, 3, 3)
    labels = [Labels(np.full((1, 6, 6), [1, 2, 4][i % 3], np.int32)) for i in range(11)]
    network, concepts = table_world(maps, labels, CONCEPTS, CATEGORIES)
    whole = dissect(network, concepts, quantile=0.1, min_images=1, execution=Execution(batch_size=11))
    assert dissect(network, concepts, quantile=0.1, min_images=1, execution=Execution(batch_size=2)) == whole


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_bad_activation_names_the_image(bad):
    maps = torch.rand(3, 1, 2, 2)
    maps[1, 0, 0, 1] = bad
    network, concepts = table_world(maps, [Labels(np.ones((1, 2, 2), np.int32))] * 3, CONCEPTS, CATEGORIES)
    with pytest.raises(ActivationError, match="photo 1"):
        dissect(network, concepts)


def test_empty_dataset_and_silly_quantile_are_refused():
    network, _ = table_world(torch.rand(1, 1, 1, 1), [], CONCEPTS, CATEGORIES)
    with pytest.raises(ConceptDataError, match="no images"):
        dissect(network, MemoryConcepts([], [], {}))
    with pytest.raises(ValueError, match="between 0 and 1"):
        dissect(network, colour_concepts(4), quantile=1.5)


def test_a_unit_that_wakes_late_and_lower_keeps_its_saturated_maps():
    maps = torch.full((6, 1, 2, 2), 6.0)
    maps[5, 0, 0, 0] = 3.0
    labels = [Labels(np.ones((1, 4, 4), np.int32))] * 6
    network, concepts = table_world(maps, labels, CONCEPTS, CATEGORIES)
    unit = dissect(network, concepts, execution=Execution(batch_size=2), min_images=1).units[0]
    assert unit.threshold == 3.0
    assert unit.best.intersection == 5 * 16 + 15


def test_labels_of_no_concept_count_for_nothing():
    known = colour_concepts(20)
    strange = [Labels(np.where(own.maps == 0, 9, own.maps), (7, 300)) for own in known.all_labels]
    strange[0].maps[0, 0, 0] = -3
    unknown = replace(known, all_labels=strange)
    found = [dissect(colour_network(), each, quantile=0.05, min_images=1) for each in (known, unknown)]
    assert found[0] == found[1]
    gap = replace(known, concepts={number: each for number, each in known.concepts.items() if number != 2})
    with_gap = replace(gap, all_labels=[Labels(own.maps, (2,)) for own in known.all_labels])
    found = [dissect(colour_network(), each, quantile=0.05, min_images=1) for each in (gap, with_gap)]
    assert found[0] == found[1]
