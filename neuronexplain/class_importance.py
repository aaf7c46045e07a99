"""Which units matter for which class: means of alphas and contributions over a class's images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from db.records import ClassImportance
from dissection.engine.exact_sums import ClassSums
from dissection.execution.checkpoint import nested, unnested

from .gradcam import alphas_of_layers, contributions, of_class

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from jaxtyping import Int64
    from torch import Tensor

    from dissection.execution.ranks import Ranks
    from dissection.networks.tap import Pass
    from dissection.vocabulary import Layer


class Importances:
    """Sums per class, for the units of each of some layers; a class without images has no row.

    Every image counts for the class that the network assigns it to, unless the class of each is given.

    Args:
        labels: the network's classes.
        layers: the layers, in the order in which a pass holds them.
        classes: the class of each image, by the image's index.
    """

    def __init__(
        self, labels: Sequence[str], layers: Sequence[Layer], classes: Int64[Tensor, " images"] | None = None
    ) -> None:
        self._labels = labels
        self._classes = classes
        self._sums = [
            ClassSums((2, layer.units), f"the alphas and contributions of layer {layer.name!r}") for layer in layers
        ]

    def look(self, result: Pass, images: range) -> dict[str, Tensor]:
        """Alphas and contributions of a forward pass, and the class they count for."""
        if self._classes is None:
            classes = result.scores.detach().argmax(1)
        else:
            classes = self._classes[images.start : images.stop].to(result.scores.device)
        alphas = alphas_of_layers(of_class(result.scores, classes), result.activations)
        both = [
            torch.stack([alpha, contributions(alpha, activation)], 1)
            for alpha, activation in zip(alphas, result.activations, strict=True)
        ]
        return {"classes": classes, **{str(number): values.float() for number, values in enumerate(both)}}

    def add(self, found: Mapping[str, np.ndarray]) -> None:
        """Take in what :meth:`look` gave."""
        for number, sums in enumerate(self._sums):
            sums.add(found["classes"], found[str(number)])

    def means(self) -> list[list[ClassImportance]]:
        """For each layer, per class, ascending by index."""
        return [
            [
                ClassImportance(index, self._labels[index], images, *mean)
                for index, (images, mean) in sums.means().items()
            ]
            for sums in self._sums
        ]

    def pool(self, ranks: Ranks) -> None:
        """Take in what all ranks have found; every rank must ask."""
        for sums in self._sums:
            sums.pool(ranks)

    def state(self) -> dict[str, np.ndarray]:
        """All of it, as arrays."""
        return nested(**{str(number): sums.state() for number, sums in enumerate(self._sums)})

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Become what a state was taken from."""
        for number, sums in enumerate(self._sums):
            sums.restore(unnested(state, str(number)))
