"""The Describable Textures Dataset (Cimpoi et al. 2014).

::

    images/banded/banded_0002.jpg
    labels/labels_joint_anno.txt    banded/banded_0002.jpg banded lined      (optional: every texture of an image)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.concepts.formats.shared.label_table import Label, LabelTable
from dissection.concepts.formats.shared.photograph_folder import Published, locate, read_lines
from dissection.concepts.problems import BadFileError
from dissection.images.photographs import photographs_in
from dissection.vocabulary import Labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Dtd(Published):
    """DTD: 47 textures, each a number for the whole image."""

    attribution = (
        "Describable Textures Dataset (Cimpoi, Maji, Kokkinos, Mohamed, Vedaldi: Describing Textures in the Wild, CVPR "
        "2014), https://www.robots.ox.ac.uk/~vgg/data/dtd/. Made available for research purposes only; the owners of "
        "the photographs keep their rights.\n"
    )

    def __init__(self, src: Path, *, label_size: int) -> None:
        images = locate(src, "images")
        photographs = [file for file in photographs_in(images) if file.parent.parent == images]
        self._textures = sorted({file.parent.name for file in photographs})
        label_table = LabelTable(
            (Label("texture", code, name) for code, name in enumerate(self._textures, start=1)), "images/"
        )
        super().__init__(images.parent, photographs, images, label_table, label_size)
        self._joint = self._read_joint(images.parent / "labels" / "labels_joint_anno.txt")

    def labels(self, index: int) -> Labels:
        """The textures, that of the folder first."""
        return Labels(self._stack([]), self._whole(index))

    def files(self, index: int) -> Sequence[Path]:
        """The photograph."""
        return [self._photographs[index]]

    def _whole(self, index: int) -> tuple[int, ...]:
        texture = self._textures.index(self._photographs[index].parent.name) + 1
        return tuple(dict.fromkeys((texture, *self._joint.get(self.image_name(index), ()))))

    def _read_joint(self, file: Path) -> Mapping[str, tuple[int, ...]]:
        """The textures of each image, if there is a table of them."""
        if not file.exists():
            return {}
        numbers = {name: number for number, name in enumerate(self._textures, start=1)}
        images = {self.image_name(index) for index in range(len(self))}
        table = {}
        for line in read_lines(file):
            image, *textures = line.split()
            unknown = [texture for texture in textures if texture not in numbers]
            if unknown:
                raise BadFileError(
                    file, f"{image} has texture {unknown[0]!r}; there is no images/{unknown[0]}/: get the dataset again"
                )
            if image not in images:
                raise BadFileError(file, f"it names {image}, which is not in images/; get the dataset again")
            table[image] = tuple(numbers[texture] for texture in textures)
        return table
