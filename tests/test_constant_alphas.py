"""Constant alphas are recognised with very different maps; each of these heads fails in another way."""

import pytest
import torch
from torch import nn

from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.vocabulary import Layer
from neuronexplain.methods import constant_alphas
from neuronexplain.methods.constant_alphas import has_constant_alphas

UNITS, SIDE, CLASSES = 64, 7, 3


class Pooled(nn.Module):
    """Global average pooling, and the layers that follow."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def forward(self, maps):
        return self.after(maps.mean((2, 3)))


class After(nn.Module):
    """A function of the pooled maps, or of scores."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, values):
        return self.function(values)


def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(UNITS, CLASSES)


def open_for_dense_maps() -> nn.Linear:
    """Positive if all units are equally active, of either sign if few are."""
    layer = nn.Linear(UNITS, CLASSES, bias=False)
    with torch.no_grad():
        for index, weights in enumerate(layer.weight):
            weights.copy_(torch.where(torch.arange(UNITS) >> index & 1 == 0, 1.1, -1.0))
    return layer


HEADS = {
    "linear": (linear, True),
    "linear but for rounding": (lambda: nn.Sequential(linear(), After(lambda z: torch.sinh(torch.asinh(z)))), True),
    "a rectifier": (lambda: nn.Sequential(linear(), nn.ReLU()), False),
    "a rectifier that opens late": (lambda: nn.Sequential(linear(), After(lambda z: z + (z.abs() - 20).relu())), False),
    "a rectifier that is open for dense maps": (lambda: nn.Sequential(open_for_dense_maps(), nn.ReLU()), False),
    "a slight curve": (lambda: nn.Sequential(linear(), After(lambda z: z + 0.01 * torch.sin(z))), False),
}


class Branched(nn.Module):
    """Pooling and a linear layer, and a branch beside the tap that sees the image."""

    def __init__(self, join):
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(nn.Conv2d(3, UNITS, 1), nn.ReLU())
        self.branch = nn.Linear(3, UNITS)
        self.head = linear()
        self.join = join

    def forward(self, images):
        beside = self.branch(images.mean((2, 3)))
        return self.head(self.join(self.body(images), beside).mean((2, 3)))


def spread(values: torch.Tensor) -> torch.Tensor:
    """One value for each unit, for every cell."""
    return values[:, :, None, None]


BRANCHES = {
    "a gate on the units": (lambda maps, beside: maps * spread(beside.sigmoid()), False),
    "one gate on all": (lambda maps, beside: maps * spread(beside.mean(1, keepdim=True).sigmoid()), False),
    "attention to units": (lambda maps, beside: maps * spread(beside.softmax(1)), False),
    "a branch that is rectified with the maps": (lambda maps, beside: (maps + spread(beside)).relu(), False),
    "a branch whose scores are added": (lambda maps, beside: maps + spread(beside), True),
}


def network(head: str) -> Network:
    after, _ = HEADS[head]
    module = nn.Sequential(nn.Conv2d(3, UNITS, 1), nn.ReLU(), Pooled(after())).eval()
    return Network(module, head, Layer("1", UNITS, SIDE, SIDE), Preprocessing(size=(SIDE, SIDE)), ("a", "b", "c"))


def branched(branch: str) -> Network:
    module = Branched(BRANCHES[branch][0]).eval()
    layer = Layer("body.1", UNITS, SIDE, SIDE)
    return Network(module, branch, layer, Preprocessing(size=(SIDE, SIDE)), ("a", "b", "c"))


@pytest.mark.parametrize("head", HEADS)
def test_constant_alphas_are_told_from_others(head):
    assert has_constant_alphas(network(head)) is HEADS[head][1]


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_branch_that_sees_the_image_is_told_from_constant_alphas(branch):
    assert has_constant_alphas(branched(branch)) is BRANCHES[branch][1]


@pytest.mark.parametrize("branch", ["a gate on the units", "one gate on all", "attention to units"])
def test_without_unlike_images_a_gate_would_be_called_constant(branch, monkeypatch):
    monkeypatch.setattr(constant_alphas, "_UNLIKE", 0.0)
    assert has_constant_alphas(branched(branch))


@pytest.mark.parametrize(
    ("dtype", "factor"), [(torch.float16, 300.0), (torch.float32, float("inf")), (torch.float32, float("nan"))]
)
def test_alphas_that_overflow_are_not_called_constant(dtype, factor):
    large = After(lambda z: z * factor * factor)
    module = nn.Sequential(nn.Conv2d(3, UNITS, 1), nn.ReLU(), Pooled(nn.Sequential(linear(), large))).eval().to(dtype)
    layer = Layer("1", UNITS, SIDE, SIDE)
    assert not has_constant_alphas(Network(module, "", layer, Preprocessing(size=(SIDE, SIDE)), ("a", "b", "c")))


@pytest.mark.parametrize(
    ("name", "value", "head"),
    [
        ("_PROBES", 1, "a rectifier"),
        ("_PROBES", 2, "a rectifier that opens late"),
        ("_ACTIVE", 1.1, "a rectifier that is open for dense maps"),
        ("_TOLERANCE", 0.0, "linear but for rounding"),
        ("_TOLERANCE", 0.1, "a slight curve"),
    ],
)
def test_without_its_probing_or_its_tolerance_it_would_be_wrong(name, value, head, monkeypatch):
    monkeypatch.setattr(constant_alphas, name, value)
    assert has_constant_alphas(network(head)) is not HEADS[head][1]
