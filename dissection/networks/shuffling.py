"""Takes what tensors have learnt, and leaves their scale: a permutation of each tensor's values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor


def shuffle(tensors: Iterable[Tensor], *, seed: int) -> None:
    """Permute the values of each tensor in place, the same way on every device."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in tensors:
            order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
            tensor.copy_(tensor.flatten()[order].view(tensor.shape))
