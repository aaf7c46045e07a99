"""Network Dissection by itself: names as a value, without a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.dissect import dissect as _dissect
from dissection.vocabulary import MIN_IMAGES, QUANTILE

from .arguments import concepts_of, network_of
from .progress import watched_execution

if TYPE_CHECKING:
    from dissection.execution.settings import Execution
    from dissection.vocabulary import Dissection

    from .arguments import ConceptsLike, NetworkLike


def dissect(
    network: NetworkLike,
    concepts: ConceptsLike,
    *,
    quantile: float = QUANTILE,
    min_images: int = MIN_IMAGES,
    draws: int = 0,
    length: int = 1,
    execution: Execution | None = None,
) -> Dissection:
    """Name the units of the network's layer by the concepts of labelled photographs.

    Args:
        network: the network; or a module, or a name that :func:`open_network` takes.
        concepts: photographs with labels, or their folder, see :func:`open_concepts`.
        quantile: share of a unit's activations that count as strong.
        min_images: how many images must show a concept before it can become a name.
        draws: permutations behind the evidence for names, such as 199; 0 gathers none.
        length: concepts of the longest formula to search for, where there are draws: 1, 2 or 3.
        execution: how the work is run.

    Raises:
        ActivationError: if the feature map of an image holds a NaN or an infinity; the message names the image.
        ConceptDataError: if the data cannot be read.
        TypeError: if an argument is of no kind that can be taken.
        ValueError: if ``quantile`` is not between 0 and 1.
    """
    opened, data = network_of(network), concepts_of(concepts)
    with watched_execution(execution) as run_execution:
        return _dissect(
            opened,
            data,
            quantile=quantile,
            min_images=min_images,
            draws=draws,
            length=length,
            execution=run_execution,
        )
