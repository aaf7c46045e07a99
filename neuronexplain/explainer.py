"""Explains a network's predictions once its units have names: batches of photographs in, explanations out."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import torch

from db.records import require_built
from dissection.errors import NetworkError, require_finite
from dissection.networks.reruns import Reruns
from neuronexplain.methods.gradcam import enlarge, heatmap

from .activity import Responses, concept_map
from .answer import MethodMap
from .causes import AnyHead, PooledLinearHead
from .classes import find_class
from .clauses import is_unusual, persuasive, roles
from .explanation import Explanation
from .methods import check_methods, find_method, watched
from .named_layer import NamedLayer
from .vocabulary import DEFAULT_RULES, Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from jaxtyping import Float, Float64, Int64
    from PIL import Image
    from torch import Tensor

    from db import NameStore
    from db.records import Run
    from dissection.execution.settings import Progress
    from dissection.networks.network import Network
    from dissection.vocabulary import Unit, UnitName

    from .causes import Causes, Head, Seen
    from .methods import Method
    from .named_layer import Ranking
    from .vocabulary import RankedUnit, Rules

_LONGEST_SIDE = 1024
"""Longest side, in pixels, of the photograph that an explanation keeps, so that many explanations fit into memory."""

_CLASSES = 5
"""How many of the most probable classes an explanation holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Explainer:
    """A network with names for its units and rules for the ranking; explains images in batches.

    Attributes:
        network: the network.
        units: the dissected units of its layer, in order, with the evidence for their names if that is kept.
        constant_alpha: whether the network's alphas are the same for every image.
        rules: which units are ranked, and what may be said of them.
        methods: names of other methods to explain the same target with; each adds its own passes.
        excesses: by class, each unit's mean lit contribution above that to the average class, where that is known.

    Raises:
        NetworkError: if there is no such method, or it is not defined for the network.
    """

    network: Network
    units: Sequence[Unit]
    constant_alpha: bool
    rules: Rules = DEFAULT_RULES
    methods: Sequence[str] = ()
    excesses: Mapping[int, Float64[np.ndarray, " units"]] = field(default_factory=dict)
    _layer: NamedLayer = field(init=False, repr=False)
    _head: Head = field(init=False, repr=False)

    @classmethod
    def from_store(
        cls,
        network: Network,
        store: NameStore,
        *,
        run: Run | None = None,
        rules: Rules = DEFAULT_RULES,
        methods: Sequence[str] = (),
    ) -> Explainer:
        """Make an explainer with the unit names of a stored run, by default of the network's newest.

        Raises:
            NetworkError: if there is no such method, or it is not defined for the network.
            RunNotFoundError: if the run, or every run there is, is of a network with other weights.
            StoreError: if the run was imported: it has no thresholds, which say when a neuron is lit.
        """
        if run is None:
            run = store.run_for(network.fingerprint)
        require_built(run, "thresholds")
        store.require_network(run, network.fingerprint)
        contributions = store.lit_contributions(run)
        excesses = contributions.by_unit() if contributions else {}
        return cls(network, store.dissection(run).units, run.constant_alphas, rules, methods, excesses)

    def __post_init__(self) -> None:
        check_methods(map(find_method, self.methods), self.network)
        layer = NamedLayer(self.units, self.rules)
        height, width = self.network.layer.height, self.network.layer.width
        lit_maps = torch.from_numpy(layer.lit_maps(height, width)).to(self.network.device)
        head = PooledLinearHead.of(self.network, lit_maps) if self.constant_alpha else None
        object.__setattr__(self, "_layer", layer)
        object.__setattr__(self, "_head", head or AnyHead(Reruns(self.network), lit_maps))

    @property
    def names(self) -> Mapping[int, UnitName]:
        """Names by unit."""
        return self._layer.names

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

        Raises:
            ActivationError: if a map of the layer holds a NaN or an infinity; the message names the photograph.
            NetworkError: if a score is one.
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
        seen = self._head.look(images)
        result = seen.result
        require_finite(result.finite[0].tolist(), network.layer.name, [name for name, _ in photographs])
        logits = result.scores.detach().double().cpu()
        _require_finite_scores(logits, network.name, [name for name, _ in photographs])
        predicted = logits.argmax(1)
        targets = predicted if target_class is None else torch.full_like(predicted, target_class)
        causes = seen.causes(targets)
        heat = enlarge(heatmap(causes.alphas, result.activation), preprocessing.size).float().cpu().numpy()
        responses = self._responses(causes, result.activation.detach(), targets)
        rankings = list(map(self._layer.rank, responses))
        rankings = _confirmed(seen, targets, rankings)
        losses = _losses(seen, targets, rankings)
        method_maps = [
            self._method_maps(watched(find_method(name), progress), images, targets) for name in self.methods
        ]
        for number, (name, photograph) in enumerate(photographs):
            ranking = rankings[number]
            yield Explanation(
                image=name,
                prediction=_score(network, logits[number], int(predicted[number])),
                target=_score(network, logits[number], int(targets[number])),
                top=ranking.top,
                bottom=ranking.bottom,
                rules=self._layer.rules,
                passed_over=ranking.passed_over,
                has_evidence=self._layer.has_evidence,
                loss=losses[number],
                constant_alpha=self.constant_alpha,
                photograph=_shown(preprocessing.view(photograph)),
                heatmap=heat[number],
                masks=self._masks(result.activation.detach()[number], (*ranking.top, *ranking.bottom)),
                others=tuple(maps_of_method[number] for maps_of_method in method_maps),
                classes=tuple(_score(network, logits[number], index) for index in _most_probable(logits[number])),
            )

    def _responses(
        self, causes: Causes, activation: Float[Tensor, "images units h w"], targets: Int64[Tensor, " images"]
    ) -> list[Responses]:
        """How each image's units respond, and what that does to its score."""
        peaks = activation.amax((2, 3))
        values = (causes.alphas, causes.contributions, causes.effects, causes.potentials, peaks)
        by_image = torch.stack(values, 1).double().cpu().numpy()
        return [
            Responses(
                alpha, contribution, effect, potential, peak, peak > self._layer.thresholds, self.excesses.get(target)
            )
            for (alpha, contribution, effect, potential, peak), target in zip(by_image, targets.tolist(), strict=True)
        ]

    def _method_maps(
        self, method: Method, images: Float[Tensor, "images channels H W"], targets: Tensor
    ) -> list[MethodMap]:
        attributions = method.attribution(self.network, images, targets).float().cpu().numpy()
        return [MethodMap(method, values) for values in attributions]

    def _masks(self, activation: Float[Tensor, "units h w"], units: Sequence[RankedUnit]) -> Mapping[str, np.ndarray]:
        by_name: dict[str, list[int]] = {}
        for unit in units:
            if unit.name is not None:
                by_name.setdefault(unit.name.concept.spoken, []).append(unit.unit)
        size, thresholds = self.network.preprocessing.size, self._layer.thresholds
        return {
            name: concept_map(activation[numbers].double().cpu().numpy(), thresholds[numbers], size)
            for name, numbers in by_name.items()
        }


