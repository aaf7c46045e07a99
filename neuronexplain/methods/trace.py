"""The mechanism of all gradient methods: a forward pass, and gradients of its score under a rule for ReLUs.

::

    trace = traced(network, images, target)             # the graph begins at the tapped layer
    (gradient,) = trace.gradients(trace.activation)     # dy/dA

    trace = traced(network, leaf(images), target, rule=guided)  # it begins at the pixels
    pixels, gradient = trace.gradients(trace.images, trace.activation, rule=guided)
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from dissection.errors import NotConnectedError
from dissection.networks.forward import outputs_through
from dissection.networks.isolation import undisturbed

from .rectifiers import Rectifiers, gradient
from .targets import scored

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from jaxtyping import Float
    from torch import Tensor

    from dissection.networks.network import Network

    from .rectifiers import Rule
    from .targets import Target


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A forward pass that can be differentiated any number of times.

    Attributes:
        images: the network's input.
        activation: the rectified feature map ``A`` of the tapped layer.
        scores: each image's score.
        rectifiers: set the rule of the ReLUs, if they can follow rules.
    """

    images: Float[Tensor, "images channels H W"]
    activation: Float[Tensor, "images units h w"]
    scores: Float[Tensor, " images"]
    rectifiers: Rectifiers | None = None

    def gradients(self, *values: Tensor, rule: Rule = gradient) -> tuple[Tensor, ...]:
        """The gradient of each image's score with respect to each of these values, with ReLUs following ``rule``.

        Raises:
            NotConnectedError: if the scores do not depend on one of them.
        """
        if self.rectifiers:
            self.rectifiers.rule = rule
        return gradients(self.scores, values)


def gradients(scores: Float[Tensor, " images"], values: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The gradient of each image's score with respect to each of these values. The graph is kept for other scores.

    Raises:
        NotConnectedError: if the scores do not depend on one of them.
    """
    slopes: tuple[Tensor | None, ...] = (None,)
    if scores.requires_grad:
        slopes = torch.autograd.grad(scores.sum(), values, retain_graph=True, allow_unused=True)
    connected = tuple(slope for slope in slopes if slope is not None)
    if len(connected) < len(values):
        raise NotConnectedError(
            "the score does not depend on the tapped layer; choose a layer that it is computed from"
        )
    return connected


def traced(
    network: Network, images: Float[Tensor, "images channels H W"], target: Target, *, rule: Rule = gradient
) -> Trace:
    """Run the network once. The graph begins at the images if they are a :func:`leaf`, else at the tapped layer.

    Args:
        network: the network.
        images: the network's input.
        target: what is explained.
        rule: the rule that its ReLUs will follow, if it is not their derivative.

    Raises:
        NetworkError: if the graph passes an activation that the rule is not defined for.
    """
    if rule is gradient:
        return traced_under(nullcontext(), network, images, target)
    rectifiers = Rectifiers(network.module)
    return replace(traced_under(rectifiers, network, images, target), rectifiers=rectifiers)


def traced_under(
    watch: AbstractContextManager[object],
    network: Network,
    images: Float[Tensor, "images channels H W"],
    target: Target,
) -> Trace:
    """Like :func:`traced`, inside a context manager that watches the network run."""
    with undisturbed(network.module), watch:
        outputs, (activation,) = outputs_through(network, [network.layer], images.clone())
    return Trace(images, activation, scored(network, outputs, target, len(images)))


def leaf(images: Float[Tensor, "images channels H W"]) -> Float[Tensor, "images channels H W"]:
    """The same images, as a tensor at which a graph can begin."""
    return images.detach().clone().requires_grad_()
