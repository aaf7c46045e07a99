"""A network that does not always give an image the same scores is refused when it is opened, in one line."""

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from torchvision import models
from worlds import seeing

from dissection.errors import LayerNotFoundError, NetworkError, NotConnectedError
from dissection.networks.forward import forward
from dissection.networks.network import Network
from dissection.networks.receptive_field import receptive_fields
from neuronexplain.methods.constant_alphas import has_constant_alphas
from neuronexplain.methods.gradcam import alphas

SIZE = (32, 32)


class Net(nn.Module):
    """A body and a head, joined as ``join`` says."""

    def __init__(self, join: Callable[["Net", Tensor], Tensor], classes: int = 5) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU())
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, classes))
        self.norm = nn.BatchNorm2d(16, track_running_stats=False)
        self.drop = Always()
        self.attend = nn.MultiheadAttention(16, 2)
        self.join = join
        self.generator = torch.Generator()
        self.register_buffer("average", torch.ones(()) * 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.join(self, images)


class Always(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.01)


def opened(join: Callable[[Net, Tensor], Tensor], classes: int = 5) -> Network:
    return Network.from_module(Net(join, classes).eval(), preprocessing=seeing(SIZE))


def plain(net: Net, images: Tensor) -> Tensor:
    return net.head(net.body(images))


def across_the_batch(net: Net, images: Tensor) -> Tensor:
    tokens = net.body(images).flatten(2).transpose(1, 2)
    return net.head[2]((tokens + net.attend(tokens, tokens, tokens)[0]).mean(1))


def seeded(net: Net, images: Tensor) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        noise = torch.randn_like(images)
    return plain(net, images + noise)


def frozen(net: Net, images: Tensor) -> Tensor:
    with torch.no_grad():
        maps = net.body(images)
    return net.head(maps)


def inferred(net: Net, images: Tensor) -> Tensor:
    with torch.inference_mode():
        maps = net.body(images)
    return net.head(maps)


def wholly_inferred(net: Net, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return plain(net, images)


def counting(net: Net, images: Tensor) -> Tensor:
    net.runs = getattr(net, "runs", 0) + 1
    return plain(net, images * net.runs)


def averaging(net: Net, images: Tensor) -> Tensor:
    net.average.lerp_(images.std(), 0.3)
    return plain(net, images / net.average)


def from_its_own_generator(net: Net, images: Tensor) -> Tensor:
    return plain(net, images * (1 + torch.rand(1, generator=net.generator)))


@pytest.mark.parametrize(
    ("join", "message"),
    [
        (lambda net, x: net.head(net.drop(net.body(x))), r"each time: module 'drop' \(Always\) \(dropout\) draws"),
        (lambda net, x: net.head(F.dropout(net.body(x), 0.001)), r"the forward of Net itself \(dropout\) draws"),
        (lambda net, x: plain(net, x + 1e-7 * torch.randn(x.shape)), r"itself \(randn\) draws"),
        (lambda net, x: plain(net, x * random.uniform(0.5, 2)), "each time: the forward of Net itself draws"),
        (lambda net, x: plain(net, x * np.random.uniform(0.5, 2)), "each time: the forward of Net itself draws"),  # noqa: NPY002
        (counting, "each time: the forward of Net itself keeps something from one run to the next"),
        (lambda net, x: counting(net, x + 0 * random.random()), "each time: the forward of Net itself keeps something"),
        (averaging, "each time: the forward of Net itself keeps something from one run to the next"),
        (from_its_own_generator, "each time: the forward of Net itself keeps .* or draws from a generator of its own"),
        (lambda net, x: net.head(net.norm(net.body(x))), r"beside other images: module 'norm' \(BatchNorm2d\) mixes"),
        (lambda net, x: plain(net, x - x.mean(0)), "beside other images: the forward of Net itself mixes"),
        (across_the_batch, r"beside other images: module 'attend' \(MultiheadAttention\) mixes"),
        (lambda net, x: net.head(net.body(x).view(1, 16, 8, 8)), "runs on one image, but not on 2 at once"),
    ],
)
def test_answers_that_are_not_an_images_own(join: Callable[[Net, Tensor], Tensor], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        opened(join)


def test_random_numbers_that_change_nothing_or_are_the_same_each_time_are_no_matter() -> None:
    assert opened(seeded).layer == opened(lambda net, x: (torch.rand(1), plain(net, x))[1]).layer


def test_only_the_generators_that_a_network_uses_are_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network is on no GPU")

    net = Net(lambda net, x: net.head(net.drop(net.body(x)))).eval()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state", refuse)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    with pytest.raises(NetworkError, match="draws random numbers"):
        Network.from_module(net, preprocessing=seeing(SIZE))


@pytest.mark.parametrize("join", [frozen, inferred, plain])
def test_a_head_behind_a_frozen_body_is_differentiated(join: Callable[[Net, Tensor], Tensor]) -> None:
    network, expected = opened(join), opened(plain)
    images = torch.randn(2, 3, *SIZE)
    ours, theirs = forward(network, images), forward(expected, images)
    torch.testing.assert_close(ours.scores, theirs.scores)
    torch.testing.assert_close(
        alphas(ours.scores[:, 1], ours.activation), alphas(theirs.scores[:, 1], theirs.activation)
    )
    assert all(weight.grad is None for weight in network.module.parameters())


@pytest.mark.parametrize(
    ("join", "message"),
    [
        (wholly_inferred, "no gradient of Net's scores reaches layer 'body.3'.*torch.inference_mode"),
        (lambda net, x: net.head(net.body(x).detach()), "no gradient of Net's scores reaches layer 'body.3'.*detach"),
        (lambda net, x: checkpoint(net.head, net.body(x), use_reentrant=True), "has a reentrant checkpoint between"),
    ],
)
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_what_hides_the_map_from_autograd_is_said(join: Callable[[Net, Tensor], Tensor], message: str) -> None:
    with pytest.raises(NotConnectedError, match=message):
        opened(join)


def test_another_layer_is_tried_as_the_first_one_is() -> None:
    network = opened(lambda net, x: net.head(net.body[2:](net.body[:2](x).detach())))
    assert network.layer.name == "body.3"
    with pytest.raises(NotConnectedError, match=r"no gradient of Net's scores reaches layer 'body.1'.*detach"):
        network.at("body.1")


def test_another_layer_of_a_network_of_any_output_needs_no_scores() -> None:
    module = Net(lambda net, x: {"words": plain(net, x).argmax(1)}).eval()
    network = Network.of_any_output(module, layer="body.1", preprocessing=seeing(SIZE))
    assert network.at("body.3").layer.units == 16


def test_checkpoints_that_can_be_differentiated_work() -> None:
    network = opened(lambda net, x: checkpoint(net.head, net.body(x), use_reentrant=False))
    result = forward(network, torch.randn(1, 3, *SIZE))
    assert alphas(result.scores[:, 0], result.activation).abs().sum() > 0


def without_autograd(net: Net, images: Tensor) -> Tensor:
    with torch.no_grad():
        maps = net.body(images)
    return net.head(maps)


def switched_off_and_on(net: Net, images: Tensor) -> Tensor:
    torch.set_grad_enabled(False)
    early = net.body[:2](images)
    torch.set_grad_enabled(True)
    return net.head(net.body[2:](early))


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize(
    ("join", "switches"),
    [
        (plain, False),
        (without_autograd, True),
        (switched_off_and_on, True),
        (lambda net, x: net.head(checkpoint(net.body, x, use_reentrant=False)), False),
    ],
)
def test_functions_are_watched_only_where_a_network_uses_autograds_switch(
    join: Callable[[Net, Tensor], Tensor], switches: bool
) -> None:
    network, images = opened(join), torch.randn(2, 3, *SIZE)
    assert network.switches_autograd is network.at("body.1").switches_autograd is switches
    expected, result = forward(opened(plain), images), forward(network, images)
    assert torch.equal(result.scores, expected.scores)
    importance = alphas(result.scores[:, 0], result.activation)
    assert torch.equal(importance, alphas(expected.scores[:, 0], expected.activation))
    assert all(parameter.grad is None for parameter in network.module.parameters())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_modules_run_in_their_own_type(dtype: torch.dtype) -> None:
    network = Network.from_module(Net(plain).eval().to(dtype), preprocessing=seeing(SIZE))
    images = torch.randn(2, 3, *SIZE)
    result, reference = forward(network, images), forward(opened(plain), images)
    assert result.scores.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    importance = alphas(result.scores[:, 0], result.activation)
    expected = alphas(reference.scores[:, 0], reference.activation)
    torch.testing.assert_close(importance.float(), expected, rtol=0.05, atol=1e-4)
    assert dtype == torch.bfloat16 or has_constant_alphas(network)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("part", ["", "body"])
def test_scripted_parts_are_refused(part: str) -> None:
    net = Net(plain).eval()
    net.body = torch.jit.script(net.body)
    module = nn.Sequential(net) if part else torch.jit.script(net.body)
    with pytest.raises(NetworkError, match="TorchScript program, whose layers cannot be read"):
        Network.from_module(module, preprocessing=seeing(SIZE))


@pytest.mark.parametrize("lazy", [nn.LazyConv2d(4, 3), nn.LazyLinear(5), nn.LazyBatchNorm2d(affine=False)])
def test_weights_without_a_shape_are_refused_and_left_so(lazy: nn.Module) -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), lazy).eval()
    with pytest.raises(NetworkError, match=r"'2\.\w+' of Sequential has no shape until the network has seen an image"):
        Network.from_module(module, preprocessing=seeing(SIZE))
    assert lazy.has_uninitialized_params()


@pytest.mark.parametrize("part", ["body", "norm"])
def test_weights_without_values_are_refused(part: str) -> None:
    net = Net(plain).eval()
    net.norm.register_buffer("scale", torch.ones(1))
    getattr(net, part).to("meta")
    with pytest.raises(
        NetworkError, match=rf"'{part}\.\S+' of Net is on the device 'meta', where weights have no values"
    ):
        Network.from_module(net, preprocessing=seeing(SIZE))


@pytest.mark.parametrize("join", [lambda net, x: plain(net, x)[:, 0], lambda net, x: plain(net, x).squeeze()])
def test_one_number_per_image(join: Callable[[Net, Tensor], Tensor]) -> None:
    network = opened(join, classes=1)
    scores = forward(network, torch.randn(3, 3, *SIZE)).scores
    assert scores.shape == (3, 2)
    assert network.classes == ("class 0", "class 1")
    torch.testing.assert_close(scores[:, 0], -scores[:, 1])


def test_five_numbers_for_one_image_are_not_scores_of_five_images() -> None:
    with pytest.raises(NetworkError, match=r"float32 of shape \(5,\) for one image"):
        opened(lambda net, x: plain(net, x).squeeze())


def test_a_layer_that_runs_twice_is_said() -> None:
    with pytest.raises(LayerNotFoundError, match="a layer that runs several times, such as 'body', has no single map"):
        opened(lambda net, x: net.head(net.body(x) + net.body(x.flip(3)).flip(3)))


class Mixer(nn.Module):
    """Mixes patches by linear layers, as MLP-Mixer does."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 8, 8), nn.Linear(8, 5)
        self.tokens = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))
        self.units = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images).flatten(2)
        for tokens, units in zip(self.tokens, self.units, strict=True):
            x = x + tokens(x).relu()
            x = x + units(x.transpose(1, 2)).relu().transpose(1, 2)
        return self.head(x.mean(2))


def test_a_network_without_a_map_near_its_scores() -> None:
    with pytest.raises(
        LayerNotFoundError, match=r"Mixer has no feature map near its scores: after 'stem', .* 7 layers mix"
    ):
        Network.from_module(Mixer(), preprocessing=seeing(SIZE))
    assert Network.from_module(Mixer(), layer="stem", preprocessing=seeing(SIZE)).layer.units == 8


def test_an_image_too_small_for_the_last_stage() -> None:
    with torch.random.fork_rng():
        net = models.resnet18(num_classes=4)
    with pytest.raises(
        LayerNotFoundError, match=r"image of 32x32 is too small for ResNet: to the 3x3 convolution of 'layer4"
    ):
        Network.from_module(net, preprocessing=seeing((32, 32)))
    assert Network.from_module(net, layer="layer3", preprocessing=seeing((32, 32))).layer.height == 2


class Caching(nn.Module):
    """Replaces a buffer by one of another shape in its first run, as ConViT does."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Net(plain)
        self.register_buffer("cache", torch.zeros(1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        if self.cache.shape[1] != 5:
            self.cache = torch.arange(5.0)[None]
        return self.net(images) + self.cache


class Averaging(nn.Module):
    """Averages what it sees in a buffer, in any mode, and takes any other size than ``refused``."""

    def __init__(self, refused: int = 0) -> None:
        super().__init__()
        self.net = Net(plain)
        self.refused = refused
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, images: Tensor) -> Tensor:
        self.mean.lerp_(images.mean((0, 2, 3)), 0.1)
        if images.shape[3] == self.refused:
            raise ValueError("too narrow")
        return self.net(images)


@pytest.mark.parametrize("refused", [0, 64])
def test_what_is_tried_leaves_no_trace_in_buffers(refused: int) -> None:
    module = Averaging(refused).eval()
    network = Network.from_module(module, preprocessing=seeing((96, 96)))
    receptive_fields(network, [network.layer])
    network.feature_maps()
    assert torch.equal(module.mean, torch.zeros(3))


def test_a_buffer_that_is_replaced_comes_back() -> None:
    module = Caching().eval()
    network = Network.from_module(module, preprocessing=seeing(SIZE))
    assert module.cache.shape == (1, 1)
    images = torch.randn(1, 3, *SIZE)
    with torch.no_grad():
        torch.testing.assert_close(forward(network, images).scores.detach(), module.net(images) + torch.arange(5.0))
