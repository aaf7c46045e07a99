"""A network whose units have names, and what is asked of it: how much a class leans on a concept."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from db.arguments import reading
from db.errors import ConceptNotFoundError
from db.records import require_built
from dissection.networks.forward import require_classes
from neuronexplain.class_arguments import class_of
from neuronexplain.classes import normal
from neuronexplain.evaluation.ground_truth.labelled_concepts import concept_key
from neuronexplain.run_networks import network_and_run
from neuronexplain.vocabulary import DEFAULT_RULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jaxtyping import Float64

    from db.arguments import StoreLike
    from db.records import Run, RunLike
    from dissection.concepts.dataset import ConceptDataset
    from dissection.networks.network import Network
    from dissection.vocabulary import Concept, Dissection, UnitNoun
    from neuronexplain.arguments import NetworkLike
    from neuronexplain.class_arguments import ClassLike
    from neuronexplain.vocabulary import Rules

_SUGGESTIONS = 5


@dataclass(frozen=True, slots=True)
class Leaning:
    """A class and a concept, of which it is asked how much the class leans on the concept.

    Attributes:
        target: index of the class.
        label: its label.
        concept: the concept.
        units: the units named after the concept, ascending; there may be none.
        is_proven: whether their names are proven; in a run without evidence no name is.
        noun: what readers call a unit.
    """

    target: int
    label: str
    concept: Concept
    units: tuple[int, ...]
    is_proven: bool = True
    noun: UnitNoun = "neuron"

    @property
    def key(self) -> str:
        """Identifies the concept across datasets, whose label numbers differ."""
        return concept_key(self.concept)


@dataclass(frozen=True, slots=True, eq=False)
class NamedNetwork:
    """A network, and a run that names its units.

    Attributes:
        network: the network.
        run: the run.
        dissection: what the run says of each unit.
        rules: when a unit has a name, and when the name is proven.
    """

    network: Network
    run: Run
    dissection: Dissection
    rules: Rules

    @classmethod
    def from_store(
        cls, network: NetworkLike, store: StoreLike, *, run: RunLike | None = None, rules: Rules = DEFAULT_RULES
    ) -> NamedNetwork:
        """A network with the names of a stored run, by default of the network's newest.

        Raises:
            NetworkError: if the network cannot be opened, or has no classes.
            RunNotFoundError: if no run is of a network with these weights.
            StoreError: if the run was imported, and has no thresholds.
        """
        with reading(store) as names:
            opened, chosen = network_and_run(network, names, run)
            require_built(chosen, "thresholds")
            require_classes(opened)
            return cls(opened, chosen, names.dissection(chosen), rules)

    @property
    def thresholds(self) -> Float64[np.ndarray, " units"]:
        """``T_k`` of each unit."""
        return np.array([unit.threshold for unit in self.dissection.units])

    def leaning(self, target: ClassLike, concept: str, masks: ConceptDataset | None = None) -> Leaning:
        """What is asked, with the units that are named after the concept: by a proven name, where any is.

        Args:
            target: the class, by label, synonym or index.
            concept: the concept, as :func:`concept_called` reads it.
            masks: concept data whose concepts may be asked about besides those of the run.

        Raises:
            ClassNotFoundError: if the network has no such class.
            ConceptNotFoundError: if neither the run nor the masks know the concept, or it is ambiguous.
        """
        index = class_of(target, self.network.classes, "class")
        of_run = (support.concept for support in self.dissection.concepts)
        asked = concept_called(concept, [*of_run, *(masks.concepts.values() if masks is not None else ())])
        units, rules = self.dissection.units, self.rules
        has_evidence = any(unit.evidence is not None for unit in units)
        named = [
            unit
            for unit in units
            if (name := unit.name(rules.min_iou)) is not None and concept_key(name.concept) == concept_key(asked)
        ]
        counted = [unit.number for unit in named if not has_evidence or unit.is_proven(rules.min_iou, rules.max_q)]
        return Leaning(index, self.network.classes[index], asked, tuple(counted), has_evidence, self.run.layer.noun)


def concept_called(typed: str, concepts: Iterable[Concept]) -> Concept:
    """The concept that a person means, by its name, or by category and name: ``object/hair``.

    Args:
        typed: what they typed; case, underscores and hyphens do not matter.
        concepts: those that are known; the same in several datasets counts once.

    Raises:
        ConceptNotFoundError: if no concept is called so (similar ones are suggested), or several are.
    """
    known: dict[str, Concept] = {}
    for concept in concepts:
        known.setdefault(concept_key(concept), concept)
    query = normal(typed)
    matches = [
        key for key, concept in known.items() if query in {normal(key), normal(concept.name), normal(concept.spoken)}
    ]
    if not matches:
        names = {normal(concept.spoken): concept.spoken for concept in known.values()}
        near = [names[name] for name in get_close_matches(query, names, _SUGGESTIONS)]
        near = near or sorted(names.values())[:_SUGGESTIONS]
        raise ConceptNotFoundError(
            f"neither the names nor the masks know a concept {typed!r}; choose one of their {len(names)}, such as "
            f"{', '.join(near)}"
        )
    if len(matches) > 1:
        raise ConceptNotFoundError(
            f"{typed!r} is the name of several concepts: {', '.join(matches)}; give one of these"
        )
    return known[matches[0]]
