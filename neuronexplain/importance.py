"""Which units matter for which class: means of alphas and contributions over a class's images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from db.records import ClassImportance

from .gradcam import alphas, contributions, of_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Int64
    from torch import Tensor

    from dissection.tap import Pass


class Importances:
    """Sums per class; a class without images has no row."""

    def __init__(self, labels: Sequence[str], units: int) -> None:
        self._labels = labels
        self._units = units
        self._images: dict[int, int] = {}
        self._sums: dict[int, np.ndarray] = {}

    def observe(self, result: Pass) -> None:
        """Take in a forward pass: every image counts for the class the network assigns it to."""
        self.add(result, result.scores.detach().argmax(1))

    def add(self, result: Pass, classes: Int64[Tensor, " images"]) -> None:
        """Take in a forward pass whose images are of the given classes."""
        alpha = alphas(of_class(result.scores, classes), result.activation)
        both = np.stack([alpha.double().cpu().numpy(), contributions(alpha, result.activation).double().cpu().numpy()])
        for image, index in enumerate(classes.tolist()):
            self._images[index] = self._images.get(index, 0) + 1
            total = self._sums.setdefault(index, np.zeros((2, self._units)))
            total += both[:, image]

    def means(self) -> list[ClassImportance]:
        """Per class, ascending by index."""
        return [
            ClassImportance(index, self._labels[index], images, *(self._sums[index] / images))
            for index, images in sorted(self._images.items())
        ]
