"""Our web applications on a real socket, as browsers reach them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from neuronexplain.web.server import LOCAL, address_of, listen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The address at which an application answers meanwhile."""
    with listen(LOCAL, 0) as at:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [at]})
        thread.start()
        try:
            yield address_of(at)
        finally:
            server.should_exit = True
            thread.join()
