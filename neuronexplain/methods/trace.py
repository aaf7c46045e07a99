"""The one mechanism: a forward pass, and gradients of its score by a rule for ReLUs.

::

    seen = traced(network, images, target)              # the graph begins at the tapped layer
    (gradient,) = seen.gradients(seen.activation)       # dy/dA

    seen = traced_with_rules(network, leaf(images), target)     # it begins at the pixels
    pixels, gradient = seen.gradients(seen.images, seen.activation, rule=guided)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from dissection.errors import NotConnectedError
from dissection.tap import outputs_through, undisturbed

from .rectifiers import Rectifiers, gradient
from .targets import scored

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dissection.networks import Network

    from .rectifiers import Rule
    from .targets import Target


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A forward pass that can be differentiated as often as wished.

    Attributes:
        images: what the network was given.
        activation: the rectified feature map ``A`` of the tapped layer.
        scores: each image's score.
        rectifiers: what ReLUs follow, where they can be given rules.
    """

    images: Float[Tensor, "images channels H W"]
    activation: Float[Tensor, "images units h w"]
    scores: Float[Tensor, " images"]
    rectifiers: Rectifiers | None = None

    def gradients(self, *values: Tensor, rule: Rule = gradient) -> tuple[Tensor, ...]:
        """The gradient of each image's score by each of these values, which ReLUs let through by ``rule``.

        Raises:
            NotConnectedError: if the scores do not depend on one of them.
        """
        if self.rectifiers:
            self.rectifiers.rule = rule
        found: tuple[Tensor | None, ...] = (None,)
        if self.scores.requires_grad:
            found = torch.autograd.grad(self.scores.sum(), values, retain_graph=True, allow_unused=True)
        connected = tuple(gradient for gradient in found if gradient is not None)
        if len(connected) < len(values):
            raise NotConnectedError(
                "the target does not depend on the tapped layer; choose a layer that it is computed from"
            )
        return connected


def traced(network: Network, images: Float[Tensor, "images channels H W"], target: Target) -> Trace:
    """Run the network once. The graph begins at images that are a :func:`leaf`, at the tapped layer otherwise."""
    outputs, (activation,) = outputs_through(network, [network.layer], images.clone())
    return Trace(images, activation, scored(network, outputs, target, len(images)))


def traced_with_rules(network: Network, images: Float[Tensor, "images channels H W"], target: Target) -> Trace:
    """As :func:`traced`, and the ReLUs that the graph passes can be given rules.

    Raises:
        NetworkError: if the graph passes an activation that the rules are not defined for.
    """
    rectifiers = Rectifiers(network.module)
    with undisturbed(network.module), rectifiers:
        outputs, (activation,) = outputs_through(network, [network.layer], images.clone())
    return Trace(images, activation, scored(network, outputs, target, len(images)), rectifiers)


def leaf(images: Float[Tensor, "images channels H W"]) -> Float[Tensor, "images channels H W"]:
    """The same images, where a graph can begin."""
    return images.detach().clone().requires_grad_()
