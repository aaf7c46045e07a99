"""Gathers places of a layer's maps from photographs: a seeded sample of bounded size, in one resumable pass."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from dissection.dissect import WholeFrames
from dissection.errors import ConceptDataError, require_finite
from dissection.execution.checkpoint import Checkpoint, ResumableJob
from dissection.execution.statistic import ArrayStatistic, Bundle
from dissection.files.leftovers import temporary_folder
from dissection.networks.passes import observed

from .cell_labels import UNKNOWN, cell_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Float32, Int64, UInt8
    from torch import Tensor

    from dissection.concepts.dataset import ConceptDataset
    from dissection.execution.ranks import Ranks
    from dissection.execution.settings import Execution
    from dissection.execution.statistic import Statistic
    from dissection.networks.forward import Pass
    from dissection.networks.network import Network
    from dissection.networks.passes import Watcher

POSITIONS = 200_000
"""Places that are gathered, at most."""

_ROOM = 1 << 29
"""Bytes of places that are gathered, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Positions:
    """Places of a layer's maps.

    Attributes:
        activations: the units at each place.
        images: index of the image that each is of.
        labels: of each place and concept, whether it is there (1), not (0), or in part, or the image is not labelled in
            its category (2); without columns where labels were not asked for.
        concepts: the numbers of these concepts.
    """

    activations: Float32[np.ndarray, "positions units"]
    images: Int64[np.ndarray, " positions"]
    labels: UInt8[np.ndarray, "positions concepts"]
    concepts: tuple[int, ...]


def gather_positions(
    network: Network,
    photographs: ConceptDataset,
    execution: Execution,
    *,
    limit: int = POSITIONS,
    seed: int = 0,
    concepts: Sequence[int] = (),
) -> Positions:
    """As many places of each photograph, drawn by a seed.

    Which places are drawn depends on the seed and the photograph's index alone.

    Args:
        network: the network; its layer is read.
        photographs: with labels, if concepts are asked for.
        execution: how the work is carried out; with a scratch folder, a killed pass is resumed.
        limit: places, at most, if their units take no more than half a gigabyte.
        seed: seed of the draws.
        concepts: numbers of concepts whose labels are wanted at each place.

    Raises:
        ActivationError: if a map holds a NaN or an infinity; the message names the image.
        ConceptDataError: if there are no photographs.
    """
    if not len(photographs):
        raise ConceptDataError(f"{photographs.name} holds no images; at least one is needed")
    layer = network.layer
    most = min(limit, _ROOM // (4 * layer.units + len(concepts)))
    of_each = min(max(most // len(photographs), 1), layer.height * layer.width)
    sample = _Sample(photographs, of_each, (layer.units, layer.height, layer.width), seed, tuple(concepts))
    with ExitStack() as stack:
        folder = execution.scratch or stack.enter_context(temporary_folder())
        statistics = Bundle(cast("Mapping[str, Statistic]", {"sample": sample}))
        job = ResumableJob(statistics, ("gathered",), Checkpoint(folder, "positions"))
        frames = len(photographs), WholeFrames(photographs, network.preprocessing)
        watchers: dict[str, Watcher] = {"sample": sample}
        rounds = observed(
            network,
            [layer],
            frames,
            watchers,
            job,
            execution,
            stage="gathered",
            progress="looking at the photographs",
        )
        for _ in rounds:
            pass
    return sample.positions


class _Sample(ArrayStatistic):
    """The places that are drawn of each image, in the images' order."""

    ARRAYS = ("_activations", "_labels")

    def __init__(
        self,
        photographs: ConceptDataset,
        of_each: int,
        size: tuple[int, int, int],
        seed: int,
        concepts: tuple[int, ...],
    ) -> None:
        units, self._height, self._width = size
        self._photographs, self._of_each, self._seed, self._concepts = photographs, of_each, seed, concepts
        self._categories = [photographs.concepts[number].category for number in concepts]
        self._activations = np.zeros((len(photographs), of_each, units), np.float32)
        self._labels = np.full((len(photographs), of_each, len(concepts)), UNKNOWN, np.uint8)

    @property
    def positions(self) -> Positions:
        """All of them."""
        images, of_each, units = self._activations.shape
        return Positions(
            self._activations.reshape(images * of_each, units),
            np.repeat(np.arange(images), of_each),
            self._labels.reshape(images * of_each, len(self._concepts)),
            self._concepts,
        )

    def look(self, forward: Pass, _images: range) -> Mapping[str, Tensor]:
        """The layer's maps."""
        return {"maps": forward.activation.float()}

    def add(self, images: range, values: Mapping[str, np.ndarray]) -> None:
        """Draw places of each image."""
        maps = values["maps"]
        finite = [bool(np.isfinite(of_image).all()) for of_image in maps]
        require_finite(finite, "the layer", [self._photographs.image_name(image) for image in images])
        for image, units in zip(images, maps, strict=True):
            generator = np.random.default_rng((self._seed, image))
            cells = generator.choice(self._height * self._width, self._of_each, replace=False)
            self._activations[image] = units.reshape(len(units), -1)[:, cells].T
            if self._concepts:
                labels = self._photographs.labels(image)
                grid = (self._height, self._width)
                at_cells = cell_labels(labels, self._photographs.concepts, self._concepts, self._categories, grid)
                self._labels[image] = at_cells[cells]

    def pool(self, ranks: Ranks) -> None:
        """Put together what all ranks have drawn: the images of others are 0 here."""
        parts = ranks.gather((self._activations, self._labels))
        self._activations = np.sum([activations for activations, _ in parts], axis=0)
        self._labels = np.min([labels for _, labels in parts], axis=0)
