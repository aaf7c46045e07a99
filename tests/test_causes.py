"""What scores owe to units: a pooled linear head is read, any other differentiated, and both agree where both apply."""

import pytest
import torch
from torch import nn

from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.reruns import Reruns
from dissection.vocabulary import Layer
from neuronexplain import causes
from neuronexplain.causes import AnyHead, PooledLinearHead
from neuronexplain.methods.constant_alphas import has_constant_alphas

UNITS, SIDE, CLASSES, IMAGES = 12, 5, 4, 6


class Headed(nn.Module):
    """A convolution, and a head."""

    def __init__(self, head, units=UNITS):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, UNITS, 3, padding=1), nn.ReLU(inplace=True))
        self.head = head
        self.linear = nn.Linear(units, CLASSES)

    def forward(self, images):
        return self.linear(self.head(self.body(images)))


class Gated(Headed):
    """Pooling, and a gate that sees the image."""

    def forward(self, images):
        return self.linear(self.head(self.body(images)) * images.mean((1, 2, 3))[:, None].sigmoid())


POOLING = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
OTHERS = {
    "maximum": lambda: Headed(nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())),
    "places": lambda: Headed(nn.Flatten(), UNITS * SIDE * SIDE),
    "rectified": lambda: Headed(nn.Sequential(POOLING, nn.Linear(UNITS, UNITS), nn.ReLU())),
    "gated": lambda: Gated(POOLING),
}
LIT_MAPS = torch.rand(UNITS, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def network(module: nn.Module) -> Network:
    classes = tuple("abcd"[:CLASSES])
    return Network(
        module.eval(), "headed", Layer("body.1", UNITS, SIDE, SIDE), Preprocessing(size=(SIDE, SIDE)), classes
    )


@pytest.fixture
def images():
    return torch.randn(IMAGES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))


def pooled() -> tuple[Network, PooledLinearHead]:
    net = network(Headed(POOLING))
    head = PooledLinearHead.of(net, LIT_MAPS)
    assert head is not None
    return net, head


def test_a_pooled_linear_head_gives_what_its_definition_says(images):
    net, head = pooled()
    targets = torch.tensor([0, 1, 2, 3, 1, 0])
    seen = head.look(images)
    weights, area = net.module.linear.weight.detach(), SIDE * SIDE
    with torch.no_grad():
        maps = net.module.body(images)
        expected_scores = net.module(images)
    silent = [[0, 5], [], [3], [1, 2, 4], [7], list(range(UNITS))]
    given = seen.causes(targets)
    assert torch.allclose(seen.result.scores, expected_scores, atol=1e-6)
    for number, target in enumerate(targets.tolist()):
        for unit in range(UNITS):
            alpha = weights[target, unit] / area
            assert given.alphas[number, unit] == pytest.approx(float(alpha), rel=1e-5)
            assert given.contributions[number, unit] == pytest.approx(
                float(alpha * maps[number, unit].mean()), rel=1e-4
            )
            assert given.effects[number, unit] == pytest.approx(float(alpha * maps[number, unit].sum()), rel=1e-4)
            assert given.potentials[number, unit] == pytest.approx(float(alpha * LIT_MAPS[unit].sum()), rel=1e-4)
    for number, loss in enumerate(seen.losses(targets, silent)):
        without = maps[number : number + 1].clone()
        without[:, silent[number]] = 0
        with torch.no_grad():
            remaining = net.module.linear(without.mean((2, 3)))[0, targets[number]]
        assert loss == pytest.approx(float(expected_scores[number, targets[number]] - remaining), abs=1e-5)
    for number, gain in enumerate(seen.gains(targets, silent)):
        lit = maps[number : number + 1].clone()
        lit[:, silent[number]] = LIT_MAPS[silent[number]]
        with torch.no_grad():
            reached = net.module.linear(lit.mean((2, 3)))[0, targets[number]]
        assert gain == pytest.approx(float(reached - expected_scores[number, targets[number]]), abs=1e-5)


def test_both_ways_agree(images):
    net, head = pooled()
    targets, silent = torch.tensor([3, 2, 1, 0, 2, 2]), [[0], [1, 2], [], [5], [6, 7, 8], [11]]
    read, differentiated = (way.look(images) for way in (head, AnyHead(net, Reruns(net), LIT_MAPS)))
    for name in ("alphas", "contributions", "effects", "potentials"):
        ours, theirs = (getattr(way.causes(targets), name) for way in (read, differentiated))
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert read.losses(targets, silent) == pytest.approx(differentiated.losses(targets, silent), abs=1e-5)
    assert read.gains(targets, silent) == pytest.approx(differentiated.gains(targets, silent), abs=1e-5)


def test_a_class_is_read_once_and_no_image_is_differentiated(images, monkeypatch):
    _, head = pooled()
    reads = []
    gradients = causes.gradients
    monkeypatch.setattr(causes, "gradients", lambda *given: reads.append(given) or gradients(*given))
    for targets in ([0, 1, 1, 0, 1, 0], [1, 1, 1, 1, 1, 1], [2, 0, 0, 0, 0, 0]):
        head.look(images).causes(torch.tensor(targets))
    assert len(reads) == 3


@pytest.mark.parametrize("other", OTHERS)
def test_any_other_head_is_not_taken_for_one(other):
    assert PooledLinearHead.of(network(OTHERS[other]()), LIT_MAPS) is None


def test_alphas_may_be_constant_while_slopes_are_not():
    assert has_constant_alphas(network(OTHERS["maximum"]()))
    assert has_constant_alphas(network(OTHERS["places"]()))
