"""Pascal-Part (Chen et al. 2014): the parts of VOC 2010's objects.

::

    Annotations_Part/2008_000008.mat      anno: objects, each with class, mask and parts, each with part_name and mask
    VOC2010/JPEGImages/2008_000008.jpg
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.formats.shared.label_table import Label, LabelTable
from dissection.concepts.formats.shared.matlab import matlab_text, matrix, read_variable, structures
from dissection.concepts.formats.shared.photograph_folder import Published, locate
from dissection.concepts.formats.shared.voc_classes import CLASSES
from dissection.concepts.label_maps import shrink
from dissection.concepts.problems import BadFileError
from dissection.vocabulary import Labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jaxtyping import Int32

    Map = Int32[np.ndarray, "h w"]

# The codes of the dataset's part2ind.m in words. Sides (left, right, front, back, upper, lower) are left out, as in
# Broden: units detect legs, and horses' legs have halves while those of cats have none.
_PARTS = {
    "arm": "llarm luarm rlarm ruarm",
    "back": "backside",
    "beak": "beak",
    "body": "body",
    "cap": "cap",
    "chain wheel": "chainwheel",
    "coach": "coach",
    "coach back": "cbackside",
    "coach front": "cfrontside",
    "coach roof": "croofside",
    "coach side": "cleftside crightside",
    "door": "door",
    "ear": "lear rear",
    "engine": "engine",
    "eye": "leye reye",
    "eyebrow": "lebrow rebrow",
    "foot": "lfoot rfoot",
    "front": "frontside",
    "hair": "hair",
    "hand": "lhand rhand",
    "handlebar": "handlebar",
    "head": "head",
    "headlight": "headlight",
    "hoof": "lfho rfho lbho rbho",
    "horn": "lhorn rhorn",
    "leg": "lleg rleg lfleg rfleg lbleg rbleg lfuleg lflleg rfuleg rflleg lbuleg lblleg rbuleg rblleg "
    "llleg luleg rlleg ruleg",
    "license plate": "fliplate bliplate",
    "locomotive back": "hbackside",
    "locomotive front": "hfrontside",
    "locomotive roof": "hroofside",
    "locomotive side": "hleftside hrightside",
    "mirror": "leftmirror rightmirror",
    "mouth": "mouth",
    "muzzle": "muzzle",
    "neck": "neck",
    "nose": "nose",
    "paw": "lfpa rfpa lbpa rbpa",
    "plant": "plant",
    "pot": "pot",
    "roof": "roofside",
    "saddle": "saddle",
    "screen": "screen",
    "side": "leftside rightside",
    "stern": "stern",
    "tail": "tail",
    "torso": "torso",
    "wheel": "wheel fwheel bwheel",
    "window": "window",
    "wing": "lwing rwing",
}
_NAMES = {code: name for name, codes in _PARTS.items() for code in codes.split()}
_OF_TRAINS = {"head": "locomotive"}
_COUNTED = re.compile(r"_\d+")


def part_name(owner: str, code: str) -> str:
    """The everyday name of a part, given VOC's name of the object that it belongs to.

    >>> part_name("horse", "lfuleg"), part_name("bus", "window_3"), part_name("train", "head")
    ('leg', 'window', 'locomotive')

    Raises:
        KeyError: if the code is not one of the dataset's.
    """
    kind = _COUNTED.sub("", code)
    return (_OF_TRAINS if owner == "train" else {}).get(kind) or _NAMES[kind]


class PascalPart(Published):
    """Pascal-Part: 20 objects and their parts. Overlapping masks are kept in layers."""

    attribution = (
        "PASCAL-Part (Chen, Mottaghi, Liu, Fidler, Urtasun, Yuille: Detect What You Can: Detecting and Representing "
        "Objects using Holistic Models and Body Parts, CVPR 2014), http://roozbehm.info/pascal-parts/pascal-parts.html"
        ", on photographs of PASCAL VOC 2010, which are from flickr: its terms of use apply, and their owners keep "
        "their rights.\n"
    )

    def __init__(self, src: Path, *, label_size: int) -> None:
        folder = locate(src, "Annotations_Part")
        jpegs = locate(src, "JPEGImages")
        parts = sorted({*_PARTS, *_OF_TRAINS.values()})
        objects = (Label("object", code, names) for code, names in enumerate(CLASSES.values(), start=1))
        self._objects = {name: code for code, name in enumerate(CLASSES, start=1)}
        self._parts = {name: code for code, name in enumerate(parts, start=1)}
        label_table = LabelTable(
            (*objects, *(Label("part", code, name) for name, code in self._parts.items())), "Pascal-Part"
        )
        self._masks = sorted(folder.glob("*.mat"))
        photographs = [jpegs / f"{file.stem}.jpg" for file in self._masks]
        super().__init__(src, photographs, jpegs, label_table, label_size)

    def labels(self, index: int) -> Labels:
        """Maps of objects, then of parts."""
        file = self._masks[index]
        objects, parts = _Layers(self._label_size), _Layers(self._label_size)
        masks = list(_masks(file))
        self._check_size(file, (mask.shape for _, _, mask in masks), index)
        for owner, name, mask in masks:
            small = shrink(mask, self._label_size, self._label_size)
            if name is None:
                objects.add(small, self._table.codes("object")[self._object(file, owner)])
            else:
                parts.add(small, self._table.codes("part")[self._part(file, owner, name)])
        return Labels(self._stack([*objects.layers, *parts.layers]))

    def files(self, index: int) -> Sequence[Path]:
        """The photograph and its annotation."""
        return [self._photographs[index], self._masks[index]]

    def _object(self, file: Path, name: str) -> int:
        if name not in self._objects:
            raise BadFileError(
                file, f"an object of class {name!r} was found, which is not one of VOC's 20 classes; get the file again"
            )
        return self._objects[name]

    def _part(self, file: Path, owner: str, code: str) -> int:
        try:
            return self._parts[part_name(owner, code)]
        except KeyError:
            message = f"a part {code!r} of a {owner} was found, which is not a code of Pascal-Part; get the file again"
            raise BadFileError(file, message) from None


def _masks(file: Path) -> Iterator[tuple[str, str | None, Map]]:
    """Class of the object, code of the part (``None`` for the object itself) and mask, in the file's order."""
    for anno in structures(file, read_variable(file, "anno"), "objects"):
        for thing in structures(file, anno["objects"], "class", "mask", "parts"):
            owner = matlab_text(file, thing["class"])
            yield owner, None, matrix(file, thing["mask"], "a mask")
            for part in structures(file, thing["parts"], "part_name", "mask"):
                yield owner, matlab_text(file, part["part_name"]), matrix(file, part["mask"], "a mask")


class _Layers:
    """Label maps, as many as overlapping labels need."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.layers: list[Map] = []

    def add(self, mask: Map, number: int) -> None:
        """Put a label on the first layer where it covers no other label."""
        covered = mask != 0
        for layer in self.layers:
            if np.isin(layer[covered], (0, number)).all():
                layer[covered] = number
                return
        self.layers.append(np.where(covered, number, 0).astype(np.int32))
