"""Annotations are checked while tests run: of arguments, results, what generators yield, fields and kernels."""

import doctest
import importlib
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from shapes import check_annotations, unchecked

from dissection.engine.upsampling import steps, upsample
from dissection.execution import statistic
from dissection.vocabulary import Labels
from neuronexplain.methods.gradcam import alphas

SAMPLE = """
from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from jaxtyping import Float

    Row = Float[np.ndarray, " columns"]


def half(number: Fraction) -> Later:
    return Later(number / 2)


def outer(row: Row, column: Float[np.ndarray, " rows"], *more: int, **named: str) -> Float[np.ndarray, "rows columns"]:
    return np.outer(row, column)


def rows(count: int) -> Iterator[Row]:
    for columns in range(count):
        try:
            yield np.zeros(columns) if columns < 3 else np.zeros((columns, columns))
        except KeyError:
            yield np.ones(1)


@contextmanager
def halving(number: Fraction) -> Iterator[Later]:
    try:
        yield half(number)
    except KeyError:
        pass


@dataclass(frozen=True)
class Later:
    number: Fraction
"""


@pytest.fixture
def sample(tmp_path, monkeypatch):
    """A module whose annotations are checked."""
    (tmp_path / "sample.py").write_text(SAMPLE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    check_annotations("sample")
    yield importlib.import_module("sample")
    del sys.modules["sample"]
    assert not (tmp_path / "__pycache__").exists()


@pytest.mark.parametrize(
    "call",
    [
        lambda: alphas(torch.zeros(2), torch.zeros(3, 4, 5, 5)),
        lambda: upsample(np.zeros((2, 3)), 4, 4),
        lambda: upsample(np.zeros((1, 2, 3), np.float32), 4, 4),
        lambda: steps(4, 8.5),
        lambda: Labels(np.zeros((2, 3), np.int32)),
    ],
    ids=["another number of images", "a dimension too few", "another precision", "a kernel", "a field"],
)
def test_a_wrong_shape_is_an_error(call):
    with pytest.raises(BeartypeCallHintViolation) as violation:
        call()
    assert "dissection." in violation.value.__notes__[0] or "neuronexplain." in violation.value.__notes__[0]


def test_names_for_type_checkers_and_from_further_down_are_understood(sample):
    with pytest.raises(BeartypeCallHintViolation, match="Fraction"):
        sample.half("1")
    with pytest.raises(BeartypeCallHintViolation) as violation:
        sample.half(np.float64(1))
    assert violation.value.__notes__ == ["It was given to sample.half."]


def test_shapes_agree_among_arguments_and_result(sample):
    with pytest.raises(BeartypeCallHintViolation, match="rows"):
        sample.outer(np.zeros(2), np.zeros(3))
    assert sample.outer(np.zeros(2), np.zeros(2), 1, 2, word="a").shape == (2, 2)
    with pytest.raises(BeartypeCallHintViolation, match="int"):
        sample.outer(np.zeros(2), np.zeros(2), 1, "2")
    with pytest.raises(BeartypeCallHintViolation, match="str"):
        sample.outer(np.zeros(2), np.zeros(2), word=1)


def test_a_generator_is_checked_and_stays_what_it_is(sample):
    generator = sample.rows(4)
    assert [len(next(generator)) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(BeartypeCallHintViolation):
        next(generator)
    generator = sample.rows(4)
    next(generator)
    assert generator.throw(KeyError) == [1]
    generator.close()
    assert not list(generator)
    assert len(list(sample.rows(2))) == 2


def test_a_context_manager_swallows_what_it_did(sample):
    with sample.halving(Fraction(1)) as later:
        assert later == sample.Later(Fraction(1, 2))
        raise KeyError


def test_doctest_finds_the_examples_of_checked_functions():
    examples = [test.name for test in doctest.DocTestFinder().find(statistic) if test.examples]
    assert examples == ["dissection.execution.statistic.nested", "dissection.execution.statistic.unnested"]


def test_what_is_broken_on_purpose_is_let_through(sample):
    with unchecked():
        assert sample.Later("1").number == "1"
    with pytest.raises(BeartypeCallHintViolation):
        sample.Later("1")
