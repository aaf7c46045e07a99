"""What the network says of an image parts of which are replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from dissection.networks.forward import forward

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from jaxtyping import Bool, Float32, Float64
    from torch import Tensor

    from dissection.networks.network import Network


def scores_where_kept(
    network: Network,
    image: Float32[Tensor, "channels h w"],
    other: Float32[Tensor, "channels h w"],
    kept: Sequence[Bool[np.ndarray, "h w"]],
    size: int,
) -> Float64[Tensor, "masks classes"]:
    """The scores of an image of which the pixels outside of each mask are those of another image.

    Args:
        network: the network.
        image: as the network wants it.
        other: likewise; zeros are the mean colour.
        kept: the masks.
        size: images in one forward pass.
    """
    image, other = image.to(network.device), other.to(network.device)
    scores = []
    for masks in _parts(kept, size):
        where = torch.stack([torch.from_numpy(mask) for mask in masks])[:, None].to(network.device)
        scores.append(forward(network, torch.where(where, image, other)).scores.detach().double().cpu())
    return torch.cat(scores)


def _parts(masks: Sequence[Bool[np.ndarray, "h w"]], size: int) -> Iterable[Sequence[Bool[np.ndarray, "h w"]]]:
    for start in range(0, len(masks), size):
        yield masks[start : start + size]
