"""The members of an archive, one after another: zip, and tar with or without compression."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from tarfile import (  # type: ignore[attr-defined]  # not all in typeshed
    EmptyHeaderError,  # pyright: ignore[reportAttributeAccessIssue]
    EOFHeaderError,  # pyright: ignore[reportAttributeAccessIssue]
    HeaderError,
    ReadError,
    TarFile,
)
from typing import IO, TYPE_CHECKING, Any, Self

from dissection.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_ZIP = b"PK"
_ENTRY = b"PK\1\2"
_ENCRYPTED = 0x1
_COMPRESSIONS: tuple[tuple[bytes, Callable[[IO[bytes]], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)
_HEADER = 1 << 20
_PADDING = 1 << 26
"""Bytes behind the end of a tar that are still read: programs add up to the length of a block."""

_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError, NotImplementedError)
"""What Python raises on archives that are cut short, damaged or malicious. (A bad gzip raises an OSError.)"""


@dataclass(frozen=True, slots=True)
class Member:
    """A file or folder in an archive.

    Attributes:
        name: its path in the archive.
        size: announced size in bytes.
        folder: whether it is a folder.
        kind: what it is if it is neither a file nor a folder, such as a link; otherwise empty.
        open: gives the content of a file.
        read: bytes of the archive before it.
    """

    name: str
    size: int
    folder: bool
    kind: str
    open: Callable[[], IO[bytes]]
    read: int


@contextmanager
def reading_members(archive: Path) -> Iterator[Iterator[Member]]:
    """The members of an archive, in their order; each must be read before the next is requested.

    Raises:
        ArchiveError: if the file is not an archive, is damaged, or cannot be unpacked safely.
    """
    try:
        with archive.open("rb") as file:
            if file.read(len(_ZIP)) == _ZIP:  # zipfile.is_zipfile also accepts a tar that ends in a zip
                with zipfile.ZipFile(file) as opened:
                    yield _of_zip(archive, opened)
            else:
                file.seek(0)
                yield _of_tar(archive, file)
    except (*_DAMAGE, gzip.BadGzipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ArchiveError(f"{archive} is not a zip or tar that can be unpacked ({reason}); get it again") from error


def _of_zip(archive: Path, opened: zipfile.ZipFile) -> Iterator[Member]:
    read = 0
    for info in opened.infolist():
        if _ENTRY in info.comment or _ENTRY in info.extra:  # a damaged length: zipfile would leave entries out
            raise zipfile.BadZipFile("an entry of its table is longer than it can be")
        if info.flag_bits & _ENCRYPTED:
            raise ArchiveError(f"{archive}: {info.filename!r} is encrypted; unpack it by hand, with its password")
        mode = stat.S_IFMT(info.external_attr >> 16)
        kind = "" if mode in {0, stat.S_IFREG, stat.S_IFDIR} else "link or device"
        folder = info.filename.endswith("/")  # is_dir fails on an empty name
        yield Member(info.filename, info.file_size, folder, kind, partial(opened.open, info), read)
        read += info.compress_size


def _of_tar(archive: Path, file: IO[bytes]) -> Iterator[Member]:
    magic = file.read(max(len(start) for start, _ in _COMPRESSIONS))
    file.seek(0)
    decompressed = next((reader(file) for start, reader in _COMPRESSIONS if magic.startswith(start)), None)
    stream = _Forward(archive, decompressed or file, has_trailer=decompressed is not None)
    with tarfile.open(fileobj=stream, mode="r:", tarinfo=_Header) as opened:
        while info := opened.next():
            kind = "" if info.isreg() or info.isdir() else "link or device"
            yield Member(info.name, info.size, info.isdir(), kind, partial(_content, opened, info), file.tell())
            opened.members.clear()  # type: ignore[attr-defined]  # tarfile keeps every member
    stream.finish()


def _content(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = opened.extractfile(info)
    assert content is not None, "only regular files are read"
    return content


class _Header(tarfile.TarInfo):
    """A member's header. Of the first one tarfile refuses what is damaged; later it would take it for the end."""

    @classmethod
    def fromtarfile(cls, tarfile: TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except EOFHeaderError:
            raise
        except EmptyHeaderError:
            stream = tarfile.fileobj
            assert isinstance(stream, _Forward)
            stream.require_trailer()
            raise
        except HeaderError as error:
            raise ReadError(f"{error} where a header or the end should be") from None


class _Forward(io.RawIOBase):
    """A stream that is only read forwards, in small pieces: a header of impossible size is refused unread.

    Args:
        archive: the file.
        stream: what is read.
        has_trailer: whether the end of the stream itself shows that it is whole, as that of a compressed one does.
    """

    def __init__(self, archive: Path, stream: IO[bytes], *, has_trailer: bool) -> None:
        super().__init__()
        self._archive = archive
        self._stream = stream
        self._has_trailer = has_trailer
        self._place = 0

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _HEADER:
            raise ArchiveError(
                f"{self._archive} has a header of {size} bytes, more than any needs; it is a bomb; do not trust it"
            )
        data = self._stream.read(size)
        self._place += len(data)
        return data

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        assert whence == io.SEEK_SET
        assert place >= self._place, "tarfile reads one member after another"
        while self._place < place and self.read(min(place - self._place, _HEADER)):
            pass
        return self._place

    def require_trailer(self) -> None:
        """Check that a tar may end here without the mark of its end, which some programs leave out.

        Raises:
            ArchiveError: if nothing else shows that the tar is whole.
        """
        if self._place and not self._has_trailer:
            raise ArchiveError(
                f"{self._archive} ends without the mark of a tar's end, as one that was cut short does; get it again, "
                "or unpack it by hand if it never had one"
            )

    def finish(self) -> None:
        """Read what follows the last member: zeros, and the checksums of a compressed stream, which need its end.

        Raises:
            ArchiveError: if there is anything else, or more than any program adds.
        """
        end = self._place
        while data := self.read(_HEADER):
            if data.strip(b"\0"):
                raise ArchiveError(f"{self._archive} goes on behind the mark of its end; it is damaged, get it again")
            if self._place - end > _PADDING:
                raise ArchiveError(
                    f"{self._archive} has more than {_PADDING} zeros behind its end; it is a bomb; do not trust it"
                )
