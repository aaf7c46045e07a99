"""The engine takes the same memory for any number of images."""

import tracemalloc
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from worlds import MemoryConcepts, table_world

import dissection.engine.cells as cells_module
import dissection.execution.checkpoint as checkpoint_module
import dissection.execution.threads as threads_module
from dissection.dissect import dissect
from dissection.engine.layer_state import LayerState
from dissection.execution.settings import Execution
from dissection.vocabulary import Concept, Labels

FEW, MANY = 150, 1000
UNITS, SIDE = 64, 7
CONCEPTS = {number: Concept(number, f"c{number}", "object") for number in range(1, 21)}


class Drawing(nn.Module):
    """Draws the maps of an image from its index, into memory that tracemalloc sees, unlike PyTorch's."""

    def forward(self, images):
        colours = (images[:, :, 0, 0] * 255).round().long()
        indices = (colours @ torch.tensor([1, 256, 65536])).tolist()
        draws = [np.random.default_rng(index).standard_normal((UNITS, SIDE, SIDE), np.float32) for index in indices]
        return torch.from_numpy(np.maximum(np.stack(draws), 0))


class DrawnConcepts(MemoryConcepts):
    """Generated on request, and not kept."""

    def photograph(self, index):
        return Image.new("RGB", (2, 2), (index % 256, index // 256, 0))

    def labels(self, index):
        return Labels(np.random.default_rng(index).integers(0, 21, (1, 16, 16), np.int32))


@pytest.fixture
def held(monkeypatch, tmp_path):
    """The most bytes that a dissection holds, with constant checkpoints and pruning, on two threads."""
    monkeypatch.setattr(checkpoint_module, "_PAUSE", 0)
    monkeypatch.setattr(checkpoint_module, "_SHARE", 1e9)
    monkeypatch.setattr(cells_module, "_SEGMENT", 200_000)
    monkeypatch.setattr(cells_module, "_ROOM", 500_000)
    monkeypatch.setattr(threads_module, "cores", lambda: 2)
    table, _ = table_world(torch.zeros(1, UNITS, SIDE, SIDE), [], CONCEPTS, ("object",))
    network = replace(table, module=nn.Sequential(Drawing(), *table.module[1:]).eval())

    def dissected(images):
        concepts = DrawnConcepts(range(images), [], CONCEPTS, ("object",))
        with TemporaryDirectory(dir=tmp_path) as scratch:  # a new one: what was done before would be resumed
            dissect(network, concepts, execution=Execution(scratch=Path(scratch)))

    def most(images):
        tracemalloc.start()
        try:
            dissected(images)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    dissected(FEW)  # kernels are compiled and modules imported, which takes ten times as long while memory is traced
    return most


def test_memory_does_not_grow_with_the_images(held):
    few = held(FEW)
    # the more batches, the likelier that two threads hold their most at one moment; this is 1/40 of an image's maps
    allowed = few + (MANY - FEW) * UNITS * SIDE * SIDE * 4 / 40
    assert any(held(MANY) < allowed for _ in range(3)), "what is imported or compiled meanwhile is so once"


def test_it_would_show(held, monkeypatch):
    """The counterexample: an engine that keeps all maps, as many do."""
    kept = []
    add = LayerState.add

    def keeping(self, images, maps):
        kept.append(maps)
        add(self, images, maps)

    monkeypatch.setattr(LayerState, "add", keeping)
    few = held(FEW)
    kept.clear()
    assert held(4 * FEW) > 1.5 * few
