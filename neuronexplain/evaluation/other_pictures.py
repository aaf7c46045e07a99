"""Other pictures of a dataset, beside which it is seen what a network says without looking at a certain one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.errors import ConceptDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float32
    from torch import Tensor

    from neuronexplain.evaluation.ground_truth.truth import AnnotatedImage, Ground

    from .framing import Framing

_SEED = 0


@dataclass(frozen=True, eq=False)
class OtherPictures:
    """A few pictures of a dataset, drawn at random; read once, when they are first needed.

    Attributes:
        ground: the dataset.
        view: the view of them that the network is given, which must be one crop.
        count: how many other pictures each image is compared with, at most.
    """

    ground: Ground
    view: Framing
    count: int

    @cached_property
    def indices(self) -> tuple[int, ...]:
        """The pictures: one more than each is compared with, since none is compared with itself."""
        drawn = np.random.default_rng(_SEED).permutation(len(self.ground))[: self.count + 1]
        return tuple(map(int, drawn))

    def beside(self, image: int) -> tuple[Sequence[AnnotatedImage], Float32[Tensor, "pictures 1 channels h w"]]:
        """The pictures that an image is compared with; as many for every image.

        Raises:
            ConceptDataError: if there is no other picture.
        """
        others = [place for place, index in enumerate(self.indices) if index != image][: len(self.indices) - 1]
        if not others:
            raise ConceptDataError(
                f"{self.ground.name} holds one image, and each is compared with others; use at least two"
            )
        return [self._annotated[place] for place in others], self._images[others]

    @cached_property
    def _annotated(self) -> list[AnnotatedImage]:
        return [self.ground.annotated(index) for index in self.indices]

    @cached_property
    def _images(self) -> Float32[Tensor, "pictures 1 channels h w"]:
        return torch.stack([self.view.tensors(annotated.photograph) for annotated in self._annotated])
