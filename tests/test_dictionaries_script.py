"""What `scripts/dictionaries/run.py` compares features with: a rotation that loses nothing, and parts that add up."""

import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch


@pytest.fixture
def lessons(monkeypatch):
    """The script's module of dictionaries."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "scripts" / "dictionaries"))
    yield import_module("lessons")
    del sys.modules["lessons"]


def test_a_rotation_loses_nothing_and_is_not_the_units(lessons):
    network = SimpleNamespace(layer=SimpleNamespace(units=6))
    rotation = lessons.Lessons(network, [], None).rotation()
    maps = torch.rand(2, 6, 3, 4)
    codes = rotation.encode(maps)
    assert torch.allclose(rotation.decode(codes), maps, atol=1e-5)
    assert torch.allclose(codes.square().sum(1), maps.square().sum(1), atol=1e-4)
    assert (codes - maps).abs().max() > 0.1


def test_parts_are_those_that_units_are_made_of(lessons):
    generator = np.random.default_rng(0)
    made_of = np.array([[1.0, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]], np.float32)
    amounts = generator.random((400, 3), np.float32) * (generator.random((400, 3)) < 0.5)
    activations = (amounts @ made_of).astype(np.float32)
    parts = lessons.non_negative_parts(activations)
    assert min(float(parts.decoder.min()), float(parts.encode(torch.rand(1, 4, 2, 2)).min())) >= 0
    maps = torch.from_numpy(activations.T.reshape(1, 4, 20, 20).copy())
    missed = (parts.decode(parts.encode(maps)) - maps).square().sum() / (maps - maps.mean((2, 3), True)).square().sum()
    assert missed < 0.05
    directions = torch.nn.functional.normalize(parts.decoder, dim=1)
    wanted = torch.nn.functional.normalize(torch.from_numpy(made_of), dim=1)
    assert (directions @ wanted.T).amax(0).min() > 0.95
