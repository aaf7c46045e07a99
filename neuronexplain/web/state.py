"""What the routes of the application over a database share, handed to them by FastAPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from .catalogue import Catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from .explaining import Explaining
    from .jobs import Jobs


@dataclass(frozen=True, slots=True)
class State:
    """The database as it was read, the network and its queue, and the folder of audits, if there is one."""

    catalogue: Catalogue
    explaining: Explaining
    jobs: Jobs
    audits: Path | None = None


def _state(request: Request) -> State:
    state: State = request.app.state.names
    return state


def _catalogue(request: Request) -> Catalogue:
    return _state(request).catalogue


Names = Annotated[Catalogue, Depends(_catalogue)]
Shared = Annotated[State, Depends(_state)]
