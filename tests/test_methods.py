"""Every explanation against its equation written out slowly, on small networks in double precision."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from worlds import slow_upsample

from dissection.errors import ClassNotFoundError, NetworkError, NotConnectedError
from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.vocabulary import Layer
from neuronexplain.methods import METHODS, probability
from neuronexplain.methods.excitation import Excitation
from neuronexplain.methods.gradcam import GradCam, mean, mean_of_negated
from neuronexplain.methods.occlusion import Occlusion
from neuronexplain.methods.rectifiers import deconvolution, guided
from neuronexplain.methods.trace import leaf, traced, traced_under

SIZE = 6


def network_of(module: nn.Module, layer: str, units: int, *, grid: int = SIZE, classes: int = 3) -> Network:
    layer = Layer(layer, units, grid, grid)
    return Network(module.double().eval(), "toy", layer, Preprocessing(size=(SIZE, SIZE)), tuple("abcdef"[:classes]))


def tiny() -> Network:
    """Two convolutions, and a head with a hidden layer."""
    torch.manual_seed(4)
    head = nn.Sequential(nn.Flatten(), nn.Linear(4 * SIZE**2, 7), nn.ReLU(), nn.Linear(7, 3))
    return network_of(
        nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), head), "3", 4
    )


def images(count: int = 2, channels: int = 2, size: int = SIZE) -> torch.Tensor:
    return torch.randn(count, channels, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(8))


RULES = {
    "gradient": lambda flow, value: flow if value > 0 else 0.0,
    "guided": lambda flow, value: flow if value > 0 and flow > 0 else 0.0,
    "deconvolution": lambda flow, value: max(flow, 0.0),
}


def slow_gradients(network: Network, image: torch.Tensor, index: int, rule: str) -> tuple[list, list]:
    """Gradients of a class's score with respect to the tapped map and the pixels of ``tiny``, without autograd."""
    rule = RULES[rule]
    first, _, second, _, (_, hidden, _, last) = network.module
    units, colours = range(4), range(2)
    a = first(image[None])[0].tolist()
    b = second(first(image[None]).relu())[0].tolist()
    flat = [max(b[k][i][j], 0.0) for k in units for i in range(SIZE) for j in range(SIZE)]
    w1, b1, w2 = hidden.weight.tolist(), hidden.bias.tolist(), last.weight.tolist()
    inner = [
        sum(w * value for w, value in zip(row, flat, strict=True)) + bias for row, bias in zip(w1, b1, strict=True)
    ]
    flow = [rule(w2[index][h], inner[h]) for h in range(7)]
    by_flat = [sum(flow[h] * w1[h][n] for h in range(7)) for n in range(len(flat))]
    by_map = [[[by_flat[(k * SIZE + i) * SIZE + j] for j in range(SIZE)] for i in range(SIZE)] for k in units]
    by_b = [[[rule(by_map[k][i][j], b[k][i][j]) for j in range(SIZE)] for i in range(SIZE)] for k in units]
    by_relu = slow_transposed(by_b, second.weight.tolist(), range(3))
    by_a = [[[rule(by_relu[k][i][j], a[k][i][j]) for j in range(SIZE)] for i in range(SIZE)] for k in range(3)]
    return by_map, slow_transposed(by_a, first.weight.tolist(), colours)


def slow_transposed(flow: list, weight: list, inputs: range) -> list:
    """The gradient that arrives at the input of a 3 x 3 convolution with padding 1."""
    back = [[[0.0] * SIZE for _ in range(SIZE)] for _ in inputs]
    for k, plane in enumerate(flow):
        for i in range(SIZE):
            for j in range(SIZE):
                for c in inputs:
                    for di in range(3):
                        for dj in range(3):
                            y, x = i + di - 1, j + dj - 1
                            if 0 <= y < SIZE and 0 <= x < SIZE:
                                back[c][y][x] += plane[i][j] * weight[k][c][di][dj]
    return back


def slow_combination(network: Network, image: torch.Tensor, alphas: list[float]) -> list[list[float]]:
    maps = network.module[:4](image[None])[0].tolist()
    return [[sum(alphas[k] * maps[k][i][j] for k in range(4)) for j in range(SIZE)] for i in range(SIZE)]


