"""What a store keeps besides a dissection: the run it belongs to, and which units matter for which class."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

from .errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import numpy as np
    from jaxtyping import Float64

    from dissection.vocabulary import Dissection, Layer, Precision

SCHEMA = 6
"""Version of the tables; part of every run's key."""

OLDEST_SCHEMA = 2
"""Version of the oldest tables and runs that are read: those without evidence, licences and checksums."""

NEWEST_DIGESTED = 3
"""The schema that digests of newer keys name: those only add to a run of schema 3, and no answer depends on that."""

FORMULAS_SPOKEN = 6
"""The schema since which runs keep what sentences need of formulas: digests of newer keys with formulas name it."""

KEY_OF_EVIDENCE = ("draws", "control")
"""The fields of `RunKey` that runs have since schema 3."""

KEY_OF_FORMULAS = "length"
"""The field of `RunKey` that only runs have in which formulas of several concepts were searched for."""

IMPORTED = "imported: "
"""Prefix of a key's network and concepts if another tool made the names; no fingerprint of ours has it."""

STATISTICS = ("alpha_squares", "contribution_squares", "lits", "lit_squares")
"""The fields of `ClassImportance` that need not be there: all of them are, or none."""

_ASKED = ", asked “"
_LABELS = re.compile(r".* \((labels (?:by|of) .*)\)", re.DOTALL)
CONCEPT_IMAGES = "the concept images that the network assigns to the class"
"""A key's evidence if importances were gathered over the concept images, each of which counts for one class."""

SHARED = "shared"
"""Entry in the source of a run that came from another store."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """Everything that a run's results depend on; two runs with equal digests are the same run.

    Attributes:
        network: fingerprint of the network's architecture, layer and weights; of its body if it has no classes.
        layer: name of the dissected layer.
        concepts: fingerprint of the concept dataset.
        preprocessing: how a photograph becomes the network's input, as canonical text.
        precision: the arithmetic in which the network ran.
        quantile: share of activations above each threshold.
        min_images: images that a concept must be on to become a name.
        upsampling: how a unit's map is resized to the label map's resolution.
        evidence: fingerprint of the images that class importances were gathered over.
        schema: version of the tables that the run was made for; older runs keep theirs.
        draws: permutations behind the evidence for names; 0 where none was gathered.
        control: whether the evidence includes a control.
        length: concepts of the longest formula that was searched for; 1 where none was.
    """

    network: str
    layer: str
    concepts: str
    preprocessing: str
    precision: Precision
    quantile: float
    min_images: int
    upsampling: str
    evidence: str
    schema: int = SCHEMA
    draws: int = 0
    control: bool = False
    length: int = 1

    @property
    def imported(self) -> bool:
        """Whether another tool made the names: they have no thresholds (infinite ones stand for them)."""
        return self.network.startswith(IMPORTED)

    @property
    def keeps_evidence(self) -> bool:
        """Whether a store keeps evidence, a licence and a checksum with the run: since schema 3."""
        return self.schema > OLDEST_SCHEMA

    @property
    def keeps_exemplar_concepts(self) -> bool:
        """Whether a store keeps what exemplars show: since schema 4."""
        return self.schema >= 4

    @property
    def keeps_body(self) -> bool:
        """Whether a store keeps what the names depend on of a network: since schema 5."""
        return self.schema >= 5

    @property
    def keeps_formulas(self) -> bool:
        """Whether a store keeps formulas of several concepts with the run: since schema 5."""
        return self.schema >= 5

    @property
    def keeps_formula_responses(self) -> bool:
        """Whether a store keeps how truth depends on the response, and lit maps, of formulas: since schema 6."""
        return self.schema >= FORMULAS_SPOKEN

    @property
    def parts(self) -> dict[str, Any]:
        """The fields by name; schema 2 knows no evidence, and a run without formulas no length."""
        lacking = () if self.keeps_evidence else KEY_OF_EVIDENCE
        if self.length == 1:
            lacking = (*lacking, KEY_OF_FORMULAS)
        return {name: value for name, value in asdict(self).items() if name not in lacking}

    @property
    def digest(self) -> str:
        """The key as one sha256, in hexadecimal: of its parts as JSON, with the newest schema that answers depend on.

        That is at most `NEWEST_DIGESTED`, or `FORMULAS_SPOKEN` with formulas.
        """
        has_spoken = self.length > 1 and self.keeps_formula_responses
        digested = self.parts | {"schema": FORMULAS_SPOKEN if has_spoken else min(self.schema, NEWEST_DIGESTED)}
        return hashlib.sha256(json.dumps(digested, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Run:
    """One dissection kept in a store.

    Attributes:
        id: number in its store; 0 before it is published.
        key: everything that its results depend on.
        created: when it was published (UTC).
        network: name of the architecture, for people.
        source: where the network comes from, enough to rebuild it (plain JSON values).
        classes: the network's labels by index.
        layer: the dissected layer.
        concepts: name of the concept dataset, for people, and what is to be said of labels that a model made.
        images: number of images dissected over.
        pixels: number of label-map pixels dissected over.
        constant_alphas: whether alphas are the same for every image (pooling and one linear layer follow the layer).
        evidence: the images that class importances were gathered over, for people.
        licence: what the concept dataset says of its licence; empty if nothing.
        control: how many units of the same network with shuffled weights have a name; ``None`` if there is no control.
        body: fingerprint of what the layer's map is computed from; empty before schema 5, and if another tool made it.
    """

    id: int
    key: RunKey
    created: datetime
    network: str
    source: Mapping[str, object]
    classes: tuple[str, ...]
    layer: Layer
    concepts: str
    images: int
    pixels: int
    constant_alphas: bool
    evidence: str
    licence: str = ""
    control: int | None = None
    body: str = ""

    @property
    def known_by(self) -> frozenset[str]:
        """The fingerprints of networks whose units it names: of the one it was built with, and of that one's body."""
        return frozenset(filter(None, (self.key.network, self.body)))

    @property
    def draws(self) -> int:
        """Permutations behind the evidence for names; 0 where none was gathered."""
        return self.key.draws

    @property
    def labels(self) -> str:
        """Which model labelled the concept data, and whether that was checked; empty if people labelled them."""
        match = _LABELS.fullmatch(self.concepts)
        return match[1] if match else ""

    @property
    def is_of_prompt(self) -> bool:
        """Whether its classes are answers to a question, or words of a caption, as :func:`evidence_of` says."""
        return _ASKED in self.evidence


