"""Network Dissection of layers: runs the network once over a concept dataset and names the layers' units."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dissection.engine.cells import pieces
from dissection.engine.comparison import Comparison
from dissection.engine.layer_state import Part
from dissection.execution.checkpoint import Checkpoint, nested, unnested
from dissection.execution.loading import work_ahead
from dissection.networks.passes import Means, run

from .errors import ConceptDataError
from .vocabulary import MIN_IMAGES, QUANTILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import UInt8
    from torch import Tensor

    from dissection.concepts.dataset import ConceptDataset
    from dissection.execution.ranks import Ranks
    from dissection.networks.network import Network
    from dissection.networks.preprocessing import Preprocessing
    from dissection.networks.tap import Pass

    from .vocabulary import Dissection, Layer

_SHARING = 32
"""Batches after which ranks tell each other their bounds."""

_LOOKING = "looking at the photographs"
_COUNTING = "comparing neurons with concepts"


class Observer(Protocol):
    """Learns something else from every forward pass over the concept data."""

    def look(self, result: Pass, images: range, /) -> Mapping[str, Tensor]:
        """What is wanted of a pass, on the network's device."""
        ...

    def add(self, found: Mapping[str, np.ndarray], /) -> None:
        """Take in what :meth:`look` gave."""
        ...

    def pool(self, ranks: Ranks, /) -> None:
        """Take in what all ranks have learnt; every rank must ask."""
        ...

    def state(self) -> Mapping[str, np.ndarray]:
        """All that was learnt, as arrays."""
        ...

    def restore(self, state: Mapping[str, np.ndarray], /) -> None:
        """Become what a state was taken from."""
        ...


class Nothing:
    """An observer that learns nothing."""

    def look(self, _result: Pass, _images: range) -> Mapping[str, Tensor]:
        """Nothing is wanted."""
        return {}

    def add(self, _found: Mapping[str, np.ndarray]) -> None:
        """Nothing is taken in."""

    def pool(self, _ranks: Ranks) -> None:
        """Nothing was learnt elsewhere either."""

    def state(self) -> Mapping[str, np.ndarray]:
        """Nothing was learnt."""
        return {}

    def restore(self, _state: Mapping[str, np.ndarray]) -> None:
        """Nothing was learnt before."""


def dissect(
    network: Network,
    concepts: ConceptDataset,
    *,
    quantile: float = QUANTILE,
    min_images: int = MIN_IMAGES,
    means: Means | None = None,
) -> Dissection:
    """Name the units of the network's tapped layer by the concepts of a dataset; see :func:`dissect_layers`."""
    (found,) = dissect_layers(network, [network.layer], concepts, quantile=quantile, min_images=min_images, means=means)
    return found


