"""Fetches files from the web: resumed after a break, retried, checked, and whole or not there at all."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
from filelock import FileLock

from dissection.errors import DownloadError

from .atomic import unwritable
from .partial_file import PartialFile
from .transfers import InterruptedTransferError, Patience, RefusedTransferError, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .transfers import Bytes

_LONGEST_PAUSE = 60.0


def download(
    url: str,
    path: Path,
    *,
    size: int | None = None,
    digest: str | None = None,
    mirror: str | None = None,
    by_hand: str | None = None,
    progress: Bytes | None = None,
    patience: Patience | None = None,
) -> Path:
    """Fetch a file, unless it already exists. Proxies are taken from the environment.

    Until the file is whole it is called ``NAME.part``, and a later call resumes it if the file on the server is still
    the same. One process fetches it, others wait.

    Args:
        url: address, http or https.
        path: path of the file; its folder is created.
        size: size in bytes, if known.
        digest: published digest, such as ``sha256:0123…``, or its first digits (PyTorch puts eight into file names);
            md5 and sha1 find damage, not malice.
        mirror: address of a copy, in place of the scheme and host of ``url``.
        by_hand: what to do with a file that was fetched by hand; by default, save it as ``path``.
        progress: called with the bytes received and all of them.
        patience: how long to wait.

    Returns:
        ``path``.

    Raises:
        DownloadError: if the file cannot be fetched, or differs from what was published.
        OutputError: if it cannot be written.
    """
    request = _Request(mirrored(url, mirror), path, size, digest, by_hand or f"save it as {path}")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path):
                if not path.exists():
                    _fetch(request, progress, patience or Patience())
                    return path
        elif _lock_file(path).exists():  # a process was killed when only this was left to do
            with suppress(OSError, NotImplementedError), _alone(path):  # nobody may be allowed to write here
                pass
        mismatch = request.contradiction(path)
    except OSError as error:
        raise unwritable(path, error, "make room, or name another place") from error
    if mismatch:
        raise DownloadError(f"{path} exists, but {mismatch}; remove it to fetch it again from {request.source}")
    return path


def mirrored(url: str, mirror: str | None) -> str:
    """The address on a mirror, which takes the place of scheme and host.

    >>> mirrored("http://host.org/zips/a.zip", "https://mirror.net/copy/")
    'https://mirror.net/copy/zips/a.zip'

    Raises:
        DownloadError: if an address is not http or https.
    """
    for address in (url, mirror):
        if address is not None and not re.match(r"https?://[^/\s]", address):
            raise DownloadError(f"{address!r} is not an address to fetch from; one with http:// or https:// is needed")
    return url if mirror is None else mirror.rstrip("/") + re.sub(r"^\w+://[^/]*", "", url)


@dataclass(frozen=True, slots=True)
class _Request:
    """A file to fetch: its address, its path, its published size and digest, and what to do if that fails."""

    source: str
    path: Path
    size: int | None
    digest: str | None
    by_hand: str

    def contradiction(self, file: Path) -> str:
        """How a file differs from what was published; empty if it does not."""
        size = file.stat().st_size
        if self.size is not None and size != self.size:
            return f"it has {size} bytes, and {self.size} were published"
        if self.digest is not None:
            kind, _, published = self.digest.partition(":")
            digits = _digest(file, kind)[: len(published)]
            if digits != published.lower():
                return f"its {kind} is {digits}, and {published} was published"
        return ""

    def failure(self, reason: object) -> DownloadError:
        """The error that names the address, and what to do by hand."""
        return DownloadError(f"cannot fetch {self.source} ({reason}); fetch it by hand if you can, and {self.by_hand}")


def _digest(file: Path, kind: str) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, kind).hexdigest()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock_file = _lock_file(path)
    with FileLock(lock_file):
        try:
            yield
        finally:
            lock_file.unlink(missing_ok=True)  # a process that waits for it notices that it is gone, and makes another


def _lock_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _fetch(request: _Request, progress: Bytes | None, patience: Patience) -> None:
    part = PartialFile(request.path, request.source)
    with requests.Session() as session:
        transfer = Transfer(session, request.source, request.size, patience, progress)
        try:
            _persist(transfer, part)
        except (InterruptedTransferError, RefusedTransferError) as error:
            raise request.failure(error) from error
    if mismatch := request.contradiction(part.file):
        part.begin("")
        raise request.failure(f"the server sent another file: {mismatch}")
    part.finish()


def _persist(transfer: Transfer, part: PartialFile) -> None:
    """Try until the file is whole; a try that gets farther than any before makes up for those that failed."""
    farthest, failures = part.length, 0
    if transfer.progress is not None:
        transfer.progress(farthest, transfer.size or 0)
    while True:
        try:
            transfer.receive(part)
            break
        except InterruptedTransferError:
            failures = 0 if part.length > farthest else failures + 1
            farthest = max(farthest, part.length)
            if failures >= transfer.patience.tries:
                raise
            transfer.patience.sleep(min(2.0 ** max(failures - 1, 0), _LONGEST_PAUSE))
