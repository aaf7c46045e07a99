"""A targeted adversarial attack: the image is changed a little, until the network is sure of a chosen class.

The sign of the gradient (Goodfellow et al. 2015, the paper's reference), step by step (Kurakin et al. 2017)::

    x <- clip(x + step * sign(d odds / dx)),      odds = log p_t / (1 - p_t)

No pixel leaves the valid range of a photograph, nor moves by more than a radius. The odds of the target's probability
``p_t`` are its logit less the log-sum-exp of the others: unlike ``p_t``, their gradient does not fade as ``p_t``
nears 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from dissection.errors import NetworkError
from neuronexplain.methods.trace import leaf, traced

if TYPE_CHECKING:
    from jaxtyping import Float, Int64
    from torch import Tensor

    from dissection.networks.network import Network
    from neuronexplain.methods.targets import Score


@dataclass(frozen=True, slots=True)
class Attack:
    """How far an attack goes.

    Attributes:
        radius: how much a pixel's colour may change, in the range from 0 to 1.
        step: how much it changes at a time, likewise.
        steps: how many steps to take before giving up.
        confidence: the probability at which to stop.

    Raises:
        NetworkError: if a value makes no sense.
    """

    radius: float = 16 / 255
    step: float = 1 / 255
    steps: int = 100
    confidence: float = 0.9999

    def __post_init__(self) -> None:
        if not (0 < self.step <= self.radius <= 1 and 0 < self.confidence < 1):
            raise NetworkError(
                f"an attack of radius {self.radius:g} in steps of {self.step:g} up to {self.confidence:g} makes no "
                "sense; 0 < step <= radius <= 1 and a confidence between 0 and 1 are needed"
            )


def attacked(
    network: Network, images: Float[Tensor, "images channels h w"], classes: Int64[Tensor, " images"], attack: Attack
) -> Float[Tensor, "images channels h w"]:
    """Images that the network takes for other classes; each is changed only until it does.

    Args:
        network: the network to fool.
        images: preprocessed photographs.
        classes: the class that each image is to be taken for.
        attack: how far it goes.
    """
    mean, std = (
        torch.tensor(values).view(-1, 1, 1) for values in (network.preprocessing.mean, network.preprocessing.std)
    )
    low = torch.maximum(images - attack.radius / std, -mean / std)
    high = torch.minimum(images + attack.radius / std, (1 - mean) / std)
    target_odds = math.log(attack.confidence / (1 - attack.confidence))
    changed, unfinished = images.detach().clone(), torch.arange(len(images))
    for _ in range(attack.steps):
        trace = traced(network, leaf(changed[unfinished]), odds(classes[unfinished]))
        unsure = (trace.scores.detach() <= target_odds).to(changed.device)
        if not unsure.any():
            break
        (slope,) = trace.gradients(trace.images)
        unfinished = unfinished[unsure]
        stepped = changed[unfinished] + attack.step / std * slope[unsure].sign()
        changed[unfinished] = stepped.clamp(low[unfinished], high[unfinished])
    return changed


def odds(classes: Int64[Tensor, " images"]) -> Score:
    """The logarithm of ``p / (1 - p)`` of each image's class in ``classes``."""

    def score(scores: Float[Tensor, "images classes"]) -> Float[Tensor, " images"]:
        is_class = torch.nn.functional.one_hot(classes.to(scores.device), scores.shape[1]).bool()
        return scores[is_class] - scores.masked_fill(is_class, -torch.inf).logsumexp(1)

    return score
