"""Small pictures of the images that excite a unit most, with a ring where they do."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from PIL import ImageDraw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

    from dissection.concepts.dataset import ConceptDataset
    from dissection.vocabulary import Dissection, Exemplar, Layer

_SIDE = 96
_QUALITY = 80
_RING = 12


def thumbnails(dissection: Dissection, concepts: ConceptDataset) -> Mapping[tuple[int, int], bytes]:
    """A JPEG for every exemplar, by unit and rank. Each photograph is read once."""
    by_image: dict[int, list[tuple[int, int, Exemplar]]] = {}
    for unit in dissection.units:
        for rank, exemplar in enumerate(unit.exemplars):
            by_image.setdefault(exemplar.index, []).append((unit.number, rank, exemplar))
    pictures = {}
    for index, places in sorted(by_image.items()):
        small = concepts.photograph(index)
        small.thumbnail((_SIDE, _SIDE))
        for unit_number, rank, exemplar in places:
            pictures[unit_number, rank] = _jpeg(_ringed(small, exemplar, dissection.layer))
    return pictures


def _ringed(small: Image.Image, exemplar: Exemplar, layer: Layer) -> Image.Image:
    picture = small.copy()
    x = (exemplar.column + 0.5) / layer.width * picture.width
    y = (exemplar.row + 0.5) / layer.height * picture.height
    draw = ImageDraw.Draw(picture)
    for radius, colour in ((_RING + 1, "black"), (_RING, "white")):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour)
    return picture


def _jpeg(picture: Image.Image) -> bytes:
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()
