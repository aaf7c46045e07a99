"""CVAT's own XML, "CVAT for images 1.1" (docs.cvat.ai, "XML annotation format").

::

    annotations.xml    an <image> for each photograph, with <box>, <polygon>, <ellipse>, <mask>, <tag>, ...
    images/*           photographs, there or elsewhere in the folder

Of two shapes the one with the greater ``z_order`` is on top, as the format says, and with the same the later one.
Tags are words for the whole photograph. Attributes are ignored.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree.ElementTree import tostring

import numpy as np

from dissection.concepts.problems import BadFileError
from dissection.concepts.xml_files import read_xml
from dissection.files.paths import readable

from .shared.drawings import BOX, Drawing, Drawings, DrawnPhotograph, Shape
from .shared.outlines import Ellipse, Polygon, Runs, box
from .shared.photograph_folder import locate
from .shared.photograph_names import PhotographNames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from .shared.outlines import Outline

_NO_AREA = ("polyline", "points", "cuboid", "skeleton")


class Cvat(Drawings):
    """A task or project of CVAT, exported for images, with its photographs.

    Raises:
        ConceptDataError: if there is no such XML, it is one for video, or a photograph is missing.
    """

    def __init__(self, src: Path, *, label_size: int) -> None:
        file = src if src.is_file() else locate(src, "annotations.xml")
        root, top = file.parent if src.is_file() else src, read_xml(file)
        if top.tag != "annotations":
            raise BadFileError(file, f"its root is <{top.tag}>; CVAT's <annotations> is needed")
        if top.find("track") is not None:
            raise BadFileError(file, "it holds tracks of a video; export it as CVAT for images 1.1")
        names = PhotographNames(root)
        photographs = (_photograph(names, file, image) for image in top.iter("image"))
        super().__init__(root, photographs, label_size, present=len(names))


def _photograph(names: PhotographNames, file: Path, image: Element) -> DrawnPhotograph:
    name, drawing = _text(file, image, "name"), _drawing(file, image)
    picture = names.find(file, name)
    if picture is None and (drawing.shapes or drawing.words):
        raise BadFileError(file, f"there is no photograph {name!r} beside it; export it with its images")
    picture = picture or file.parent / "none"  # without labels, it is left out
    extra = hashlib.sha256(tostring(image)).hexdigest()
    return DrawnPhotograph(readable(name), file, (picture,), lambda: picture, lambda: drawing, extra)


def _drawing(file: Path, image: Element) -> Drawing:
    kinds: Counter[str] = Counter()
    ordered = sorted(_shapes(file, image, kinds), key=lambda pair: pair[0])
    return Drawing(
        tuple(shape for _, shape in ordered),
        tuple(_text(file, tag, "label") for tag in image.iter("tag")),
        (_whole(file, image, "height"), _whole(file, image, "width")),
        kinds,
    )


def _shapes(file: Path, image: Element, kinds: Counter[str]) -> Iterator[tuple[int, Shape]]:
    """The shapes that cover an area, with their ``z_order``."""
    for element in image:
        if element.tag == "tag":
            continue
        if element.tag in _NO_AREA or (element.tag == "polygon" and element.get("points", "").count(";") < 2):
            kinds[element.tag] += 1
        elif element.tag not in _OUTLINES:
            raise BadFileError(
                file, f"it has a <{element.tag:.40}>; {', '.join(_OUTLINES)} can be read: draw it as one of these"
            )
        else:
            kinds[BOX] += element.tag == "box"
            order = _whole(file, element, "z_order") if "z_order" in element.attrib else 0
            yield order, Shape(_text(file, element, "label"), _OUTLINES[element.tag](file, element))


def _box(file: Path, element: Element) -> Outline:
    left, top, right, bottom = (_number(file, element, side) for side in ("xtl", "ytl", "xbr", "ybr"))
    return box(left, top, right, bottom, _degrees(file, element))


def _polygon(file: Path, element: Element) -> Outline:
    points = _text(file, element, "points")
    try:
        corners = np.array([[float(value) for value in point.split(",")] for point in points.split(";")], np.float64)
    except ValueError:
        corners = np.zeros((0, 0))
    if corners.ndim != 2 or corners.shape[1] != 2:
        raise BadFileError(file, f"points is {points!r:.60}; x,y;x,y;… is needed")
    return Polygon(corners)


def _ellipse(file: Path, element: Element) -> Outline:
    x, y, across, down = (_number(file, element, key) for key in ("cx", "cy", "rx", "ry"))
    return Ellipse((x, y), (across, down), _degrees(file, element))


def _mask(file: Path, element: Element) -> Outline:
    runs = _text(file, element, "rle")
    try:
        lengths = np.array([int(run) for run in runs.split(",")], np.int64)
    except (ValueError, OverflowError):
        raise BadFileError(file, f"rle is {runs!r:.60}; whole numbers with commas are needed") from None
    size = _whole(file, element, "height"), _whole(file, element, "width")
    return Runs(lengths, size, _whole(file, element, "left"), _whole(file, element, "top"))


def _degrees(file: Path, element: Element) -> float:
    return _number(file, element, "rotation") if "rotation" in element.attrib else 0.0


def _text(file: Path, element: Element, key: str) -> str:
    value = element.get(key, "").strip()
    if not value:
        raise BadFileError(file, f"a <{element.tag}> has no {key}; add it or remove the <{element.tag}>")
    return value


def _number(file: Path, element: Element, key: str) -> float:
    text = _text(file, element, key)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadFileError(file, f"{key} of a <{element.tag}> is {text!r:.60}; a number is needed")
    return value


def _whole(file: Path, element: Element, key: str) -> int:
    value = _number(file, element, key)
    if not value.is_integer():
        raise BadFileError(file, f"{key} of a <{element.tag}> is {value}; a whole number is needed")
    return int(value)


_OUTLINES: dict[str, Callable[[Path, Element], Outline]] = {
    "box": _box,
    "polygon": _polygon,
    "ellipse": _ellipse,
    "mask": _mask,
}
