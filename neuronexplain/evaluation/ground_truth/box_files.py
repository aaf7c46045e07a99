"""Boxes in XML files, as PASCAL VOC writes them and ILSVRC too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

import numpy as np
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from dissection.concepts.problems import BadFileError

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from jaxtyping import Float64

_SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True)
class Instance:
    """An object of an XML file.

    Attributes:
        name: what it is.
        box: left, top, right, bottom in pixels, the last two excluded.
        difficult: whether the annotator found it hard to recognise; VOC leaves these out.
    """

    name: str
    box: tuple[float, float, float, float]
    difficult: bool


@dataclass(frozen=True, slots=True)
class BoxFile:
    """What an XML file says: the photograph's height and width, and the objects in it."""

    size: tuple[int, int]
    instances: tuple[Instance, ...]

    def shares(self, name: str) -> Float64[np.ndarray, "boxes 4"]:
        """The boxes of an object that are not difficult, as shares of width and height."""
        boxes = [instance.box for instance in self.instances if instance.name == name and not instance.difficult]
        return np.array(boxes, np.float64).reshape(-1, 4) / (self.size[::-1] * 2)


def read_boxes(file: Path) -> BoxFile:
    """The boxes of PASCAL VOC's XML, which ILSVRC uses too; pixels there count from 1, and the last one is included.

    Raises:
        BadFileError: if there is no such file, it is no such XML, or a box is outside of the picture.
    """
    root = _parsed(file)
    width, height = (round(_number(file, root, f"size/{side}")) for side in ("width", "height"))
    if width < 1 or height < 1:
        raise BadFileError(file, f"size is {width} x {height}; the photograph's width and height are wanted")
    return BoxFile((height, width), tuple(_instance(file, found, (width, height)) for found in root.iter("object")))


def check_box(file: Path, what: str, box: tuple[float, ...], size: tuple[int, int]) -> None:
    """Raise a ``BadFileError`` where a box holds no pixel, or is more than a pixel outside of the picture."""
    left, top, right, bottom = box
    if not (right > left and bottom > top):
        raise BadFileError(
            file, f"the box of {what} holds nothing ({_shown(box)}); left < right, top < bottom is wanted"
        )
    if left < -1 or top < -1 or right > size[0] + 1 or bottom > size[1] + 1:
        raise BadFileError(
            file,
            f"the box of {what} ({_shown(box)}) is outside of the picture of {size[0]} x {size[1]} pixels; correct it",
        )


def _parsed(file: Path) -> Element:
    try:
        root: Element = ElementTree.parse(file).getroot()
    except OSError as error:
        raise BadFileError(file, f"it cannot be read ({error.strerror}); each photograph needs its boxes") from error
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise BadFileError(file, f"this is no XML that can be read ({error}); get the file again") from error
    return root


def _instance(file: Path, found: Element, size: tuple[int, int]) -> Instance:
    name = (found.findtext("name") or "").strip()
    if not name:
        raise BadFileError(file, "an object without a name was found; name it or remove it")
    left, top, right, bottom = (_number(file, found, f"bndbox/{side}") for side in _SIDES)
    box = max(left - 1, 0), max(top - 1, 0), right, bottom
    check_box(file, name, box, size)
    return Instance(name, box, (found.findtext("difficult") or "0").strip() == "1")


def _number(file: Path, element: Element, path: str) -> float:
    text = element.findtext(path)
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise BadFileError(file, f"{element.tag}/{path} is {text!r}; a number of pixels is wanted")
    return value


def _shown(box: tuple[float, ...]) -> str:
    return ", ".join(f"{side:g}" for side in box)
