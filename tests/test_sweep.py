"""The sweep's judge calls maps wrong that are put wrong on purpose, and says so where it cannot tell."""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from worlds import seeing

from dissection.networks.map_layouts import Layout
from dissection.networks.network import Network
from dissection.vocabulary import Layer

SIDE, UNITS = 8, 16
CELLS = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)


@pytest.fixture
def sweep(monkeypatch):
    """The script's modules."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "scripts" / "sweep"))
    yield {name: import_module(name) for name in ("judge", "run")}
    for name in ("judge", "run", "families"):
        sys.modules.pop(name, None)


class Weakened(nn.Module):
    """Adds a number beside which what an image changes is small."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return 1 + self.factor * maps


def network(cells: np.ndarray = CELLS, factor: float = 1.0) -> Network:
    """A network of 8 x 8 cells that are read in an order."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, UNITS, 4, 4), nn.ReLU(), nn.Conv2d(UNITS, UNITS, 3, 2, 1), Weakened(factor))
    module = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(UNITS, 3)).eval()
    unusual = {"0": Layout((UNITS, SIDE, SIDE), 1, tuple(cells.ravel().tolist()))}
    layouts = {} if cells is CELLS else unusual
    size = (8 * SIDE, 8 * SIDE)
    return Network(module, "", Layer("0", UNITS, SIDE, SIDE), seeing(size), tuple("abc"), layouts=layouts)


@pytest.mark.parametrize(
    ("cells", "rival"),
    [
        (CELLS[::-1], "upside down"),
        (CELLS[:, ::-1], "left for right"),
        (CELLS[::-1, ::-1], "half a turn"),
        (CELLS.T, "rows for columns"),
        (np.roll(CELLS, 1), "a column right"),
        (np.roll(CELLS, SIDE), "a row down"),
        (CELLS.reshape(2, 4, 2, 4).transpose(0, 2, 1, 3), "the usual order"),
        (np.random.default_rng(0).permutation(CELLS.ravel()), "the usual order"),
    ],
)
def test_maps_that_are_put_wrong(sweep, cells, rival):
    judgement = sweep["judge"].judged(network(cells))
    assert judgement.verdict == "wrong"
    assert judgement.rival == rival


def test_a_map_that_is_right(sweep):
    judgement = sweep["judge"].judged(network())
    assert (judgement.verdict, judgement.means) == ("right", "")


def test_what_moves_by_less_than_rounding_is_judged_in_double_precision(sweep):
    judgement = sweep["judge"].judged(network(factor=1e-10))
    assert (judgement.verdict, judgement.means) == ("right", "in double precision")
    assert sweep["judge"].judged(network(np.roll(CELLS, 1), factor=1e-10)).verdict == "wrong"


@pytest.mark.parametrize("cells", [CELLS, CELLS.T])
def test_nothing_is_said_of_a_map_that_does_not_move(sweep, cells):
    assert sweep["judge"].judged(network(cells, factor=0.0)).verdict == "cannot tell"


def test_what_is_lost_in_double_precision_shows_after_normalisation(sweep):
    net = network()
    for _ in range(10):
        shrinking = nn.Conv2d(UNITS, UNITS, 1)
        shrinking.weight.data *= 0.01
        net.module[0].extend([shrinking, nn.BatchNorm2d(UNITS).eval()])
    judgement = sweep["judge"].judged(net)
    assert (judgement.verdict, judgement.means) == ("right", "in double precision, normalised")


def test_tokens_that_are_no_cells_make_no_rival(sweep):
    class Token(nn.Module):
        def forward(self, maps):
            tokens = maps.flatten(2).transpose(1, 2)
            return torch.cat([tokens, tokens[:, :1]], 1)

    net = network()
    module = nn.Sequential(net.module[0], Token(), nn.Flatten(), nn.Linear(UNITS * 65, 3)).eval()
    layout = Layout((SIDE * SIDE + 1, UNITS), 2, tuple(range(SIDE * SIDE)))
    tokens = Network(module, "", Layer("1", UNITS, SIDE, SIDE), net.preprocessing, net.classes, layouts={"1": layout})
    assert sweep["judge"].judged(tokens).verdict == "right"
