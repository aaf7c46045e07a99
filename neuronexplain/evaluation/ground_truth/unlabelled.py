"""Photographs alone: what asks the network, and not the world, needs no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.errors import ConceptDataError
from dissection.images.photographs import open_photograph, photographs_in

from .stamps import digest, stamp
from .truth import AnnotatedImage

if TYPE_CHECKING:
    from pathlib import Path

    from .truth import Objects


class Photographs:
    """A photograph, or all in a folder and in the folders in it.

    Raises:
        ConceptDataError: if there are none.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files = [root] if root.is_file() else photographs_in(root)
        if not self._files:
            raise ConceptDataError(f"{root}: there are no photographs; name a folder that holds some")
        self.name = root.name
        self.objects: Objects = {}

    def __len__(self) -> int:
        return len(self._files)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph of which nothing is known."""
        file = self._files[index]
        name = file.name if file == self._root else file.relative_to(self._root).as_posix()
        return AnnotatedImage(name, open_photograph(file), {})

    def identity(self) -> str:
        """Names and sizes of the photographs."""
        return digest(map(stamp, self._files))
