"""What is explained: any number that a network's outputs can be made into, one for each image.

A target is a class (an index), a class for each image, or a callable that makes ``(images,)`` scores, with every image
treated alike: of a classifier's scores, and of whatever a network without classes gives::

    saliency(network, images, 207)                                       # the logit of class 207
    saliency(network, images, total(207, 208))                           # of either
    saliency(captioner, images, lambda words: words[:, 2, DOG])          # the third word's being "dog"
    saliency(detector, images, lambda found: torch.stack([boxes["scores"][0] for boxes in found]))

"It could be any differentiable activation including words from a caption or answer to a question" (Selvaraju et al.
2019, Sec. 3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from dissection.errors import ClassNotFoundError, NetworkError
from dissection.networks.forward import scores_of
from dissection.networks.precision import widened

if TYPE_CHECKING:
    from jaxtyping import Float, Int64

    from dissection.networks.heads import Given
    from dissection.networks.network import Network

Score: TypeAlias = Callable[[Any], Tensor]
Target: TypeAlias = int | Tensor | Score


def scored(network: Network, given: Given, target: Target, images: int) -> Float[Tensor, " images"]:
    """Each image's score for a target.

    Raises:
        ClassNotFoundError: if the network has no such class.
        NetworkError: if the target is a class and the network gives no scores, or a callable gives other than one
            number for each image.
    """
    if callable(target):
        outputs = scores_of(network, given, images) if network.classes else given.outputs
        return _one_each(target(outputs), images)
    scores = scores_of(network, given, images)
    return of_class(scores, classes_of(target, scores))


def of_class(scores: Float[Tensor, "images classes"], classes: Int64[Tensor, " images"]) -> Float[Tensor, " images"]:
    """Each image's score for its own class."""
    return scores.gather(1, classes.to(scores.device)[:, None])[:, 0]


def total(*classes: int) -> Score:
    """The sum of the scores of several classes."""
    return lambda scores: scores[:, list(classes)].sum(1)


def probability(index: int) -> Score:
    """The probability of a class, where the network gives logits."""
    return lambda scores: scores.softmax(1)[:, index]


def at(*path: str | int) -> Score:
    """The number at a place of a structured output.

    Keys and indices lead through dictionaries, lists and tuples to a tensor ``(images, …)``; what is left of the path
    are indices into it, after the image's. ``at("words", 2, 17)`` is ``outputs["words"][:, 2, 17]``.
    """

    def score(outputs: Any) -> Tensor:  # noqa: ANN401 -- whatever a network gives
        left = list(path)
        while left and not isinstance(outputs, Tensor):
            outputs = outputs[left.pop(0)]
        place: Tensor = outputs[(slice(None), *left)]
        return place

    return score


def classes_of(target: int | Tensor, scores: Float[Tensor, "images classes"]) -> Int64[Tensor, " images"]:
    """The class that is explained for each image.

    Raises:
        ClassNotFoundError: if the network has no such class.
    """
    wanted = torch.as_tensor(target, device=scores.device).long().expand(len(scores))
    if ((wanted < 0) | (wanted >= scores.shape[1])).any():
        outside = int(wanted[(wanted < 0) | (wanted >= scores.shape[1])][0])
        raise ClassNotFoundError(f"class {outside} is wanted, but the network has {scores.shape[1]}, counted from 0")
    return wanted


def _one_each(scores: object, images: int) -> Float[Tensor, " images"]:
    if isinstance(scores, Tensor) and scores.is_floating_point():
        if scores.shape == (images,):
            return widened(scores)
        if images == 1 and scores.numel() == 1:
            return widened(scores.reshape(1))
    found = f"a tensor of shape {tuple(scores.shape)}" if isinstance(scores, Tensor) else type(scores).__name__
    raise NetworkError(f"the target gives {found}; one number for each of {images} images is wanted: shape ({images},)")
