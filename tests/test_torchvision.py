"""Every classifier of torchvision: its layer is found, is the last of its kind, and is rectified where it can be."""

import re

import pytest
import torch
from torch import nn
from torchvision import models
from worlds import seeing

from dissection.networks.layers import Layers
from dissection.networks.recording import record
from dissection.networks.sources.torchvision import published_names
from dissection.networks.tap import Tap
from dissection.vocabulary import Layer

EXPECTED = {
    # family: layer, its class, whether it cannot be below 0
    r"alexnet": (r"features\.11", "ReLU", True),
    r"convnext_\w+": (r"features\.7", "Sequential", False),
    r"densenet\d+": (r"features\.norm5", "BatchNorm2d", True),
    r"efficientnet_\w+": (r"features\.[78]", "Conv2dNormActivation", False),
    r"googlenet": (r"inception5b", "Inception", True),
    r"inception_v3": (r"Mixed_7c", "InceptionE", True),
    r"maxvit_t": (r"blocks\.3", "MaxVitBlock", False),
    r"mnasnet\d_\d+": (r"layers\.16", "ReLU", True),
    r"mobilenet_v2": (r"features\.18", "Conv2dNormActivation", True),
    r"mobilenet_v3_\w+": (r"features\.1[26]", "Conv2dNormActivation", False),
    r"regnet_\w+": (r"trunk_output", "Sequential", True),
    r"(wide_)?resne(x)?t\w+": (r"layer4", "Sequential", True),
    r"shufflenet_\w+": (r"conv5", "Sequential", True),
    r"squeezenet1_\d": (r"features\.12", "Fire", True),
    r"swin_\w+": (r"permute", "Permute", False),
    r"vgg\d+(_bn)?": (r"features\.\d+", "ReLU", True),
    r"vit_\w+": (r"encoder\.layers\.encoder_layer_\d+\.ln_1", "LayerNorm", False),
}
SIZES = {"inception_v3": 140, "maxvit_t": 224, "vit_h_14": 28}
OPTIONS = {
    "inception_v3": {"aux_logits": False, "init_weights": False},
    "googlenet": {"aux_logits": False, "init_weights": False},
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves weights uninitialised: filling hundreds of millions of them takes a minute and changes no layer."""
    for name in ("kaiming_normal_", "normal_", "trunc_normal_", "kaiming_uniform_", "uniform_", "xavier_uniform_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *_, **__: tensor)


def opened(name: str) -> tuple[nn.Module, int]:
    size = SIZES.get(name, 64)
    options = {"image_size": size} if name.startswith("vit_") else OPTIONS.get(name, {})
    return models.get_model(name, **options).eval(), size


def last_width(module: nn.Module) -> int:
    """Channels that reach the head: the inputs of its first weight, read from the weights only."""
    head = next(getattr(module, name) for name in ("classifier", "fc", "heads", "head") if hasattr(module, name))
    weighted = [part for part in head.modules() if isinstance(part, (nn.Linear, nn.Conv2d, nn.LayerNorm))]
    first = weighted[0]
    width = getattr(first, "in_features", None) or getattr(first, "in_channels", None) or first.normalized_shape[0]
    pool = getattr(module, "avgpool", None)
    cells = pool.output_size if isinstance(pool, nn.AdaptiveAvgPool2d) else 1
    return width // (cells[0] * cells[1] if isinstance(cells, tuple) else 1)


def test_the_table_has_every_classifier() -> None:
    families = {name: [family for family in EXPECTED if re.fullmatch(family, name)] for name in published_names()}
    assert len(families) >= 80
    assert {name: found for name, found in families.items() if len(found) != 1} == {}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", published_names())
def test_its_layer(name: str) -> None:
    (wanted,) = (EXPECTED[family] for family in EXPECTED if re.fullmatch(family, name))
    module, size = opened(name)
    recording = record(module, seeing((size, size)))
    layers = Layers(recording)
    layer = layers.default()
    assert re.fullmatch(wanted[0], layer.name), layer
    assert type(module.get_submodule(layer.name)).__name__ == wanted[1]
    assert layer.units == last_width(module)
    assert layer.height == layer.width > 1
    assert later_maps(module, layers, layer) == []


def later_maps(module: nn.Module, layers: Layers, layer: Layer) -> list[str]:
    """Rectified maps with as many units after a layer, except of modules around it and of dropout."""
    names = [each.layer.name for each in layers.maps()]
    later = [each.layer for each in layers.maps()[names.index(layer.name) + 1 :] if each.rectified]
    around = [each.name for each in later if f"{layer.name}.".startswith(f"{each.name}.")]
    dropout = [each.name for each in later if isinstance(module.get_submodule(each.name), nn.Dropout)]
    return [each.name for each in later if each.units == layer.units and each.name not in {*around, *dropout}]


@pytest.mark.parametrize(
    "name",
    ["alexnet", "vgg11_bn", "resnet18", "densenet121", "squeezenet1_1", "googlenet", "mnasnet0_5", "regnet_x_400mf"],
)
def test_what_its_tap_reads_is_rectified(name: str) -> None:
    torch.manual_seed(0)
    module, size = opened(name)
    layer = Layers(record(module, seeing((size, size)))).default()
    with torch.no_grad(), Tap(module, layer) as tap:
        module(torch.randn(2, 3, size, size))
    assert tap.output.shape == (2, layer.units, layer.height, layer.width)
    assert tap.output.min() == 0 < tap.output.max()
