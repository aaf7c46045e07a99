"""A real web server on this machine that misbehaves as it is told to."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Reply:
    """One answer to a request.

    Attributes:
        content: the whole file.
        tag: its ETag; empty for none.
        stop: bytes after which the connection is closed.
        stall: seconds to be silent for, instead of closing it.
        status: another status than 200 or 206.
        headers: headers that replace those that are true; None leaves one out.
        ranges: whether ``Range`` is understood.
        pause: seconds between two pieces of 4 kB.
    """

    content: bytes = b""
    tag: str = '"first"'
    stop: int | None = None
    stall: float = 0
    status: int | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    ranges: bool = True
    pause: float = 0


@dataclass
class Web:
    """The server: its address, what it was asked, and the answers it is still to give (the last one for ever)."""

    url: str
    replies: list[Reply] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.asked]

    def next(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


class _Handler(BaseHTTPRequestHandler):
    web: Web
    protocol_version = "HTTP/1.1"

    def log_message(self, *_words: object) -> None:
        pass

    def do_GET(self) -> None:
        self.web.asked.append((self.path, dict(self.headers)))
        reply = self.web.next()
        start = self._start(reply)
        if start is not None and start >= len(reply.content):
            self._head(416, {"Content-Range": f"bytes */{len(reply.content)}", "Content-Length": "0"}, reply)
            return
        body = reply.content[start or 0 :]
        head = {"Content-Length": str(len(body)), "ETag": reply.tag or None}
        if start is not None:
            head["Content-Range"] = f"bytes {start}-{len(reply.content) - 1}/{len(reply.content)}"
        self._head(200 if start is None else 206, head, reply)
        self._send(body, reply)

    def _start(self, reply: Reply) -> int | None:
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        known = {reply.tag, reply.headers.get("Last-Modified")} - {"", None}
        if not wanted or not reply.ranges or (condition and condition not in known):
            return None
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def _head(self, status: int, head: dict[str, str | None], reply: Reply) -> None:
        self.send_response_only(reply.status or status)
        for name, value in {
            **head,
            "Date": formatdate(usegmt=True),
            "Connection": "close",
            **reply.headers,
        }.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()

    def _send(self, body: bytes, reply: Reply) -> None:
        self.close_connection = True
        body = body[: reply.stop]
        try:
            for start in range(0, len(body), 4096):
                self.wfile.write(body[start : start + 4096])
                time.sleep(reply.pause)
            time.sleep(reply.stall)
        except OSError:
            pass  # the other side has gone


@contextmanager
def serving(*replies: Reply) -> Iterator[Web]:
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    web = handler.web = Web(f"http://127.0.0.1:{server.server_port}", list(replies))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
