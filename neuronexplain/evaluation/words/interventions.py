"""Changes units' maps and runs the head again: what the score of each image's class becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuronexplain.methods.targets import of_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int64
    from torch import Tensor

    from dissection.networks.reruns import NotedPass, Reruns


@dataclass(frozen=True, slots=True)
class Change:
    """Units whose maps are replaced.

    Attributes:
        units: the units; without any, nothing is changed.
        is_on: whether their maps become their lit maps, and not 0.
    """

    units: tuple[int, ...]
    is_on: bool = False


def changed_scores(
    reruns: Reruns,
    noted: NotedPass,
    targets: Int64[Tensor, " images"],
    lit_maps: Float[Tensor, "units h w"],
    changes: Sequence[Sequence[Change]],
) -> list[list[float]]:
    """Each image's score for its class after each of its changes, which are made one at a time.

    The head runs over the whole batch as often as the image with most changes needs.

    Args:
        reruns: runs the head.
        noted: the images' forward pass.
        targets: the class of each image.
        lit_maps: what a unit's map becomes where it is switched on.
        changes: the changes of each image.
    """
    activation = noted.result.activation.detach()
    scores: list[list[float]] = [[] for _ in changes]
    for turn in range(max(map(len, changes), default=0)):
        maps = activation.clone()
        for image, of_image in enumerate(changes):
            if turn < len(of_image):
                units = list(of_image[turn].units)
                maps[image, units] = lit_maps[units].to(maps) if of_image[turn].is_on else 0
        after = of_class(reruns.scores(noted, maps), targets).double().tolist()
        for image, of_image in enumerate(changes):
            if turn < len(of_image):
                scores[image].append(after[image])
    return scores
