"""A network whose head has lost what it learnt: an explanation that depends on the network changes with it.

The sanity check of Adebayo et al. 2018, for words: maps stay as they are, and what follows them does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.networks.body import sources_of, tensors_behind
from dissection.networks.shuffling import shuffle

if TYPE_CHECKING:
    from collections.abc import Collection

    from jaxtyping import Float
    from torch import Tensor

    from dissection.networks.network import Network


def with_shuffled_head(network: Network, *, seed: int = 0) -> Network | None:
    """A copy of the network in which the weights behind its layer are permuted, each tensor's among themselves.

    Weights are behind the layer if the scores depend on them and the map does not. Which ones a captioner's scores
    depend on differs from caption to caption, so of a network without classes all count that the map does not depend
    on. The network itself stays as it is.

    Args:
        network: the network.
        seed: seed of the permutations.

    Returns:
        The copy; ``None`` if no weights are behind the layer.
    """
    behind = _behind(network)
    shuffled = network.copied()
    weights = [weight for name, weight in shuffled.module.named_parameters() if name in behind]
    shuffle(weights, seed=seed)
    return shuffled if weights else None


def _behind(network: Network) -> Collection[str]:
    module, preprocessing, layer = network.module, network.preprocessing, network.layer.name

    def scores(images: Float[Tensor, "images channels H W"]) -> Float[Tensor, "images classes"]:
        return network.head.scores(network.head.run(module, images), len(images))

    if network.classes:
        return tensors_behind(module, preprocessing, layer, scores)
    return dict(module.named_parameters()).keys() - sources_of(module, preprocessing, layer).tensors
