"""``neuronexplain evaluate occlusion-correlation``: Sec. 5.3."""

from __future__ import annotations

from typing import Annotated

import typer

from neuronexplain.cli import options
from neuronexplain.cli.groups import grouped

from .measuring import MethodComparison

Patch = Annotated[float | None, typer.Option(min=0.01, max=1, help="Side of the patch, as a share of the image's.")]
Stride = Annotated[
    float | None, typer.Option(min=0.005, max=1, help="Step of the patch, as a share of the image's side.")
]


@grouped
def occlusion_correlation(
    *,
    patch: Patch = None,
    stride: Stride = None,
    comparison: MethodComparison,
) -> None:
    """Correlate maps with how much the score falls when a grey patch covers part of the image (Sec. 5.3).

    Example: neuronexplain evaluate occlusion-correlation --network scenes --kind scenes --method c-mwp --out figures
    """
    from neuronexplain.evaluation.protocols import OcclusionCorrelation

    comparison.run(OcclusionCorrelation(**options.stated(patch=patch, stride=stride)))
