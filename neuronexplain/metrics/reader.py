"""A reader who knows the world but not the network, and guesses from a sentence's concepts what was predicted.

The reader is a naive Bayes classifier over the concepts that a sentence says are there or not. What the world is like,
they have learnt from all images but the one that the sentence is about:

    P(y) = (n_y + 1) / (n + K),    P(c | y) = (n_yc + 1) / (n_yg + 2)

with ``n_y`` of the ``n`` other images in class y, ``n_yg`` of them labelled in the category of concept c, ``n_yc`` of
those with c, and K classes that occur among them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jaxtyping import Bool, Float64, Int64

UNKNOWN = -1
"""Stands for the class of an image that teaches the reader nothing."""


_DIGITS = 9


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Images that a reader knows.

    Attributes:
        classes: the class of each image, or ``UNKNOWN``.
        present: which concepts are in which image.
        labelled: which concepts would have been labelled, had they been there.
    """

    classes: Int64[np.ndarray, " images"]
    present: Bool[np.ndarray, "images concepts"]
    labelled: Bool[np.ndarray, "images concepts"]
    _one_hot: Float64[np.ndarray, "images classes"] = field(init=False, repr=False)
    _present: Float64[np.ndarray, "classes concepts"] = field(init=False, repr=False)
    _labelled: Float64[np.ndarray, "classes concepts"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        known = np.arange(self.classes.max(initial=UNKNOWN) + 1)
        one_hot = (self.classes[:, None] == known).astype(np.float64)
        object.__setattr__(self, "_one_hot", one_hot)
        object.__setattr__(self, "_present", one_hot.T @ (self.present & self.labelled))
        object.__setattr__(self, "_labelled", one_hot.T @ self.labelled)

    def knows(self, image: int, index: int) -> bool:
        """Whether a class occurs in an image other than this one."""
        return index < self._one_hot.shape[1] and bool(self._others(image)[index] > 0)

    def guess(self, image: int, evidence: Iterable[tuple[int, bool]]) -> int:
        """The most probable class of an image, by what is said of it; the lowest of equally probable ones.

        Args:
            image: the image, from which nothing is learnt.
            evidence: concepts, and whether they are said to be there.
        """
        images = self._others(image)
        scores = np.log(images + 1)
        mine = self._one_hot[image]
        for concept, is_there in evidence:
            labelled = self._labelled[:, concept] - mine * self.labelled[image, concept]
            present = self._present[:, concept] - mine * (self.present & self.labelled)[image, concept]
            count = present if is_there else labelled - present
            scores += np.log((count + 1) / (labelled + 2))
        # equal products can differ by the rounding of their logarithms
        return int(np.where(images > 0, scores.round(_DIGITS), -np.inf).argmax())

    def _others(self, image: int) -> Float64[np.ndarray, " classes"]:
        """How many images of each class there are besides this one."""
        others: Float64[np.ndarray, " classes"] = self._one_hot.sum(0) - self._one_hot[image]
        return others