def rectified(plane: list[list[float]]) -> list[list[float]]:
    return [[max(value, 0.0) for value in row] for row in plane]


def cells(plane: list[list[float]]) -> list[float]:
    return [value for row in plane for value in row]


POOLS = {
    "grad-cam": lambda values: sum(values) / len(values),
    "grad-cam-guided-relu": lambda values: sum(values) / len(values),
    "grad-cam-deconv-relu": lambda values: sum(values) / len(values),
    "grad-cam-no-relu": lambda values: sum(values) / len(values),
    "counterfactual": lambda values: sum(-value for value in values) / len(values),
    "grad-cam-absolute": lambda values: sum(abs(value) for value in values) / len(values),
    "grad-cam-max": max,
}
PASSES = {"grad-cam-guided-relu": "guided", "grad-cam-deconv-relu": "deconvolution"}


@pytest.mark.parametrize("name", POOLS)
def test_the_family_of_grad_cam_equals_its_equations(name):
    network, given = tiny(), images()
    found = METHODS[name].maps(network, given, 1)
    for image, ours in zip(given, found, strict=True):
        by_map, _ = slow_gradients(network, image, 1, PASSES.get(name, "gradient"))
        plane = slow_combination(network, image, [POOLS[name](cells(plane)) for plane in by_map])
        expected = plane if name == "grad-cam-no-relu" else rectified(plane)
        assert torch.allclose(ours, torch.tensor(expected, dtype=torch.float64))
    assert found.abs().max() > 0


@pytest.mark.parametrize(
    ("name", "rule"), [("gradient", "gradient"), ("guided-backprop", "guided"), ("deconvolution", "deconvolution")]
)
def test_pixel_gradients_equal_the_rules_written_out(name, rule):
    network, given = tiny(), images()
    found = METHODS[name].attribution(network, given, 2)
    for image, ours in zip(given, found, strict=True):
        _, expected = slow_gradients(network, image, 2, rule)
        assert torch.allclose(ours, torch.tensor(expected, dtype=torch.float64))
    assert torch.equal(METHODS[name].maps(network, given, 2), found.abs().amax(1))
    assert found.abs().max() > 0


@pytest.mark.parametrize(("name", "rule"), [("guided-grad-cam", "guided"), ("deconv-grad-cam", "deconvolution")])
def test_fused_maps_are_products_whose_alphas_have_the_true_derivative(name, rule):
    network, given = tiny(), images()
    found = METHODS[name].attribution(network, given, 0)
    for image, ours in zip(given, found, strict=True):
        _, pixels = slow_gradients(network, image, 0, rule)
        by_map, _ = slow_gradients(network, image, 0, "gradient")
        heat = rectified(slow_combination(network, image, [POOLS["grad-cam"](cells(plane)) for plane in by_map]))
        expected = [[[pixels[c][i][j] * heat[i][j] for j in range(SIZE)] for i in range(SIZE)] for c in range(2)]
        assert torch.allclose(ours, torch.tensor(expected, dtype=torch.float64))
    assert found.abs().max() > 0


def test_a_coarse_map_is_upsampled_bilinearly():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(2, 4, 2, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3))
    network, given = network_of(module, "1", 4, grid=3), images(1)
    seen = traced(network, given, 0)
    (slope,) = seen.gradients(seen.activation)
    coarse = torch.einsum("k,kij->ij", slope[0].mean((1, 2)), seen.activation[0]).relu()
    expected = torch.tensor(slow_upsample(coarse.tolist(), SIZE, SIZE), dtype=torch.float64)
    assert torch.allclose(METHODS["grad-cam"].maps(network, given, 0)[0], expected)
    assert expected.max() > 0


def pooled(*, bias: bool = True) -> Network:
    torch.manual_seed(2)
    module = nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3, bias=bias)
    )
    return network_of(module, "1", 5)


