"""Files from the web: gone on with after a break, tried again, checked, and there whole or not at all."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
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
    """Fetch a file, unless it is there already. Proxies are taken from the environment.

    What has come lies beside it as ``NAME.part`` until it is whole, and a later call goes on there if the file on the
    server is still the same. One process fetches it, others wait.

    Args:
        url: address, http or https.
        path: what the file is to be called; its folder is made.
        size: bytes, where they are known.
        digest: what was published, such as ``sha256:0123…``, or its first digits (PyTorch puts eight into file names);
            md5 and sha1 find damage, not malice.
        mirror: address of a copy, in place of the scheme and host of ``url``.
        by_hand: what to do with a file that was fetched by hand; by default to save it as ``path``.
        progress: is told about bytes.
        patience: how long is waited.

    Returns:
        ``path``.

    Raises:
        DownloadError: if it cannot be had, or is not what was published.
        OutputError: if it cannot be written.
    """
    wanted = _Wanted(mirrored(url, mirror), path, size, digest, by_hand or f"save it as {path}")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path):
                if not path.exists():
                    _fetch(wanted, progress, patience or Patience())
                    return path
        wrong = wanted.contradiction(path)
    except OSError as error:
        raise unwritable(path, error, "make room, or name another place") from error
    if wrong:
        raise DownloadError(f"{path} is there, but {wrong}; remove it, to fetch it again from {wanted.source}")
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
            raise DownloadError(f"{address!r} is no address to fetch from; one with http:// or https:// is wanted")
    return url if mirror is None else mirror.rstrip("/") + re.sub(r"^\w+://[^/]*", "", url)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be fetched from where, what is known of it, and what to do where it does not come."""

    source: str
    path: Path
    size: int | None
    digest: str | None
    by_hand: str

    def contradiction(self, file: Path) -> str:
        """What about a file is not as published; empty where all is well."""
        found = file.stat().st_size
        if self.size is not None and found != self.size:
            return f"it has {found} bytes, and {self.size} were published"
        if self.digest is not None:
            kind, _, published = self.digest.partition(":")
            digits = _digest(file, kind)[: len(published)]
            if digits != published.lower():
                return f"its {kind} is {digits}, and {published} was published"
        return ""

    def failure(self, why: object) -> DownloadError:
        """The error that names the address and the way by hand."""
        return DownloadError(f"cannot fetch {self.source} ({why}); fetch it by hand where you can, and {self.by_hand}")


def _digest(file: Path, kind: str) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, kind).hexdigest()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock_file = path.with_name(f"{path.name}.lock")
    with FileLock(lock_file):
        try:
            yield
        finally:
            lock_file.unlink(missing_ok=True)  # whoever waits for it sees that it is gone, and makes another


def _fetch(wanted: _Wanted, progress: Bytes | None, patience: Patience) -> None:
    part = PartialFile(wanted.path, wanted.source)
    with requests.Session() as session:
        transfer = Transfer(session, wanted.source, wanted.size, patience, progress)
        try:
            _persist(transfer, part)
        except (InterruptedTransferError, RefusedTransferError) as error:
            raise wanted.failure(error) from error
    if wrong := wanted.contradiction(part.file):
        part.begin("")
        raise wanted.failure(f"another file came: {wrong}")
    part.finish()


def _persist(transfer: Transfer, part: PartialFile) -> None:
    """Try until everything has come; a try that brought more than any before makes up for those that failed."""
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
