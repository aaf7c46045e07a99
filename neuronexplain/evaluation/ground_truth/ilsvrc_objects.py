"""ILSVRC's localisation data in its own layout: one class per image, and a box for each instance of it.

::

    ILSVRC/Data/CLS-LOC/val/*.JPEG
    ILSVRC/Annotations/CLS-LOC/val/*.xml
    LOC_synset_mapping.txt                  a line for each class, in the network's order: n01440764 tench, ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.concepts.formats.shared.photograph_folder import read_lines
from dissection.concepts.label_maps import read_photograph_of
from dissection.concepts.problems import BadFileError
from dissection.errors import ConceptDataError
from dissection.files.paths import readable

from .box_files import read_boxes
from .stamps import digest, stamp
from .truth import AnnotatedImage, ObjectLocation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .truth import Objects

_MAPPING = "LOC_synset_mapping.txt"


class IlsvrcObjects:
    """The validation images.

    Args:
        root: the folder that holds ``ILSVRC/``, or ``ILSVRC`` itself.
        classes: the network's labels, in the order of the WordNet ids.
        split: which images; those of ``val`` are in a single folder.

    Raises:
        ConceptDataError: if the folder is not in this layout, or its number of classes is not the network's.
    """

    def __init__(self, root: Path, classes: Sequence[str], *, split: str = "val") -> None:
        base = root / "ILSVRC" if (root / "ILSVRC").is_dir() else root
        self._images, self._boxes = base / "Data" / "CLS-LOC" / split, base / "Annotations" / "CLS-LOC" / split
        if not self._images.is_dir():
            raise BadFileError(self._images, "there is no such folder; --data must hold ILSVRC/Data/CLS-LOC/val")
        self._files = sorted(self._images.rglob("*.JPEG"))
        self.objects: Objects = {synset: (number,) for number, synset in enumerate(_synsets(root, base))}
        if len(self.objects) != len(classes):
            raise ConceptDataError(
                f"{_MAPPING} names {len(self.objects)} classes, the network has {len(classes)}; use a network for "
                "exactly these classes"
            )
        self.name = f"ILSVRC {split}"

    def __len__(self) -> int:
        return len(self._files)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph with its boxes."""
        file = self._files[index]
        boxes = read_boxes(self._xml(file))
        unknown = next((instance.name for instance in boxes.instances if instance.name not in self.objects), None)
        if unknown:
            raise BadFileError(self._xml(file), f"object {unknown!r} is not among the ids in {_MAPPING}; correct it")
        photograph = read_photograph_of(file, boxes.size, f"{self._xml(file).name} says")
        names = dict.fromkeys(instance.name for instance in boxes.instances)
        return AnnotatedImage(
            readable(file.relative_to(self._images).as_posix()),
            photograph,
            {name: ObjectLocation(boxes.shares(name)) for name in names},
            categories=frozenset(names),
        )

    def identity(self) -> str:
        """Names and sizes of the photographs, and their boxes."""
        xml = [self._xml(file) for file in self._files]
        return digest([repr(self.objects), *map(stamp, self._files), *(file for file in xml if file.is_file())])

    def _xml(self, file: Path) -> Path:
        return (self._boxes / file.relative_to(self._images)).with_suffix(".xml")


def _synsets(*folders: Path) -> list[str]:
    for folder in folders:
        if (folder / _MAPPING).is_file():
            return [line.split()[0] for line in read_lines(folder / _MAPPING)]
    raise BadFileError(
        folders[0] / _MAPPING, "there is no such file; it needs a line for each class in order, such as n01440764 tench"
    )
