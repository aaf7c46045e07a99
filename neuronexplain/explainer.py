"""Explains a network's predictions once its units have names: batches of photographs in, explanations out."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import torch

from db.arguments import reading
from db.records import require_built
from dissection.errors import NetworkError, require_finite
from dissection.networks.forward import require_classes
from dissection.networks.language import Answering
from dissection.networks.reruns import Reruns
from neuronexplain.methods.constant_alphas import has_constant_alphas
from neuronexplain.methods.gradcam import enlarge

from .activity import Responses, concept_map
from .answer import Contrast, ExemplarPicture, MethodMap
from .arguments import as_many, named_pictures, names_of
from .bodies import is_built_with
from .causes import AnyHead, PooledLinearHead
from .class_arguments import class_of, pair_of
from .clauses import persuasive
from .confirming import confirmed, losses_of_lead, losses_without_reasons, weighed_for_lead
from .explanation import Comparison, Explanation
from .methods import check_methods, find_method, watched
from .named_layer import NamedLayer
from .run_networks import network_and_run
from .vocabulary import DEFAULT_RULES, LeftOver, Score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from jaxtyping import Float, Float64, Int64
    from PIL import Image
    from torch import Tensor

    from db import NameStore
    from db.arguments import StoreLike
    from db.records import Run, RunLike
    from dissection.execution.settings import Progress
    from dissection.networks.network import Network
    from dissection.vocabulary import Meaning, Unit, UnitName

    from .arguments import ImageLike, NamedImage, NetworkLike
    from .causes import Causes, Head, Seen
    from .class_arguments import ClassLike, ClassPair
    from .methods import Method
    from .vocabulary import RankedUnit, Rules

_LONGEST_SIDE = 1024
"""Longest side, in pixels, of the photograph that an explanation keeps, so that many explanations fit into memory."""

_EXEMPLARS = 3
"""How many of a unit's exemplars an explanation shows."""

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
        exemplars: by unit, pictures of the concept images that excite it most, strongest first, where they are kept.
        labels: which model labelled the concept data, and whether that was checked; empty if people labelled them.

    Raises:
        NetworkError: if there is no such method, or it is not defined for the network.
    """

    network: Network
    units: Sequence[Unit]
    constant_alpha: bool
    rules: Rules = DEFAULT_RULES
    methods: Sequence[str] = ()
    excesses: Mapping[int, Float64[np.ndarray, " units"]] = field(default_factory=dict)
    exemplars: Mapping[int, tuple[ExemplarPicture, ...]] = field(default_factory=dict)
    labels: str = ""
    _layer: NamedLayer = field(init=False, repr=False)
    _head: Head = field(init=False, repr=False)

    @classmethod
    def from_store(
        cls,
        network: NetworkLike,
        store: StoreLike,
        *,
        run: RunLike | None = None,
        rules: Rules = DEFAULT_RULES,
        methods: str | Iterable[str] = (),
    ) -> Explainer:
        """Make an explainer with the unit names of a stored run, by default of the network's newest.

        Args:
            network: the network; of a module, or a name, the run says what else it needs to know: the layer, the
                preprocessing and the classes.
            store: the store that holds the names, or the path or URL of its database, which is read here and closed.
            run: the run, or its number.
            rules: which units are ranked, and what may be said of them.
            methods: names of other methods to explain the same target with.

        Raises:
            NetworkError: if there is no such method, or it is not defined for the network.
            RunNotFoundError: if the run, or every run there is, is of a network with other weights.
            StoreError: if the run was imported: it has no thresholds, which say when a neuron is lit.
            TypeError: if an argument is of no kind that can be taken.
        """
        with reading(store) as names:
            opened, chosen = network_and_run(network, names, run)
            require_built(chosen, "thresholds")
            contributions = names.lit_contributions(chosen)
            units = names.dissection(chosen).units
            exemplars = _exemplars(names, chosen, units, rules)
        is_own = is_built_with(chosen, opened)  # otherwise, all that the run says of classes is of another network's
        constant_alpha = chosen.constant_alphas if is_own else _has_constant_alphas(opened)
        excesses = contributions.by_unit() if contributions and is_own else {}
        return cls(opened, units, constant_alpha, rules, names_of(methods), excesses, exemplars, chosen.labels)

    def __post_init__(self) -> None:
        if self.network.classes:  # without, there is nothing to explain yet
            check_methods(map(find_method, self.methods), self.network)
        layer = NamedLayer(self.units, self.rules)
        height, width = self.network.layer.height, self.network.layer.width
        lit_maps = torch.from_numpy(layer.lit_maps(height, width)).to(self.network.device)
        head = PooledLinearHead.of(self.network, lit_maps) if self.constant_alpha else None
        object.__setattr__(self, "_layer", layer)
        object.__setattr__(self, "_head", head or AnyHead(self.network, Reruns(self.network), lit_maps))

    @property
    def names(self) -> Mapping[int, UnitName]:
        """Names by unit."""
        return self._layer.names

    @property
    def meanings(self) -> Mapping[int, Meaning]:
        """What sentences say that units stand for, by unit: names, and formulas that describe units better."""
        return {number: description.meaning for number, description in self._layer.descriptions.items()}

    def explain(
        self,
        photographs: ImageLike | Iterable[ImageLike | NamedImage],
        *,
        target: ClassLike | None = None,
        true_class: Callable[[str], int | None] | None = None,
        batch_size: int = 16,
        progress: Progress | None = None,
    ) -> Iterator[Explanation]:
        """Explain photographs, in order and a batch at a time.

        Args:
            photographs: files, pictures, arrays or tensors, each alone or as a pair with its name.
            target: the class to explain, as label, synonym or index; by default the one predicted for each photograph.
            true_class: the index of the class that a photograph shows, by its name; ``None`` where that is not known.
                Called once for each photograph, in their order.
            batch_size: images in one forward pass.
            progress: called with the progress of methods that need many passes per batch.

        Raises:
            ActivationError: if a map of the layer holds a NaN or an infinity; the message names the photograph.
            NetworkError: if a score is a NaN or an infinity.
            PhotographError: if a file is not a photograph.
            TypeError: if an argument is of no kind that can be taken.
        """
        target_class = None if target is None else class_of(target, self.network.classes)
        for batch in self._batches(photographs, true_class, batch_size):
            targets = batch.targets(target_class)
            yield from self._explain(batch, targets, batch.seen.causes(targets), progress)

    def explain_each(
        self, photograph: NamedImage, targets: Sequence[ClassLike], *, progress: Progress | None = None
    ) -> Iterator[Explanation]:
        """Explain several classes for one photograph, which comes with its name, from the same forward pass.

        Raises:
            ClassNotFoundError: if the network has no such class.
        """
        indices = [class_of(target, self.network.classes) for target in targets]
        for batch in self._batches([photograph], None, 1):
            for index in indices:
                classes = batch.targets(index)
                yield from self._explain(batch, classes, batch.seen.causes(classes), progress)

    def compare(
        self,
        photographs: ImageLike | Iterable[ImageLike | NamedImage],
        targets: ClassPair,
        *,
        true_class: Callable[[str], int | None] | None = None,
        batch_size: int = 16,
        progress: Progress | None = None,
    ) -> Iterator[Comparison]:
        """Explain two classes for each photograph, and what speaks for one rather than the other.

        The difference of the two scores is explained as one score is, from the same forward pass. Arguments and errors
        are those of :meth:`explain`.

        Raises:
            ClassNotFoundError: if the network has no such class, or both targets are the same one.
        """
        pair = pair_of(targets, self.network.classes)
        for batch in self._batches(photographs, true_class, batch_size):
            yield from self._compare(batch, [pair] * len(batch.photographs), progress)

    def compare_each(
        self,
        photographs: Iterable[NamedImage],
        targets: Sequence[tuple[int, int]],
        *,
        true_class: Callable[[str], int | None] | None = None,
        batch_size: int = 16,
    ) -> Iterator[Comparison]:
        """Like :meth:`compare`, with two classes for each photograph, by their indices.

        Raises:
            ClassNotFoundError: if both targets of a photograph are the same class.
        """
        pairs = iter([pair_of(pair, self.network.classes) for pair in targets])
        for batch in self._batches(photographs, true_class, batch_size):
            yield from self._compare(batch, list(islice(pairs, len(batch.photographs))), None)

    def _compare(
        self, batch: _Batch, pairs: Sequence[tuple[int, int]], progress: Progress | None
    ) -> Iterator[Comparison]:
        firsts, seconds = (torch.tensor(targets) for targets in zip(*pairs, strict=True))
        sides = [(targets, batch.seen.causes(targets)) for targets in (firsts, seconds)]
        answers = zip(*(self._explain(batch, *side, progress) for side in sides), strict=True)
        contrasts = zip(self._contrasts(batch, *sides), self._contrasts(batch, *reversed(sides)), strict=True)
        yield from map(Comparison, answers, contrasts)

    def _batches(
        self,
        photographs: ImageLike | Iterable[ImageLike | NamedImage],
        true_class: Callable[[str], int | None] | None,
        size: int,
    ) -> Iterator[_Batch]:
        require_classes(self.network)
        remaining = named_pictures(as_many(photographs))
        while batch := list(islice(remaining, size)):
            yield self._look(batch, [true_class(name) if true_class else None for name, _ in batch])

    def _look(self, photographs: Sequence[tuple[str, Image.Image]], true_classes: Sequence[int | None]) -> _Batch:
        network, names = self.network, [name for name, _ in photographs]
        preprocessing = network.preprocessing
        frames = [preprocessing.tensor(preprocessing.frame(photograph)) for _, photograph in photographs]
        images = torch.stack(frames)
        seen = self._head.look(images)
        require_finite(seen.result.finite[0].tolist(), network.layer.name, names)
        logits = seen.result.scores.detach().double().cpu()
        require_finite_scores(logits, network.name, names)
        return _Batch(photographs, true_classes, images, seen, logits)

    def _explain(
        self,
        batch: _Batch,
        targets: Int64[Tensor, " images"],
        causes: Causes,
        progress: Progress | None,
    ) -> Iterator[Explanation]:
        network, activation = self.network, batch.seen.result.activation
        preprocessing = network.preprocessing
        heat = enlarge(causes.combination.relu(), preprocessing.size).float().cpu().numpy()
        excesses = [self.excesses.get(target) for target in targets.tolist()]
        rankings = list(map(self._layer.rank, self._responses(causes, activation.detach(), excesses)))
        rankings = confirmed(batch.seen, targets, rankings)
        losses = losses_without_reasons(batch.seen, targets, rankings)
        method_maps = [
            self._method_maps(watched(find_method(name), progress), batch.images, targets) for name in self.methods
        ]
        left_over = None if causes.left_over is None else causes.left_over.tolist()
        for number, (name, photograph) in enumerate(batch.photographs):
            ranking, logits = rankings[number], batch.logits[number]
            truth = batch.true_classes[number]
            yield Explanation(
                image=name,
                prediction=_score(network, logits, int(logits.argmax())),
                target=_score(network, logits, int(targets[number])),
                top=ranking.top,
                bottom=ranking.bottom,
                rules=self._layer.rules,
                passed_over=ranking.passed_over,
                has_evidence=self._layer.has_evidence,
                labels=self.labels,
                loss=losses[number],
                constant_alpha=self.constant_alpha,
                photograph=_shown(preprocessing.view(photograph)),
                heatmap=heat[number],
                masks=self._masks(activation.detach()[number], ranking.ranked),
                others=tuple(maps_of_method[number] for maps_of_method in method_maps),
                classes=tuple(_score(network, logits, index) for index in _most_probable(logits)),
                true_class=None if truth is None else _score(network, logits, truth),
                question=network.prompt if isinstance(network.language, Answering) else "",
                exemplars={
                    unit.unit: self.exemplars[unit.unit]
                    for unit in (*ranking.ranked, *ranking.passed_over)
                    if unit.unit in self.exemplars
                },
                noun=network.layer.noun,
                left_over=None if left_over is None else LeftOver(*left_over[number]),
            )

    def _contrasts(
        self,
        batch: _Batch,
        rather: tuple[Int64[Tensor, " images"], Causes],
        than: tuple[Int64[Tensor, " images"], Causes],
    ) -> Iterator[Contrast]:
        """What speaks for one target of each image rather than another."""
        network, (targets, causes), (others, causes_of_others) = self.network, rather, than
        difference = causes.less(causes_of_others)
        excesses = [
            None if excess is None or excess_of_other is None else excess - excess_of_other
            for excess, excess_of_other in zip(
                map(self.excesses.get, targets.tolist()), map(self.excesses.get, others.tolist()), strict=True
            )
        ]
        activation = batch.seen.result.activation.detach()
        responses = self._responses(difference, activation, excesses)
        rankings = [self._layer.rank(response) for response in responses]
        rankings = weighed_for_lead(batch.seen, targets, others, rankings)
        losses = losses_of_lead(batch.seen, targets, others, rankings)
        for number, (logits, ranking, target, other) in enumerate(
            zip(batch.logits, rankings, targets.tolist(), others.tolist(), strict=True)
        ):
            loss, gain = losses[number] or (None, None)
            yield Contrast(
                rather=_score(network, logits, target),
                than=_score(network, logits, other),
                top=ranking.top,
                bottom=ranking.bottom,
                rules=self._layer.rules,
                loss=loss,
                gain=gain,
                passed_over=ranking.passed_over,
                responding=self._layer.responding(responses[number]),
                masks=self._masks(activation[number], persuasive(ranking.ranked)),
                noun=network.layer.noun,
            )

    def _responses(
        self,
        causes: Causes,
        activation: Float[Tensor, "images units h w"],
        excesses: Sequence[Float64[np.ndarray, " units"] | None],
    ) -> list[Responses]:
        """How each image's units respond, and what that does to its score."""
        peaks = activation.amax((2, 3))
        values = (causes.alphas, causes.contributions, causes.effects, causes.potentials, peaks)
        by_image = torch.stack(values, 1).double().cpu().numpy()
        return [
            Responses(alpha, contribution, effect, potential, peak, peak > self._layer.thresholds, excess)
            for (alpha, contribution, effect, potential, peak), excess in zip(by_image, excesses, strict=True)
        ]

    def _method_maps(
        self, method: Method, images: Float[Tensor, "images channels H W"], targets: Tensor
    ) -> list[MethodMap]:
        attributions = method.attribution(self.network, images, targets).float().cpu().numpy()
        return [MethodMap(method, values) for values in attributions]

    def _masks(self, activation: Float[Tensor, "units h w"], units: Sequence[RankedUnit]) -> Mapping[str, np.ndarray]:
        by_name: dict[str, list[int]] = {}
        for unit in units:
            if unit.meaning is not None:
                by_name.setdefault(unit.meaning.spoken, []).append(unit.unit)
        size, thresholds = self.network.preprocessing.size, self._layer.thresholds
        return {
            name: concept_map(activation[numbers].double().cpu().numpy(), thresholds[numbers], size)
            for name, numbers in by_name.items()
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Photographs that the network has looked at."""

    photographs: Sequence[tuple[str, Image.Image]]
    true_classes: Sequence[int | None]
    images: Float[Tensor, "images channels H W"]
    seen: Seen
    logits: Float64[Tensor, "images classes"]

    def targets(self, target: int | None) -> Int64[Tensor, " images"]:
        """One class for each image: this one, or the one that is predicted."""
        predicted = self.logits.argmax(1)
        return predicted if target is None else torch.full_like(predicted, target)


def _has_constant_alphas(network: Network) -> bool:
    """Whether alphas are the same for every image, of a classifier that does not come with a run of its own."""
    return bool(network.classes) and network.language is None and has_constant_alphas(network)


def _exemplars(
    store: NameStore, run: Run, units: Sequence[Unit], rules: Rules
) -> Mapping[int, tuple[ExemplarPicture, ...]]:
    """Pictures of the exemplars of those units that may be ranked."""
    shown = {
        unit.number: unit.exemplars[:_EXEMPLARS]
        for unit in units
        if rules.among == "all" or unit.description(rules.min_iou, rules.max_q) is not None
    }
    jpegs = store.pictures(run, (exemplar.index for of_unit in shown.values() for exemplar in of_unit))
    return {
        unit: tuple(
            ExemplarPicture.of(exemplar, jpegs[exemplar.index], run.layer)
            for exemplar in of_unit
            if exemplar.index in jpegs
        )
        for unit, of_unit in shown.items()
    }


def require_finite_scores(logits: Float64[Tensor, "images classes"], network: str, images: Sequence[str]) -> None:
    """Check that the network gives no image a score that is a NaN or an infinity.

    Raises:
        NetworkError: if it does; the message names the first such image.
    """
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
