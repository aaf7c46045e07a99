"""``neuronexplain evaluate ratio``: Sec. 8.1."""

from __future__ import annotations

from neuronexplain.cli.groups import grouped

from .measuring import MethodComparison


@grouped
def ratio(*, comparison: MethodComparison) -> None:
    """Divide a map's mean inside an object's boxes by its mean outside them (Sec. 8.1).

    Example: neuronexplain evaluate ratio --network scenes --kind scenes --method grad-cam --out figures
    """
    from neuronexplain.evaluation.protocols import Ratio

    comparison.run(Ratio())
