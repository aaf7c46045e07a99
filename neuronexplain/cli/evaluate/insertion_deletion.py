"""``neuronexplain evaluate insertion-deletion``: Petsiuk et al. 2018."""

from __future__ import annotations

from typing import Annotated

import typer

from neuronexplain.cli import options
from neuronexplain.cli.groups import grouped

from .measuring import MethodComparison


@grouped
def insertion_deletion(
    *,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of a curve.")] = None,
    comparison: MethodComparison,
) -> None:
    """Follow the probability while a map's strongest pixels are inserted, or deleted (Petsiuk et al. 2018).

    Example: neuronexplain evaluate insertion-deletion --network scenes --kind scenes --steps 25 --out figures
    """
    from neuronexplain.evaluation.protocols import InsertionDeletion

    comparison.run(InsertionDeletion(seed=comparison.images.random_seed, **options.stated(steps=steps)))
