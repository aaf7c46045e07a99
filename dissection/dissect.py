"""Network Dissection of layers: runs the network once over a concept dataset and names the layers' units."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from .engine.cells import pieces
from .engine.comparison import Comparison
from .engine.evidence import NO_DRAWS, Draws
from .engine.layer_state import LayerState
from .engine.overlaps import Columns
from .errors import ConceptDataError
from .execution.checkpoint import Checkpoint, ResumableJob
from .execution.loading import work_ahead
from .execution.settings import Execution
from .execution.statistic import Bundle
from .files.leftovers import temporary_folder
from .networks.passes import Observer, observed
from .vocabulary import MIN_IMAGES, QUANTILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Float64, UInt8
    from torch import Tensor

    from .concepts.dataset import ConceptDataset
    from .execution.statistic import Statistic
    from .networks.forward import Pass
    from .networks.network import Network
    from .networks.passes import Watcher
    from .networks.preprocessing import Preprocessing
    from .vocabulary import Dissection, Layer

_SHARING = 32
"""Batches between two exchanges of bounds among ranks."""


class ImageObserver(Observer, Protocol):
    """Collects statistics of every image: of the network's pass, and of how strongly units are lit."""

    def add_lit_means(self, images: range, by_layer: Sequence[Float64[np.ndarray, "images units"]], /) -> None:
        """Add the lit means of a few images, see :mod:`dissection.engine.lit_means`; ``images`` are their indices."""


def dissect(
    network: Network,
    concepts: ConceptDataset,
    *,
    quantile: float = QUANTILE,
    min_images: int = MIN_IMAGES,
    draws: int = 0,
    length: int = 1,
    execution: Execution | None = None,
) -> Dissection:
    """Name the units of the network's tapped layer by the concepts of a dataset; see :func:`dissect_layers`.

    With ``draws``, such as 199, each unit comes with the evidence for its name: :class:`Evidence`, and the
    :class:`Truth` of its overlaps. With ``length`` 2 or 3 as well, it comes with formulas of up to so many concepts:
    :class:`Composition`.
    """
    (dissection,) = dissect_layers(
        network,
        [network.layer],
        concepts,
        quantile=quantile,
        min_images=min_images,
        draws=Draws(draws, longest=length),
        execution=execution,
    )
    return dissection


def dissect_layers(
    network: Network,
    layers: Sequence[Layer],
    concepts: ConceptDataset,
    *,
    quantile: float = QUANTILE,
    min_images: int = MIN_IMAGES,
    draws: Draws = NO_DRAWS,
    observer: ImageObserver | None = None,
    execution: Execution | None = None,
) -> list[Dissection]:
    """Name the units of several layers of a network by the concepts of a dataset.

    Args:
        network: the network; it is run once over every image and left as it was.
        layers: layers of the network; ``network.layer`` is ignored.
        concepts: photographs with labels. The whole photograph is resized to the network's input size.
        quantile: share of a unit's activations that count as strong.
        min_images: images a concept must appear in to become a name.
        draws: of the evidence for names; without any, none is gathered.
        observer: called with every forward pass, and again when thresholds are known, to collect further statistics.
        execution: how the work is carried out.

    Raises:
        ActivationError: if the feature map of an image holds a NaN or an infinity; the message names the image.
        CheckpointError: if the unfinished build in the scratch folder cannot be resumed.
        ConceptDataError: if the dataset is empty or breaks its layout.
        ValueError: if ``quantile`` is not between 0 and 1.
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile is {quantile}; a share between 0 and 1 is needed, such as {QUANTILE}")
    if not len(concepts):
        raise ConceptDataError(f"{concepts.name} holds no images; at least one is needed")
    execution = execution or Execution()
    columns = Columns.of(concepts.concepts, concepts.categories)
    with ExitStack() as stack:
        folder = execution.scratch or stack.enter_context(temporary_folder())
        states = [
            LayerState(
                layer, columns, len(concepts), concepts.image_name, quantile, folder / f"layer-{number}", draws=draws
            )
            for number, layer in enumerate(layers)
        ]
        parts: dict[str, Statistic] = {f"layer-{number}": state for number, state in enumerate(states)}
        watchers: dict[str, Watcher] = {f"layer-{number}": _Maps(number, state) for number, state in enumerate(states)}
        if observer is not None:
            parts["observer"] = watchers["observer"] = observer
        statistics = Bundle(parts)
        job = ResumableJob(statistics, ("looked", "counted"), Checkpoint(folder, "dissection"))
        if not job.is_resumed:
            for state in states:
                state.clear()
        _look(network, layers, concepts, watchers, states, job, execution)
        blocks = [piece for batch in execution.batches(len(concepts)) for piece in pieces(batch)]
        _count(concepts, blocks, states, observer, job, execution)
        statistics.pool(execution.ranks)
        return [state.with_evidence(state.named(min_images), blocks, execution.ranks) for state in states]


def _look(
    network: Network,
    layers: Sequence[Layer],
    concepts: ConceptDataset,
    watchers: Mapping[str, Watcher],
    states: Sequence[LayerState],
    job: ResumableJob,
    execution: Execution,
) -> None:
    """Run the network's only pass over the data."""
    photographs = len(concepts), WholeFrames(concepts, network.preprocessing)
    rounds = observed(
        network, layers, photographs, watchers, job, execution, stage="looked", progress="looking at the photographs"
    )
    for number, is_saved in enumerate(rounds, start=1):
        if number % _SHARING == 0 and execution.ranks.count > 1:
            for state in states:
                state.share_bounds(execution.ranks)
        if is_saved:
            for state in states:
                state.prune()


