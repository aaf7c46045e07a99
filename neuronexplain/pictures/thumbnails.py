"""Small pictures of the images that excite units most, with a ring around the most active place."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from dissection.execution.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dissection.concepts.dataset import ConceptDataset
    from dissection.vocabulary import Dissection, Exemplar, Layer

_SIDE = 96
_QUALITY = 80
_RING = 12


def exemplar_pictures(dissection: Dissection, concepts: ConceptDataset) -> Mapping[int, bytes]:
    """A small JPEG of every exemplar's image, by the image's index. Each photograph is read once.

    Raises:
        ConceptDataError: if a photograph cannot be read.
    """
    images = sorted({exemplar.index for unit in dissection.units for exemplar in unit.exemplars})

    def picture(image: int) -> bytes:
        small = concepts.photograph(image).copy()  # the dataset may keep its photograph
        # Halved as often as possible first: quick, and good enough at this size.
        small.thumbnail((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=1)
        return _jpeg(small)

    return dict(zip(images, in_threads(picture, images), strict=True))


def ringed(jpeg: bytes, exemplar: Exemplar, layer: Layer) -> bytes:
    """A JPEG of an exemplar's image with a ring around the place of ``layer`` that is most active."""
    return ringed_at(jpeg, (exemplar.column + 0.5) / layer.width, (exemplar.row + 0.5) / layer.height)


def ringed_at(jpeg: bytes, x_share: float, y_share: float) -> bytes:
    """A JPEG with a ring around a place, which is given as shares of its width and height."""
    picture = Image.open(BytesIO(jpeg), formats=["JPEG"])
    x, y = x_share * picture.width, y_share * picture.height
    draw = ImageDraw.Draw(picture)
    for radius, colour in ((_RING + 1, "black"), (_RING, "white")):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour)
    return _jpeg(picture)


def _jpeg(picture: Image.Image) -> bytes:
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()
