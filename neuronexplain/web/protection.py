"""What stands before every web application of ours: who may ask, how much they may send, and what a browser may do.

A page of somebody else's, open in the same browser, can reach a server on this machine. It is refused if it comes by a
name that is not ours (DNS rebinding) and if it asks from another origin (cross-site request forgery). The latter is
decided without tokens, by what browsers say of themselves: ``Sec-Fetch-Site``, and ``Origin`` where they do not send
it, as Go's ``http.CrossOriginProtection`` does. Programs send neither, and are served.
"""

from __future__ import annotations

from asyncio import get_running_loop, timeout, timeout_at
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""What this machine is called by those who sit at it."""

LARGEST_BODY: Final = 20 * 2**20
"""Bytes that a request may carry: a photograph and a few words."""

SLOWEST_BODY: Final = 60.0
"""Seconds in which all of them must have come."""

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
"""Sent with every answer that does not say otherwise: nothing runs or loads but what the application itself serves."""

_SAFE: Final = {"GET", "HEAD", "OPTIONS"}
_DIGITS: Final = 20
_DRAIN_BODIES: Final = 4
_DRAIN_SECONDS: Final = 10.0


class Gate:
    """Lets requests through to an application that come by its names, from its pages or programs, and bounded.

    Args:
        app: the application; it answers the errors that are raised while it reads a body.
        hosts: names in lower case, without ports, by which it may be addressed.
        refusal: makes the answer to a request that is not let through.
        largest_body: bytes that a request may carry.
        slowest_body: seconds in which they must have come.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        refusal: Callable[[Scope, HTTPException], ASGIApp],
        largest_body: int = LARGEST_BODY,
        slowest_body: float = SLOWEST_BODY,
    ) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._refusal = refusal
        self._largest = largest_body
        self._slowest = slowest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, and pass it on with its body counted, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope["method"], Headers(scope=scope))
        except HTTPException as error:
            await self._drain(receive)
            await self._refusal(scope, error)(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive), send)

    def _check(self, method: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if _hostname(host) not in self._hosts:
            raise HTTPException(
                421, f"This server does not answer to the name {host[:100]!r}; start it with --allow-host to add one."
            )
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        is_foreign = origin is not None and _netloc(origin) != host.lower()
        if is_foreign or (method not in _SAFE and site not in {None, "same-origin", "none"}):
            raise HTTPException(403, "This request comes from a page of another site; open this one and ask here.")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal() and len(length) < _DIGITS):
            raise HTTPException(400, "The request does not say how long it is: send Content-Length.")
        if int(length) > self._largest:
            raise self._too_large()

    def _too_large(self) -> HTTPException:
        return HTTPException(
            413, f"That is more than {self._largest / 2**20:.3g} MB, the most that may be sent: send less."
        )

    def _counted(self, receive: Receive) -> Receive:
        """The request's body, which ends with an error where it grows too large or comes too slowly."""
        size, is_whole = 0, False
        deadline = get_running_loop().time() + self._slowest

        async def counted() -> Message:
            nonlocal size, is_whole
            if is_whole:  # from here on an application only waits for the client to leave
                return await receive()
            try:
                async with timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(
                    408, f"The request did not arrive within {self._slowest:g} seconds: try again."
                ) from None
            size += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if size > self._largest:
                await self._drain(receive, is_whole=is_whole)
                raise self._too_large()
            return message

        return counted

    async def _drain(self, receive: Receive, *, is_whole: bool = False) -> None:
        """Read what is still being sent: who is cut off while sending never reads the answer."""
        size = 0
        with suppress(TimeoutError):
            async with timeout(_DRAIN_SECONDS):
                while not is_whole and size <= _DRAIN_BODIES * self._largest:
                    message = await receive()
                    size += len(message.get("body", b""))
                    is_whole = not message.get("more_body", False)


class Headed:
    """Sends :data:`HEADERS` with every answer of an application, errors too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add the headers to its answer."""

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, headed)


def _hostname(netloc: str) -> str | None:
    try:
        return urlsplit(f"//{netloc}").hostname if netloc and not set(netloc) & set("/?#@\\") else None
    except ValueError:
        return None


def _netloc(origin: str) -> str | None:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in {"http", "https"} else None
