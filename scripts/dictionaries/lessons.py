"""What dictionaries of a layer are learned from, and every kind that is compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.decomposition import NMF

from dissection.execution.settings import Execution
from dissection.learning.directions import learn_directions
from dissection.learning.positions import gather_positions
from dissection.learning.sparse import learn_sparse
from dissection.networks.dictionaries.dictionary import Dictionary

if TYPE_CHECKING:
    from jaxtyping import Float32

    from dissection.concepts.dataset import ConceptDataset
    from dissection.execution.settings import Progress
    from dissection.learning.positions import Positions
    from dissection.networks.network import Network

_PARTS_FROM = 20_000
"""Places that the parts of NMF are learned from."""


@dataclass(frozen=True)
class Lessons:
    """What dictionaries of a network are learned from.

    Attributes:
        network: the network.
        photographs: the photographs; with labels, if directions of concepts are learned.
        progress: shows how far things are.
    """

    network: Network
    photographs: ConceptDataset
    progress: Progress

    @cached_property
    def positions(self) -> Positions:
        """Places of the layer's maps, with labels."""
        numbers = sorted(self.photographs.concepts)
        execution = Execution(progress=self.progress)
        return gather_positions(self.network, self.photographs, execution, concepts=numbers)

    def rotation(self) -> Dictionary:
        """As many directions at random, at right angles."""
        units = self.network.layer.units
        matrix = torch.randn(units, units, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        rotated = torch.linalg.qr(matrix)[0].float()
        return Dictionary(rotated, torch.zeros(units), rotated.T, torch.zeros(units), "signed-topk", units)

    def parts(self) -> Dictionary:
        """As many parts as neurons, by non-negative matrix factorisation."""
        return non_negative_parts(self.positions.activations[:: len(self.positions.activations) // _PARTS_FROM])

    def sparse(self, *, seed: int, features: int, k: int, steps: int) -> Dictionary:
        """A TopK autoencoder."""
        progress = partial(self.progress, f"learning features, seed {seed}")
        return learn_sparse(
            self.positions.activations, features=features, k=k, steps=steps, seed=seed, progress=progress
        )

    def directions(self) -> Dictionary:
        """Directions of labelled concepts."""
        return learn_directions(self.positions, progress=partial(self.progress, "learning directions"))[0]


def non_negative_parts(activations: Float32[np.ndarray, "positions units"]) -> Dictionary:
    """Parts that add up to what a layer's units are at each place, none of them and no unit below 0.

    More parts than units could not be told apart by a linear encoder, which is what a dictionary has: the ReLU of the
    least squares from units to the codes that the factorisation finds.
    """
    units = activations.shape[1]
    model = NMF(units, init="nndsvda", max_iter=200, random_state=0)
    codes = model.fit_transform(activations)
    with_bias = np.hstack([activations, np.ones((len(activations), 1), np.float32)])
    solution = torch.from_numpy(np.linalg.lstsq(with_bias, codes, rcond=None)[0]).float()
    decoder = torch.from_numpy(model.components_).float()
    return Dictionary(solution[:-1], solution[-1], decoder, torch.zeros(units))
