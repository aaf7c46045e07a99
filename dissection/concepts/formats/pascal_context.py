"""Pascal Context (Mottaghi et al. 2014): every pixel of VOC 2010's training images, in 459 classes.

::

    labels.txt                        1: accordion
    trainval/2008_000002.mat          LabelMap, a matrix of those numbers
    VOC2010/JPEGImages/2008_000002.jpg
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.concepts.csv_tables import is_number
from dissection.concepts.formats.shared.label_table import Label, LabelTable
from dissection.concepts.formats.shared.matlab import matrix, read_variable
from dissection.concepts.formats.shared.photograph_folder import Published, locate, read_lines
from dissection.concepts.problems import BadFileError
from dissection.vocabulary import Labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_NOTHING = {"unknown", "empty"}


class PascalContext(Published):
    """Pascal Context: objects and their surroundings. The classes "unknown" and "empty" count as unlabelled."""

    attribution = (
        "PASCAL Context (Mottaghi, Chen, Liu, Cho, Lee, Fidler, Urtasun, Yuille: The Role of Context for Object "
        "Detection and Semantic Segmentation in the Wild, CVPR 2014), https://cs.stanford.edu/~roozbeh/pascal-context/"
        ", on photographs of PASCAL VOC 2010, which are from flickr: its terms of use apply, and their owners keep "
        "their rights.\n"
    )

    def __init__(self, src: Path, *, label_size: int) -> None:
        folder = locate(src, "trainval")
        jpegs = locate(src, "JPEGImages")
        labels = list(_labels(locate(src, "labels.txt")))
        unlabelled = {label.code for label in labels if label.names in _NOTHING}
        label_table = LabelTable(
            (label for label in labels if label.code not in unlabelled), "labels.txt", ignored=unlabelled
        )
        self._masks = sorted(folder.glob("*.mat"))
        photographs = [jpegs / f"{file.stem}.jpg" for file in self._masks]
        super().__init__(src, photographs, jpegs, label_table, label_size)

    def labels(self, index: int) -> Labels:
        """One map."""
        file = self._masks[index]
        codes = matrix(file, read_variable(file, "LabelMap"), "LabelMap")
        self._check_size(file, [codes.shape], index)
        return Labels(self._stack([self._table.label_map(file, codes, "object", self._label_size)]))

    def files(self, index: int) -> Sequence[Path]:
        """The photograph and the matrix."""
        return [self._photographs[index], self._masks[index]]


def _labels(file: Path) -> Iterator[Label]:
    for line in read_lines(file):
        code, colon, name = line.partition(":")
        if not colon or not is_number(code.strip()) or not name.strip():
            raise BadFileError(file, f"{line[:40]!r} was found; a line like '1: accordion' is needed")
        yield Label("object", int(code), name.strip())
