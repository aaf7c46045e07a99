"""Finds the photographs that annotation tools name: by paths of another machine, another folder or none."""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

from dissection.concepts.problems import BadFileError
from dissection.files.paths import readable
from dissection.images.photographs import photographs_in

if TYPE_CHECKING:
    from pathlib import Path


class PhotographNames:
    """The photographs of a folder and its subfolders, by the ends of their paths. None outside of it is ever found.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._by_name: dict[str, list[Path]] = {}
        for file in photographs_in(root):
            self._by_name.setdefault(file.name, []).append(file)

    def __len__(self) -> int:
        return sum(map(len, self._by_name.values()))

    def find(self, source: Path, name: str) -> Path | None:
        """The photograph that ``source`` calls ``name``; ``None`` if there is none.

        A relative path must be the end of the photograph's path. Of one that is absolute, or leads upwards, only as
        much must be as agrees with one photograph: it is of the machine that wrote it. Where several agree, the one
        that lies where ``source`` says is meant.

        Raises:
            BadFileError: if several photographs agree, and none of them lies there.
        """
        path = PureWindowsPath(name)  # knows both kinds of separator, and drives
        parts = tuple(part for part in path.parts if part not in {path.anchor, ".", ".."})
        if not parts:
            return None
        candidates = self._by_name.get(parts[-1], [])
        agreeing = [file for file in candidates if file.parts[-len(parts) :] == parts]
        if not agreeing and (path.anchor or ".." in path.parts):
            most = max((_common(file, parts) for file in candidates), default=0)
            agreeing = [file for file in candidates if _common(file, parts) == most]
        beside = source.parent.joinpath(*parts)
        if len(agreeing) > 1 and beside not in agreeing:
            shown = ", ".join(readable(file.relative_to(self._root).as_posix()) for file in agreeing[:3])
            raise BadFileError(source, f"{name!r} may be any of {shown}; keep one, or give its path")
        return beside if beside in agreeing else next(iter(agreeing), None)

    def name_of(self, file: Path) -> str:
        """A photograph's name in the dataset: its path in the folder."""
        return readable(file.relative_to(self._root).as_posix())


def _common(file: Path, parts: tuple[str, ...]) -> int:
    """How many parts at their ends two paths have in common."""
    pairs = list(zip(reversed(file.parts), reversed(parts), strict=False))
    return next((place for place, (one, other) in enumerate(pairs) if one != other), len(pairs))