def _confirmed(seen: Seen, targets: Int64[Tensor, " images"], rankings: Sequence[Ranking]) -> list[Ranking]:
    """Retract what the score does not bear out.

    It must rise without the units that are said to speak against the target, and when those respond that are said to
    stay silent.
    """
    rankings = [ranking.retracted(list(filter(is_unusual, ranking.ranked)), "not lit") for ranking in rankings]
    spoken = [roles(ranking.ranked) for ranking in rankings]
    against, missed = ([by_role[role] for by_role in spoken] for role in ("against", "missed"))
    losses = seen.losses(targets, list(map(_numbers, against)))
    gains = seen.gains(targets, list(map(_numbers, missed)))
    return [
        ranking.retracted(units_against, "unclear effect").retracted(units_missed, "not lit")
        for ranking, units_against, units_missed in zip(
            rankings,
            [units if loss >= 0 else [] for units, loss in zip(against, losses, strict=True)],
            [units if gain <= 0 else [] for units, gain in zip(missed, gains, strict=True)],
            strict=True,
        )
    ]


def _numbers(units: Iterable[RankedUnit]) -> list[int]:
    return [unit.unit for unit in units]


def _losses(seen: Seen, targets: Int64[Tensor, " images"], rankings: Sequence[Ranking]) -> list[float | None]:
    """What each image's score loses without the units that are said to speak for it."""
    reasons = [_numbers(persuasive(ranking.ranked)) for ranking in rankings]
    losses = seen.losses(targets, reasons)
    return [loss if units else None for loss, units in zip(losses, reasons, strict=True)]


def _require_finite_scores(logits: Float64[Tensor, "images classes"], network: str, images: Sequence[str]) -> None:
    for image, scores in zip(images, logits, strict=True):
        if not scores.isfinite().all():
            raise NetworkError(
                f"{network} gives {image} a score that is a NaN or infinite; check its weights, or give it a type of "
                "wider range than half precision"
            )


def _shown(view: Image.Image) -> Image.Image:
    view.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    return view


def _most_probable(logits: Float64[Tensor, " classes"]) -> list[int]:
    """The classes of the greatest scores, at most five."""
    order: list[int] = logits.argsort(descending=True, stable=True)[:_CLASSES].tolist()
    return order


def _score(network: Network, logits: torch.Tensor, index: int) -> Score:
    probability = float(network.head.probabilities(logits)[index])
    return Score(network.classes[index], index, probability, float(logits[index]))
