"""Pictures inside the page: JPEG data URIs, no larger than they are shown."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from neuronexplain.pictures.overlay import concept_picture, method_picture, overlay
from neuronexplain.pictures.regions import region_path
from neuronexplain.pictures.thumbnails import ringed_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuronexplain.answer import Answer, ExemplarPicture, MethodMap
    from neuronexplain.caption import CaptionAnswer
    from neuronexplain.vocabulary import RankedUnit

PHOTOGRAPH_SIDE = 448
CONCEPT_SIDE = 288
THUMBNAIL_SIDE = 128
QUALITY = 85


@dataclass(frozen=True, slots=True)
class ConceptMap:
    """Where the neurons of one name light up in a photograph.

    Attributes:
        concept: the name, or the formula that stands in for it.
        persuasive: the neurons of that name that speak for the target.
        inhibitive: the neurons of that name that speak against it.
        responds: whether any of the neurons is lit: somewhere on its map it exceeds its threshold.
        number: its place among the names that have lit pixels, by which its words and pixels know each other; ``None``
            where there are none. A neuron may be lit at one cell by so little that no pixel between the centres of the
            cells is.
        uri: the picture; empty if there is nothing to see.
        path: outline of the lit pixels, in units of :attr:`side`.
        side: width and height of the map.
    """

    concept: str
    persuasive: tuple[int, ...]
    inhibitive: tuple[int, ...]
    responds: bool
    number: int | None
    uri: str
    path: str
    side: tuple[int, int]

    @property
    def is_shown(self) -> bool:
        """Whether it has lit pixels in the photograph."""
        return self.number is not None


def data_uri(jpeg: bytes) -> str:
    """A JPEG file as a data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def picture_uri(image: Image.Image, side: int = PHOTOGRAPH_SIDE) -> str:
    """A picture as a data URI, its longest side at most ``side`` pixels."""
    return data_uri(jpeg(shrunk(image, side)))


def jpeg(image: Image.Image) -> bytes:
    """A picture as a JPEG file."""
    encoded = BytesIO()
    image.save(encoded, "JPEG", quality=QUALITY, optimize=True)
    return encoded.getvalue()


def shrunk(image: Image.Image, side: int) -> Image.Image:
    """A copy in RGB whose longest side is at most ``side`` pixels."""
    small = image.convert("RGB") if image.mode != "RGB" else image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def overlay_uri(explanation: Answer | CaptionAnswer) -> str:
    """The heat map over the photograph."""
    return picture_uri(overlay(shrunk(explanation.photograph, PHOTOGRAPH_SIDE), explanation.heatmap))


def method_uri(method_map: MethodMap, photograph: Image.Image) -> str:
    """Another method's map over the photograph."""
    return picture_uri(method_picture(shrunk(photograph, PHOTOGRAPH_SIDE), method_map))


def thumbnail_uri(explanation: Answer | CaptionAnswer) -> str:
    """The photograph, small."""
    return picture_uri(explanation.photograph, THUMBNAIL_SIDE)


def exemplar_uri(exemplar: ExemplarPicture) -> str:
    """An exemplar's picture, with a ring around its most active place."""
    return data_uri(ringed_at(exemplar.jpeg, exemplar.x, exemplar.y))


def concept_maps(explanation: Answer) -> list[ConceptMap]:
    """One map for each name among the top and bottom units, in their order."""
    photograph = shrunk(explanation.photograph, CONCEPT_SIDE)
    ranked = explanation.top + explanation.bottom
    maps: list[ConceptMap] = []
    for concept in dict.fromkeys(unit.meaning.spoken for unit in ranked if unit.meaning):
        if concept not in explanation.masks:
            continue
        mask = explanation.masks[concept]
        responds = any(unit.lit for unit in _named(concept, ranked))
        is_shown = responds and bool((mask > 1).any())
        maps.append(
            ConceptMap(
                concept,
                persuasive=tuple(unit.unit for unit in _named(concept, explanation.top)),
                inhibitive=tuple(unit.unit for unit in _named(concept, explanation.bottom)),
                responds=responds,
                number=sum(earlier.is_shown for earlier in maps) if is_shown else None,
                uri=picture_uri(concept_picture(photograph, mask)) if is_shown else "",
                path=region_path(mask) if is_shown else "",
                side=(mask.shape[1], mask.shape[0]),
            )
        )
    return maps


def _named(concept: str, units: tuple[RankedUnit, ...]) -> Iterator[RankedUnit]:
    return (unit for unit in units if unit.meaning and unit.meaning.spoken == concept)