def dissect_layers(
    network: Network,
    layers: Sequence[Layer],
    concepts: ConceptDataset,
    *,
    quantile: float = QUANTILE,
    min_images: int = MIN_IMAGES,
    observer: Observer | None = None,
    means: Means | None = None,
) -> list[Dissection]:
    """Name the units of several layers of a network by the concepts of a dataset.

    Args:
        network: the network; it is run once over every image and left as it was.
        layers: layers of the network; its own does not count.
        concepts: photographs with labels. The whole photograph is brought to the network's input size.
        quantile: share of a unit's activations that count as strong.
        min_images: images a concept must be on to become a name.
        observer: sees every forward pass, for whatever else can be learnt from it.
        means: with what it is done.

    Raises:
        ActivationError: if the feature map of an image holds a NaN or an infinity; it names the image.
        CheckpointError: if the scratch folder holds something that cannot be gone on with.
        ConceptDataError: if the dataset is empty or breaks its layout.
        ValueError: if ``quantile`` is not between 0 and 1.
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile is {quantile}; a share between 0 and 1 is needed, such as {QUANTILE}")
    if not len(concepts):
        raise ConceptDataError(f"{concepts.name} holds no images; at least one is needed")
    means = means or Means()
    with ExitStack() as stack:
        folder = means.scratch or Path(stack.enter_context(TemporaryDirectory(prefix="neuronexplain-")))
        job = _Job(network, layers, concepts, quantile, observer or Nothing(), means, folder)
        job.look()
        job.count()
        return [part.named(min_images) for part in job.parts]


class _Job:
    """A dissection under way: first every photograph is looked at, then masks and labels are compared."""

    def __init__(
        self,
        network: Network,
        layers: Sequence[Layer],
        concepts: ConceptDataset,
        quantile: float,
        observer: Observer,
        means: Means,
        folder: Path,
    ) -> None:
        self._network = network
        self._layers = layers
        self._concepts = concepts
        self._observer = observer
        self._means = means
        self._shares = means.shares(len(concepts))
        self.parts = [
            Part(layer, concepts, quantile, folder / f"layer-{number}") for number, layer in enumerate(layers)
        ]
        self._looked = self._counted = 0
        self._checkpoint = Checkpoint(folder, "dissection")
        state = self._checkpoint.load()
        if state is None:
            for part in self.parts:
                part.clear()
        else:
            self._restore(state)

    def look(self) -> None:
        """The network's only pass over the data."""
        ranks = self._means.ranks
        rounds = max(ranks.gather(len(self._shares) - self._looked))
        passes = run(
            self._network,
            self._layers,
            _Frames(self._concepts, self._network.preprocessing),
            self._shares[self._looked :],
            self._wanted,
            self._means,
        )
        for number in range(1, rounds + 1):
            found = next(passes, None)  # a rank may have fewer batches than the others
            if found is not None:
                self._take(found.images, found.values)
            del found  # its maps are not needed in the next pass
            if number % _SHARING == 0 and ranks.count > 1:
                for part in self.parts:
                    part.share(ranks)
            if self._checkpoint.is_due:
                self._save()
                for part in self.parts:
                    part.prune()
        self._save()

    def count(self) -> None:
        """Thresholds are known now, and with them the masks."""
        for part in self.parts:
            part.find_thresholds(self._means.ranks)
        blocks = [piece for share in self._shares for piece in pieces(share)]
        comparison = Comparison(self._concepts, blocks, [part.counting() for part in self.parts])
        left = range(self._counted, len(blocks))
        counted = work_ahead(comparison.read, comparison.count, left, workers=self._means.workers)
        for number, counts in zip(left, counted, strict=True):
            for part, own in zip(self.parts, counts, strict=True):
                part.add(own)
            self._counted += 1
            self._means.tell(_COUNTING, blocks[number].stop, len(self._concepts))
            if self._checkpoint.is_due:
                self._save()
        self._save()
        for part in self.parts:
            part.pool(self._means.ranks)
        self._observer.pool(self._means.ranks)

    def _wanted(self, result: Pass, images: range) -> Mapping[str, Tensor]:
        maps = {f"maps.{number}": maps.float() for number, maps in enumerate(result.activations)}
        return maps | {f"observer.{name}": value for name, value in self._observer.look(result, images).items()}

    def _take(self, images: range, values: Mapping[str, np.ndarray]) -> None:
        for number, part in enumerate(self.parts):
            part.look(images, values[f"maps.{number}"])
        self._observer.add(unnested(values, "observer"))
        self._looked += 1
        self._means.tell(_LOOKING, images.stop, len(self._concepts))

    def _save(self) -> None:
        parts = {f"layer-{number}": part.state() for number, part in enumerate(self.parts)}
        done = {"looked": np.array(self._looked), "counted": np.array(self._counted)}
        self._checkpoint.save(nested(**parts, done=done, observer=self._observer.state()))

    def _restore(self, state: Mapping[str, np.ndarray]) -> None:
        for number, part in enumerate(self.parts):
            part.restore(unnested(state, f"layer-{number}"))
        self._observer.restore(unnested(state, "observer"))
        self._looked, self._counted = int(state["done.looked"]), int(state["done.counted"])


class _Frames:
    """Reads whole photographs as bytes of the network's input size."""

    def __init__(self, concepts: ConceptDataset, preprocessing: Preprocessing) -> None:
        self._concepts = concepts
        self._preprocessing = preprocessing

    def __call__(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        return np.asarray(self._preprocessing.whole(self._concepts.photograph(index)))
