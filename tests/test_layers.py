"""The layer to dissect is found by watching one forward pass, which leaves nothing behind."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models
from worlds import default_layer, network_at, seeing

from dissection.errors import LayerNotFoundError, NetworkError
from dissection.networks.forward import forward, forward_from
from dissection.networks.layers import FeatureMap, Layers
from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.receptive_field import receptive_fields
from dissection.networks.recording import record
from dissection.networks.tap import Tap
from dissection.vocabulary import Layer
from neuronexplain.methods.constant_alphas import has_constant_alphas
from neuronexplain.methods.gradcam import alphas

SIZE = (16, 16)


def find_layer(module: nn.Module, name: str, size: tuple[int, int]) -> Layer:
    return network_at(module, name, size).layer


def feature_maps(module: nn.Module, size: tuple[int, int]) -> list[FeatureMap]:
    return Layers(record(module, seeing(size))).maps()


def head(channels: int, classes: int = 4) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]


def body(activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 5, 3), activation, nn.Conv2d(5, 6, 3, 2), activation, *head(6))


class Functional(nn.Module):
    """A network whose activations are calls of ``act``."""

    def __init__(self, act: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.act = act
        self.one, self.two = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.one(x))
        return self.fc(self.act(self.norm(self.two(x))).mean((2, 3)))


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("vgg11", Layer("features.19", 512, 14, 14)),
        ("alexnet", Layer("features.11", 256, 13, 13)),
        ("resnet18", Layer("layer4", 512, 7, 7)),
        ("squeezenet1_1", Layer("features.12", 512, 13, 13)),
        ("densenet121", Layer("features.norm5", 1024, 7, 7, "relu")),
        ("mobilenet_v3_small", Layer("features.12", 576, 7, 7)),
        ("mobilenet_v2", Layer("features.18", 1280, 7, 7)),
        ("efficientnet_b0", Layer("features.8", 1280, 7, 7)),
        ("shufflenet_v2_x0_5", Layer("conv5", 1024, 7, 7)),
        ("mnasnet0_5", Layer("layers.16", 1280, 7, 7)),
        ("regnet_y_400mf", Layer("trunk_output", 440, 7, 7)),
    ],
)
def test_torchvisions_layers(name: str, layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    for initialise in ("kaiming_normal_", "normal_", "trunc_normal_", "kaiming_uniform_", "uniform_"):
        monkeypatch.setattr(nn.init, initialise, lambda tensor, *_, **__: tensor.data.fill_(0.001))
    assert default_layer(models.get_model(name), (224, 224)) == layer


def test_googlenets_concatenation_counts() -> None:
    with torch.random.fork_rng():
        net = models.googlenet(init_weights=False, aux_logits=False)
    assert default_layer(net, (64, 64)) == Layer("inception5b", 1024, 2, 2)


def test_convnext_has_no_rectified_map_and_gives_its_last() -> None:
    net = models.convnext.ConvNeXt(
        [models.convnext.CNBlockConfig(8, 16, 1), models.convnext.CNBlockConfig(16, None, 1)]
    )
    layer = default_layer(net, (64, 64))
    assert layer == Layer("features.3", 16, 8, 8)
    assert not next(found.rectified for found in feature_maps(net, (64, 64)) if found.layer == layer)


class Patches(nn.Module):
    """A transformer that scores by its class token, or by the mean of its patches, which it may lay out as an image."""

    def __init__(self, scores_by: str, more: int = 1) -> None:
        super().__init__()
        self.scores_by = scores_by
        self.embed = nn.Conv2d(3, 8, 4, 4)
        self.more = nn.Parameter(torch.randn(1, more, 8))
        blocks = [nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, norm_first=True) for _ in range(2)]
        self.blocks = nn.ModuleList(blocks)
        self.norm, self.fc = nn.LayerNorm(8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.embed(x)
        tokens = torch.cat([self.more.expand(len(x), -1, -1), patches.flatten(2).transpose(1, 2)], 1)
        for block in self.blocks:
            tokens = tokens + block.self_attn(*[block.norm1(tokens)] * 3)[0]
            tokens = tokens + block.linear2(block.linear1(block.norm2(tokens)).relu())
        tokens = self.norm(tokens)
        if self.scores_by == "class":
            return self.fc(tokens[:, 0])
        return self.fc(tokens[:, self.more.shape[1] :].mean(1))


@pytest.mark.parametrize(
    ("net", "layer"),
    [
        (lambda: Patches("class"), Layer("blocks.1.norm1", 8, 4, 4)),
        (lambda: Patches("class", more=5), Layer("blocks.1.norm1", 8, 4, 4)),
        (lambda: Patches("mean", more=0), Layer("norm", 8, 4, 4)),
        (
            lambda: models.VisionTransformer(16, 4, 2, 2, 8, 16),
            Layer("encoder.layers.encoder_layer_1.ln_1", 8, 4, 4),
        ),
        (lambda: models.SwinTransformer([2, 2], 8, [2], [2], [4, 4], num_classes=5), Layer("permute", 8, 8, 8)),
    ],
    ids=["class", "registers", "mean", "vit", "swin"],
)
def test_the_patches_of_transformers(net: Callable[[], nn.Module], layer: Layer) -> None:
    assert default_layer(net(), SIZE) == layer


@pytest.mark.parametrize("size", [(16, 16), (16, 32)])
def test_patches_are_read_where_they_are_in_the_image(size: tuple[int, int]) -> None:
    net = Patches("class", more=3).eval()
    layer = find_layer(net, "blocks.0.norm1", size)
    image = torch.randn(2, 3, *size)
    with torch.no_grad(), Tap(net, layer) as tap:
        scores = net(image)
    patches = net.blocks[0].norm1(net.embed(image).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    torch.testing.assert_close(tap.output, patches)
    torch.testing.assert_close(scores, net(image))


def test_alphas_of_patches_are_gradients_by_hand() -> None:
    net, image = Patches("class", more=2).eval(), torch.randn(3, 3, *SIZE)
    network = Network.from_module(net, preprocessing=Preprocessing(SIZE, SIZE))
    result = forward(network, image)
    found = alphas(result.scores[:, 1], result.activation)
    first, last = net.blocks
    patches = net.embed(image).flatten(2).transpose(1, 2)
    tokens = torch.cat([net.more.expand(3, -1, -1), patches], 1)
    tokens = tokens + first.self_attn(*[first.norm1(tokens)] * 3)[0]
    tokens = tokens + first.linear2(first.linear1(first.norm2(tokens)).relu())
    normed = last.norm1(tokens).detach().requires_grad_()
    tokens = tokens + last.self_attn(*[normed] * 3)[0]
    tokens = tokens + last.linear2(last.linear1(last.norm2(tokens)).relu())
    (gradient,) = torch.autograd.grad(net.fc(net.norm(tokens)[:, 0])[:, 1].sum(), normed)
    torch.testing.assert_close(found, gradient[:, 2:].mean(1))
    assert found.abs().max() > 0


@pytest.mark.parametrize(
    "activation",
    [
        nn.ReLU(),
        nn.ReLU6(),
        nn.LeakyReLU(),
        nn.ELU(),
        nn.SELU(),
        nn.GELU(),
        nn.SiLU(),
        nn.Hardswish(),
        nn.PReLU(),
        nn.Mish(),
    ],
    ids=lambda activation: type(activation).__name__,
)
def test_activation_modules(activation: nn.Module) -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Tanh(), nn.Conv2d(5, 6, 3), activation, nn.Conv2d(6, 7, 3), *head(7))
    assert default_layer(net, SIZE) == Layer("3", 6, 12, 12)


@pytest.mark.parametrize("inplace", [False, True])
def test_relu_modules_in_place_or_not(inplace: bool) -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(inplace), nn.MaxPool2d(2), *head(5))
    assert default_layer(net, SIZE) == Layer("1", 5, 14, 14)
    assert [(found.layer.name, found.rectified) for found in feature_maps(net, SIZE)] == [
        ("0", False),
        ("1", True),
        ("2", False),
    ]


def test_one_relu_module_in_many_places_is_told_as_a_function() -> None:
    assert default_layer(body(nn.ReLU(inplace=True)), SIZE) == Layer("2", 6, 6, 6, "relu")


@pytest.mark.parametrize(
    ("act", "rectifier"),
    [
        (F.relu, "relu"),
        (F.relu_, "relu"),
        (torch.relu, "relu"),
        (Tensor.relu_, "relu"),
        (nn.ReLU(inplace=True), "relu"),
        (lambda x: x.clamp(min=0), "relu"),
        (lambda x: x.clamp_(0), "relu"),
        (F.relu6, "relu6"),
        (nn.ReLU6(inplace=True), "relu6"),
        (lambda x: F.hardtanh(x, 0, 6), "relu6"),
    ],
)
def test_functions_that_rectify(act: Callable[[Tensor], Tensor], rectifier: str) -> None:
    net = Functional(act).eval()
    layer = Layer("norm", 6, 12, 12, rectifier)
    assert default_layer(net, SIZE) == layer
    assert find_layer(net, "norm", SIZE) == layer
    image = 30 * torch.randn(1, 3, *SIZE)
    with torch.no_grad(), Tap(net, layer) as tap:
        net(image)
    expected = net.norm(net.two(net.act(net.one(image)))).clamp(0, 6 if rectifier == "relu6" else None)
    torch.testing.assert_close(tap.output, expected)


@pytest.mark.parametrize("act", [F.silu, F.gelu, F.leaky_relu, lambda x: x * torch.sigmoid(x)])
def test_other_functions_leave_the_map_before_them(act: Callable[[Tensor], Tensor]) -> None:
    net = Functional(act)
    assert default_layer(net, SIZE) == Layer("norm", 6, 12, 12)
    assert not any(found.rectified for found in feature_maps(net, SIZE))


class MemorySwish(nn.Module):
    """A user's activation, which the function mode does not see."""

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(_context: object, x: Tensor) -> Tensor:
            return x * x.sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return self.Function.apply(x)


