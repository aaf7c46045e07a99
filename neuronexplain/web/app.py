"""The application over a database of names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import api, asking, audits, browse
from .catalogue import Catalogue
from .explaining import Explaining, NetworkPlace
from .jobs import Jobs
from .remembered import Remembered
from .server import application
from .state import State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from fastapi import FastAPI

    from db import NameStore

_REMEMBERED = ("/runs", "/compare", "/search", "/api/runs", "/api/compare", "/api/search", "/api/openapi.json")


def names_app(
    store: NameStore,
    place: NetworkPlace | None = None,
    *,
    hosts: Iterable[str] = (),
    audit_folder: Path | None = None,
) -> FastAPI:
    """The application over a store, which reads it and never writes.

    Args:
        store: the store, open for reading.
        place: where networks are found, if not where the runs say.
        hosts: names, besides this machine's own, by which it may be addressed.
        audit_folder: the folder that audits wrote their pages into.

    Raises:
        StoreError: if the database fails.
    """
    catalogue = Catalogue(store)
    catalogue.runs()  # begins to read them before anybody asks
    app = application(
        "NeuronExplain", hosts=hosts, inner=[(Remembered, {"covers": _is_remembered, "version": store.held})]
    )
    app.state.names = State(catalogue, Explaining(catalogue, place or NetworkPlace()), Jobs(), audit_folder)
    for module in (asking, browse, audits, api):
        app.include_router(module.routes)
    return app


def _is_remembered(path: str) -> bool:
    return path.startswith(_REMEMBERED)