@pytest.mark.parametrize("bias", [True, False])
def test_cam_is_grad_cam_up_to_the_number_of_cells(bias):
    network, given = pooled(bias=bias), images()
    cam = METHODS["cam"].maps(network, given, torch.tensor([2, 0]))
    maps = network.module[:2](given)
    for image, index in enumerate([2, 0]):
        weights = network.module[4].weight[index].tolist()
        expected = sum(weight * plane for weight, plane in zip(weights, maps[image], strict=True))
        assert torch.allclose(cam[image], expected)
    assert torch.allclose(METHODS["grad-cam-no-relu"].maps(network, given, torch.tensor([2, 0])) * SIZE**2, cam)
    assert torch.allclose(METHODS["grad-cam"].maps(network, given, torch.tensor([2, 0])) * SIZE**2, cam.relu())


def test_cam_of_a_convolution_before_the_pooling_is_its_map():
    torch.manual_seed(2)
    module = nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    network, given = network_of(module, "1", 5), images()
    cam = METHODS["cam"].maps(network, given, 1)
    assert torch.allclose(cam, module[:3](given)[:, 1] - module[2].bias[1])


def test_cam_refuses_other_heads_and_other_targets():
    with pytest.raises(NetworkError, match=r"CAM needs global average pooling and one linear layer between '3'"):
        METHODS["cam"].maps(tiny(), images(), 0)
    with pytest.raises(NetworkError, match="CAM explains a class"):
        METHODS["cam"].maps(pooled(), images(), lambda scores: scores.sum(1))
    torch.manual_seed(0)  # a linear layer of the right shape, but not the one that makes the scores
    module = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(3, 3)
    )
    with pytest.raises(NetworkError, match="CAM needs"):
        METHODS["cam"].maps(network_of(module, "1", 3), images(), 0)


@torch.no_grad()
def slow_occlusion(network, image, score, patch, stride, fill):
    def value(picture: torch.Tensor) -> float:
        return float(score(network.module(picture[None])))

    height, width = image.shape[1:]
    whole, falls = value(image), {}
    for top in range(0, math.ceil(max(height - patch, 0) / stride) * stride + 1, stride):
        for left in range(0, math.ceil(max(width - patch, 0) / stride) * stride + 1, stride):
            covered = image.clone()
            for colour in range(len(image)):
                covered[colour, top : top + patch, left : left + patch] = fill[colour]
            falls[top, left] = whole - value(covered)
    rows = []
    for y in range(height):
        over = [
            [fall for (top, left), fall in falls.items() if top <= y < top + patch and left <= x < left + patch]
            for x in range(width)
        ]
        rows.append([sum(found) / len(found) if found else 0.0 for found in over])
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize(("patch", "stride"), [(2, 1), (3, 2), (4, 4), (9, 3), (1, 2)])
@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_occlusion_equals_loops(patch, stride, batch_size):
    network, given = tiny(), images()
    method = Occlusion(patch, stride, fill=(0.5, -1.0), batch_size=batch_size)
    found = method(network, given, torch.tensor([1, 2]))[:, 0]
    for image, index, ours in zip(given, (1, 2), found, strict=True):
        expected = slow_occlusion(network, image, lambda scores, i=index: scores[0, i], patch, stride, (0.5, -1.0))
        assert torch.allclose(ours, expected)


def test_occlusion_of_a_probability():
    network, given = tiny(), images(1)
    found = Occlusion(2, 2)(network, given, probability(1))[0, 0]
    expected = slow_occlusion(network, given[0], lambda scores: scores.softmax(1)[0, 1], 2, 2, (0.0, 0.0))
    assert torch.allclose(found, expected)
    assert not torch.allclose(found, Occlusion(2, 2)(network, given, 1)[0, 0])


def test_a_sum_of_zeros_has_no_counterfactual_and_no_cam():
    found = GradCam(mean)(tiny(), images(), lambda scores: scores[:, 0] * 0)
    assert not found.any()


def test_the_counterfactual_is_the_cam_of_the_negated_score():
    network, given = tiny(), images()
    against = GradCam(mean_of_negated)(network, given, 1)
    assert torch.allclose(against, GradCam()(network, given, lambda scores: -scores[:, 1]))


