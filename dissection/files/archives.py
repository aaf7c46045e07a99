"""Unpacks untrusted archives: names and sizes are checked, and the folder appears whole."""

from __future__ import annotations

import errno
import secrets
import shutil
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from dissection.errors import ArchiveError, OutputError

from .archive_members import reading_members
from .atomic import new_folder
from .paths import leads_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .archive_members import Member

_CHUNK = 1 << 18
_FULL = {errno.ENOSPC, errno.EDQUOT}
_LITTER = {"__MACOSX", ".DS_Store"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that an archive of a dataset never exceeds, and a bomb does.

    Attributes:
        members: number of files and folders.
        size: unpacked bytes.
        ratio: unpacked bytes for each byte of the archive; text may reach 20, deflate at most about 1,000.
        small: unpacked bytes up to which the ratio does not matter.
    """

    members: int = 5_000_000
    size: int = 1 << 40
    ratio: int = 200
    small: int = 1 << 26


def unpack(
    archive: Path, target: Path, *, limits: Limits | None = None, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Unpack a zip or a tar (also compressed) into a new folder; files that macOS adds are left out.

    Args:
        archive: the file.
        target: the folder, which must be missing or empty. It appears whole or not at all.
        limits: beyond them an archive is refused as a bomb.
        progress: called with the bytes of the archive that were read, and all of them.

    Returns:
        ``target``.

    Raises:
        ArchiveError: if the file is not an archive, is damaged or encrypted, is a bomb, or holds links, devices or
            names that lead out of the folder or clash.
        OutputError: if ``target`` is not empty or cannot be created, or the disk is too small.
    """
    with new_folder(target) as folder:
        unpack_into(archive, folder, limits=limits, progress=progress)
    return target


def unpack_into(
    archive: Path, folder: Path, *, limits: Limits | None = None, progress: Callable[[int, int], None] | None = None
) -> None:
    """As ``unpack``, into a folder that may hold other files; files unpacked before an error stay."""
    try:
        total = archive.stat().st_size
        unpacking = _Unpacking(folder, _Allowance.of(archive, limits or Limits(), folder))
        with reading_members(archive) as members:
            for member in members:
                unpacking.add(member)
                if progress is not None:
                    progress(min(member.read, total), total)
    except OSError as error:
        kind = OutputError if error.errno in _FULL else ArchiveError  # a damaged zip may point to nowhere
        raise kind(f"cannot unpack {archive} into {folder} ({error.strerror or error}); fix that first") from error
    if not unpacking.allowance.members:
        raise ArchiveError(f"{archive} is not a zip or tar that can be unpacked (it is empty); get it again")
    if progress is not None:
        progress(total, total)


def lift(folder: Path) -> None:
    """While a folder holds only one folder, replace that by its contents."""
    while len(entries := list(folder.iterdir())) == 1 and entries[0].is_dir():
        aside = entries[0].rename(folder / secrets.token_hex(8))  # its contents may have the same name
        for path in list(aside.iterdir()):
            path.rename(folder / path.name)
        aside.rmdir()


@dataclass(slots=True)
class _Allowance:
    """Counts members and bytes, and refuses those beyond the limits."""

    archive: Path
    limits: Limits
    room: int
    members: int = 0
    size: int = 0

    @classmethod
    def of(cls, archive: Path, limits: Limits, folder: Path) -> _Allowance:
        packed = archive.stat().st_size
        most = min(limits.size, max(limits.small, limits.ratio * packed))
        return cls(archive, replace(limits, size=most), shutil.disk_usage(folder).free)

    def count(self) -> None:
        """Count one more member."""
        self.members += 1
        if self.members > self.limits.members:
            raise ArchiveError(
                f"{self.archive} holds more than {self.limits.members} files, which no dataset does; do not trust it"
            )

    def take(self, size: int) -> None:
        """Count ``size`` more bytes."""
        self.size += size
        self.refuse(0)

    def refuse(self, size: int) -> None:
        """Refuse ``size`` more bytes if they are too many."""
        size += self.size
        if size > self.limits.size:
            raise ArchiveError(
                f"{self.archive} unpacks to {size} bytes or more, far too many for its size; it is a bomb; do "
                "not trust it"
            )
        if size > self.room:
            raise OutputError(
                f"{self.archive} unpacks to {size} bytes or more, and the disk has room for {self.room}; make room"
            )


@dataclass(slots=True)
class _Unpacking:
    """Unpacks members into a folder; ``names`` says of each taken name whether a folder has it."""

    folder: Path
    allowance: _Allowance
    names: dict[str, bool] = field(default_factory=dict)

    def add(self, member: Member) -> None:
        self.allowance.count()
        self.allowance.refuse(member.size)
        path = self._path(member)
        if _LITTER & set(path.parts):
            return
        if member.kind:
            raise self._bad(member, f"is a {member.kind}; only files and folders are unpacked")
        self._claim(path, member)
        place = self.folder / path
        if member.folder:
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            self._copy(member, place)

    def _path(self, member: Member) -> PurePosixPath:
        path = PureWindowsPath(member.name)  # knows both kinds of separator
        if not path.parts and not member.folder:
            raise self._bad(member, "has no name")
        if leads_out(member.name):
            raise self._bad(member, "leads out of the folder")
        if any(unicodedata.category(letter) == "Cc" for letter in member.name):
            raise self._bad(member, "has control characters in its name")
        return PurePosixPath(*path.parts)

    def _claim(self, path: PurePosixPath, member: Member) -> None:
        """Refuse a file whose name is taken; folders may repeat."""
        folders = [*path.parents, path] if member.folder else list(path.parents)
        for folder in folders:
            self.names.setdefault(_comparable(folder), True)
        free = all(self.names[_comparable(folder)] for folder in folders)
        if not member.folder and free:
            free = _comparable(path) not in self.names
            self.names[_comparable(path)] = False
        if not free:
            raise self._bad(member, "appears twice, or differs from another name only in case")

    def _copy(self, member: Member, place: Path) -> None:
        with member.open() as source, place.open("xb") as file:
            while chunk := source.read(_CHUNK):
                self.allowance.take(len(chunk))
                file.write(chunk)

    def _bad(self, member: Member, why: str) -> ArchiveError:
        return ArchiveError(f"{self.allowance.archive}: {member.name!r} {why}; do not trust this archive")


def _comparable(path: PurePosixPath) -> str:
    """A name in the form in which macOS and Windows compare names."""
    return unicodedata.normalize("NFC", str(path)).casefold()
