"""Learns a dictionary from labels: for each concept the direction that tells places of it from others.

A logistic regression per concept, all at once; a feature is positive where it finds its concept more likely than not.
What features decode to is found by least squares. Such features have their concepts' names by construction: that the
network uses them, only ablating them shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from dissection.errors import ConceptDataError
from dissection.networks.dictionaries.dictionary import Dictionary
from dissection.vocabulary import MIN_IMAGES

from .cell_labels import ABSENT, PRESENT, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float
    from torch import Tensor

    from .positions import Positions

LEAST = 50
"""Places that show a concept, at least; a direction of fewer would be of those places alone."""

LEAST_IMAGES = MIN_IMAGES
"""Images that these places are in, at least."""

_STEPS = 60
_DECAY = 1e-3
_RIDGE = 1e-3


def learn_directions(
    positions: Positions, *, progress: Callable[[int, int], None] | None = None
) -> tuple[Dictionary, tuple[int, ...]]:
    """A dictionary with a feature for each concept that can be told, and the numbers of these concepts.

    Args:
        positions: places with labels.
        progress: called with the steps done, and all of them.

    Raises:
        ConceptDataError: if no concept is at enough places, or none can be told from the others.
    """
    is_shown = positions.labels == PRESENT
    images = np.array([len(np.unique(positions.images[column])) for column in is_shown.T])
    absent = (positions.labels == ABSENT).sum(0)
    columns = np.flatnonzero((is_shown.sum(0) >= LEAST) & (images >= LEAST_IMAGES) & (absent >= LEAST))
    if not len(columns):
        raise ConceptDataError(
            f"no concept is at {LEAST} of the {len(positions.images)} places, in {LEAST_IMAGES} images; give more "
            "images, or --from activations"
        )
    data = torch.from_numpy(positions.activations)
    offset = data.mean(0)
    spread = data.std(0).clamp_min(1e-6)
    weights, bias = _fitted((data - offset) / spread, torch.from_numpy(positions.labels[:, columns]), progress)
    encoder = weights / spread[:, None]
    bias = bias - offset @ encoder
    codes = (data @ encoder + bias).relu()
    is_told = (codes > 0).sum(0) >= LEAST // 5
    if not is_told.any():
        raise ConceptDataError("no concept can be told from the others at these places; give more images")
    codes, encoder, bias = codes[:, is_told], encoder[:, is_told], bias[is_told]
    dictionary = Dictionary(encoder.contiguous(), bias, _decoder(codes, data - offset), offset)
    return dictionary, tuple(positions.concepts[column] for column in columns[is_told.numpy()])


def _fitted(
    data: Float[Tensor, "positions units"],
    labels: Tensor,
    progress: Callable[[int, int], None] | None,
) -> tuple[Float[Tensor, "units concepts"], Float[Tensor, " concepts"]]:
    """Weights and biases of logistic regressions, with a little decay of the weights."""
    known, targets = (labels != UNKNOWN).float(), (labels == PRESENT).float()
    counts = known.sum(0).clamp_min(1)
    rates = ((targets.sum(0) + 1) / (counts + 2)).clamp(1e-6, 1 - 1e-6)
    weights = torch.zeros(data.shape[1], labels.shape[1], requires_grad=True)
    bias = rates.logit().requires_grad_()
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=1, history_size=10, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimiser.zero_grad()
        errors = F.binary_cross_entropy_with_logits(data @ weights + bias, targets, weight=known, reduction="none")
        total = (errors.sum(0) / counts).sum() + _DECAY * weights.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return float(total.detach())

    for step in range(_STEPS):
        optimiser.step(loss)  # type: ignore[no-untyped-call]
        if progress is not None:
            progress(step + 1, _STEPS)
    return weights.detach(), bias.detach()


def _decoder(
    codes: Float[Tensor, "positions features"], centred: Float[Tensor, "positions units"]
) -> Float[Tensor, "features units"]:
    """What features stand for, by least squares, with a little ridge."""
    wide, targets = codes.double(), centred.double()
    gram = wide.T @ wide
    ridge = _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    solution: Tensor = torch.linalg.solve(gram + ridge, wide.T @ targets)
    return solution.float()
