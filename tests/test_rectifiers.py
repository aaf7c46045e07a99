"""Rules for ReLUs: in every way that a network writes them, beside other operations, and without leftovers."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dissection.errors import NetworkError
from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.vocabulary import Layer
from neuronexplain.methods import METHODS

RULED = ["guided-backprop", "deconvolution", "guided-grad-cam", "deconv-grad-cam", "grad-cam-guided-relu"]


class Written(nn.Module):
    """A network whose ReLUs are one function, or one module."""

    def __init__(self, relu) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.conv, self.tap = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()
        self.second, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(64, 3)
        self.relu = relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.tap(self.conv(x))
        y = self.second(x)
        y = self.relu(y) + 0
        return self.head(F.max_pool2d(y + x, 2).repeat(1, 4, 1, 1).flatten(1))


def network_of(relu) -> Network:
    module = Written(relu).eval()
    return Network(module, "written", Layer("tap", 4, 4, 4), Preprocessing(size=(4, 4)), ("a", "b", "c"))


IMAGES = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1)) * 2


def quietly_in_place(x: torch.Tensor) -> torch.Tensor:
    """In place, with the result unused."""
    x = x * 1
    x.relu_()
    return x


def on_a_view(x: torch.Tensor) -> torch.Tensor:
    x.flatten(1).relu_()
    return x


WAYS = {
    "module": nn.ReLU(),
    "in-place module": nn.ReLU(inplace=True),
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x, inplace=True),
    "F.relu in place by position": lambda x: F.relu(x, True),
    "F.relu_": F.relu_,
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "method": lambda x: x.relu(),
    "method in place": lambda x: x.relu_(),
    "in place, result unused": quietly_in_place,
    "in place on a view, result unused": on_a_view,
    "clamp": lambda x: x.clamp(min=0),
    "clamp by position": lambda x: x.clamp(0),
    "clamp_": lambda x: x.clamp_(min=0),
    "clamp_min": lambda x: x.clamp_min(0),
    "torch.clamp": lambda x: torch.clamp(x, min=0.0),
    "keyword": lambda x: F.relu(input=x),
}
CAPPED = {
    "ReLU6": nn.ReLU6(),
    "in-place ReLU6": nn.ReLU6(inplace=True),
    "F.relu6": F.relu6,
    "Hardtanh": nn.Hardtanh(0, 6),
    "F.hardtanh": lambda x: F.hardtanh(x, 0.0, 6.0),
    "clamp": lambda x: x.clamp(0, 6),
}


@pytest.mark.parametrize("name", RULED)
@pytest.mark.parametrize("way", WAYS)
def test_relus_follow_the_rule_however_they_are_written(way, name):
    ours = METHODS[name].attribution(network_of(WAYS[way]), IMAGES, 1)
    assert torch.equal(ours, METHODS[name].attribution(network_of(nn.ReLU()), IMAGES, 1))
    assert not torch.allclose(METHODS["gradient"].attribution(network_of(nn.ReLU()), IMAGES, 1), ours)


@pytest.mark.parametrize("way", CAPPED)
def test_capped_relus_are_open_between_their_bounds(way):
    x = torch.linspace(-8, 8, 16 * 12).view(1, 12, 4, 4)
    expected = (x > 0) & (x < 6)

    class Direct(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            y = CAPPED[way](images * 1)
            return torch.cat([y.flatten(1).sum(1, keepdim=True), -y.flatten(1).sum(1, keepdim=True)], 1)

    module = nn.Sequential(nn.Identity(), Direct())
    network = Network(module, "direct", Layer("0", 12, 4, 4), Preprocessing(size=(4, 4)), ("up", "down"))
    assert torch.equal(METHODS["guided-backprop"].attribution(network, x, 0), expected.float())
    assert not METHODS["guided-backprop"].attribution(network, x, 1).any()
    assert torch.equal(METHODS["deconvolution"].attribution(network, x, 0), torch.ones_like(x))
    assert torch.equal(METHODS["gradient"].attribution(network, x, 1), -expected.float())


@pytest.mark.parametrize("inplace", [False, True])
def test_a_tapped_layer_that_a_function_rectifies(inplace):
    class Dense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(5)
            self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(F.relu(self.conv(x), inplace=inplace).amax((2, 3)))

    network = Network(Dense().eval(), "dense", Layer("conv", 4, 4, 4, "relu"), Preprocessing(size=(4, 4)), ("a",) * 3)
    plain = nn.Sequential(network.module.conv, nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), network.module.head)
    other = Network(plain.eval(), "plain", Layer("1", 4, 4, 4), Preprocessing(size=(4, 4)), ("a",) * 3)
    for name in RULED:
        ours = METHODS[name].attribution(network, IMAGES, 2)
        assert torch.equal(ours, METHODS[name].attribution(other, IMAGES, 2))


class HandMadeSwish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x.sigmoid()

    @staticmethod
    def backward(ctx, flow):
        return flow


class MemoryEfficientSwish(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return HandMadeSwish.apply(x)


OTHERS = {
    "gelu": (nn.GELU(), "module 'relu' applies gelu"),
    "silu": (nn.SiLU(inplace=True), "module 'relu' applies silu"),
    "elu": (F.elu, "the network applies elu"),
    "leaky": (nn.LeakyReLU(), "module 'relu' applies leaky_relu"),
    "hardswish": (nn.Hardswish(), "module 'relu' applies hardswish"),
    "written out": (lambda x: x * torch.sigmoid(x), "the network applies silu"),
    "written out the other way": (lambda x: x.sigmoid() * x, "the network applies silu"),
    "out of sight": (MemoryEfficientSwish(), "module 'relu' applies MemoryEfficientSwish"),
}


@pytest.mark.parametrize("name", RULED)
@pytest.mark.parametrize("other", OTHERS)
def test_other_activations_are_refused_by_name(other, name):
    activation, message = OTHERS[other]
    with pytest.raises(NetworkError, match=f"^{message}, and guided backpropagation and deconvolution are defined for"):
        METHODS[name].maps(network_of(activation), IMAGES, 1)


@pytest.mark.parametrize("name", ["grad-cam", "counterfactual", "occlusion", "gradient", "grad-cam-max"])
@pytest.mark.parametrize("other", OTHERS)
def test_methods_without_a_rule_take_any_activation(other, name):
    assert METHODS[name].maps(network_of(OTHERS[other][0]), IMAGES, 1).isfinite().all()


def test_an_activation_before_the_layer_does_not_matter_to_what_stops_there():
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU(), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)).eval()
    network = Network(module, "mixed", Layer("2", 4, 4, 4), Preprocessing(size=(4, 4)), ("a", "b", "c"))
    assert METHODS["grad-cam-guided-relu"].maps(network, IMAGES, 0).isfinite().all()
    with pytest.raises(NetworkError, match="module '1' applies gelu"):
        METHODS["guided-grad-cam"].maps(network, IMAGES, 0)


def test_a_compiled_module_is_refused():
    with pytest.warns(FutureWarning, match="deprecated"):
        scripted = torch.jit.trace(nn.Sequential(nn.ReLU()), torch.zeros(2, 4, 4, 4))
    for compiled in (scripted, torch.compile(nn.ReLU())):
        with pytest.raises(NetworkError, match="module 'relu' is compiled, which hides its ReLUs"):
            METHODS["guided-backprop"].maps(network_of(compiled), IMAGES, 0)


def state(module: nn.Module) -> list:
    hooks = [(len(part._forward_hooks), len(part._forward_pre_hooks), part.training) for part in module.modules()]
    flags = [getattr(part, "inplace", None) for part in module.modules()]
    grads = [None if parameter.grad is None else parameter.grad.tolist() for parameter in module.parameters()]
    return [hooks, flags, grads, torch.is_grad_enabled(), [tensor.tolist() for tensor in module.state_dict().values()]]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_network_and_images_are_left_as_they_were(method):
    network = network_of(nn.ReLU(inplace=True))
    network.module.train()
    network.module.head.weight.grad = torch.ones_like(network.module.head.weight)
    before, given = state(network.module), IMAGES.clone()
    try:
        found = method.maps(network, given, 1)
    except NetworkError:
        assert method.name in {"cam", "c-mwp"}
    else:
        assert not found.requires_grad
    assert state(network.module) == before
    assert torch.equal(given, IMAGES)
    assert not given.requires_grad


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_the_network_is_left_as_it_was_after_an_exception(method):
    def fails(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("on purpose")

    network = network_of(fails)
    network.module.train()
    before = state(network.module)
    with pytest.raises(RuntimeError, match="on purpose"):
        method.maps(network, IMAGES, 1)
    assert state(network.module) == before
    assert F.relu(torch.tensor([-1.0])).item() == 0
