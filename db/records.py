"""What a store keeps beside a dissection: the run it belongs to, and which units matter for which class."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import numpy as np
    from jaxtyping import Float64

    from dissection.precision import Precision
    from dissection.vocabulary import Layer

SCHEMA = 2
"""Version of the tables; part of every run's key."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """Everything a run's answer depends on; two runs with equal keys are the same run.

    Attributes:
        network: fingerprint of the network's architecture, layer and weights.
        layer: name of the dissected layer.
        concepts: fingerprint of the concept dataset.
        preprocessing: how a photograph becomes the network's input, as canonical text.
        precision: the arithmetic that the network ran in.
        quantile: share of activations above each threshold.
        min_images: support a concept needs to become a name.
        upsampling: how a unit's map is brought to the label map's resolution.
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
    def digest(self) -> str:
        """The key as one sha256, in hexadecimal."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Run:
    """One dissection kept in a store.

    Attributes:
        id: number in its store; 0 before it is published.
        key: what its answer depends on.
        created: when it was published (UTC).
        network: name of the architecture, for people.
        source: where the network comes from, enough to make it again (plain JSON values).
        classes: the network's labels by index.
        layer: the dissected layer.
        concepts: name of the concept dataset, for people.
        images: number of images dissected over.
        pixels: number of label-map pixels dissected over.
        constant_alphas: whether alphas are the same for every image (pooling and one linear layer follow the layer).
        evidence: what class importances were gathered over, for people.
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