def slow_shares(a: list[float], weight: list[list[float]], signal: list[float]) -> list[float]:
    """Eq. 4 of Zhang et al. 2016 for one linear layer."""
    won = [0.0] * len(a)
    for i, row in enumerate(weight):
        total = sum(value * w for value, w in zip(a, row, strict=True) if w >= 0)
        for j, w in enumerate(row):
            if w >= 0 and total > 0:
                won[j] += signal[i] * a[j] * w / total
    return won


def test_c_mwp_equals_the_paper_written_out():
    network, given = tiny(), images()
    found = METHODS["c-mwp"].maps(network, given, 1)
    hidden, last = network.module[4][1], network.module[4][3]
    for image, ours in zip(given, found, strict=True):
        a = network.module[:4](image[None]).flatten()
        inner = hidden(a).relu().tolist()
        one = [0.0, 1.0, 0.0]
        for_class = slow_shares(inner, last.weight.tolist(), one)
        against = slow_shares(inner, (-last.weight).tolist(), one)
        contrast = [p - q for p, q in zip(for_class, against, strict=True)]
        won = slow_shares(a.tolist(), hidden.weight.tolist(), contrast)
        expected = torch.tensor(won, dtype=torch.float64).view(4, SIZE, SIZE).sum(0).relu()
        assert torch.allclose(ours, expected)
        assert expected.max() > 0


def test_c_mwp_does_not_mind_how_functions_are_called():
    class Named(nn.Module):
        def __init__(self, *, named: bool) -> None:
            super().__init__()
            torch.manual_seed(6)
            self.stem = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU())
            self.conv, self.fc, self.named = nn.Conv2d(4, 5, 3, padding=1), nn.Linear(5, 3), named

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a, conv, fc = self.stem(x), self.conv, self.fc
            if not self.named:
                return fc(F.adaptive_avg_pool2d(conv(a).relu(), 1).flatten(1))
            b = F.relu(input=F.conv2d(weight=conv.weight, input=a, bias=conv.bias, padding=1))
            return F.linear(F.adaptive_avg_pool2d(input=b, output_size=1).flatten(1), bias=fc.bias, weight=fc.weight)

    maps = [METHODS["c-mwp"].maps(network_of(Named(named=named), "stem", 4), images(), 1) for named in (True, False)]
    assert torch.equal(*maps)
    assert maps[0].max() > 0


class Residual(nn.Module):
    """All that excitation backprop has a rule for: after the tap, a residual block with batch normalisation."""

    def __init__(self, *, folded: bool) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.stem = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU())
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.norm.weight.data = torch.tensor([0.5, -1.5, 2.0, -0.1])
        self.norm.bias.data = torch.randn(4)
        self.norm.running_mean = torch.randn(4)
        self.norm.running_var = torch.rand(4) + 0.5
        if folded:
            scale = self.norm.weight / (self.norm.running_var + self.norm.eps).sqrt()
            self.conv.weight.data = self.conv.weight * scale.view(-1, 1, 1, 1)
            self.conv.bias.data = (self.conv.bias - self.norm.running_mean) * scale + self.norm.bias
            self.norm = nn.Identity()
        self.pool, self.fc = nn.AvgPool2d(2), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.stem(x)
        b = self.norm(self.conv(a))
        b += a
        return self.fc(F.max_pool2d(self.pool(F.relu_(b)), 3).flatten(1))


def test_c_mwp_takes_batch_normalisation_for_part_of_its_convolution():
    given = images()
    with_norm, without = (network_of(Residual(folded=folded), "stem", 4) for folded in (False, True))
    assert torch.allclose(with_norm.module(given), without.module(given))
    found, expected = (
        seen.gradients(seen.activation)[0]
        for seen in (traced_under(Excitation(each.module), each, given, 2) for each in (with_norm, without))
    )
    assert torch.allclose(found, expected)
    assert found.abs().max() > 0.01


