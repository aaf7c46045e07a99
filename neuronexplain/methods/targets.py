"""What is explained: any number that can be computed from a network's outputs, one for each image.

A target is a class (an index), a class for each image, or a callable that computes ``(images,)`` scores, treating every
image alike, from a classifier's scores or from whatever a network without classes returns::

    saliency(network, images, 207)                                       # the logit of class 207
    saliency(network, images, total(207, 208))                           # the sum of both logits
    saliency(captioner, images, lambda words: words[:, 2, DOG])          # that the third word is "dog"
    saliency(detector, images, lambda found: torch.stack([boxes["scores"][0] for boxes in found]))

"It could be any differentiable activation including words from a caption or answer to a question" (Selvaraju et al.
2019, Sec. 3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from dissection.errors import ClassNotFoundError, NetworkError
from dissection.networks.forward import scores_of
from dissection.networks.precision import widened

if TYPE_CHECKING:
    from jaxtyping import Float, Int64

    from dissection.networks.heads import Given
    from dissection.networks.network import Network

Score: TypeAlias = Callable[[Any], Tensor]
Target: TypeAlias = int | Tensor | Score


def scored(network: Network, result: Given, target: Target, images: int) -> Float[Tensor, " images"]:
    """Each image's score for a target.

    Raises:
        ClassNotFoundError: if the network has no such class.
        NetworkError: if the target is a class and the network has no scores, or a callable does not return one number
            for each image.
    """
    if callable(target):
        outputs = scores_of(network, result, images) if network.classes else result.outputs
        return _one_each(target(outputs), images)
    scores = scores_of(network, result, images)
    return of_class(scores, classes_of(target, scores))


def of_class(scores: Float[Tensor, "images classes"], classes: Int64[Tensor, " images"]) -> Float[Tensor, " images"]:
    """Each image's score for its class in ``classes``."""
    return scores.gather(1, classes.to(scores.device)[:, None])[:, 0]


def total(*classes: int) -> Score:
    """The sum of the scores of several classes."""
    return lambda scores: scores[:, list(classes)].sum(1)


def probability(index: int) -> Score:
    """The probability of a class, if the network returns logits."""
    return lambda scores: scores.softmax(1)[:, index]


def log_likelihood(*classes: int) -> Score:
    """The sum of the log-probabilities of classes that are independent of each other, such as words of a caption."""
    return lambda scores: logsigmoid(scores[:, list(classes)]).sum(1)


def at(*path: str | int) -> Score:
    """The number at one place in a structured output.

    Keys and indices lead through dictionaries, lists and tuples to a tensor ``(images, …)``; the rest of the path
    indexes it, after the image. ``at("words", 2, 17)`` is ``outputs["words"][:, 2, 17]``.
    """

    def score(outputs: Any) -> Tensor:  # noqa: ANN401 -- whatever a network returns
        remaining_path: list[Any] = list(path)
        while remaining_path and not isinstance(outputs, Tensor):
            outputs = outputs[remaining_path.pop(0)]
        values: Tensor = outputs[(slice(None), *remaining_path)]
        return values

    return score


def classes_of(target: int | Tensor, scores: Float[Tensor, "images classes"]) -> Int64[Tensor, " images"]:
    """The class that is explained for each image.

    Raises:
        ClassNotFoundError: if the network has no such class.
    """
    classes = torch.as_tensor(target, device=scores.device).long().expand(len(scores))
    if ((classes < 0) | (classes >= scores.shape[1])).any():
        outside = int(classes[(classes < 0) | (classes >= scores.shape[1])][0])
        raise ClassNotFoundError(
            f"there is no class {outside}; choose one of the network's {scores.shape[1]} classes, counted from 0"
        )
    return classes


def _one_each(scores: object, images: int) -> Float[Tensor, " images"]:
    if isinstance(scores, Tensor) and scores.is_floating_point():
        if scores.shape == (images,):
            return widened(scores)
        if images == 1 and scores.numel() == 1:
            return widened(scores.reshape(1))
    returned = f"a tensor of shape {tuple(scores.shape)}" if isinstance(scores, Tensor) else type(scores).__name__
    raise NetworkError(
        f"the target returns {returned}; one number for each of {images} images is needed: shape ({images},)"
    )
