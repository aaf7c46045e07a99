"""A batch of annotated photographs and the network's passes over it, each run once and only when needed."""

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
    from neuronexplain.methods.targets import Target

    from .framing import Framing, Truth
    from .other_pictures import OtherPictures


Job = TypeVar("Job")
ImageCrop = tuple[int, int]
"""Indices of an image and of a crop of it."""

Found = dict[tuple[int, int, int], np.ndarray]
"""Maps by image, crop, and position among the classes requested for the image."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Photographs that go through the network together.

    Attributes:
        network: the network.
        view: which part of the photographs the network sees.
        objects: the objects that can be asked about.
        start: index of the first photograph in its dataset.
        annotated: the photographs.
        images: their crops, preprocessed.
        size: crops in one forward pass.
        progress: called with the progress of methods that need many passes.
        others: other pictures of the dataset, if the protocol compares images with them.
    """

    network: Network
    view: Framing
    objects: Objects
    start: int
    annotated: Sequence[AnnotatedImage]
    images: Float32[Tensor, "images crops channels h w"]
    size: int
    progress: Progress | None = None
    others: OtherPictures | None = None

    def __len__(self) -> int:
        return len(self.annotated)

    @cached_property
    def logits(self) -> Float64[np.ndarray, "images crops classes"]:
        """The scores of each crop.

        Raises:
            ActivationError: if a score is a NaN or an infinity.
        """
        parts = [forward_pass.scores.detach() for _, forward_pass in self._passes(self._crops())]
        scores: Float64[np.ndarray, "images crops classes"]
        scores = torch.cat(parts).double().cpu().reshape(*self.images.shape[:2], -1).numpy()
        for image, values in enumerate(scores):
            self._check(image, values, "the network's output")
        return scores

    @cached_property
    def seen(self) -> Pass:
        """All crops in one pass, with the graph of the head; only if all crops fit into one pass."""
        return forward(self.network, self._stacked(self._crops()))

    @cached_property
    def probabilities(self) -> Float64[np.ndarray, "images classes"]:
        """The probability of each class, averaged over the crops."""
        return self.network.head.probabilities(torch.from_numpy(self.logits)).mean(1).numpy()

    @cached_property
    def predicted(self) -> list[int]:
        """The class that the network predicts for each image."""
        return [int(index) for index in self.probabilities.argmax(1)]

    @cached_property
    def truths(self) -> list[dict[str, Truth]]:
        """Where each image's objects are, for those that are in the view."""
        return [
            {
                name: truth
                for name, place in annotated.places.items()
                if (truth := self.view.truth(place, annotated.photograph)) is not None
            }
            for annotated in self.annotated
        ]

    def part(self, network: Network, images: Sequence[int]) -> Batch:
        """Some of the photographs, to go through another network; they are compared with no other pictures."""
        annotated = [self.annotated[image] for image in images]
        return replace(self, network=network, annotated=annotated, images=self.images[list(images)], others=None)

    def beside(self, network: Network, image: int) -> Batch:
        """The other pictures that an image is compared with, to go through another network.

        Raises:
            ConceptDataError: if there are none.
        """
        if self.others is None:
            raise ValueError("the protocol compares images with no others")
        annotated, images = self.others.beside(self.start + image)
        return replace(self, network=network, annotated=annotated, images=images, others=None)

    def ranked(self, image: int) -> list[str]:
        """The objects, most probable first: an object is as probable as its most probable class."""
        probability = self.probabilities[image]
        return sorted(self.objects, key=lambda name: -max(probability[index] for index in self.objects[name]))

    def class_of(self, image: int, name: str) -> int:
        """The class that an object is explained as: the most probable of the classes that mean it."""
        return max(self.objects[name], key=lambda index: float(self.probabilities[image][index]))

    def maps(self, method: Method, requested: Sequence[Sequence[int]]) -> list[Float32[np.ndarray, "classes H W"]]:
        """Each image's maps for the classes requested for it, over the view.

        Raises:
            ActivationError: if a map holds a NaN or an infinity.
        """
        if isinstance(method.compute, GradCam):
            crop_maps = self._in_one_pass(method.compute, requested)
        else:
            crop_maps = self._in_separate_passes(method, requested)
        crops = len(self.view.crops)
        maps = []
        for image, classes in enumerate(requested):
            parts = [[crop_maps[image, crop, position] for crop in range(crops)] for position in range(len(classes))]
            joined = [self.view.joined(np.stack(maps_of_crops)) for maps_of_crops in parts]
            maps.append(np.stack(joined) if joined else np.zeros((0, *self.view.size), np.float32))
            self._check(image, maps[-1], f"{method.name}'s map")
        return maps

    def map_of(self, method: Method, target: Target) -> Float32[np.ndarray, "H W"]:
        """The only image's map for any target, over the view.

        Raises:
            ActivationError: if the map holds a NaN or an infinity.
        """
        crops = self._stacked(self._crops())
        values = self.view.joined(method.maps(self.network, crops, target).detach().float().cpu().numpy())
        self._check(0, values, f"{method.name}'s map")
        return values

    def _in_one_pass(self, gradcam: GradCam, requested: Sequence[Sequence[int]]) -> Found:
        """Grad-CAM of several classes, with one forward pass and a backward pass of the head for each class."""
        crop_maps: Found = {}
        for part, trace, scores in self._traces(
            gradcam.rule, [place for place in self._crops() if requested[place[0]]]
        ):
            classes_of_crops = [requested[image] or (0,) for image, _ in part]
            for position in range(max(map(len, classes_of_crops))):
                classes = torch.tensor(
                    [crop_classes[min(position, len(crop_classes) - 1)] for crop_classes in classes_of_crops]
                )
                class_trace = replace(trace, scores=of_class(scores, classes))
                maps = gradcam.map_of(class_trace)[:, 0].detach().float().cpu().numpy()
                crop_maps |= {(*place, position): values for place, values in zip(part, maps, strict=True)}
        return crop_maps

    def _traces(self, rule: Rule, places: Sequence[ImageCrop]) -> Iterator[tuple[Sequence[ImageCrop], Trace, Tensor]]:
        """Traces of these crops and the scores of all classes; the scores' passes serve if ReLUs follow no rule."""
        if rule is gradient and self.network.dictionary is None:
            for part, forward_pass in self._passes(places):
                yield (
                    part,
                    Trace(self._stacked(part), forward_pass.activation, forward_pass.scores[:, 0]),
                    forward_pass.scores,
                )
            return
        for part in self._in_parts(places):
            recorded: list[Tensor] = []
            trace = traced(self.network.plain, self._stacked(part), partial(_first_class, recorded), rule=rule)
            yield part, trace, recorded[0]

    def _passes(self, places: Sequence[ImageCrop]) -> Iterator[tuple[Sequence[ImageCrop], Pass]]:
        """Passes over these crops; if one pass holds all crops, it is run once, whichever crops are requested."""
        all_crops = self._crops()
        if places and len(all_crops) <= self.size:
            yield all_crops, self.seen
            return
        for part in self._in_parts(places):
            yield part, forward(self.network, self._stacked(part))

    def _in_separate_passes(self, method: Method, requested: Sequence[Sequence[int]]) -> Found:
        crop_maps: Found = {}
        method = watched(method, self.progress)
        jobs = [(image, crop, position) for image, crop in self._crops() for position in range(len(requested[image]))]
        for part in self._in_parts(jobs):
            classes = torch.tensor([requested[image][position] for image, _, position in part])
            images = self._stacked([(image, crop) for image, crop, _ in part])
            maps = method.maps(self.network, images, classes).detach().float().cpu().numpy()
            crop_maps |= dict(zip(part, maps, strict=True))
        return crop_maps

    def _crops(self) -> list[ImageCrop]:
        return [(image, crop) for image in range(len(self)) for crop in range(len(self.view.crops))]

    def _in_parts(self, jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
        for start in range(0, len(jobs), self.size):
            yield jobs[start : start + self.size]

    def _stacked(self, places: Sequence[ImageCrop]) -> Float32[Tensor, "places channels h w"]:
        return torch.stack([self.images[place] for place in places]).to(self.network.device)

    def _check(self, image: int, values: np.ndarray, values_name: str) -> None:
        if not np.isfinite(values).all():
            raise ActivationError(
                f"{values_name} for {self.annotated[image].name} holds a NaN or an infinity; check the weights, the "
                "preprocessing (--mean, --std) and that photograph"
            )


def _first_class(recorded: list[Tensor], scores: Tensor) -> Tensor:
    """A target that gives the first class's score and records the scores of all classes."""
    recorded.append(scores)
    return scores[:, 0]
