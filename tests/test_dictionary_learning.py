"""Dictionaries that are learned: what was superposed is taken apart, and named rightly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from superposed import DIRECTIONS, mixed_network, unmixing
from test_dictionaries import noise, random_dictionary
from worlds import colour_concepts, colour_network

from dissection.dissect import dissect
from dissection.errors import ConceptDataError, NetworkError
from dissection.execution.settings import Execution
from dissection.learning.cell_labels import cell_labels
from dissection.learning.checking import check_dictionary, likeness
from dissection.learning.directions import learn_directions
from dissection.learning.positions import gather_positions
from dissection.learning.sparse import learn_sparse
from dissection.networks.dictionaries.applying import with_dictionary
from dissection.networks.forward import maps_through
from dissection.vocabulary import Concept, Labels

CONCEPTS = {number: Concept(number, name, "color") for number, name in enumerate(("red", "green", "blue", "yellow"), 1)}


@pytest.fixture(scope="module")
def positions():
    return gather_positions(mixed_network(), colour_concepts(), Execution(), limit=8000, concepts=(1, 2, 3, 4))


def names_of(dictionary) -> dict[str, float]:
    """What the features of a dictionary of the mixed network are named after, and their IoU."""
    names = dissect(with_dictionary(mixed_network(), dictionary), colour_concepts()).names().values()
    return {name.concept.spoken: name.iou for name in names}


def test_a_sparse_dictionary_takes_four_colours_in_three_units_apart(positions):
    dictionary = learn_sparse(positions.activations, features=8, k=1, steps=600, seed=1)
    cosines = torch.nn.functional.normalize(DIRECTIONS, dim=1) @ dictionary.decoder.T
    assert cosines.amax(1).min() > 0.95
    assert names_of(dictionary).keys() == {"red", "green", "blue", "yellow"}
    assert (
        min(names_of(dictionary).values()) > 0.75
    )  # equal activations differ in their last bits, and the threshold cuts
    again = learn_sparse(positions.activations, features=8, k=1, steps=600, seed=1)
    assert again.digest == dictionary.digest


def test_features_that_are_dead_learn_from_what_is_left_over(positions):
    """Sixteen features for four colours: without the auxiliary loss most of them never lived."""
    steps = []
    dictionary = learn_sparse(
        positions.activations, features=16, k=2, steps=400, progress=lambda done, total: steps.append((done, total))
    )
    assert steps == [(100, 400), (200, 400), (300, 400), (400, 400)]
    check = check_dictionary(mixed_network(), dictionary, colour_concepts(), Execution())
    assert check.r2 > 0.98


def test_directions_of_concepts_have_their_names(positions):
    dictionary, told = learn_directions(positions)
    assert told == (1, 2, 3, 4)
    assert names_of(dictionary).keys() == {"red", "green", "blue", "yellow"}
    assert min(names_of(dictionary).values()) > 0.95
    assert check_dictionary(mixed_network(), dictionary, colour_concepts(), Execution()).r2 > 0.9


def test_directions_need_places_of_a_concept(positions):
    without = replace(positions, labels=np.zeros_like(positions.labels))
    with pytest.raises(ConceptDataError, match="no concept is at 50 of the 8000 places, in 10"):
        learn_directions(without)


def test_positions_are_cells_of_the_maps_whatever_the_batches(positions):
    concepts, network = colour_concepts(), mixed_network()
    again = gather_positions(network, concepts, Execution(batch_size=7), limit=8000, concepts=(1, 2, 3, 4))
    assert np.array_equal(again.activations, positions.activations)
    assert np.array_equal(again.labels, positions.labels)
    assert len(positions.images) == 8000
    other = gather_positions(network, concepts, Execution(), limit=8000, seed=1)
    assert not np.array_equal(other.activations, positions.activations)
    assert other.labels.shape == (8000, 0)
    preprocessing = network.preprocessing
    image = preprocessing.tensor(preprocessing.whole(concepts.photograph(39)))[None]
    cells = maps_through(network, [network.layer], image).activation[0].flatten(1).T
    mine = torch.from_numpy(positions.activations[positions.images == 39])
    assert all((cells == place).all(1).any() for place in mine[:20])
    colour = torch.from_numpy(positions.labels[positions.images == 39])[:, 3] == 1
    assert torch.equal(colour, (mine == 1).all(1))


def test_a_killed_pass_is_resumed(tmp_path, positions, monkeypatch):
    monkeypatch.setattr("dissection.execution.checkpoint._PAUSE", 0.0)
    monkeypatch.setattr("dissection.execution.checkpoint._SHARE", 1e9)
    looked: list[int] = []

    def stop(_stage: str, done: int, _total: int) -> None:
        looked.append(done)
        if done == 24:
            raise KeyboardInterrupt

    arguments = {"limit": 8000, "concepts": (1, 2, 3, 4)}
    with pytest.raises(KeyboardInterrupt):
        gather_positions(mixed_network(), colour_concepts(), Execution(8, scratch=tmp_path, progress=stop), **arguments)
    resumed = gather_positions(
        mixed_network(),
        colour_concepts(),
        Execution(8, scratch=tmp_path, progress=lambda _stage, done, _total: looked.append(done)),
        **arguments,
    )
    assert looked[:3] == [8, 16, 24]
    assert looked[3] > 8
    assert np.array_equal(resumed.activations, positions.activations)
    assert np.array_equal(resumed.labels, positions.labels)


def slow_cell(labels: Labels, number: int, top: int, left: int, side: int) -> int:
    """Whether a concept is at a cell, from the definition."""
    if number in labels.whole:
        return 1
    pixels = [(row, column) for row in range(top, top + side) for column in range(left, left + side)]
    share = sum(any(layer[pixel] == number for layer in labels.maps) for pixel in pixels) / len(pixels)
    return 1 if share >= 0.5 else 2 if share else 0


def test_cells_are_labelled_as_the_definition_says():
    concepts = CONCEPTS | {5: Concept(5, "beach", "scene"), 6: Concept(6, "cup", "object")}
    maps = np.random.default_rng(0).integers(0, 4, (2, 12, 12)).astype(np.int32)
    maps[:, :3] = 4
    labels = Labels(maps, (5,))
    numbers = (1, 3, 4, 5, 6)
    categories = [concepts[number].category for number in numbers]
    found = cell_labels(labels, concepts, numbers, categories, (4, 4)).reshape(4, 4, 5)
    for row in range(4):
        for column in range(4):
            expected = [slow_cell(labels, number, 3 * row, 3 * column, 3) for number in numbers[:4]]
            assert found[row, column].tolist() == [*expected, 2]  # nothing says of objects whether they are there


def test_a_check_measures_what_the_definition_says():
    network, concepts = colour_network(), colour_concepts(12)
    dictionary = random_dictionary(4, 9, "topk")
    images = torch.stack(
        [network.preprocessing.tensor(network.preprocessing.whole(concepts.photograph(index))) for index in range(12)]
    )
    maps = maps_through(network, [network.layer], images).activation.detach()
    codes = dictionary.encode(maps)
    rest = (maps - dictionary.decode(codes)).double().square().sum()
    check = check_dictionary(network, dictionary, concepts, Execution(batch_size=5))
    variance = (maps.double() - maps.double().mean((0, 2, 3), keepdim=True)).square().sum()
    assert check.r2 == pytest.approx(float(1 - rest / variance))
    assert check.active == pytest.approx(float((codes > 0).sum(1).float().mean()))
    assert check.dead == int((codes <= 0).all(0).all(1).all(1).sum())
    predicted = network.module(images).argmax(1)
    again = network.module.head(network.module.square(dictionary.decode(codes).mean((2, 3)))).argmax(1)
    assert check.agreement == pytest.approx(float((predicted == again).float().mean()))
    exact = check_dictionary(mixed_network(), unmixing(), concepts, Execution())
    assert (exact.agreement, exact.dead, exact.active) == (1, 0, pytest.approx(144 / 1024))
    assert exact.r2 == pytest.approx(1, abs=1e-6)
    with pytest.raises(NetworkError, match="of 3 units"):
        check_dictionary(network, unmixing(), concepts, Execution())


def test_dictionaries_are_alike_whatever_the_order_and_length_of_their_features():
    one = random_dictionary(5, 7)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    other = replace(one, decoder=3 * one.decoder[order])
    assert likeness(one, other).alike == 1
    assert likeness(one, other).cosine == pytest.approx(1)
    assert likeness(one, replace(one, decoder=noise(7, 5, seed=99))).cosine < 0.9
    with pytest.raises(NetworkError, match="cannot be compared"):
        likeness(one, random_dictionary(4, 7))
