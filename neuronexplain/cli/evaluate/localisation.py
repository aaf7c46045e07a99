"""``neuronexplain evaluate localisation``: Sec. 4.1."""

from __future__ import annotations

from neuronexplain.cli.groups import grouped

from .measuring import MethodComparison


@grouped
def localisation(*, comparison: MethodComparison) -> None:
    """Compare boxes around what maps show with true boxes: localisation errors (Sec. 4.1, Tables 1 and 3).

    A box is drawn around the largest segment above 15 % of a map's maximum, and is right if its IoU is at least 0.5.
    The paper's maps are averages over --view ten.

    Example: neuronexplain evaluate localisation --network vgg16 --data imagenet --kind ilsvrc --out figures
    """
    from neuronexplain.evaluation.protocols import Localisation

    comparison.run(Localisation())
