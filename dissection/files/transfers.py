"""One try to fetch the rest of a file: the request to the server, and what its answer means."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import requests
from urllib3 import exceptions

if TYPE_CHECKING:
    from .partial_file import PartialFile

_CHUNK = 1 << 16
_LATER = {408, 425, 429, 500, 502, 503, 504}
"""Status codes of a server that may answer better later."""

_WORDS = {
    "NameResolutionError": "the host was not found",
    "ProxyError": "the proxy cannot be reached",
    "ConnectTimeout": "no connection within {0.connect:g} seconds",
    "ReadTimeout": "nothing came for {0.read:g} seconds",
    "SSLError": "the host cannot prove its identity",
    "IncompleteRead": "the connection broke off",
    "NewConnectionError": "there was no connection",
}
"""Words for an error, by a name somewhere in it: requests wraps errors several times."""

Bytes = Callable[[int, int], None]
"""Called with the bytes received and all of them, or 0 if that is unknown."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait.

    Attributes:
        tries: how many tries in a row may bring nothing new.
        connect: seconds within which to connect.
        read: seconds within which at least one byte must arrive.
        sleep: waits between two tries: a second at first, then twice as long each time.
    """

    tries: int = 5
    connect: float = 15.0
    read: float = 60.0
    sleep: Callable[[float], None] = time.sleep


class InterruptedTransferError(Exception):
    """A try that did not bring the whole file; the next one may bring the rest."""


class RefusedTransferError(Exception):
    """Trying again will not help."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What all tries for one file have in common.

    Attributes:
        session: the connections.
        source: the address.
        size: published size of the file in bytes, if any.
        patience: how long to wait.
        progress: called with the bytes received and all of them.
    """

    session: requests.Session
    source: str
    size: int | None
    patience: Patience
    progress: Bytes | None

    def receive(self, part: PartialFile) -> None:
        """Add the missing bytes to a part.

        Raises:
            InterruptedTransferError: if some did not arrive.
            RefusedTransferError: if they never will.
        """
        try:
            self._receive(part)
        except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL) as error:
            raise RefusedTransferError(f"it leads to an address that is not http or https: {error}") from error
        except requests.TooManyRedirects as error:
            raise RefusedTransferError("it leads from one address to the next without end") from error
        except (requests.RequestException, exceptions.HTTPError) as error:
            raise InterruptedTransferError(self._reason(error)) from error

    def _receive(self, part: PartialFile) -> None:
        headers = {"Accept-Encoding": "identity", **part.request()}
        timeouts = (self.patience.connect, self.patience.read)
        with self.session.get(self.source, headers=headers, stream=True, timeout=timeouts) as response:
            total = self._prepare(part, response)
            if response.ok:
                self._append(part, response, total)
        if total is not None and part.length < total:
            raise InterruptedTransferError(f"the connection ended after {part.length} of {total} bytes")

    def _prepare(self, part: PartialFile, response: requests.Response) -> int | None:
        """Make the part fit what the server is about to send; returns the size of the whole file, if known."""
        total = _total(part, response)
        if self.size is not None and total not in {None, self.size}:
            raise RefusedTransferError(f"the server has {total} bytes, and {self.size} were published")
        total = self.size if total is None else total
        missing = (total or 0) - part.length
        free = shutil.disk_usage(part.file.parent).free
        if missing > free:
            raise RefusedTransferError(f"{missing} bytes are missing, and the disk has room for {free}")
        return total

    def _append(self, part: PartialFile, response: requests.Response, total: int | None) -> None:
        with part.growing() as append:
            # raw: if a server calls a .tar.gz "gzip-encoded", requests would unpack it
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                if total is not None and part.length + len(chunk) > total:
                    raise RefusedTransferError(f"the server sends more than the {total} bytes that it announced")
                append(chunk)
                if self.progress is not None:
                    self.progress(part.length, total or 0)

    def _reason(self, error: Exception) -> str:
        """What went wrong with a connection, in a few words."""
        wrapped = repr(error) + repr(error.__context__)
        words = next((words for name, words in _WORDS.items() if name in wrapped), "the connection failed")
        return words.format(self.patience)


def _total(part: PartialFile, response: requests.Response) -> int | None:
    """The size of the whole file according to the answer; a part that does not fit the answer is discarded."""
    match response.status_code:
        case HTTPStatus.OK:
            part.begin(_validator(response))
            length = response.headers.get("Content-Length", "")
            return int(length) if length.isdecimal() else None
        case HTTPStatus.PARTIAL_CONTENT if _starts(response) == part.length and part.continues(_validator(response)):
            return _size(response)
        case HTTPStatus.PARTIAL_CONTENT:
            part.begin("")
            raise InterruptedTransferError("the server sent bytes that do not fit those received")
        case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE if _size(response) == part.length:
            return part.length
        case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.begin("")
            raise InterruptedTransferError("the server has less than it had before")
        case status if status in _LATER:
            raise InterruptedTransferError(f"the server answers {status} {response.reason}")
        case status:
            raise RefusedTransferError(f"the server answers {status} {response.reason}")


def _validator(response: requests.Response) -> str:
    """What identifies this version of the file on the server; a "weak" ETag does not do so to the byte."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _starts(response: requests.Response) -> int | None:
    content_range = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(content_range[1]) if content_range else None


def _size(response: requests.Response) -> int | None:
    content_range = re.search(r"/(\d+)$", response.headers.get("Content-Range", ""))
    return int(content_range[1]) if content_range else None
