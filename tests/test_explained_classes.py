"""``explain`` in Python takes the classes that the command line takes: two to compare, and what is shown."""

import json

import numpy as np
import pytest
import torch
from shapes import unchecked
from two_runs import squares_network, two_runs
from worlds import CLASSES, colour_square

from dissection.errors import ClassNotFoundError, NeuronExplainError
from neuronexplain import Comparison, Explainer, Explanation, explain

COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def database(made_once):
    return two_runs(made_once)


@pytest.fixture(scope="module")
def network():
    return squares_network()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squares")
    for colour in COLOURS:
        colour_square(colour).save(folder / f"{colour}.png")
    return [folder / f"{colour}.png" for colour in COLOURS]


@pytest.mark.parametrize("pair", [("fire", "lake"), ["fire", "lake"], (0, "lake"), (np.int64(0), torch.tensor(2))])
def test_two_classes_are_compared_as_the_command_line_does(pair, database, network, files, run):
    _, out, _ = run("explain", files[0], "--db", database, "--target", "fire", "--target", "lake", "--json")
    comparison = explain(files[0], network, database, target=pair)
    assert isinstance(comparison, Comparison)
    assert [comparison.to_dict()] == json.loads(out)


def test_two_classes_are_compared_on_several_photographs(database, network, files):
    pictures = [colour_square(colour) for colour in COLOURS]
    comparisons = explain(pictures, network, database, target=("fire", "lawn"), methods="gradient")
    assert [comparison.image for comparison in comparisons] == ["picture 1", "picture 2", "picture 3"]
    for picture, comparison in zip(pictures, comparisons, strict=True):
        alone = explain(picture, network, database, target=("fire", "lawn"), methods="gradient")
        assert isinstance(comparison, Comparison)
        assert [answer.target.label for answer in comparison.answers] == ["fire", "lawn"]
        assert [contrast.sentence for contrast in comparison.contrasts] == [
            contrast.sentence for contrast in alone.contrasts
        ]
        assert all([other.method.name for other in answer.others] == ["gradient"] for answer in comparison.answers)
    assert explain([], network, database, target=("fire", "lawn")) == []


def true_indices(answers):
    return [None if answer.true_class is None else answer.true_class.index for answer in answers]


@pytest.mark.parametrize("true_class", ["Lake", "2", 2, np.int64(2), torch.tensor(2), ["lake"], (2,), np.array([2])])
def test_the_true_class_of_a_photograph_is_marked(true_class, database, network, files, run):
    _, out, _ = run("explain", files[0], "--db", database, "--true-class", "lake", "--json")
    explanation = explain(files[0], network, database, true_class=true_class)
    assert isinstance(explanation, Explanation)
    assert true_indices([explanation]) == [2]
    assert [explanation.to_dict()] == json.loads(out)


EACH = {
    "none": (None, [None, None, None]),
    "one for all": ("lake", [2, 2, 2]),
    "one for each": (["fire", "lawn", "lake"], [0, 1, 2]),
    "not all known": (("fire", None, 2), [0, None, 2]),
    "indices": (np.array([2, 1, 0]), [2, 1, 0]),
    "tensor of indices": (torch.tensor([2, 1, 0]), [2, 1, 0]),
}


@pytest.mark.parametrize("target", [None, ("fire", "lake")], ids=["explained", "compared"])
@pytest.mark.parametrize("case", EACH)
def test_the_true_class_of_each_photograph_is_marked(case, target, database, network, files):
    true_class, expected = EACH[case]
    answers = explain(files, network, database, target=target, true_class=true_class)
    sides = zip(*(answer.answers for answer in answers), strict=True) if target else [answers]
    assert all(true_indices(side) == expected for side in sides)


def test_one_photograph_may_be_held_to_show_several_classes(database, network, files):
    """What is shown belongs to the place in the list, not to the photograph's name."""
    pictures = [files[0]] * 20  # more than one batch
    answers = explain(pictures, network, database, true_class=[number % 3 for number in range(20)])
    assert true_indices(answers) == [number % 3 for number in range(20)]


TYPES = {
    "one target in a list": ({"target": ["fire"]}, r"^target is a list of 1; give a class, .*, or two of them to comp"),
    "three targets": ({"target": ("fire", "lawn", "lake")}, r"^target is a tuple of 3; give a class"),
    "no target": ({"target": ()}, r"^target is a tuple of 0; give a class"),
    "array of targets": ({"target": np.array([0, 1])}, r"^target is a ndarray of shape \(2,\) .*; give a class"),
    "no class among two": ({"target": ("fire", 1.5)}, r"^target is a float \(1.5\); give a class"),
    "nothing among two": ({"target": ("fire", None)}, "^target is None; give a class"),
    "true class": ({"true_class": 1.5}, r"^true_class is a float \(1.5\); give a class, by label or index$"),
    "truth value": ({"true_class": True}, r"^true_class is a bool \(True\); give a class"),
    "too few": ({"true_class": ["fire"]}, "^true_class is a list of 1; give one class for all photographs, or 3, one"),
    "too many": ({"true_class": torch.arange(4)}, r"^true_class is a Tensor of shape \(4,\).*, or 3, one for each$"),
    "of several kinds": ({"true_class": ["fire", 1.5, None]}, r"^true_class is a float \(1.5\); give a class"),
    "fractions": ({"true_class": np.ones(3)}, r"^true_class is a float \(1.0\); give a class"),
}


@pytest.mark.parametrize("case", TYPES)
def test_what_are_no_classes_is_a_type_error_in_one_sentence(case, database, network, files):
    options, message = TYPES[case]
    with unchecked(), pytest.raises(TypeError, match=message) as refused:
        explain(files, network, database, **options)
    assert "\n" not in str(refused.value)


REFUSED = {
    ("--target", "fire", "--target", "0"): {"target": ("fire", "0")},
    ("--target", "fire", "--target", "fir"): {"target": ("fire", "fir")},
    ("--target", "9", "--target", "fire"): {"target": ("9", "fire")},
    ("--true-class", "lakes"): {"true_class": "lakes"},
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_the_command_line_refuses_is_refused_in_the_same_sentence(words, database, network, files, run):
    status, _, told = run("explain", *files, "--db", database, *words)
    with pytest.raises(ClassNotFoundError) as refused:
        explain(files, network, database, **REFUSED[words])
    assert status == 2
    assert str(refused.value) in " ".join(told.split())


def test_a_true_class_that_does_not_exist_is_refused_before_anything_is_explained(database, network, files):
    with pytest.raises(NeuronExplainError, match=f"has no class|{len(CLASSES)} classes"):
        explain(files, network, database, true_class=["fire", "lawn", 4], progress=pytest.fail)


def test_an_explainer_compares_two_classes_and_no_letters(database, network, files):
    explainer = Explainer.from_store(network, database)
    with unchecked(), pytest.raises(TypeError, match=r"^target is a str \('01'\); give a class"):
        next(explainer.compare(files, "01"))
    (comparison,) = explainer.compare(files[0], ["fire", "lake"], true_class={str(files[0]): 1}.get)
    assert true_indices(comparison.answers) == [1, 1]
