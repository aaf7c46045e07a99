"""A web application with its protections and its errors, and the server that runs it."""

from __future__ import annotations

import socket
from http import HTTPStatus
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from db.errors import ConceptNotFoundError, RunNotFoundError, StoreError
from dissection.errors import ClassNotFoundError, LayerNotFoundError, NeuronExplainError, OutputError
from dissection.plain_text import visible

from . import pages
from .jobs import BusyError
from .protection import LARGEST_BODY, LOCAL_HOSTS, Gate, Headed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.types import ASGIApp, Scope

LOCAL = "127.0.0.1"
"""The address that only this machine reaches."""

_MOST_AT_ONCE = 1000
"""Connections and requests; more are told to come again."""
_PATIENCE = 3
"""Seconds that a server which is stopped gives to requests that are under way."""


def application(
    title: str,
    *,
    hosts: Iterable[str] = (),
    largest_body: int = LARGEST_BODY,
    inner: Iterable[tuple[Callable[..., ASGIApp], Mapping[str, object]]] = (),
) -> FastAPI:
    """An application without pages of its own yet: protected, with its static files, and with errors of one sentence.

    What goes wrong is answered as JSON below ``/api``, and elsewhere as a page.

    Args:
        title: what it is called.
        hosts: names, besides this machine's own, by which it may be addressed.
        largest_body: bytes that a request may carry.
        inner: middleware for requests that were let through, with its arguments.
    """

    def failed(path: str, status: int, reason: str) -> Response:
        sentence = visible(" ".join(reason.split()))
        if path.startswith("/api/"):
            return JSONResponse({"detail": sentence}, status)
        return pages.page("error.html.j2", status, title=title, heading=HTTPStatus(status).phrase, sentence=sentence)

    def refused(scope: Scope, error: HTTPException) -> ASGIApp:
        return failed(scope["path"], error.status_code, error.detail)

    async def answer(request: Request, error: Exception) -> Response:
        return failed(request.url.path, *reason_of(error))

    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    for middleware, arguments in inner:
        app.add_middleware(middleware, **arguments)
    app.add_middleware(
        Gate, hosts=LOCAL_HOSTS | {host.lower() for host in hosts}, refusal=refused, largest_body=largest_body
    )
    app.add_middleware(Headed)
    for kind in (HTTPException, RequestValidationError, NeuronExplainError):
        app.add_exception_handler(kind, answer)
    app.add_api_route("/static/{name}", _static, include_in_schema=False)
    return app


def reason_of(error: Exception) -> tuple[int, str]:
    """The status and the sentence with which an error is answered."""
    match error:
        case HTTPException():
            reason = error.status_code, str(error.detail)
        case RequestValidationError():
            first = error.errors()[0]
            reason = (
                422,
                f"{first['loc'][-1]}: {'it is missing; add it' if first['type'] == 'missing' else first['msg']}",
            )
        case ClassNotFoundError() | ConceptNotFoundError() | RunNotFoundError() | LayerNotFoundError():
            reason = 404, str(error)
        case BusyError():
            reason = 429, str(error)
        case StoreError():  # what a run does not keep; a database that fails has a cause
            reason = (503 if error.__cause__ is not None else 409), str(error)
        case _:
            reason = 400, str(error)
    return reason


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address; port 0 takes any that is free.

    Raises:
        OutputError: if the address cannot be listened at.
    """
    try:
        at = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise OutputError(
            f"{host}:{port} cannot be listened at ({error.strerror}): give another --host or --port"
        ) from error
    # Connections inherit it. asyncio sets it only where a socket's protocol is named, and without it a browser's
    # delayed acknowledgement holds each body back for 40 ms, since it is sent after its headers.
    at.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return at


def address_of(at: socket.socket) -> str:
    """What a browser is given to reach a socket."""
    host, port = at.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: ASGIApp, at: socket.socket) -> None:
    """Run an application until the process is told to stop; the signal is then raised again, as it would have been."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=_MOST_AT_ONCE,
        timeout_graceful_shutdown=_PATIENCE,
    )
    uvicorn.Server(config).run(sockets=[at])


async def _static(name: str) -> Response:
    response = pages.static(name)
    if response is None:
        raise HTTPException(404, f"There is no file {name[:100]!r} here.")
    return response
