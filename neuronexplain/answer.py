"""The answer to "why did the network predict this?", as immutable values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .sentence import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from jaxtyping import Float32
    from PIL import Image

    from .methods import Method
    from .vocabulary import RankedUnit, Rules, Score


@dataclass(frozen=True, slots=True, eq=False)
class MethodMap:
    """Another method's map for the same target.

    Attributes:
        method: the method.
        values: its map at the network's input size; for a method of kind ``pixels``, one for each colour.
    """

    method: Method
    values: Float32[np.ndarray, "layers h w"]


@dataclass(frozen=True, slots=True)
class ExemplarPicture:
    """A small picture of one of the concept images that excite a unit most.

    Attributes:
        image: the image's name in the concept data.
        strength: the unit's greatest activation on it, divided by the unit's threshold.
        jpeg: the picture, as a JPEG file.
        x: the most active place, as a share of the picture's width from the left.
        y: the same from the top.
    """

    image: str
    strength: float
    jpeg: bytes
    x: float
    y: float


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One image, one target, and the units that speak most for and against it.

    Attributes:
        image: where the photograph came from.
        prediction: the class the network finds most probable.
        target: the class that is explained.
        top: the units that speak most for the target (*persuasive*), strongest first.
        bottom: the units that speak most against it (*inhibitive*), strongest first.
        rules: which units were ranked, and what may be said of them.
        passed_over: units that would have been in ``top`` or ``bottom`` had all units been ranked.
        has_evidence: whether evidence is kept for the names: how likely they are by chance, and how often true.
        loss: what the target's score loses where the maps of the units that are said to speak for it are set to 0;
            ``None`` where none is.
        constant_alpha: whether alphas are the same for every image.
        photograph: the part of the photograph that the network saw, at the photograph's resolution, reduced if its
            longest side is over 1,024 pixels.
        heatmap: Eq. 2, upsampled to the network's input size; not normalised, nowhere negative.
        masks: for each spoken concept in ``top`` and ``bottom``, how strongly its units respond at each pixel: the
            strongest of their maps, each divided by its threshold, at the network's input size. A unit is lit
            above 1.
        others: other methods' maps for the target, in the order requested.
        classes: the classes the network finds most probable, at most five, the most probable first.
        true_class: the class that the photograph is known to show; ``None`` where that is not known.
        exemplars: of the units above, pictures of the concept images that excite them most, strongest first.
    """

    image: str
    prediction: Score
    target: Score
    top: tuple[RankedUnit, ...]
    bottom: tuple[RankedUnit, ...]
    rules: Rules
    passed_over: tuple[RankedUnit, ...]
    has_evidence: bool
    loss: float | None
    constant_alpha: bool
    photograph: Image.Image
    heatmap: Float32[np.ndarray, "h w"]
    masks: Mapping[str, Float32[np.ndarray, "h w"]]
    others: tuple[MethodMap, ...] = ()
    classes: tuple[Score, ...] = ()
    true_class: Score | None = None
    exemplars: Mapping[int, tuple[ExemplarPicture, ...]] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The answer in plain English."""
        return say(self)