def _count(
    concepts: ConceptDataset,
    blocks: Sequence[range],
    states: Sequence[LayerState],
    observer: ImageObserver | None,
    job: ResumableJob,
    execution: Execution,
) -> None:
    """Compare masks with labels, now that the thresholds, and so the masks, are known."""
    for state in states:
        state.find_thresholds(execution.ranks)
    comparison = Comparison(concepts.labels, blocks, [state.comparison() for state in states])
    remaining = range(job.done("counted"), len(blocks))
    _look_up_again(comparison, range(remaining.start), states, execution)
    results = work_ahead(comparison.read, comparison.count, remaining, workers=execution.workers)
    for number, compared_by_layer in zip(remaining, results, strict=True):
        for state, compared in zip(states, compared_by_layer, strict=True):
            state.count(compared)
        if observer is not None:
            observer.add_lit_means(blocks[number], [compared.lit_means for compared in compared_by_layer])
        job.advance("counted")
        execution.report("comparing neurons with concepts", blocks[number].stop, len(concepts))
        job.save_if_due()
    job.save()


def _look_up_again(comparison: Comparison, compared: range, states: Sequence[LayerState], execution: Execution) -> None:
    """Look up what exemplars show in those blocks that an earlier process compared: its checkpoint does not say."""
    results = work_ahead(comparison.read_exemplars, comparison.look_up, compared, workers=execution.workers)
    for number, shown_by_layer in zip(compared, results, strict=True):
        for state, shown in zip(states, shown_by_layer, strict=True):
            state.show(shown)
        blocks = comparison.blocks
        execution.report("looking up what exemplars show", blocks[number].stop, blocks[compared[-1]].stop)


@dataclass(frozen=True, slots=True)
class _Maps:
    """Hands a layer's maps from each pass to its state."""

    number: int
    state: LayerState

    def look(self, forward: Pass, _images: range) -> Mapping[str, Tensor]:
        return {"maps": forward.activations[self.number].float()}

    def add(self, images: range, values: Mapping[str, np.ndarray]) -> None:
        self.state.add(images, values["maps"])


class WholeFrames:
    """Reads whole photographs at the network's input size, as bytes."""

    def __init__(self, concepts: ConceptDataset, preprocessing: Preprocessing) -> None:
        self._concepts = concepts
        self._preprocessing = preprocessing

    def __call__(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The photograph of this index."""
        return np.asarray(self._preprocessing.whole(self._concepts.photograph(index)))
