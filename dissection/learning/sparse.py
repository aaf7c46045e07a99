"""Learns a dictionary from activations alone: a TopK autoencoder, few of whose features make up each place.

Gao et al. 2024, "Scaling and evaluating sparse autoencoders": the ``k`` greatest features of a place are kept, and
features that have not been among them for long learn from what the others leave over (their auxiliary loss).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from dissection.networks.dictionaries.dictionary import Dictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from jaxtyping import Float, Float32
    from torch import Tensor

K = 8
"""Features that a place has."""

WIDTH = 2
"""Features for each unit of the layer."""

STEPS = 6000
_BATCH = 512
_RATE = 2e-3
_DEAD_AFTER = 100
"""Steps without a place after which a feature learns from what is left over."""

_AUXILIARY = 1 / 32
_DECAY = 0.3
"""The share of the steps, at the end, over which they get smaller."""


def learn_sparse(
    activations: Float32[np.ndarray, "positions units"],
    *,
    features: int,
    k: int = K,
    steps: int = STEPS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Dictionary:
    """Learn a dictionary, reproducibly from its seed on one machine.

    Args:
        activations: the units at places of the layer's maps.
        features: how many features to learn.
        k: how many of them a place has.
        steps: how many batches are learned from.
        seed: seed of the first directions and of the batches.
        progress: called with the steps done, and all of them.

    Raises:
        NetworkError: if ``k`` is not between 1 and ``features``.
    """
    generator = torch.Generator().manual_seed(seed)
    data = torch.from_numpy(activations)
    offset = data.mean(0)
    scale = float((data - offset).square().sum(1).mean().sqrt()) or 1.0
    coder = _Coder.drawn(data.shape[1], features, min(k, features), generator)
    optimiser = torch.optim.Adam(coder.tensors, lr=_RATE, betas=(0.9, 0.999))
    silent = torch.zeros(features, dtype=torch.long)
    for step in range(steps):
        places = torch.randint(len(data), (_BATCH,), generator=generator)
        batch = (data[places] - offset) / scale
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1.0, (steps - step) / max(_DECAY * steps, 1))
        loss, used = coder.loss(batch, silent > _DEAD_AFTER)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        coder.keep_along_sphere()
        optimiser.step()
        coder.normalise()
        silent = torch.where(used, 0, silent + 1)
        if progress is not None and (step % 100 == 99 or step + 1 == steps):
            progress(step + 1, steps)
    return coder.dictionary(offset, scale)


class _Coder:
    """The autoencoder, of places that are centred and scaled."""

    def __init__(self, encoder: Tensor, bias: Tensor, decoder: Tensor, k: int) -> None:
        self.encoder, self.bias, self.decoder, self.k = encoder, bias, decoder, k
        self.tensors = [tensor.requires_grad_() for tensor in (encoder, bias, decoder)]

    @classmethod
    def drawn(cls, units: int, features: int, k: int, generator: torch.Generator) -> _Coder:
        """One with directions at random; each is encoded as it is decoded."""
        decoder = torch.randn(features, units, generator=generator)
        decoder /= decoder.norm(dim=1, keepdim=True)
        return cls(decoder.T.clone(), torch.zeros(features), decoder, k)

    def loss(self, batch: Float[Tensor, "places units"], dead: Tensor) -> tuple[Tensor, Tensor]:
        """What is left over of a batch, and which features it used."""
        encoded = (batch @ self.encoder + self.bias).relu()
        codes = _kept(encoded, self.k)
        rest = batch - codes @ self.decoder
        loss = rest.square().sum(1).mean()
        if dead.any():
            of_dead = _kept(encoded.where(dead, torch.zeros(())), min(self.k, int(dead.sum())))
            again = rest.detach() - of_dead @ self.decoder
            loss = loss + _AUXILIARY * again.square().sum(1).mean()
        return loss, (codes > 0).any(0).detach()

    def keep_along_sphere(self) -> None:
        """Take from the decoder's slope what would only change the length of directions."""
        slope = self.decoder.grad
        assert slope is not None
        with torch.no_grad():
            slope -= (slope * self.decoder).sum(1, keepdim=True) * self.decoder

    @torch.no_grad()
    def normalise(self) -> None:
        """Give each direction the length 1."""
        self.decoder /= self.decoder.norm(dim=1, keepdim=True).clamp_min(1e-8)

    @torch.no_grad()
    def dictionary(self, offset: Float[Tensor, " units"], scale: float) -> Dictionary:
        """The dictionary of places as they are."""
        encoder, decoder = self.encoder.detach().clone(), self.decoder.detach().clone()
        bias = scale * self.bias.detach().double() - offset.double() @ encoder.double()
        return Dictionary(encoder, bias.float(), decoder, offset, "topk", self.k)


def _kept(codes: Float[Tensor, "places features"], k: int) -> Float[Tensor, "places features"]:
    values, features = codes.topk(k, dim=1)
    return torch.zeros_like(codes).scatter(1, features, values)