def evidence_of(images: str, prompt: str) -> str:
    """What importances were gathered over, for people: images, and what the network was asked of them, if anything."""
    return f"{images}{_ASKED}{prompt}”" if prompt else images


RunLike: TypeAlias = Run | SupportsIndex
"""A run, or its number in its store."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassImportance:
    """How much each unit matters for one class, on average over that class's images.

    Attributes:
        index: the class.
        label: its label.
        images: number of images behind the means.
        alphas: mean of Eq. 1 by unit.
        contributions: mean of ``alpha_k * mean(A^k)`` by unit.
        alpha_squares: mean of the squares of alpha by unit. This and all that follow may be ``None`` together.
        contribution_squares: mean of the squares of the contribution by unit.
        lits: mean of the lit contribution ``alpha_k * mean(A^k [A^k > T_k])`` by unit.
        lit_squares: mean of the squares of the lit contribution by unit.
    """

    index: int
    label: str
    images: int
    alphas: Float64[np.ndarray, " units"]
    contributions: Float64[np.ndarray, " units"]
    alpha_squares: Float64[np.ndarray, " units"] | None = None
    contribution_squares: Float64[np.ndarray, " units"] | None = None
    lits: Float64[np.ndarray, " units"] | None = None
    lit_squares: Float64[np.ndarray, " units"] | None = None

    @property
    def means(self) -> tuple[Float64[np.ndarray, " units"], ...]:
        """Alphas and contributions."""
        return self.alphas, self.contributions

    @property
    def statistics(self) -> tuple[Float64[np.ndarray, " units"], ...]:
        """The arrays that need not be there, in their order; empty where they were not gathered."""
        arrays = (getattr(self, name) for name in STATISTICS)
        return tuple(array for array in arrays if array is not None)


def require_built(run: Run, part: str) -> None:
    """Check that a run was built here and so has thresholds and importances.

    Raises:
        StoreError: if it was imported; the message says that it lacks ``part``.
    """
    if run.key.imported:
        raise StoreError(
            f"run {run.id} was imported from a NetDissect result, which has names and counts but no {part}: "
            "`neuronexplain units` lists them; `neuronexplain build` makes a run that has everything"
        )


def require_classes(run: Run) -> None:
    """Check that a run's network has classes.

    Raises:
        StoreError: if it has none.
    """
    if not run.classes:
        raise StoreError(
            f"run {run.id} is of {run.network} without classes: nothing is known of what matters for them; of a "
            "network that answers questions, build a run with --question"
        )


def require_evidence(run: Run) -> None:
    """Check that evidence for names was gathered.

    Raises:
        StoreError: if not, so that no name can be proven.
    """
    if not run.draws:
        raise StoreError(
            f"run {run.id} keeps no evidence for names, so none is proven: build it again with draws (--draws 199)"
        )


def require_formulas(run: Run) -> None:
    """Check that formulas of several concepts were searched for.

    Raises:
        StoreError: if not.
    """
    if run.key.length == 1:
        raise StoreError(f"no names of several concepts were searched for in run {run.id}: build it with --length 3")


@dataclass(frozen=True, slots=True, eq=False)
class WholeRun:
    """A run with everything that belongs to it.

    Attributes:
        run: the run.
        dissection: its dissection.
        importances: the importances for classes, ascending by class.
        pictures: JPEGs of images that are exemplars, by the image's index.
        origin: where it was read, for messages.
        checksum: what a file that it was read from says its checksum is, see `run_checksum`.
    """

    run: Run
    dissection: Dissection
    importances: tuple[ClassImportance, ...] = ()
    pictures: Mapping[int, bytes] = field(default_factory=dict)
    origin: str = ""
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class Adopted:
    """A run of another store, and whether it is new or was already held."""

    run: Run
    is_new: bool
