"""A network whose head has lost what it learnt: an explanation that depends on the network changes with it.

The sanity check of Adebayo et al. 2018, for words: maps stay as they are, and what follows them does not.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from dissection.networks.forward import forward
from dissection.networks.shuffling import shuffle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dissection.networks.network import Network


def with_shuffled_head(network: Network, *, seed: int = 0) -> Network | None:
    """A copy of the network in which the weights behind its layer are permuted, each tensor's among themselves.

    Weights are behind the layer if the scores depend on them once the map is given. The network itself stays as it is.
    ``None`` if no weights are behind the layer.

    Args:
        network: the network.
        seed: seed of the permutations.
    """
    module = copy.deepcopy(network.module).requires_grad_()
    shuffled = replace(network, module=module)
    preprocessing = network.preprocessing
    blank = torch.zeros(1, preprocessing.channels, *preprocessing.size)
    weights = list(module.parameters())
    scores = forward(shuffled, blank).scores
    slopes: Sequence[torch.Tensor | None] = torch.autograd.grad(scores.sum(), weights, allow_unused=True)
    behind = [weight.detach() for weight, slope in zip(weights, slopes, strict=True) if slope is not None]
    shuffle(behind, seed=seed)
    module.requires_grad_(requires_grad=False)
    return shuffled if behind else None
