"""``neuronexplain evaluate pointing``: Sec. 4.3 and App. D."""

from __future__ import annotations

from typing import Annotated

import typer

from neuronexplain.cli.groups import grouped

from .measuring import MethodComparison


@grouped
def pointing(
    *,
    tolerance: Annotated[int, typer.Option(min=0, help="Pixels by which a point may miss; 15 is usual.")] = 0,
    comparison: MethodComparison,
) -> None:
    """Count how often a map's maximum is on the object: the pointing game (Sec. 4.3, App. D).

    The maps of the five most probable objects may be rejected if they are weak.

    Example: neuronexplain evaluate pointing --network scenes --kind scenes --method grad-cam --out figures
    """
    from neuronexplain.evaluation.protocols import Pointing

    comparison.run(Pointing(tolerance=tolerance, seed=comparison.images.random_seed))
