"""``neuronexplain evaluate seeds``: Sec. 4.2."""

from __future__ import annotations

from neuronexplain.cli.groups import grouped

from .measuring import MethodComparison


@grouped
def seeds(*, comparison: MethodComparison) -> None:
    """Compare segmentation seeds with masks, and write the files that SEC training reads (Sec. 4.2).

    Example: neuronexplain evaluate seeds --network vgg16 --data VOC2012 --kind voc --out figures
    """
    from neuronexplain.evaluation.protocols import Seeds

    comparison.run(Seeds())
