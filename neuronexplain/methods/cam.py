"""Class Activation Mapping: the maps of a layer, weighted as the classifier weighs them (Zhou et al. 2016).

If global average pooling and one linear layer turn the maps ``A^k`` of a layer into scores,
``y = sum_k w_k mean(A^k) + b``, the map is ``sum_k w_k A^k``. Up to 1/Z, Grad-CAM's alphas are these weights (Selvaraju
et al. 2019, Sec. 3.1, Eq. 3 to 11). CAM has no ReLU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from dissection.errors import NetworkError
from dissection.networks.forward import forward

from .gradcam import combination, like_images
from .targets import classes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from torch import Tensor

    from dissection.networks.forward import Pass
    from dissection.networks.network import Network

    from .targets import Target

_TOLERANCE = 1e-3


def class_activation(
    network: Network, images: Float[Tensor, "images channels H W"], target: Target
) -> Float[Tensor, "images 1 H W"]:
    """The map of a class: one forward pass.

    Raises:
        NetworkError: if the target is not a class, or the scores do not come from the network's layer by pooling and
            one linear layer.
    """
    if callable(target):
        raise NetworkError("CAM explains a class by the classifier's weights for it; give a class, or choose grad-cam")
    result = forward(network, images.clone())
    weights = _weights(network, result)[classes_of(target, result.scores)]
    return like_images(combination(weights, result.activation), images)


def _weights(network: Network, result: Pass) -> Float[Tensor, "classes units"]:
    """The weights that turn the maps' means into the scores: found by their shape, verified by the scores."""
    means, scores = result.activation.detach().mean((2, 3)), result.scores.detach()
    for weights, bias in _candidates(network, scores, means.shape[1]):
        expected = means @ weights.T + bias
        if (expected - scores).abs().max() <= _TOLERANCE * scores.abs().max():
            return weights
    raise NetworkError(
        f"CAM needs global average pooling and one linear layer between {network.layer.name!r} and the scores, and "
        f"{network.name} has another head; choose grad-cam, which needs none"
    )


def _candidates(
    network: Network, scores: Float[Tensor, "images classes"], units: int
) -> Iterator[tuple[Float[Tensor, "classes units"], Float[Tensor, " classes"]]]:
    """Weights and bias of each layer that could be the classifier: a linear layer, or a convolution of one pixel."""
    classes = scores.shape[1]
    for module in network.module.modules():
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if isinstance(weight, torch.Tensor) and weight.shape in {(classes, units), (classes, units, 1, 1)}:
            matrix = weight.detach().reshape(classes, units).to(scores)
            yield matrix, matrix.new_zeros(classes) if bias is None else bias.detach().to(scores)
