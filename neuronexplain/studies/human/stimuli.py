"""What a rater sees of a network's explanations: a picture for each method, and words where neurons have names.

As in the paper's Fig. 5, the photograph itself is not shown. Words name neither the prediction nor the class that is
explained.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from dissection.errors import ActivationError
from dissection.networks.forward import forward
from neuronexplain.answer import MethodMap
from neuronexplain.methods import check_methods
from neuronexplain.pictures.overlay import method_picture
from neuronexplain.sentence import say_unlabelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from dissection.networks.network import Network
    from neuronexplain.explainer import Explainer
    from neuronexplain.methods import Method

_SIDE = 224
"""Least side of a picture, in pixels: small ones are enlarged by a whole number."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A network that raters judge by its explanations.

    Attributes:
        network: the network.
        methods: the methods that are shown as pictures.
        explainer: says the sentences; ``None`` if its neurons have no names.

    Raises:
        NetworkError: if a method is not defined for the network.
    """

    network: Network
    methods: Sequence[Method]
    explainer: Explainer | None = None

    def __post_init__(self) -> None:
        check_methods(self.methods, self.network)

    def probabilities(self, name: str, photograph: Image.Image) -> np.ndarray:
        """The probability of each class, ``(classes,)``.

        Raises:
            ActivationError: if a score is a NaN or an infinity.
        """
        scores = forward(self.network, self._input(photograph)).scores.detach().double().cpu()
        _require_finite(scores.numpy(), "the network's output", name)
        probabilities: np.ndarray = self.network.head.probabilities(scores)[0].numpy()
        return probabilities

    def pictures(self, method: Method, name: str, photograph: Image.Image, classes: Sequence[int]) -> list[Image.Image]:
        """A method's picture for each class, of what the network sees of the photograph.

        Raises:
            ActivationError: if a map holds a NaN or an infinity.
        """
        images = self._input(photograph).expand(len(classes), -1, -1, -1)
        maps = method.attribution(self.network, images, torch.tensor(classes)).float().cpu().numpy()
        _require_finite(maps, f"{method.name}'s map", name)
        frame = self.network.preprocessing.frame(photograph)
        times = ceil(_SIDE / min(frame.size))
        frame = frame.resize((times * frame.width, times * frame.height), Image.Resampling.BICUBIC)
        return [method_picture(frame, MethodMap(method, values)) for values in maps]

    def sentences(self, name: str, photograph: Image.Image, classes: Sequence[int]) -> list[str]:
        """What the neurons with names do for each class; empty if no neuron has a name."""
        if self.explainer is None:
            return []
        explanations = [next(self.explainer.explain([(name, photograph)], target=index)) for index in classes]
        return list(map(say_unlabelled, explanations))

    def _input(self, photograph: Image.Image) -> Tensor:
        preprocessing = self.network.preprocessing
        return preprocessing.tensor(preprocessing.frame(photograph))[None].to(self.network.device)


def _require_finite(values: np.ndarray, values_name: str, image: str) -> None:
    if not np.isfinite(values).all():
        raise ActivationError(
            f"{values_name} for {image} holds a NaN or an infinity; check the weights, the preprocessing (--mean, "
            "--std) and that photograph"
        )
