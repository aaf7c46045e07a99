"""What stands for a store where one is taken: a path or a URL, opened for the time that it is needed."""

from __future__ import annotations

from contextlib import contextmanager
from os import PathLike, fspath
from typing import TYPE_CHECKING, TypeAlias

from dissection.errors import not_taken

from .store import NameStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .records import Run, RunLike

StoreLike: TypeAlias = NameStore | str | PathLike[str]
"""A store, or the path or URL of its database."""

_ACCEPTED = "a NameStore, or the path or URL of a database"


@contextmanager
def reading(store: StoreLike) -> Iterator[NameStore]:
    """A store to read from; one that is opened here is closed again.

    Raises:
        StoreError: if there is no such database.
        TypeError: if ``store`` is neither a store nor the place of one.
    """
    if isinstance(store, NameStore):
        yield store
        return
    with NameStore.open(_place(store)) as opened:
        yield opened


@contextmanager
def writing(store: StoreLike) -> Iterator[NameStore]:
    """A store to write to, as :meth:`NameStore.create` makes it; one that is opened here is closed again.

    Raises:
        StoreError: if the database cannot be made.
        TypeError: if ``store`` is neither a store nor the place of one.
    """
    if isinstance(store, NameStore):
        yield store
        return
    with NameStore.create(_place(store)) as opened:
        yield opened


def chosen_run(store: NameStore, run: RunLike | None) -> Run:
    """A run of a store, by its number too; the newest where none is named.

    Raises:
        RunNotFoundError: if there is no such run, or none at all.
        TypeError: if ``run`` is neither a run nor a number.
    """
    return store.newest() if run is None else store.run(run)


def _place(store: object) -> str:
    if isinstance(store, str | PathLike) and isinstance(place := fspath(store), str):
        return place
    raise not_taken("store", store, _ACCEPTED)
