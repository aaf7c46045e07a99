"""torchvision's architectures, made to fit a state dict, and ImageNet's labels, for several sources to build on."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchvision import models

from dissection.networks.weights import row_count

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESCALING = {"googlenet", "inception_v3"}
"""Networks that rescale their input as published, and have auxiliary classifiers that only training uses."""


def build_architecture(name: str, state: Mapping[str, Tensor]) -> nn.Module:
    """A torchvision architecture with as many classes as the state; the caller's random numbers stay untouched."""
    options: dict[str, Any] = {}
    if name in _RESCALING:
        auxiliary = any(key.lower().startswith("aux") for key in state)
        options = {"transform_input": True, "aux_logits": auxiliary, "init_weights": False}
    count = class_count(name, state)
    if count is not None:
        options["num_classes"] = count
    with torch.random.fork_rng(devices=[]):
        module: nn.Module = models.get_model(name, weights=None, **options)
    return module


def class_count(name: str, state: Mapping[str, Tensor]) -> int | None:
    """Number of classes in the state's last layer, or ``None`` if it has no layer of that name."""
    return row_count(state, f"{_last_layer(name)}.weight")


@cache
def _last_layer(name: str) -> str:
    """Name of the module that gives the scores."""
    with torch.device("meta"):
        skeleton = models.get_model(name, weights=None, **({"init_weights": False} if name in _RESCALING else {}))
    weighted: list[str] = [
        part for part, module in skeleton.named_modules() if isinstance(module, (nn.Linear, nn.Conv2d))
    ]
    return weighted[-1]


def imagenet_classes() -> tuple[str, ...]:
    """ImageNet's labels, in the order of their WordNet ids."""
    labels: list[str] = models.ResNet18_Weights.DEFAULT.meta["categories"]
    return tuple(labels)
