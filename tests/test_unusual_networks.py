"""Networks of other number types, with one score, or with a layer that runs twice, from the build to the sentence."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from worlds import CLASSES, COLOURS, PLAIN, ColourNet, colour_square, write_colour_folder

from db import NameStore
from dissection.concepts.plain_layout import PlainLayout
from dissection.errors import LayerNotFoundError, NetworkError
from dissection.networks.network import Network
from neuronexplain.building import build
from neuronexplain.explainer import Explainer
from neuronexplain.explaining import explain
from neuronexplain.methods import saliency


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_colour_folder(tmp_path_factory.mktemp("world") / "squares")


@pytest.fixture(scope="module")
def usual(folder, tmp_path_factory):
    """Names and explanations of "fire" of the network in single precision."""
    path = tmp_path_factory.mktemp("usual") / "names.db"
    return explained(opened(ColourNet(), classes=CLASSES), folder, path, target="fire")


def opened(module: nn.Module, **options) -> Network:
    return Network.from_module(module.eval(), preprocessing=PLAIN, **options)


def explained(network: Network, folder, path, **options):
    """The names that a build put into a database, and explanations of each colour by another opening of it."""
    with NameStore.create(path) as store:
        run = build(network, PlainLayout(folder, label_size=32), store).run
        units = store.dissection(run).units
    with NameStore.open(path) as store:
        return units, [explain(colour_square(colour), network, store, **options) for colour in COLOURS]


def names(units) -> list[tuple[str, float]]:
    return [(unit.overlaps[0].concept.spoken, unit.overlaps[0].iou) for unit in units]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_number_types(dtype: torch.dtype, folder, usual, tmp_path) -> None:
    module = ColourNet().to(dtype)
    network = opened(module, classes=CLASSES)
    units, explanations = explained(network, folder, tmp_path / "names.db", target="fire")
    assert {weight.dtype for weight in module.parameters()} == {dtype}
    assert names(units) == names(usual[0])
    for explanation, expected in zip(explanations, usual[1], strict=True):
        assert explanation.prediction.label == expected.prediction.label
        assert explanation.target.logit == pytest.approx(expected.target.logit, rel=0.02, abs=0.01)
        assert [unit.unit for unit in explanation.top] == [unit.unit for unit in expected.top]
        assert alphas(explanation) == pytest.approx(alphas(expected), rel=0.02)
        np.testing.assert_allclose(explanation.heatmap, expected.heatmap, rtol=0.02, atol=1e-6)


def test_scores_that_overflow(usual) -> None:
    module = ColourNet().half()
    module.head.weight.data *= 2e4
    module.head.bias.data += 6e4
    explainer = Explainer(opened(module, classes=CLASSES), usual[0], constant_alpha=False)
    with pytest.raises(NetworkError, match=r"ColourNet gives red\.png a score that is a NaN or infinite"):
        next(explainer.explain([("red.png", colour_square("red"))]))


def alphas(explanation) -> list[float]:
    return [unit.alpha for unit in (*explanation.top, *explanation.bottom)]


class Collecting(nn.Module):
    """Scores what its own hook collects from its first stage, beside what the second one gives."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 6, 5, 4), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(6, 6, 3), nn.ReLU())
        self.head = nn.Linear(12, 3)
        self.collected = [torch.empty(0)]
        self.first.register_forward_hook(self.collect)

    def collect(self, _part: nn.Module, _inputs: object, maps: Tensor) -> None:
        self.collected[0] = maps

    def forward(self, images: Tensor) -> Tensor:
        last = self.second(self.first(images))
        return self.head(torch.cat([self.collected[0].mean((2, 3)), last.mean((2, 3))], 1))


def test_features_that_a_networks_own_hooks_collect() -> None:
    """The gradient reaches the map on both ways: through what comes next, and through what was collected."""
    torch.manual_seed(0)
    module = Collecting().eval()
    images = torch.randn(2, 3, *PLAIN.size)
    maps = module.first(images).detach().requires_grad_()
    pooled = torch.cat([maps.mean((2, 3)), module.second(maps).mean((2, 3))], 1)
    (slope,) = torch.autograd.grad(module.head(pooled)[:, 1].sum(), maps)
    expected = (slope.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).relu().detach()
    found = torch.as_tensor(saliency(opened(module, layer="first"), images, 1))
    enlarged = nn.functional.interpolate(expected, PLAIN.size, mode="bilinear")[:, 0]
    torch.testing.assert_close(found, enlarged, rtol=0, atol=1e-6 * float(enlarged.max()))


class OneScore(ColourNet):
    """The score of the first class alone, a number per image."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, 0]


def test_one_number_per_image(folder, usual, tmp_path) -> None:
    network = opened(OneScore(), classes=["fire"])
    units, explanations = explained(network, folder, tmp_path / "names.db", target="fire")
    assert names(units) == names(usual[0])
    for explanation, expected in zip(explanations, usual[1], strict=True):
        assert explanation.prediction.label == ("fire" if expected.target.logit > 0 else "no fire")
        assert explanation.target.logit == pytest.approx(expected.target.logit)
        assert alphas(explanation) == pytest.approx(alphas(expected))
        np.testing.assert_allclose(explanation.heatmap, expected.heatmap, rtol=1e-5, atol=1e-9)


class Twice(ColourNet):
    """Runs its rectifier once more, where it changes nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.rectify(x))


def test_a_layer_that_runs_twice(folder, usual, tmp_path) -> None:
    with pytest.raises(LayerNotFoundError, match="layer 'rectify' of Twice runs 2 times in a forward pass"):
        opened(Twice(), layer="rectify")
    network = opened(Twice(), classes=CLASSES)
    assert network.layer.name == "detect"
    units, explanations = explained(network, folder, tmp_path / "names.db", target="fire")
    assert [name for name, _ in names(units)] == [name for name, _ in names(usual[0])]
    assert [explanation.target.logit for explanation in explanations] == [
        explanation.target.logit for explanation in usual[1]
    ]
