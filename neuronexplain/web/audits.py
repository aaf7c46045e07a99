"""Pages that audits wrote into a folder: a list of them, and each as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from neuronexplain.audit.page import AUDIT_PAGE, audits_in

from . import pages
from .state import Shared

if TYPE_CHECKING:
    from pathlib import Path

    from neuronexplain.audit.page import AuditNote

_POLICY: Final = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox"
)
"""What a page may do: show itself. It has its styles and pictures in it, and no script runs."""

routes = APIRouter(include_in_schema=False)


@routes.get("/audits")
def audits(shared: Shared, run: Annotated[int | None, Query(ge=0)] = None) -> Response:
    """The audits of a run, or all."""
    chosen = None if run is None else shared.catalogue.run(run)
    numbers = {one.key.digest: one.id for one in shared.catalogue.runs()}
    rows = [
        (name, note, numbers.get(note.run))
        for name, (_, note) in _listed(shared.audits).items()
        if chosen is None or note.run == chosen.key.digest
    ]
    newest = next(iter(shared.catalogue.runs()), None)
    return pages.page("audits.html.j2", here="audits", run=chosen or newest, only=chosen, rows=rows)


@routes.get("/audits/{name}")
def audit_page(shared: Shared, name: str) -> Response:
    """The page of an audit."""
    found = _listed(shared.audits).get(name)
    if found is None:
        raise HTTPException(404, f"There is no audit {name[:100]!r} here: choose one at /audits.")
    folder, _ = found
    return HTMLResponse((folder / AUDIT_PAGE).read_bytes(), headers={"content-security-policy": _POLICY})


def _listed(folder: Path | None) -> dict[str, tuple[Path, AuditNote]]:
    """The audits in a folder, by the names of their folders: names are looked up here, and never joined to a path."""
    return {} if folder is None else {path.resolve().name: (path, note) for path, note in audits_in(folder)}
