"""A network of the generated scenes for which CAM is defined: the last map, pooled, and one linear layer.

The shipped network's head has two fully connected layers. Here its last map is averaged, and a linear layer learns the
classes from the averages of some scenes, while the features stay as they are.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from dissection.networks.network import Network
from dissection.networks.opening import open_network
from dissection.scenes.classifier import LAYER, SCENE_CLASSES, scenes_network
from dissection.scenes.training import normalise, pixels, stacked

if TYPE_CHECKING:
    from jaxtyping import Float, Int64
    from torch import Tensor

    from dissection.concepts.dataset import ConceptDataset

_STEPS = 100
_DECAY = 1e-3
_BATCH = 60


def pooled_network(scenes: ConceptDataset) -> Network:
    """The network, with a head learnt from these scenes, whose classes take turns."""
    features = scenes_network().features[:-1]
    images = stacked(pixels(scenes.photograph(index)) for index in range(len(scenes)))
    with torch.no_grad():
        means = torch.cat([features(normalise(batch)).mean((2, 3)) for batch in images.split(_BATCH)])
    classifier = linear_layer(means, torch.arange(len(scenes)) % len(SCENE_CLASSES))
    parts = OrderedDict(features=features, pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), classifier=classifier)
    shipped = open_network("scenes")
    return Network.from_module(
        nn.Sequential(parts).eval(),
        layer=LAYER,
        preprocessing=shipped.preprocessing,
        classes=shipped.classes,
        name="scenes, pooled",
    )


def linear_layer(means: Float[Tensor, "images units"], classes: Int64[Tensor, " images"]) -> nn.Linear:
    """Logistic regression with a small penalty on the weights, which starts from 0: it draws no random numbers."""
    deviation, middle = torch.std_mean(means, 0)
    deviation = torch.where(deviation > 0, deviation, 1)
    weight = torch.zeros(int(classes.max()) + 1, means.shape[1], requires_grad=True)
    bias = torch.zeros(len(weight), requires_grad=True)
    standard = (means - middle) / deviation
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(F.linear(standard, weight, bias), classes) + _DECAY * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    layer = nn.utils.skip_init(nn.Linear, means.shape[1], len(weight))
    with torch.no_grad():
        layer.weight.copy_(weight / deviation)
        layer.bias.copy_(bias - (weight / deviation) @ middle)
    return layer
