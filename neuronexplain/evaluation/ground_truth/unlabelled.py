"""Photographs without annotations, for protocols that need only the network's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.errors import ConceptDataError
from dissection.files.paths import readable
from dissection.images.photographs import open_photograph, photographs_in

from .stamps import digest, stamp
from .truth import AnnotatedImage

if TYPE_CHECKING:
    from pathlib import Path

    from .truth import Objects


class Photographs:
    """A photograph, or all photographs in a folder and its subfolders.

    Raises:
        ConceptDataError: if there are none.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files = [root] if root.is_file() else photographs_in(root)
        if not self._files:
            raise ConceptDataError(f"{root} holds no photographs; name a folder that does")
        self.name = readable(root.name)
        self.objects: Objects = {}

    def __len__(self) -> int:
        return len(self._files)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph without annotations."""
        file = self._files[index]
        name = file.name if file == self._root else file.relative_to(self._root).as_posix()
        return AnnotatedImage(readable(name), open_photograph(file), {})

    def identity(self) -> str:
        """Names and sizes of the photographs."""
        return digest(map(stamp, self._files))
