"""The network's scores for an image with parts of it replaced."""

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
    replacement: Float32[Tensor, "channels h w"],
    masks: Sequence[Bool[np.ndarray, "h w"]],
    size: int,
) -> Float64[Tensor, "masks classes"]:
    """The scores of an image, for each mask, with the pixels outside the mask taken from another image.

    Args:
        network: the network.
        image: the image, preprocessed.
        replacement: the other image, preprocessed; zeros are the mean colour.
        masks: the masks.
        size: images in one forward pass.
    """
    image, replacement = image.to(network.device), replacement.to(network.device)
    scores = []
    for batch_masks in _parts(masks, size):
        inside = torch.stack([torch.from_numpy(mask) for mask in batch_masks])[:, None].to(network.device)
        scores.append(forward(network, torch.where(inside, image, replacement)).scores.detach().double().cpu())
    return torch.cat(scores)


def _parts(masks: Sequence[Bool[np.ndarray, "h w"]], size: int) -> Iterable[Sequence[Bool[np.ndarray, "h w"]]]:
    for start in range(0, len(masks), size):
        yield masks[start : start + size]
