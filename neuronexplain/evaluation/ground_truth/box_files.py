"""Boxes in the XML files of PASCAL VOC and ILSVRC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.problems import BadFileError
from dissection.concepts.xml_files import read_xml

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from jaxtyping import Float64

_SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True)
class Instance:
    """An object of an XML file.

    Attributes:
        name: the object's name.
        box: left, top, right, bottom in pixels, the last two exclusive.
        difficult: whether the annotator found it hard to recognise; VOC leaves these out.
    """

    name: str
    box: tuple[float, float, float, float]
    difficult: bool


@dataclass(frozen=True, slots=True)
class BoxFile:
    """The contents of an XML file: the photograph's height and width, and the objects in it."""

    size: tuple[int, int]
    instances: tuple[Instance, ...]

    def shares(self, name: str) -> Float64[np.ndarray, "boxes 4"]:
        """The boxes of an object's instances that are not difficult, as shares of width and height."""
        boxes = [instance.box for instance in self.instances if instance.name == name and not instance.difficult]
        return np.array(boxes, np.float64).reshape(-1, 4) / (self.size[::-1] * 2)


def read_boxes(file: Path) -> BoxFile:
    """Read boxes from XML of PASCAL VOC or ILSVRC, where pixels count from 1 and the last one is included.

    Raises:
        BadFileError: if there is no such file, it is not such XML, or a box is outside the picture.
    """
    root = read_xml(file)
    width, height = (round(_number(file, root, f"size/{side}")) for side in ("width", "height"))
    if width < 1 or height < 1:
        raise BadFileError(file, f"size is {width} x {height}; the photograph's width and height are needed")
    return BoxFile((height, width), tuple(_instance(file, element, (width, height)) for element in root.iter("object")))


def check_box(file: Path, name: str, box: tuple[float, ...], size: tuple[int, int]) -> None:
    """Raise a ``BadFileError`` if a box holds no pixel, or is more than a pixel outside the picture."""
    left, top, right, bottom = box
    if not (right > left and bottom > top):
        raise BadFileError(
            file, f"the box of {name} holds nothing ({_listed(box)}); left < right and top < bottom are needed"
        )
    if left < -1 or top < -1 or right > size[0] + 1 or bottom > size[1] + 1:
        raise BadFileError(
            file,
            f"the box of {name} ({_listed(box)}) is outside the picture of {size[0]} x {size[1]} pixels; correct it",
        )


def _instance(file: Path, element: Element, size: tuple[int, int]) -> Instance:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise BadFileError(file, "an object has no name; name it or remove it")
    left, top, right, bottom = (_number(file, element, f"bndbox/{side}") for side in _SIDES)
    box = max(left - 1, 0), max(top - 1, 0), right, bottom
    check_box(file, name, box, size)
    return Instance(name, box, (element.findtext("difficult") or "0").strip() == "1")


def _number(file: Path, element: Element, path: str) -> float:
    text = element.findtext(path)
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise BadFileError(file, f"{element.tag}/{path} is {text!r}; a number of pixels is needed")
    return value


def _listed(box: tuple[float, ...]) -> str:
    return ", ".join(f"{side:g}" for side in box)
