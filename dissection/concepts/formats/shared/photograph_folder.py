"""The common part of the readers of published datasets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from dissection.concepts.folders import Folder
from dissection.concepts.label_maps import bad_image, check_size, read_photograph
from dissection.concepts.problems import BadFileError
from dissection.errors import PhotographError
from dissection.files.paths import readable
from dissection.images.photographs import photograph_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from jaxtyping import Int32
    from PIL import Image

    from dissection.concepts.notes import Notes

    from .label_table import LabelTable


class Published(Folder):
    """The part of a ``ConceptDataset`` that does not depend on how labels are stored.

    Args:
        root: the dataset's folder.
        photographs: one file per image.
        base: the folder that image names are relative to.
        table: what the labels mean.
        label_size: height and width of the label maps.
    """

    attribution: ClassVar[str]
    """Who made the dataset, and where its terms are."""

    def __init__(self, root: Path, photographs: Sequence[Path], base: Path, table: LabelTable, label_size: int) -> None:
        if not photographs:
            raise BadFileError(base, "there are no images in it that can be used; at least one is needed")
        super().__init__(root, table.concepts, table.synonyms)
        self._photographs = photographs
        self._base = base
        self._table = table
        self._label_size = label_size

    @property
    def notes(self) -> Notes:
        """Who made the dataset, and the files on licence and origin in its folder."""
        return {"ATTRIBUTION.txt": self.attribution.encode(), **super().notes}

    def __len__(self) -> int:
        return len(self._photographs)

    def image_name(self, index: int) -> str:
        """The photograph's path inside the dataset."""
        return readable(self._photographs[index].relative_to(self._base).as_posix())

    def photograph(self, index: int) -> Image.Image:
        """The photograph at its own size."""
        return read_photograph(self._photographs[index])

    def fingerprint_extra(self, index: int) -> str:
        """What the labels depend on besides the files' contents, for a fingerprint."""
        return json.dumps([self._label_size, self._whole(index)])

    def _whole(self, index: int) -> tuple[int, ...]:  # noqa: ARG002 (for subclasses that have any)
        """Label numbers for the whole image."""
        return ()

    def _check_size(self, file: Path, shapes: Iterable[tuple[int, int]], index: int) -> None:
        """Refuse masks that differ in size from their photograph."""
        photograph = self._photographs[index]
        try:
            width, height = photograph_size(photograph)
        except PhotographError as error:
            raise bad_image(photograph, error) from error
        for shape in shapes:
            check_size(file, shape, (height, width), f"its photograph {photograph.name} has")

    def _stack(self, layers: Iterable[Int32[np.ndarray, "h w"]]) -> Int32[np.ndarray, "layers h w"]:
        """A stack of the layers that label anything."""
        used = [layer for layer in layers if layer.any()]
        return np.stack(used) if used else np.zeros((0, self._label_size, self._label_size), np.int32)


def locate(root: Path, *names: str) -> Path:
    """The folder or file with the first of these names that exists, in ``root`` or up to two folders deeper.

    Raises:
        BadFileError: if there is none, or several equally deep.
    """
    if not root.is_dir():
        raise BadFileError(root, "there is no such folder; check the path, and unpack an archive first")
    for name in names:
        for pattern in (name, f"*/{name}", f"*/*/{name}"):
            paths = sorted(root.glob(pattern))
            if len(paths) > 1:
                shown = ", ".join(path.relative_to(root).as_posix() for path in paths)
                raise BadFileError(root, f"{shown} were found in it; name the folder of one of them")
            if paths:
                return paths[0]
    raise BadFileError(root, f"no {' or '.join(names)} was found in it; check that this is the dataset's folder")


def read_lines(file: Path) -> list[str]:
    """The lines of a text file that are not blank, stripped."""
    return [line.strip() for line in read_text(file).splitlines() if line.strip()]


def read_text(file: Path) -> str:
    """A text file in UTF-8, or else in Latin-1, which older datasets use."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadFileError(file, f"it cannot be read ({error.strerror}); check that the dataset is complete") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
