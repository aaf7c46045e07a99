"""The result of a dissection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dissection.html_tables import html_table
from dissection.plain_text import visible

from .settings import MIN_IOU

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .concepts import ConceptSupport
    from .layers import Layer
    from .units import Overlap, Unit, UnitName

_ROWS = 100
"""Rows of a table that a notebook shows."""


@dataclass(frozen=True, slots=True, repr=False)
class Dissection:
    """Names for the units of one layer, and the evidence for them.

    Attributes:
        layer: the dissected layer.
        quantile: share of activations above each threshold.
        min_images: images a concept must appear in to become a name.
        images: number of images examined.
        pixels: number of label-map pixels examined.
        concepts: every concept of the dataset with its support, by label number.
        units: one entry per unit, in order.
        draws: permutations behind each unit's evidence; 0 where none was gathered.
    """

    layer: Layer
    quantile: float
    min_images: int
    images: int
    pixels: int
    concepts: tuple[ConceptSupport, ...]
    units: tuple[Unit, ...]
    draws: int = 0

    def names(self, min_iou: float = MIN_IOU) -> Mapping[int, UnitName]:
        """Names by unit; a unit without a name is a missing key."""
        return {name.unit: name for name in self._names(min_iou)}

    def __repr__(self) -> str:
        layer = self.layer
        return (
            f"<Dissection of {visible(layer.name)}: {len(self.names())} of {layer.units} units named, "
            f"{self.images} images, {len(self.concepts)} concepts>"
        )

    def _repr_html_(self) -> str:
        """The named units as a table, for notebooks."""
        rows = [
            (name.unit, name.concept.spoken, name.concept.category, name.iou, _share(self.units[name.unit].best))
            for name in sorted(self.names().values(), key=lambda name: -name.iou)
        ]
        layer = self.layer
        return html_table(
            f"Layer {layer.name}: {len(rows)} of {layer.units} units have a name (IoU of at least {MIN_IOU}), over "
            f"{self.images} images with {len(self.concepts)} concepts",
            ("unit", "name", "category", "IoU", "truth"),
            rows[:_ROWS],
            f"and {len(rows) - _ROWS} more, which units_frame lists once they are stored" if len(rows) > _ROWS else "",
        )

    def _names(self, min_iou: float) -> Iterator[UnitName]:
        for unit in self.units:
            name = unit.name(min_iou)
            if name is not None:
                yield name


def _share(overlap: Overlap | None) -> str | None:
    """Of how many of the images that light a unit its concept is on; ``None`` where that was not counted."""
    truth = overlap.truth if overlap else None
    return None if truth is None else f"{truth.precision:.0%} of {truth.lit_images}"
