"""Pictures inside the page: JPEG data URIs, no larger than they are shown."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from neuronexplain.pictures.overlay import concept_picture, method_picture, overlay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuronexplain.explanation import Explanation, MethodMap
    from neuronexplain.vocabulary import RankedUnit

PHOTOGRAPH_SIDE = 448
CONCEPT_SIDE = 288
THUMBNAIL_SIDE = 128
QUALITY = 85


@dataclass(frozen=True, slots=True)
class ConceptMap:
    """Where the neurons of one name light up in a photograph.

    Attributes:
        concept: the name.
        persuasive: the neurons of that name that speak for the target.
        inhibitive: the neurons of that name that speak against it.
        lit: whether any of them is lit in the photograph.
        uri: the picture.
    """

    concept: str
    persuasive: tuple[int, ...]
    inhibitive: tuple[int, ...]
    lit: bool
    uri: str


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


def overlay_uri(explanation: Explanation) -> str:
    """The heat map over the photograph."""
    return picture_uri(overlay(shrunk(explanation.photograph, PHOTOGRAPH_SIDE), explanation.heatmap))


def method_uri(method_map: MethodMap, photograph: Image.Image) -> str:
    """Another method's map over the photograph."""
    return picture_uri(method_picture(shrunk(photograph, PHOTOGRAPH_SIDE), method_map))


def thumbnail_uri(explanation: Explanation) -> str:
    """The photograph, small."""
    return picture_uri(explanation.photograph, THUMBNAIL_SIDE)


def concept_maps(explanation: Explanation) -> Iterator[ConceptMap]:
    """One map for each name among the top and bottom units, in their order."""
    photograph = shrunk(explanation.photograph, CONCEPT_SIDE)
    ranked = explanation.top + explanation.bottom
    for concept in dict.fromkeys(unit.name.concept.spoken for unit in ranked if unit.name):
        if concept in explanation.masks:
            yield ConceptMap(
                concept,
                persuasive=tuple(unit.unit for unit in _named(concept, explanation.top)),
                inhibitive=tuple(unit.unit for unit in _named(concept, explanation.bottom)),
                lit=any(unit.lit for unit in _named(concept, ranked)),
                uri=picture_uri(concept_picture(photograph, explanation.masks[concept])),
            )


def _named(concept: str, units: tuple[RankedUnit, ...]) -> Iterator[RankedUnit]:
    return (unit for unit in units if unit.name and unit.name.concept.spoken == concept)