def test_activations_of_the_users_own() -> None:
    assert default_layer(nn.Sequential(nn.Conv2d(3, 5, 3), MemorySwish(), *head(5)), SIZE) == Layer("1", 5, 14, 14)


class Tree(nn.Module):
    """Concatenates two rectified branches inside a block, then drops out, clones and pools."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(4, 2, 1), nn.Conv2d(4, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([F.leaky_relu(self.left(x)), self.right(x).relu_()], 1)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.stage = nn.Sequential(self.Block())
        self.drop, self.pool, self.score = nn.Dropout(), nn.MaxPool2d(2), nn.Conv2d(5, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.stage(F.relu(self.stem(x)))).clone()
        return F.relu(self.score(self.pool(x))).mean((2, 3))


def test_the_outermost_module_of_a_concatenation_and_not_the_classes_relu() -> None:
    assert default_layer(Tree(), SIZE) == Layer("stage", 5, 14, 14)


def test_branches_that_do_not_lead_to_the_scores_do_not_count() -> None:
    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main, self.side = body(nn.ReLU()), nn.Sequential(nn.Conv2d(3, 9, 3), nn.ReLU(), nn.Conv2d(9, 2, 1))

        def forward(self, x: Tensor) -> Tensor:
            scores = self.main(x)
            self.side(x)
            return scores

    assert default_layer(Auxiliary(), SIZE).name == "main.2"


def test_a_layer_by_name_before_an_in_place_relu_is_what_the_layer_gave() -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(inplace=True), *head(5)).eval()
    layer = find_layer(net, "0", SIZE)
    assert layer == Layer("0", 5, 14, 14)
    image = torch.randn(1, 3, *SIZE)
    with torch.no_grad(), Tap(net, layer) as tap:
        net(image)
    torch.testing.assert_close(tap.output, net[0](image))
    assert (tap.output < 0).any()


def test_a_map_with_channels_last() -> None:
    class Last(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.permute(0, 2, 3, 1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.last, self.fc = nn.Conv2d(3, 6, 3), Last(), nn.Linear(6, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.last(self.conv(x).relu())).mean((1, 2))

    net, image = Net().eval(), torch.randn(2, 3, 16, 12)
    layer = find_layer(net, "last", (16, 12))
    assert layer == Layer("last", 6, 14, 10)
    with torch.no_grad(), Tap(net, layer) as tap:
        scores = net(image)
    torch.testing.assert_close(tap.output, net.conv(image).relu())
    torch.testing.assert_close(scores, net(image))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("featurs.3", r"Net has no layer 'featurs.3'; choose one of the layers with units: features.3"),
        ("", r"Net has no layer ''; choose one of the layers with units: features, features.3, features.1$"),
        ("fc", r"'fc' of Net gives a tensor of 1x4, not a feature map"),
        ("again", r"'again' of Net runs 2 times"),
        ("idle", r"'idle' of Net does not run"),
        ("gap", r"'gap' of Net gives a tensor of 1x6x1x1, not a feature map"),
        ("pair", r"'pair' of Net gives no tensor of the image"),
    ],
)
def test_layers_that_will_not_do(name: str, message: str) -> None:
    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    class Permute(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.permute(0, 2, 3, 1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 6, 5), nn.ReLU())
            self.again, self.pair, self.last = nn.Tanh(), Pair(), Permute()
            self.gap, self.fc, self.idle = nn.AdaptiveAvgPool2d(1), nn.Linear(6, 4), nn.Conv2d(1, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            x, _ = self.pair(self.again(self.again(self.features(x))))
            return self.fc(self.gap(self.last(x).permute(0, 3, 1, 2)).flatten(1))

    with pytest.raises(LayerNotFoundError, match=message):
        find_layer(Net(), name, SIZE)


def test_a_network_without_any_map() -> None:
    with pytest.raises(LayerNotFoundError, match="no layers with units"):
        default_layer(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4)), SIZE)


class Moody(nn.Module):
    """Counts its runs in a buffer, and may fail at the end of one."""

    def __init__(self, fails: bool) -> None:
        super().__init__()
        self.fails = fails
        self.features = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(inplace=True))
        self.drop, self.fc = nn.Dropout(), nn.Linear(5, 4)
        self.register_buffer("runs", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        assert not self.training
        scores = self.fc(self.drop(self.features(x).mean((2, 3))))
        if self.fails:
            raise RuntimeError("in a\nbad mood")
        return scores


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_on_the_module(fails: bool) -> None:
    net = Moody(fails)
    net.drop.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [part.training for part in net.modules()]
    noise = torch.get_rng_state()
    if fails:
        with pytest.raises(
            NetworkError, match=r"Moody cannot run on an RGB image of 16x16 \(RuntimeError: in a bad mood"
        ):
            default_layer(net, SIZE)
    else:
        assert default_layer(net, SIZE).name == "features.2"
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [part.training for part in net.modules()] == modes
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())
    assert all(weight.grad is None and weight.requires_grad for weight in net.parameters())
    assert torch.equal(torch.get_rng_state(), noise)
    assert torch.is_grad_enabled()


def test_half_precision_networks_are_fed_their_own_type() -> None:
    assert default_layer(body(nn.ReLU()).bfloat16(), SIZE) == Layer("2", 6, 6, 6, "relu")


@pytest.mark.parametrize("scores_by", ["class", "mean"])
def test_patches_of_no_image_go_through_the_head(scores_by: str) -> None:
    network = Network.from_module(Patches(scores_by, more=2).eval(), preprocessing=Preprocessing(SIZE, SIZE))
    result = forward(network, torch.zeros(2, 3, *SIZE))
    torch.testing.assert_close(forward_from(network, result.activation.detach()).scores, result.scores)
    assert has_constant_alphas(network) == (scores_by == "mean")


@pytest.mark.parametrize(
    ("net", "layer", "field"),
    [
        (lambda: models.vgg11(init_weights=False).features[:12], "7", 18),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 5, 3), nn.ReLU(), nn.MaxPool2d(2, 2)), "2", 8),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, dilation=3)), "1", 15),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.GroupNorm(2, 4), nn.ReLU()), "2", None),
        (lambda: nn.Sequential(*[nn.Conv2d(3, 3, 3, padding=1) for _ in range(70)]), "69", None),
        (lambda: nn.Sequential(*[nn.Conv2d(3, 3, 3, padding=1) for _ in range(20)]), "19", 41),
        (lambda: nn.Sequential(*[nn.Conv2d(3, 3, 3, 2, 1) for _ in range(5)]), "4", 63),
    ],
    ids=["vgg", "stride 3", "dilation", "group norm", "deep", "less deep", "stride 32"],
)
def test_receptive_fields(net: Callable[[], nn.Module], layer: str, field: int | None) -> None:
    """Known from their kernels k and strides s: 1 + sum (k - 1) * (the product of the strides before)."""
    module = nn.Sequential(net(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(4)).eval()
    module(torch.zeros(1, 3, 128, 128))
    network = Network.from_module(module, preprocessing=Preprocessing((128, 128), 128), layer=f"0.{layer}")
    assert receptive_fields(network, [network.layer]) == [field]


def test_receptive_fields_of_patches() -> None:
    network = Network.from_module(Patches("class", more=2), preprocessing=Preprocessing(SIZE, SIZE))
    layers = [found.layer for found in network.feature_maps()]
    fields = dict(zip([layer.name for layer in layers], receptive_fields(network, layers), strict=True))
    assert fields["embed"] == fields["blocks.0.norm1"] == 4
    assert fields["blocks.1.norm1"] is None
