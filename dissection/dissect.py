"""Network Dissection of one layer: runs the network once over a concept dataset and names the layer's units."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
import torch

from .errors import ConceptDataError
from .exemplars import Exemplars
from .overlap import Overlaps, upsample
from .peaks import PeakKeeper
from .quantiles import Thresholds
from .tap import forward
from .vocabulary import MIN_IMAGES, QUANTILE, ConceptSupport, Dissection, Overlap, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jaxtyping import Bool, Float64
    from torch import Tensor

    from .concepts.dataset import ConceptDataset
    from .networks import Network
    from .overlap import Counts
    from .peaks import Peaks
    from .tap import Pass

BEST = 10
"""Concepts kept for each unit, beside the best of each category."""

_AT_ONCE = 8
"""Maps upsampled together: few enough to stay in the processor's cache."""

_AHEAD = 2
_READERS = 2

Item = TypeVar("Item")
Result = TypeVar("Result")


class Progress(Protocol):
    """Told how far a stage has come."""

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        """``done`` of ``total`` images of the stage are finished."""


def dissect(
    network: Network,
    concepts: ConceptDataset,
    *,
    quantile: float = QUANTILE,
    min_images: int = MIN_IMAGES,
    batch_size: int = 16,
    observe: Callable[[Pass], None] | None = None,
    progress: Progress | None = None,
) -> Dissection:
    """Name the units of the network's tapped layer by the concepts of a dataset.

    Args:
        network: the network; it is run once over every image and left as it was.
        concepts: photographs with labels. The whole photograph is brought to the network's input size.
        quantile: share of a unit's activations that count as strong.
        min_images: images a concept must be on to become a name.
        batch_size: images in one forward pass.
        observe: is handed every forward pass, in the images' order, for whatever else can be learnt from it.
        progress: is told about the stages.

    Raises:
        ActivationError: if the feature map of an image holds a NaN or an infinity; it names the image.
        ConceptDataError: if the dataset is empty or breaks its layout.
        ValueError: if ``quantile`` is not between 0 and 1.
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile is {quantile}; a share between 0 and 1 is needed, such as {QUANTILE}")
    if not len(concepts):
        raise ConceptDataError(f"{concepts.name} holds no images; at least one is needed")
    layer = network.layer
    thresholds = Thresholds(layer.units, len(concepts) * layer.height * layer.width, quantile)
    keeper = PeakKeeper(layer.units, layer.height, layer.width)
    exemplars = Exemplars(layer.units)
    for images, result in _passes(network, concepts, batch_size, progress):
        maps = result.activation.detach()
        thresholds.add(maps)
        keeper.add(images, maps.cpu(), bounds=thresholds.bounds(), varied=thresholds.varied)
        exemplars.add(images, maps)
        if observe is not None:
            observe(result)
    final = thresholds.thresholds()
    counts = _count(keeper.peaks().above(final), final, concepts, layer.units, progress)
    return Dissection(
        layer=layer,
        quantile=quantile,
        min_images=min_images,
        images=len(concepts),
        pixels=counts.pixels,
        concepts=tuple(
            ConceptSupport(concept, int(images), int(area))
            for concept, images, area in zip(
                concepts.concepts.values(), counts.concept_images, counts.concept_area, strict=True
            )
        ),
        units=tuple(
            Unit(
                unit,
                threshold,
                _best(unit, counts, concepts, min_images),
                exemplars.of(unit, width=layer.width, name=concepts.image_name),
            )
            for unit, threshold in enumerate(final.tolist())
        ),
    )


def masks(
    maps: Float64[np.ndarray, "n h w"], thresholds: Float64[np.ndarray, " n"], height: int, width: int
) -> Bool[np.ndarray, "n H W"]:
    """``M_k = up(A_k) > T_k``, strictly: under ``>=`` a ReLU unit with a threshold of 0 would be lit everywhere."""
    lit = np.empty((len(maps), height, width), dtype=bool)
    for start in range(0, len(maps), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        lit[part] = upsample(maps[part], height, width) > thresholds[part, None, None]
    return lit


def _passes(
    network: Network, concepts: ConceptDataset, batch_size: int, progress: Progress | None
) -> Iterator[tuple[Tensor, Pass]]:
    """Every forward pass, in order; photographs are read while the network runs."""

    def read(indices: range) -> Tensor:
        preprocessing = network.preprocessing
        return torch.stack([preprocessing.tensor(preprocessing.whole(concepts.photograph(i))) for i in indices])

    total = len(concepts)
    batches = [range(start, min(start + batch_size, total)) for start in range(0, total, batch_size)]
    for indices, images in zip(batches, _ahead(read, batches), strict=True):
        result = forward(network, images)
        result.check(network, [concepts.image_name(index) for index in indices])
        yield torch.tensor(indices), result
        if progress is not None:
            progress("looking at the photographs", indices.stop, total)


def _count(
    peaks: Peaks, thresholds: Float64[Tensor, " units"], concepts: ConceptDataset, units: int, progress: Progress | None
) -> Counts:
    overlaps = Overlaps(units, concepts.concepts, concepts.categories)
    by_image = peaks.by_image(len(concepts))
    final = thresholds.numpy()
    for index, labels in enumerate(_ahead(concepts.labels, range(len(concepts)))):
        lit, maps = (part.numpy() for part in next(by_image))
        height, width = labels.maps.shape[1:]
        overlaps.add(labels, lit, masks(maps.astype(np.float64), final[lit], height, width))
        if progress is not None:
            progress("comparing neurons with concepts", index + 1, len(concepts))
    return overlaps.counts()


def _best(unit: int, counts: Counts, concepts: ConceptDataset, min_images: int) -> tuple[Overlap, ...]:
    """The ten best concepts and the best of each category, among those with enough images that overlap at all."""
    numbers = list(concepts.concepts)
    columns = np.flatnonzero((counts.intersection[unit] > 0) & (counts.concept_images >= min_images))
    overlaps = [
        Overlap(
            concepts.concepts[numbers[column]],
            int(counts.intersection[unit, column]),
            int(counts.unit_area[unit, column]),
            int(counts.concept_area[column]),
            int(counts.concept_images[column]),
        )
        for column in columns
    ]
    overlaps.sort(key=lambda overlap: (-overlap.iou, overlap.concept.number))
    seen: set[str] = set()
    kept = []
    for rank, overlap in enumerate(overlaps):
        if rank < BEST or overlap.concept.category not in seen:
            kept.append(overlap)
        seen.add(overlap.concept.category)
    return tuple(kept)


def _ahead(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """``map`` that works a few items ahead in threads."""
    with ThreadPoolExecutor(_READERS) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > _AHEAD * _READERS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
