"""Explains a network's predictions once its units have names: batches of photographs in, explanations out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import torch

from db.records import require_built
from dissection.errors import require_finite
from dissection.networks.forward import forward
from dissection.vocabulary import MIN_IOU
from neuronexplain.methods.gradcam import alphas, contributions, enlarge, heatmap
from neuronexplain.methods.targets import of_class

from .activity import active_units, concept_map
from .classes import find_class
from .explanation import Explanation, MethodMap
from .methods import check_methods, find_method, watched
from .ranking import strongest
from .vocabulary import RankedUnit, Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from jaxtyping import Float, Float64
    from PIL import Image
    from torch import Tensor

    from db import NameStore
    from db.records import Run
    from dissection.execution.settings import Progress
    from dissection.networks.network import Network
    from dissection.vocabulary import UnitName

    from .methods import Method
    from .ranking import Strongest
    from .vocabulary import Among, RankBy

_LONGEST_SIDE = 1024
"""Longest side, in pixels, of the photograph that an explanation keeps, so that many explanations fit into memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Explainer:
    """A network with names for its units and rules for the ranking; explains images in batches.

    Attributes:
        network: the network.
        names: names by unit.
        thresholds: ``T_k`` by unit.
        constant_alpha: whether the network's alphas are the same for every image.
        k: how many of the most persuasive, and how many of the most inhibitive, units.
        rank_by: what units are ranked by.
        among: which units are ranked.
        min_iou: least IoU at which a unit has a name.
        methods: names of other methods to explain the same target with; each adds its own passes.

    Raises:
        NetworkError: if there is no such method, or it is not defined for the network.
    """

    network: Network
    names: Mapping[int, UnitName]
    thresholds: Float64[np.ndarray, " units"]
    constant_alpha: bool
    k: int = 5
    rank_by: RankBy = "alpha"
    among: Among = "all"
    min_iou: float = MIN_IOU
    methods: Sequence[str] = ()

    @classmethod
    def from_store(
        cls,
        network: Network,
        store: NameStore,
        *,
        run: Run | None = None,
        k: int = 5,
        rank_by: RankBy = "alpha",
        among: Among = "all",
        min_iou: float = MIN_IOU,
        methods: Sequence[str] = (),
    ) -> Explainer:
        """Make an explainer with the unit names of a stored run, by default of the network's newest.

        Raises:
            NetworkError: if there is no such method, or it is not defined for the network.
            RunNotFoundError: if the run, or every run there is, is of a network with other weights.
            StoreError: if the run was imported: it has no thresholds, which say when a neuron is active.
        """
        if run is not None:
            require_built(run, "thresholds")
        if run is None or run.key.network != network.fingerprint:
            run = store.run_for(network.fingerprint)
        return cls(
            network,
            names=store.names(run, min_iou),
            thresholds=store.thresholds(run),
            constant_alpha=run.constant_alphas,
            k=k,
            rank_by=rank_by,
            among=among,
            min_iou=min_iou,
            methods=methods,
        )

    def __post_init__(self) -> None:
        check_methods(map(find_method, self.methods), self.network)

    def explain(
        self,
        photographs: Iterable[tuple[str, Image.Image]],
        *,
        target: str | int | None = None,
        batch_size: int = 16,
        progress: Progress | None = None,
    ) -> Iterator[Explanation]:
        """Explain named photographs, in order and a batch at a time.

        Args:
            photographs: name and picture (RGB).
            target: the class to explain, as label, synonym or index; by default the one predicted for each photograph.
            batch_size: images in one forward pass.
            progress: called with the progress of methods that need many passes per batch.
        """
        target_class = find_class(self.network.classes, str(target)) if target is not None else None
        remaining = iter(photographs)
        while batch := list(islice(remaining, batch_size)):
            yield from self._explain(batch, target_class, progress)

    def _explain(
        self, photographs: Sequence[tuple[str, Image.Image]], target_class: int | None, progress: Progress | None
    ) -> Iterator[Explanation]:
        network = self.network
        preprocessing = network.preprocessing
        frames = [preprocessing.tensor(preprocessing.frame(photograph)) for _, photograph in photographs]
        images = torch.stack(frames)
        result = forward(network, images)
        require_finite(result.finite[0].tolist(), network.layer.name, [name for name, _ in photographs])
        logits = result.scores.detach().double().cpu()
        predicted = logits.argmax(1)
        targets = predicted if target_class is None else torch.full_like(predicted, target_class)
        alpha = alphas(of_class(result.scores, targets), result.activation)
        heat = enlarge(heatmap(alpha, result.activation), preprocessing.size).float().cpu().numpy()
        contribution = contributions(alpha, result.activation).double().cpu().numpy()
        importance = alpha.double().cpu().numpy()
        maps = result.activation.detach().double().cpu().numpy()
        method_maps = [
            self._method_maps(watched(find_method(name), progress), images, targets) for name in self.methods
        ]
        for number, (name, photograph) in enumerate(photographs):
            active = active_units(maps[number], self.thresholds, preprocessing.size)
            ranking = self._strongest(importance[number], contribution[number])
            top, bottom = (
                tuple(self._ranked(unit, importance[number], contribution[number], active) for unit in units)
                for units in (ranking.top, ranking.bottom)
            )
            yield Explanation(
                image=name,
                prediction=_score(network, logits[number], int(predicted[number])),
                target=_score(network, logits[number], int(targets[number])),
                top=top,
                bottom=bottom,
                rank_by=self.rank_by,
                among=self.among,
                passed_over=ranking.passed_over,
                active_concepts=frozenset(self.names[unit].concept.spoken for unit in active if unit in self.names),
                min_iou=self.min_iou,
                constant_alpha=self.constant_alpha,
                photograph=_shown(preprocessing.view(photograph)),
                heatmap=heat[number],
                masks=self._masks(maps[number], (*top, *bottom)),
                others=tuple(maps_of_method[number] for maps_of_method in method_maps),
            )

    def _method_maps(
        self, method: Method, images: Float[Tensor, "images channels H W"], targets: Tensor
    ) -> list[MethodMap]:
        attributions = method.attribution(self.network, images, targets).float().cpu().numpy()
        return [MethodMap(method, values) for values in attributions]

    def _ranked(
        self,
        unit: int,
        importance: Float64[np.ndarray, " units"],
        contribution: Float64[np.ndarray, " units"],
        active: frozenset[int],
    ) -> RankedUnit:
        return RankedUnit(
            unit, float(importance[unit]), float(contribution[unit]), self.names.get(unit), unit in active
        )

    def _strongest(self, importance: Float64[np.ndarray, " units"], contribution: np.ndarray) -> Strongest:
        values = importance if self.rank_by == "alpha" else contribution
        return strongest(values, self.k, among=self.names if self.among == "named" else None)

    def _masks(self, maps: Float64[np.ndarray, "units h w"], units: Sequence[RankedUnit]) -> Mapping[str, np.ndarray]:
        by_name: dict[str, list[int]] = {}
        for unit in units:
            if unit.name is not None:
                by_name.setdefault(unit.name.concept.spoken, []).append(unit.unit)
        size = self.network.preprocessing.size
        return {name: concept_map(maps, self.thresholds, numbers, size) for name, numbers in by_name.items()}


def _shown(view: Image.Image) -> Image.Image:
    view.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    return view


def _score(network: Network, logits: torch.Tensor, index: int) -> Score:
    probability = float(network.head.probabilities(logits)[index])
    return Score(network.classes[index], index, probability, float(logits[index]))