def test_c_mwp_of_a_sum_shares_by_what_is_positive():
    class Sum(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + (3 * x.detach()[:, :1] - 1).expand_as(x)

    torch.manual_seed(3)
    module = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), Sum(), nn.Flatten(), nn.Linear(72, 3))
    network, given = network_of(module, "1", 2), images(1)
    a = module[:2](given)
    other = (3 * a[:, :1] - 1).expand_as(a)
    below = (a + other).clamp(min=0).flatten().tolist()
    at_sum = slow_shares(below, module[4].weight.tolist(), [1.0, 0.0, 0.0])
    minus = slow_shares(below, (-module[4].weight).tolist(), [1.0, 0.0, 0.0])
    share = torch.where(a > 0, a / (a + other.clamp(min=0)), 0.0).flatten()
    won = (torch.tensor(at_sum, dtype=torch.float64) - torch.tensor(minus, dtype=torch.float64)) * share
    expected = won.view(2, SIZE, SIZE).sum(0).relu()
    assert torch.allclose(METHODS["c-mwp"].maps(network, given, 0)[0], expected)


def test_c_mwp_refuses_a_layer_at_which_it_cancels_out():
    torch.manual_seed(2)
    module = nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 4, 1), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )  # fmt: skip
    with pytest.raises(NetworkError, match="c-MWP is 0 at '3': the classifier reads it cell by cell"):
        METHODS["c-mwp"].maps(network_of(module, "3", 4), images(), 0)
    assert METHODS["c-mwp"].maps(network_of(module, "1", 5), images(), 0).max() > 0


def test_c_mwp_refuses_what_it_has_no_rule_for():
    class Gate(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * x.mean((2, 3), keepdim=True).sigmoid()

    module = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), Gate(), nn.Flatten(), nn.Linear(72, 3))
    with pytest.raises(NetworkError, match="module '2' applies sigmoid, and c-MWP is defined for"):
        METHODS["c-mwp"].maps(network_of(module, "1", 2), images(), 0)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_each_image_is_explained_alone(method):
    network, given = pooled(), images(3)
    wanted = torch.tensor([0, 2, 1])
    together = method.maps(network, given, wanted)
    assert together.shape == (3, SIZE, SIZE)
    for index in range(3):
        alone = method.maps(network, given[index : index + 1], int(wanted[index]))[0]
        assert torch.allclose(together[index], alone)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_class_that_is_not_there_is_an_error(method):
    for index in (3, -1):
        with pytest.raises(ClassNotFoundError, match=f"there is no class {index}; choose one of the network's 3"):
            method.maps(pooled(), images(), index)


def test_a_target_that_ignores_the_layer_is_an_error():
    with pytest.raises(NotConnectedError, match="does not depend on the tapped layer"):
        METHODS["grad-cam"].maps(tiny(), images(), lambda scores: torch.zeros(len(scores)))


def test_one_forward_pass_serves_two_rules():
    network, given = tiny(), images()
    seen = traced(network, leaf(given), 0, rule=guided)
    twice = [seen.gradients(seen.images, rule=rule)[0] for rule in (guided, deconvolution)]
    assert torch.equal(twice[0], METHODS["guided-backprop"].attribution(network, given, 0))
    assert torch.equal(twice[1], METHODS["deconvolution"].attribution(network, given, 0))


@pytest.mark.parametrize("name", ["guided-grad-cam", "grad-cam", "c-mwp"])
def test_a_method_costs_one_forward_pass(name):
    network, calls = tiny(), []
    network.module[0].register_forward_hook(lambda *_: calls.append(1))
    METHODS[name].maps(network, images(), 0)
    assert len(calls) == 1


@pytest.mark.parametrize("precision", ["fast", "bfloat16"])
@pytest.mark.parametrize("name", [name for name in METHODS if name != "cam"])
def test_other_arithmetic_gives_nearly_the_same_map(name, precision):
    torch.manual_seed(4)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(72, 16), nn.ReLU(), nn.Linear(16, 3),
    ).eval()  # fmt: skip
    network = Network(module, "toy", Layer("2", 8, SIZE, SIZE), Preprocessing(size=(SIZE, SIZE)), ("a", "b", "c"))
    given = images(channels=3).float()
    exact = METHODS[name].maps(network, given, 1)
    found = METHODS[name].maps(replace(network, precision=precision), given, 1)
    assert found.dtype == torch.float32
    assert exact.abs().max() > 0
    assert (found - exact).norm() <= (0.3 if precision == "bfloat16" else 1e-5) * exact.norm()
