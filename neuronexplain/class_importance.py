"""Which units matter for which class: means of alphas and contributions over a class's images.

Here are the means alone; :mod:`neuronexplain.class_statistics` gathers how much images differ as well, and how much the
lit cells contribute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from db.records import ClassImportance
from dissection.engine.exact_sums import ClassSums
from dissection.execution.statistic import Bundle
from neuronexplain.methods.gradcam import alphas_of_layers, contributions
from neuronexplain.methods.targets import of_class

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from jaxtyping import Float, Float64, Int64
    from torch import Tensor

    from dissection.networks.forward import Pass
    from dissection.vocabulary import Layer


class Importances(Bundle[ClassSums]):
    """Sums per class for the units of several layers; a class without images has no row.

    Each image counts for its class in ``classes``, or, without ``classes``, for the one that the network predicts.

    Args:
        labels: the network's classes.
        layers: the layers, in the order of a pass's feature maps.
        classes: the class of each image, by the image's index.
    """

    def __init__(
        self, labels: Sequence[str], layers: Sequence[Layer], classes: Int64[Tensor, " images"] | None = None
    ) -> None:
        self._labels = labels
        self._classes = classes
        super().__init__(
            {str(number): ClassSums((2, layer.units), summed(layer)) for number, layer in enumerate(layers)}
        )

    def look(self, forward: Pass, images: range) -> dict[str, Tensor]:
        """Alphas and contributions of a forward pass, and the class they count for."""
        classes = predicted(forward) if self._classes is None else self._classes[images.start : images.stop]
        by_layer = alphas_and_contributions(forward, classes)
        return {"classes": classes, **{str(number): values for number, values in enumerate(by_layer)}}

    def add(self, _images: range, values: Mapping[str, np.ndarray]) -> None:
        """Add the values that :meth:`look` computed."""
        for number, sums in self.parts.items():
            sums.add(values["classes"], values[number])

    def add_lit_means(self, images: range, by_layer: Sequence[Float64[np.ndarray, "images units"]]) -> None:
        """Do nothing: these means need no thresholds."""

    def means(self) -> list[list[ClassImportance]]:
        """The mean importances of each layer, per class, ascending by class index."""
        return [
            [
                ClassImportance(index, self._labels[index], images, *mean)
                for index, (images, mean) in sums.means().items()
            ]
            for sums in self.parts.values()
        ]


def summed(layer: Layer) -> str:
    """What is summed, as errors call it."""
    return f"the alphas and contributions of layer {layer.name!r}"


def predicted(forward: Pass) -> Int64[Tensor, " images"]:
    """The class that the network predicts for each image."""
    return forward.scores.detach().argmax(1)


def alphas_and_contributions(forward: Pass, classes: Int64[Tensor, " images"]) -> list[Float[Tensor, "images 2 units"]]:
    """Each unit's alpha (Eq. 1) and contribution for each image's class, in single precision, by layer."""
    alphas = alphas_of_layers(of_class(forward.scores, classes), forward.activations)
    return [
        torch.stack([alpha, contributions(alpha, activation)], 1).float()
        for alpha, activation in zip(alphas, forward.activations, strict=True)
    ]
