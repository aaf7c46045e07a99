"""Maps that see neither the image nor the network: what a method must beat before its figure says anything of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from neuronexplain.methods import Method

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dissection.networks.network import Network
    from neuronexplain.methods import Target


def _alike(
    value: float,
    network: Network,  # noqa: ARG001 -- as every method's
    images: Float[Tensor, "images channels H W"],
    target: Target,  # noqa: ARG001
) -> Float[Tensor, "images 1 H W"]:
    return torch.full_like(images[:, :1], value)


def _centre(
    network: Network,  # noqa: ARG001 -- as every method's
    images: Float[Tensor, "images channels H W"],
    target: Target,  # noqa: ARG001
) -> Float[Tensor, "images 1 H W"]:
    rows, columns = (
        (torch.arange(side, dtype=images.dtype, device=images.device) - side // 2) / max(side / 2, 1)
        for side in images.shape[2:]
    )
    cone = (1 - torch.hypot(rows[:, None], columns[None])).clamp(min=0)
    return cone.expand(len(images), 1, -1, -1).clone()


WHOLE = Method("whole-picture", "(the whole picture)", "every pixel alike", "a baseline", "heat", partial(_alike, 1.0))
"""A map that is 1 everywhere."""

CENTRE = Method("centre", "(the centre)", "how near a pixel is to the middle", "a baseline", "heat", _centre)
"""A cone: 1 in the middle, 0 from the middles of the sides outwards."""

NOTHING = Method("nothing", "(rejecting everything)", "no pixel", "a baseline", "heat", partial(_alike, 0.0))
"""A map that is 0 everywhere."""

BASELINES = (WHOLE, CENTRE, NOTHING)
