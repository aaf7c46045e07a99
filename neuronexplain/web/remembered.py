"""Remembers whole answers to questions about the database, for as long as it holds the same runs."""

from __future__ import annotations

from asyncio import get_running_loop
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool

from dissection.errors import NeuronExplainError

from .limited import Limited

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BYTES: Final = 64 * 2**20
_LONGEST_ADDRESS: Final = 512
_FRESH: Final = 1.0
"""Seconds for which the database is taken to hold what it held."""
_OVERHEAD: Final = 1024


@dataclass(frozen=True, slots=True)
class _Answer:
    start: Message
    body: bytes

    @property
    def may_be_kept(self) -> bool:
        return self.start["status"] == HTTPStatus.OK and (b"cache-control", b"no-store") not in self.start["headers"]


class Remembered:
    """Answers a GET that was answered before without asking the application again, unless it said ``no-store``.

    Args:
        app: the application.
        covers: whether the answer at a path depends on nothing but the path, the query and what the database holds.
        version: says by a value what the database holds; asked at most once a second.
    """

    def __init__(self, app: ASGIApp, *, covers: Callable[[str], bool], version: Callable[[], object]) -> None:
        self._app = app
        self._covers = covers
        self._version = version
        self._known: object = None
        self._checked = float("-inf")
        self._answers: Limited[tuple[str, bytes], _Answer] = Limited(_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request from memory, or let the application answer it, and remember that."""
        key = (scope.get("path", ""), scope.get("query_string", b""))
        is_covered = scope["type"] == "http" and scope["method"] == "GET" and self._covers(key[0])
        if not is_covered or len(key[0]) + len(key[1]) > _LONGEST_ADDRESS:
            await self._app(scope, receive, send)
            return
        await self._refresh()
        answer = self._answers.get(key)
        if answer is None:
            known = self._known
            answer = await _recorded(self._app, scope, receive)
            if answer.may_be_kept and known is not None and known == self._known:
                self._answers.keep(key, answer, len(answer.body) + _OVERHEAD)
        await send(answer.start)
        await send({"type": "http.response.body", "body": answer.body})

    async def _refresh(self) -> None:
        now = get_running_loop().time()
        if now - self._checked < _FRESH:
            return
        self._checked = now
        try:
            known = await run_in_threadpool(self._version)
        except NeuronExplainError:  # the application finds it too, and says so
            known = None
        if known != self._known:
            self._answers.clear()
            self._known = known


async def _recorded(app: ASGIApp, scope: Scope, receive: Receive) -> _Answer:
    starts: list[Message] = []
    body: list[bytes] = []

    async def record(message: Message) -> None:
        if message["type"] == "http.response.start":
            starts.append(message)
        else:
            body.append(message.get("body", b""))

    await app(scope, receive, record)
    return _Answer(starts[0], b"".join(body))
