"""A batch of annotated photographs, and what the network makes of it: each pass is run once, and when it is wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from dissection.errors import ActivationError
from dissection.networks.forward import forward
from neuronexplain.methods import watched
from neuronexplain.methods.gradcam import GradCam
from neuronexplain.methods.rectifiers import gradient
from neuronexplain.methods.targets import of_class
from neuronexplain.methods.trace import Trace, traced

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Float32, Float64
    from torch import Tensor

    from dissection.execution.settings import Progress
    from dissection.networks.forward import Pass
    from dissection.networks.network import Network
    from neuronexplain.evaluation.ground_truth.truth import AnnotatedImage, Objects
    from neuronexplain.methods import Method
    from neuronexplain.methods.rectifiers import Rule

    from .framing import Framing, Truth


Job = TypeVar("Job")
ImageCrop = tuple[int, int]
"""An image and a crop of it."""

Found = dict[tuple[int, int, int], np.ndarray]
"""Maps by image, crop, and place among the classes that were asked for."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Photographs that go through the network together.

    Attributes:
        network: the network.
        view: what of the photographs it sees.
        objects: what can be asked about.
        start: index of the first photograph in its dataset.
        annotated: the photographs.
        images: their crops, as the network wants them.
        size: crops in one forward pass.
        progress: is told how far a method has come that needs many passes.
    """

    network: Network
    view: Framing
    objects: Objects
    start: int
    annotated: Sequence[AnnotatedImage]
    images: Float32[Tensor, "images crops channels h w"]
    size: int
    progress: Progress | None = None

    def __len__(self) -> int:
        return len(self.annotated)

    @cached_property
    def logits(self) -> Float64[np.ndarray, "images crops classes"]:
        """The scores of each crop.

        Raises:
            ActivationError: if one is a NaN or an infinity.
        """
        parts = [seen.scores.detach() for _, seen in self._passes(self._crops())]
        scores: Float64[np.ndarray, "images crops classes"]
        scores = torch.cat(parts).double().cpu().reshape(*self.images.shape[:2], -1).numpy()
        for image, values in enumerate(scores):
            self._check(image, values, "what the network gives")
        return scores

    @cached_property
    def seen(self) -> Pass:
        """All crops in one pass, with the graph of the head; for as many crops as go through the network together."""
        return forward(self.network, self._stacked(self._crops()))

    @cached_property
    def probabilities(self) -> Float64[np.ndarray, "images classes"]:
        """Of each class, averaged over the crops."""
        return self.network.head.probabilities(torch.from_numpy(self.logits)).mean(1).numpy()

    @cached_property
    def predicted(self) -> list[int]:
        """The class that the network predicts for each image."""
        return [int(index) for index in self.probabilities.argmax(1)]

    @cached_property
    def truths(self) -> list[dict[str, Truth]]:
        """Where each image's objects are, of those that are in the view."""
        return [
            {
                name: truth
                for name, place in each.places.items()
                if (truth := self.view.truth(place, each.photograph)) is not None
            }
            for each in self.annotated
        ]

    def ranked(self, image: int) -> list[str]:
        """The objects by how probable the network holds them: an object is as probable as its most probable class."""
        probability = self.probabilities[image]
        return sorted(self.objects, key=lambda name: -max(probability[index] for index in self.objects[name]))

    def class_of(self, image: int, name: str) -> int:
        """The class that an object is explained as: the most probable one of those that mean it."""
        return max(self.objects[name], key=lambda index: float(self.probabilities[image][index]))

    def maps(self, method: Method, wanted: Sequence[Sequence[int]]) -> list[Float32[np.ndarray, "classes H W"]]:
        """Each image's maps for its own classes, over the view.

        Raises:
            ActivationError: if a map holds a NaN or an infinity.
        """
        if isinstance(method.compute, GradCam):
            found = self._of_one_pass(method.compute, wanted)
        else:
            found = self._of_a_pass_each(method, wanted)
        crops = len(self.view.crops)
        maps = []
        for image, classes in enumerate(wanted):
            parts = [[found[image, crop, turn] for crop in range(crops)] for turn in range(len(classes))]
            joined = [self.view.joined(np.stack(each)) for each in parts]
            maps.append(np.stack(joined) if joined else np.zeros((0, *self.view.size), np.float32))
            self._check(image, maps[-1], f"{method.name}'s map")
        return maps

    def _of_one_pass(self, gradcam: GradCam, wanted: Sequence[Sequence[int]]) -> Found:
        """Grad-CAM of several classes needs one forward pass, and the head's backward pass for each of them."""
        found: Found = {}
        for part, seen, scores in self._traces(gradcam.rule, [place for place in self._crops() if wanted[place[0]]]):
            asked = [wanted[image] or (0,) for image, _ in part]
            for turn in range(max(map(len, asked))):
                classes = torch.tensor([each[min(turn, len(each) - 1)] for each in asked])
                own = replace(seen, scores=of_class(scores, classes))
                maps = gradcam.map_of(own)[:, 0].detach().float().cpu().numpy()
                found |= {(*place, turn): values for place, values in zip(part, maps, strict=True)}
        return found

    def _traces(self, rule: Rule, places: Sequence[ImageCrop]) -> Iterator[tuple[Sequence[ImageCrop], Trace, Tensor]]:
        """Passes over these crops, and the scores of all classes; those of the scores, where ReLUs follow no rule."""
        if rule is gradient:
            for part, seen in self._passes(places):
                yield part, Trace(self._stacked(part), seen.activation, seen.scores[:, 0]), seen.scores
            return
        for part in self._in_parts(places):
            given: list[Tensor] = []
            trace = traced(self.network, self._stacked(part), partial(_first, given), rule=rule)
            yield part, trace, given[0]

    def _passes(self, places: Sequence[ImageCrop]) -> Iterator[tuple[Sequence[ImageCrop], Pass]]:
        """Passes over these crops; one that holds all crops is run once, whichever of them are wanted."""
        every = self._crops()
        if places and len(every) <= self.size:
            yield every, self.seen
            return
        for part in self._in_parts(places):
            yield part, forward(self.network, self._stacked(part))

    def _of_a_pass_each(self, method: Method, wanted: Sequence[Sequence[int]]) -> Found:
        found: Found = {}
        method = watched(method, self.progress)
        jobs = [(image, crop, turn) for image, crop in self._crops() for turn in range(len(wanted[image]))]
        for part in self._in_parts(jobs):
            classes = torch.tensor([wanted[image][turn] for image, _, turn in part])
            images = self._stacked([(image, crop) for image, crop, _ in part])
            maps = method.maps(self.network, images, classes).detach().float().cpu().numpy()
            found |= dict(zip(part, maps, strict=True))
        return found

    def _crops(self) -> list[ImageCrop]:
        return [(image, crop) for image in range(len(self)) for crop in range(len(self.view.crops))]

    def _in_parts(self, jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
        for start in range(0, len(jobs), self.size):
            yield jobs[start : start + self.size]

    def _stacked(self, places: Sequence[ImageCrop]) -> Float32[Tensor, "places channels h w"]:
        return torch.stack([self.images[place] for place in places]).to(self.network.device)

    def _check(self, image: int, values: np.ndarray, what: str) -> None:
        if not np.isfinite(values).all():
            raise ActivationError(
                f"{what} for {self.annotated[image].name} holds a NaN or an infinity; check the weights, the "
                "preprocessing (--mean, --std) and that photograph"
            )


def _first(given: list[Tensor], scores: Tensor) -> Tensor:
    """Scores of the first class, as a target that keeps the scores of all."""
    given.append(scores)
    return scores[:, 0]
