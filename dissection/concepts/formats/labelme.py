"""labelme's files: a JSON file for each photograph (github.com/wkentaro/labelme).

::

    *.json    version, flags, shapes (label, points, shape_type), imagePath, imageData, imageHeight, imageWidth
    *.jpg     photographs, beside the JSON files or elsewhere in the folder; imageData may hold them instead

Shapes are painted in the order of the file, the last on top, as labelme's own ``shapes_to_label`` does. It leaves out
what is called ``_background_``, and its converters what is called ``__ignore__``: here too, both cover what is below
them. A circle is its centre and a point on its rim; a mask is a PNG for the part between two pixels, both included.
Flags that are set are words for the whole photograph.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from dissection.concepts.problems import BadFileError
from dissection.errors import PhotographError
from dissection.files.paths import readable
from dissection.images.image_files import Encoded
from dissection.images.label_images import open_image

from .shared.drawings import BOX, Drawing, Drawings, DrawnPhotograph, Shape
from .shared.outlines import Bitmap, Ellipse, Polygon, box
from .shared.photograph_names import PhotographNames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .shared.outlines import Outline

_UNLABELLED = {"_background_", "__ignore__"}
_NO_AREA = ("line", "linestrip", "point", "points")


class _ShapeRecord(msgspec.Struct):
    label: str
    points: list[tuple[float, float]]
    shape_type: str | None = None
    mask: str | None = None


class _Record(msgspec.Struct):
    shapes: list[_ShapeRecord]
    imagePath: str  # noqa: N815 (labelme's name)
    flags: dict[str, bool] | None = None
    imageHeight: int | None = None  # noqa: N815
    imageWidth: int | None = None  # noqa: N815


class _Embedded(msgspec.Struct):
    imageData: str | None = None  # noqa: N815


_Decoded = TypeVar("_Decoded", _Record, _Embedded)


class Labelme(Drawings):
    """A folder of labelme's JSON files; photographs without one are left out.

    Raises:
        ConceptDataError: if the folder has none, or one is not labelme's.
    """

    def __init__(self, src: Path, *, label_size: int) -> None:
        files = sorted(src.rglob("*.json"))
        if not files:
            raise BadFileError(src, "there is no JSON file in it; labelme's, one for each photograph, are needed")
        names = PhotographNames(src)
        super().__init__(src, (_photograph(names, src, file) for file in files), label_size, present=len(names))


def _photograph(names: PhotographNames, root: Path, file: Path) -> DrawnPhotograph:
    path = _read(file, _Record).imagePath
    picture = names.find(file, path)
    if picture is not None:
        return DrawnPhotograph(names.name_of(picture), file, (picture, file), lambda: picture, partial(_drawing, file))
    if _read(file, _Embedded).imageData is None:
        raise BadFileError(file, f"there is no photograph {path!r} in {root}, and no imageData; add the photograph")
    name = readable(file.relative_to(root).as_posix())
    return DrawnPhotograph(name, file, (file,), partial(_embedded, file), partial(_drawing, file))


def _read(file: Path, kind: type[_Decoded]) -> _Decoded:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise BadFileError(file, f"it cannot be read ({error.strerror}); check its permissions") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFileError(file, f"this is not labelme's JSON ({error}); move it away, or write it again") from error


def _embedded(file: Path) -> Encoded:
    return Encoded(f"{file} (imageData)", _bytes(file, _read(file, _Embedded).imageData or ""))


def _bytes(file: Path, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise BadFileError(file, f"its base64 cannot be read ({error}); write it again") from error


def _drawing(file: Path) -> Drawing:
    record = _read(file, _Record)
    kinds: Counter[str] = Counter()
    shapes = tuple(_shapes(file, record, kinds))
    flags = record.flags or {}
    size = None
    if record.imageHeight is not None and record.imageWidth is not None:
        size = record.imageHeight, record.imageWidth
    return Drawing(shapes, tuple(flag for flag, is_set in flags.items() if is_set and flag.strip()), size, kinds)


def _shapes(file: Path, record: _Record, kinds: Counter[str]) -> Iterator[Shape]:
    for shape in record.shapes:
        kind, word = shape.shape_type or "polygon", shape.label.strip()
        if not word:
            raise BadFileError(file, f"a {kind} has no label; name it or remove it")
        if kind in _NO_AREA or (kind == "polygon" and len(shape.points) < 3):
            kinds[kind] += 1
        elif kind not in _OUTLINES:
            raise BadFileError(
                file,
                f"it has a shape of type {kind!r:.40}; {', '.join(_OUTLINES)} can be read: draw it as one of these",
            )
        else:
            kinds[BOX] += kind == "rectangle"
            yield Shape("" if word in _UNLABELLED else word, _OUTLINES[kind](file, shape))


def _polygon(file: Path, shape: _ShapeRecord) -> Outline:
    if len(shape.points) < 3:
        raise BadFileError(
            file, f"a {shape.shape_type} of {shape.label!r} has {len(shape.points)} points; 4 are needed"
        )
    return Polygon(np.array(shape.points, np.float64))


def _rectangle(file: Path, shape: _ShapeRecord) -> Outline:
    (left, top), (right, bottom) = _two_points(file, shape)
    return box(left, top, right, bottom)


def _circle(file: Path, shape: _ShapeRecord) -> Outline:
    centre, rim = _two_points(file, shape)
    radius = float(np.hypot(rim[0] - centre[0], rim[1] - centre[1]))
    return Ellipse(centre, (radius, radius))


def _mask(file: Path, shape: _ShapeRecord) -> Outline:
    (left, top), (right, bottom) = (tuple(int(value) for value in point) for point in _two_points(file, shape))
    try:
        image = open_image(Encoded(f"the mask of {shape.label!r}", _bytes(file, shape.mask or "")))
    except PhotographError as error:
        raise BadFileError(file, str(error)) from error
    pixels = np.asarray(image)
    if pixels.shape != (bottom - top + 1, right - left + 1):
        problem = f"is {image.width} x {image.height} pixels; {right - left + 1} x {bottom - top + 1} is needed"
        raise BadFileError(file, f"the mask of {shape.label!r} {problem}, as its points say; draw it again")
    return Bitmap(pixels != 0, left, top)


def _two_points(file: Path, shape: _ShapeRecord) -> tuple[tuple[float, float], tuple[float, float]]:
    if len(shape.points) != 2:
        raise BadFileError(
            file, f"a {shape.shape_type} of {shape.label!r} has {len(shape.points)} points; 2 are needed"
        )
    first, second = shape.points
    return first, second


_OUTLINES: dict[str, Callable[[Path, _ShapeRecord], Outline]] = {
    "polygon": _polygon,
    "rectangle": _rectangle,
    "oriented_rectangle": _polygon,
    "circle": _circle,
    "mask": _mask,
}
