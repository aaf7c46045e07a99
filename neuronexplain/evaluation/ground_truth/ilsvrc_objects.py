"""ILSVRC's localisation data in its own layout: one class an image, and a box for each instance of it.

::

    ILSVRC/Data/CLS-LOC/val/*.JPEG
    ILSVRC/Annotations/CLS-LOC/val/*.xml
    LOC_synset_mapping.txt                  a line for each class in the order of the network's: n01440764 tench, ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.concepts.formats.shared.photograph_folder import read_lines
from dissection.concepts.label_maps import read_photograph_of
from dissection.concepts.problems import BadFileError
from dissection.errors import ConceptDataError

from .box_files import read_boxes
from .stamps import digest, stamp
from .truth import AnnotatedImage, ObjectLocation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .truth import Objects

_MAPPING = "LOC_synset_mapping.txt"


class Ilsvrc:
    """The validation images.

    Args:
        root: the folder that holds ``ILSVRC/``, or ``ILSVRC`` itself.
        classes: the network's labels, in the order of the WordNet ids.
        split: which images; those of ``val`` lie in one folder.

    Raises:
        ConceptDataError: if it is not in this layout, or names another number of classes than the network has.
    """

    def __init__(self, root: Path, classes: Sequence[str], *, split: str = "val") -> None:
        own = root / "ILSVRC" if (root / "ILSVRC").is_dir() else root
        self._images, self._boxes = own / "Data" / "CLS-LOC" / split, own / "Annotations" / "CLS-LOC" / split
        if not self._images.is_dir():
            raise BadFileError(self._images, "there is no such folder; ILSVRC/Data/CLS-LOC/val is wanted inside --data")
        self._files = sorted(self._images.rglob("*.JPEG"))
        self.objects: Objects = {each: (number,) for number, each in enumerate(_synsets(root, own))}
        if len(self.objects) != len(classes):
            raise ConceptDataError(
                f"{_MAPPING} names {len(self.objects)} classes, the network has {len(classes)}; a network for these "
                "very classes is wanted"
            )
        self.name = f"ILSVRC {split}"

    def __len__(self) -> int:
        return len(self._files)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph with its boxes."""
        file = self._files[index]
        boxes = read_boxes(self._xml(file))
        unknown = next((each.name for each in boxes.instances if each.name not in self.objects), None)
        if unknown:
            raise BadFileError(self._xml(file), f"object {unknown!r} is none of the ids in {_MAPPING}")
        photograph = read_photograph_of(file, boxes.size, f"{self._xml(file).name} says")
        names = dict.fromkeys(each.name for each in boxes.instances)
        return AnnotatedImage(
            file.relative_to(self._images).as_posix(),
            photograph,
            {name: ObjectLocation(boxes.shares(name)) for name in names},
        )

    def identity(self) -> str:
        """Names and sizes of the photographs, and their boxes."""
        xml = [self._xml(file) for file in self._files]
        return digest([repr(self.objects), *map(stamp, self._files), *(file for file in xml if file.is_file())])

    def _xml(self, file: Path) -> Path:
        return (self._boxes / file.relative_to(self._images)).with_suffix(".xml")


def _synsets(*places: Path) -> list[str]:
    for place in places:
        if (place / _MAPPING).is_file():
            return [line.split()[0] for line in read_lines(place / _MAPPING)]
    raise BadFileError(
        places[0] / _MAPPING, "there is no such file; a line for each class is wanted, n01440764 tench, in their order"
    )
