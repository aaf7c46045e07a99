"""What follows a layer, run again on altered maps: against a whole second run, for networks that are hard to cut."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dissection.networks.forward import forward, forward_from
from dissection.networks.linear_changes import LinearCalls
from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.replay import Notes, Replay, UnrepeatableError
from dissection.networks.reruns import Reruns
from dissection.vocabulary import Layer

UNITS, SIDE = 5, 6


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.conv = nn.Conv2d(3, UNITS, 3, padding=1), nn.Conv2d(UNITS, UNITS, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.gate, self.head = nn.Linear(3, UNITS), nn.Linear(UNITS, 4)


class Chain(Base):
    def forward(self, images):
        return self.head(self.relu(self.conv(self.stem(images))).mean((2, 3)))


class Gated(Base):
    """The image goes on beside the tap."""

    def forward(self, images):
        maps = self.relu(self.conv(self.stem(images)))
        return self.head((maps * self.gate(images.mean((2, 3))).sigmoid()[:, :, None, None]).mean((2, 3)))


class Skipping(Base):
    """A map from before the tap is added after it, and has been overwritten in place before."""

    def forward(self, images):
        early = self.stem(images)
        early.mul_(2)
        shape = early.shape
        parts = early.chunk(2, 1)
        maps = self.relu(self.conv(torch.cat(parts, 1)))
        return self.head((maps + early.view(shape)).mean((2, 3)))


class Overwriting(Base):
    """What was computed before the tap is overwritten after it: it cannot be given out twice."""

    def forward(self, images):
        early = self.stem(images)
        maps = self.relu(self.conv(early))
        early += maps
        return self.head(early.mean((2, 3)))


class Deciding(Base):
    """Python decides by a number of the image."""

    def forward(self, images):
        early = self.stem(images)
        maps = self.relu(self.conv(early if early.mean() > 100 else early * 3))
        return self.head(maps.mean((2, 3)))


class Hiding(Base):
    """A function runs that PyTorch tells no mode of."""

    def forward(self, images):
        early = self.stem(images)
        with torch._C.DisableTorchFunction():
            early = early * 2
        maps = self.relu(self.conv(early))
        return self.head((maps + early).mean((2, 3)))


class Called(Base):
    """The tapped map is rectified by a function."""

    def forward(self, images):
        return self.head(F.relu(self.conv(self.stem(images))).mean((2, 3)))


class Wide(Base):
    """A linear layer reads more weights than a map has numbers, and its output is overwritten."""

    def __init__(self):
        super().__init__()
        self.wide, self.head = nn.Linear(UNITS * SIDE * SIDE, 2000), nn.Linear(2000, 4)

    def forward(self, images):
        return self.head(F.relu_(self.wide(self.relu(self.conv(self.stem(images))).flatten(1))))


CASES = {
    Chain: True,
    Wide: True,
    Gated: True,
    Skipping: True,
    Deciding: True,
    Called: True,
    Overwriting: False,
    Hiding: False,
}


def network(kind: type[nn.Module]) -> Network:
    rectified = Layer("conv", UNITS, SIDE, SIDE, "relu") if kind is Called else Layer("relu", UNITS, SIDE, SIDE)
    preprocessing = Preprocessing(size=(SIDE, SIDE), resize=(SIDE, SIDE))
    return Network(kind().eval(), kind.__name__, rectified, preprocessing, tuple("abcd"))


@pytest.fixture
def images():
    return torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", CASES)
def test_scores_are_those_of_a_whole_run_with_other_maps(kind, images):
    net = network(kind)
    reruns = Reruns(net)
    noted = reruns.forward(images)
    assert torch.equal(noted.result.scores, forward(net, images).scores)
    maps = noted.result.activation.detach().clone()
    maps[:, :2] = 0
    expected = forward_from(net, maps, images).scores.detach()
    for _ in range(2):
        torch.testing.assert_close(reruns.scores(noted, maps), expected)
    assert not torch.allclose(expected, noted.result.scores.detach(), rtol=1e-3)


@pytest.mark.parametrize("kind", CASES)
def test_what_comes_before_the_layer_is_not_computed_again(kind, images):
    net = network(kind)
    reruns = Reruns(net)
    noted = reruns.forward(images)
    maps = noted.result.activation.detach()
    reruns.scores(noted, maps)
    with torch.no_grad():
        net.module.stem.weight.zero_()
    assert torch.equal(reruns.scores(noted, maps), noted.result.scores.detach()) is CASES[kind]


@pytest.mark.parametrize("kind", CASES)
def test_the_network_is_left_as_it_was(kind, images):
    net = network(kind)
    reruns = Reruns(net)
    noted = reruns.forward(images)
    reruns.scores(noted, noted.result.activation.detach())
    assert not any(part._forward_hooks or part.training for part in net.module.modules())
    assert all(parameter.grad is None for parameter in net.module.parameters())
    assert torch.equal(forward(net, images).scores, noted.result.scores)


def test_another_program_is_refused():
    with Notes() as notes:
        torch.ones(2).sum()
        notes.close()
    with Replay(notes), pytest.raises(UnrepeatableError, match="other functions"):
        torch.zeros(2)
    with Replay(notes) as replay, pytest.raises(UnrepeatableError):
        torch.ones(2).sum().exp()
    assert replay is not None


def test_only_tensors_that_are_still_held_are_kept(images):
    reruns = Reruns(network(Chain))
    noted = reruns.forward(images)
    kept = [note.kept.shape for _, note in noted.notes.calls() if getattr(note, "kept", None) is not None]
    assert (3, 3, SIDE, SIDE) in kept
    assert kept.count((3, UNITS, SIDE, SIDE)) <= 2  # the layer's output, under the names of convolution and rectifier


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("changed", "is_told"), [([], True), ([7], True), ([0, 49, 5, 51], True), (range(80), False)])
def test_a_linear_layer_is_told_by_the_columns_that_changed(changed, is_told, bias):
    torch.manual_seed(0)
    layer = nn.Linear(300, 200, bias=bias)
    x = torch.randn(1, 300)
    calls = LinearCalls()
    y = layer(x)
    calls.note(F.linear, (x, layer.weight, layer.bias), y)
    other = x.clone()
    other[:, list(changed)] = torch.randn(len(changed))
    x.zero_()
    y.detach().zero_()
    answer = calls.answer(F.linear, (other, layer.weight, layer.bias))
    assert (answer is not None) is is_told
    if answer is not None:
        torch.testing.assert_close(answer, layer(other).detach())


def test_other_linear_functions_are_not_told():
    layer, other = nn.Linear(300, 200), nn.Linear(300, 200)
    x = torch.randn(1, 300)
    calls = LinearCalls()
    calls.note(F.linear, (x, layer.weight, layer.bias), layer(x))
    assert calls.answer(F.linear, (x, other.weight, other.bias)) is None
    assert calls.answer(F.linear, (x, layer.weight, other.bias)) is None
    assert calls.answer(F.linear, (x, layer.weight)) is None
    assert calls.answer(F.linear, (x.repeat(2, 1), layer.weight, layer.bias)) is None
    assert calls.answer(F.bilinear, (x, layer.weight, layer.bias)) is None
    calls.note(F.linear, (x / 0, other.weight, other.bias), other(x / 0))
    assert calls.answer(F.linear, (x, other.weight, other.bias)) is None, "what is not finite tells nothing"


def test_a_second_run_of_a_wide_head_reads_few_of_its_weights(images, monkeypatch):
    net = network(Wide)
    reruns = Reruns(net)
    noted = reruns.forward(images[:1])
    maps = noted.result.activation.detach().clone()
    maps[:, 3] = 0
    expected = forward_from(net, maps, images[:1]).scores.detach()
    answers = []
    answer = LinearCalls.answer
    monkeypatch.setattr(LinearCalls, "answer", lambda *args: answers.append(answer(*args)) or answers[-1])
    torch.testing.assert_close(reruns.scores(noted, maps), expected)
    assert any(given is not None and given.shape == (1, 2000) for given in answers)
