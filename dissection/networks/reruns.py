"""Runs a network, and what follows its layer again on altered maps of the same images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from .forward import Pass, body_of, forward_from, run, scores_of
from .replay import Insertion, NotedCut, Notes, Replay, UnrepeatableError

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from .network import Network

_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class NotedPass:
    """A forward pass whose head can run again.

    Attributes:
        images: the network's input.
        result: its scores and maps.
        notes: what was returned before the layer ran.
    """

    images: Float[Tensor, "images channels H W"]
    result: Pass
    notes: Notes


class Reruns:
    """Forward passes of one network, and their heads again.

    The second run skips what comes before the layer. The first time, it is tried on unaltered maps: where that does not
    give the scores of the forward pass (a network may run what PyTorch does not tell of), every second run is whole.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._skips_body: bool | None = None

    def forward(self, images: Float[Tensor, "images channels H W"]) -> NotedPass:
        """Like :func:`dissection.networks.forward.forward`, with the whole map that features are of.

        Raises:
            ActivationError: if the map's shape is not the same as when the network was opened.
            NetworkError: if the network gives anything but one row of scores per image.
        """
        network, body, notes = self._network, body_of(self._network), Notes()
        cut = NotedCut(network.module, network.layer, network.layout, body, notes)
        whole = [] if network.dictionary is None else [network.dictionary.cut(network.module, body)]
        outputs = run(network, [body, notes, cut, *whole], images)
        result = Pass(scores_of(network, outputs, len(images)), (cut.output,), *(of_map.output for of_map in whole))
        return NotedPass(images, result, notes)

    def scores(self, noted: NotedPass, maps: Float[Tensor, "images units h w"]) -> Float[Tensor, "images classes"]:
        """The scores for other maps of the same images; they have no graph."""
        if self._skips_body is None:
            self._skips_body = self._is_faithful(noted)
        if self._skips_body:
            return self._replayed(noted, maps)
        return forward_from(self._network, maps, noted.images).scores.detach()

    def _is_faithful(self, noted: NotedPass) -> bool:
        expected = noted.result.scores.detach()
        try:
            scores = self._replayed(noted, noted.result.activation.detach())
        except UnrepeatableError:
            return False
        return torch.allclose(scores, expected, rtol=0, atol=_TOLERANCE * float(expected.abs().max()))

    def _replayed(self, noted: NotedPass, maps: Float[Tensor, "images units h w"]) -> Float[Tensor, "images classes"]:
        replay = Replay(noted.notes)
        network = self._network
        insertion = Insertion(network.module, network.layer, network.layout, maps, replay)
        outputs = run(network, [replay, insertion], noted.images)
        return scores_of(network, outputs, len(maps))
