"""Which units matter for which class, and how surely: alpha, contribution and lit contribution with their squares.

The lit contribution of unit k to an image's class is ``alpha_k * mean(A^k [A^k > T_k])``: what the cells contribute
that make up its mask. So thresholds must be known. Where images are looked at after the dissection, they are, and one
pass is enough: :class:`ClassStatistics`. Where the dissection's own pass serves, each image's class and alphas are put
aside on disk until masks are compared with labels: :class:`DeferredStatistics`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from db.records import ClassImportance
from dissection.engine.class_moments import ClassMoments
from dissection.execution.row_file import RowFile
from dissection.execution.statistic import Bundle

from .class_importance import alphas_and_contributions, predicted, summed
from .methods.gradcam import lit_contributions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Float64, Int64
    from torch import Tensor

    from dissection.networks.forward import Pass
    from dissection.vocabulary import Layer

_LIT = "-lit"


class ClassStatistics(Bundle[ClassMoments]):
    """Statistics per class for the units of several layers; a class without images has no row.

    Args:
        labels: the network's classes.
        layers: the layers, in the order of a pass's feature maps.
        classes: the class of each image, by the image's index.
        thresholds: ``T_k`` of every unit, by layer.
    """

    def __init__(
        self,
        labels: Sequence[str],
        layers: Sequence[Layer],
        classes: Int64[Tensor, " images"],
        thresholds: Sequence[Float64[np.ndarray, " units"]],
    ) -> None:
        self._labels = labels
        self._classes = classes
        self._thresholds = [torch.from_numpy(values).float() for values in thresholds]  # values of maps: exact
        super().__init__(
            {str(number): ClassMoments((3, layer.units), summed(layer)) for number, layer in enumerate(layers)}
        )

    def look(self, forward: Pass, images: range) -> dict[str, Tensor]:
        """Alphas, contributions and lit contributions of a forward pass, and the class they count for."""
        classes = self._classes[images.start : images.stop]
        by_layer = alphas_and_contributions(forward, classes)
        with_lit = {
            str(number): torch.cat(
                [values, lit_contributions(values[:, 0], activation.float(), thresholds)[:, None]], 1
            )
            for number, (values, activation, thresholds) in enumerate(
                zip(by_layer, forward.activations, self._thresholds, strict=True)
            )
        }
        return {"classes": classes, **with_lit}

    def add(self, _images: range, values: Mapping[str, np.ndarray]) -> None:
        """Add the values that :meth:`look` computed."""
        for number, moments in self.parts.items():
            moments.add(values["classes"], values[number])

    def means(self) -> list[list[ClassImportance]]:
        """The statistics of each layer, per class, ascending by class index."""
        return [
            [_importance(index, self._labels, *means) for index, means in moments.means().items()]
            for moments in self.parts.values()
        ]


class DeferredStatistics(Bundle[ClassMoments]):
    """The same over the images of a dissection, each of which counts for the class that the network predicts.

    :meth:`look` and :meth:`add` see the pass; :meth:`add_lit_means` adds the lit contributions of the same images,
    once thresholds are known.

    Args:
        labels: the network's classes.
        layers: the layers, in the order of a pass's feature maps.
        path: a file for each image's class and alphas. Like the state, it outlives the process.
    """

    def __init__(self, labels: Sequence[str], layers: Sequence[Layer], path: Path) -> None:
        self._labels = labels
        self._units = [layer.units for layer in layers]
        self._seen = RowFile(path, np.dtype([("class", "<i8"), ("alphas", "<f4", (sum(self._units),))]))
        pass_parts = {str(number): ClassMoments((2, layer.units), summed(layer)) for number, layer in enumerate(layers)}
        lit_parts = {
            f"{number}{_LIT}": ClassMoments((1, layer.units), f"the lit contributions of layer {layer.name!r}")
            for number, layer in enumerate(layers)
        }
        super().__init__(pass_parts | lit_parts)

    def look(self, forward: Pass, _images: range) -> dict[str, Tensor]:
        """Alphas and contributions of a forward pass, and the class they count for."""
        classes = predicted(forward)
        by_layer = alphas_and_contributions(forward, classes)
        return {"classes": classes, **{str(number): values for number, values in enumerate(by_layer)}}

    def add(self, images: range, values: Mapping[str, np.ndarray]) -> None:
        """Add the values that :meth:`look` computed, and put classes and alphas aside."""
        rows = np.empty(len(images), self._seen.row)
        rows["class"] = values["classes"]
        rows["alphas"] = np.concatenate([values[str(number)][:, 0] for number in range(len(self._units))], 1)
        self._seen.write(images.start, rows)
        for number in range(len(self._units)):
            self.parts[str(number)].add(values["classes"], values[str(number)])

    def add_lit_means(self, images: range, by_layer: Sequence[Float64[np.ndarray, "images units"]]) -> None:
        """Add the lit contributions of images, given the means of their lit cells; see `dissection.engine.lit_means`.

        Raises:
            CheckpointError: if what was put aside for the images is not as it was written.
        """
        rows = self._seen.read(images)
        alphas = np.split(rows["alphas"].astype(np.float64), np.cumsum(self._units)[:-1], 1)
        for number, means in enumerate(by_layer):
            lit = (alphas[number] * means).astype(np.float32)
            self.parts[f"{number}{_LIT}"].add(rows["class"], lit[:, None])

    def means(self) -> list[list[ClassImportance]]:
        """The statistics of each layer, per class, ascending by class index."""
        return [list(self._means(number)) for number in range(len(self._units))]

    def _means(self, number: int) -> Iterator[ClassImportance]:
        lit = self.parts[f"{number}{_LIT}"].means()
        for index, (images, means, squares) in self.parts[str(number)].means().items():
            _, lit_means, lit_squares = lit[index]
            yield _importance(
                index, self._labels, images, np.concatenate([means, lit_means]), np.concatenate([squares, lit_squares])
            )


def _importance(
    index: int,
    labels: Sequence[str],
    images: int,
    means: Float64[np.ndarray, "3 units"],
    squares: Float64[np.ndarray, "3 units"],
) -> ClassImportance:
    return ClassImportance(
        index,
        labels[index],
        images,
        alphas=means[0],
        contributions=means[1],
        alpha_squares=squares[0],
        contribution_squares=squares[1],
        lits=means[2],
        lit_squares=squares[2],
    )
