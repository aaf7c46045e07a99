"""What a store keeps besides a dissection: the run it belongs to, and which units matter for which class."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from .errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import numpy as np
    from jaxtyping import Float64

    from dissection.vocabulary import Dissection, Layer, Precision

SCHEMA = 2
"""Version of the tables; part of every run's key."""

IMPORTED = "imported: "
"""Prefix of a key's network and concepts if another tool made the names; no fingerprint of ours has it."""

SHARED = "shared"
"""Entry in the source of a run that came from another store: such a source must not decide which code is run."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """Everything that a run's results depend on; two runs with equal keys are the same run.

    Attributes:
        network: fingerprint of the network's architecture, layer and weights.
        layer: name of the dissected layer.
        concepts: fingerprint of the concept dataset.
        preprocessing: how a photograph becomes the network's input, as canonical text.
        precision: the arithmetic in which the network ran.
        quantile: share of activations above each threshold.
        min_images: images that a concept must be on to become a name.
        upsampling: how a unit's map is resized to the label map's resolution.
        evidence: fingerprint of the images that class importances were gathered over.
        schema: version of the tables.
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

    @property
    def imported(self) -> bool:
        """Whether another tool made the names: they have no thresholds (infinite ones stand for them)."""
        return self.network.startswith(IMPORTED)

    @property
    def digest(self) -> str:
        """The key as one sha256, in hexadecimal."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


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
        concepts: name of the concept dataset, for people.
        images: number of images dissected over.
        pixels: number of label-map pixels dissected over.
        constant_alphas: whether alphas are the same for every image (pooling and one linear layer follow the layer).
        evidence: the images that class importances were gathered over, for people.
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


@dataclass(frozen=True, slots=True, eq=False)
class ClassImportance:
    """How much each unit matters for one class, on average over that class's images.

    Attributes:
        index: the class.
        label: its label.
        images: number of images behind the means.
        alphas: mean of Eq. 1 by unit.
        contributions: mean of ``alpha_k * mean(A^k)`` by unit.
    """

    index: int
    label: str
    images: int
    alphas: Float64[np.ndarray, " units"]
    contributions: Float64[np.ndarray, " units"]


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


@dataclass(frozen=True, slots=True, eq=False)
class WholeRun:
    """A run with everything that belongs to it.

    Attributes:
        run: the run.
        dissection: its dissection.
        importances: the importances for classes, ascending by class.
        pictures: JPEGs of images that are exemplars, by the image's index.
        origin: where it was read, for messages.
    """

    run: Run
    dissection: Dissection
    importances: tuple[ClassImportance, ...] = ()
    pictures: Mapping[int, bytes] = field(default_factory=dict)
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A run of another store, and whether it is new or was already held."""

    run: Run
    is_new: bool
