"""``neuronexplain evaluate adversarial``: Sec. 6.2."""

from __future__ import annotations

from typing import Annotated

import typer

from neuronexplain.cli import options
from neuronexplain.cli.groups import grouped

from .measuring import MethodComparison


@grouped
def adversarial(
    *,
    radius: Annotated[
        float | None, typer.Option(min=1 / 255, max=1, help="How much a colour may change, as a share of its range.")
    ] = None,
    comparison: MethodComparison,
) -> None:
    """Fool the network, and see whether maps still show the objects in an image (Sec. 6.2).

    Each image is changed until the network is sure of a class that is not in it; a few are saved as pictures.

    Example: neuronexplain evaluate adversarial --network scenes --kind scenes --limit 20 --out figures
    """
    from neuronexplain.studies.adversarial import Adversarial
    from neuronexplain.studies.attack import Attack

    comparison.run(Adversarial(Attack(**options.stated(radius=radius)), seed=comparison.images.random_seed))
