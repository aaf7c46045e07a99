"""Which runs a database holds, and which of them is meant."""

from __future__ import annotations

import json
from contextlib import contextmanager
from operator import index
from typing import TYPE_CHECKING, SupportsIndex

from sqlalchemy import func, select

from dissection.errors import not_taken

from . import reading
from .errors import RunNotFoundError, explained
from .fetching import fetched
from .own_tables import version_of
from .records import Run
from .schema import runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from .location import Location
    from .records import RunKey, RunLike

_EMPTY = "has no run yet: build one with `neuronexplain build`"


class HeldRuns:
    """The runs of a database, by number, key or network."""

    def __init__(self, engine: Engine, location: Location) -> None:
        self._engine = engine
        self._location = location

    @property
    def where(self) -> str:
        """The database's address, without a password."""
        return str(self._location)

    @property
    def schema(self) -> int:
        """Version of the database's tables; an older one lacks what newer runs keep."""
        with self._moment() as connection:
            return version_of(connection, self._location) or 0

    def find(self, key: RunKey) -> Run | None:
        """The run with a key, or ``None``."""
        with self._moment() as connection:
            return next(iter(reading.read_runs(connection, runs.c.digest == key.digest)), None)

    def runs(self) -> list[Run]:
        """Every run, oldest first."""
        with self._moment() as connection:
            return reading.read_runs(connection)

    def held(self) -> dict[int, str]:
        """The digest of every run by its number: whether anything has changed, without reading much."""
        with self._moment() as connection:
            return {row.id: row.digest for row in fetched(connection, select(runs.c.id, runs.c.digest))}

    def run(self, id: RunLike) -> Run:  # noqa: A002 - the column's name, and what --run takes
        """The run with a number; a run itself is returned.

        Raises:
            RunNotFoundError: if there is none; the message lists the runs.
            TypeError: if ``id`` is neither a number nor a run.
        """
        if isinstance(id, Run):
            return id
        if isinstance(id, bool) or not isinstance(id, SupportsIndex):
            raise not_taken("run", id, "a Run, or its number")
        number = index(id)
        with self._moment() as connection:
            for run in reading.read_runs(connection, runs.c.id == number):
                return run
        held = self._listing()
        raise RunNotFoundError(f"{self._location} {f'has no run {number}; choose one of {held}' if held else _EMPTY}")

    def newest(self) -> Run:
        """The run that was stored last.

        Raises:
            RunNotFoundError: if there is none.
        """
        newest = select(func.max(runs.c.id)).scalar_subquery()
        with self._moment() as connection:
            for run in reading.read_runs(connection, runs.c.id == newest):
                return run
        raise RunNotFoundError(f"{self._location} {_EMPTY}")

    def choose(self, id: RunLike | None = None) -> Run:  # noqa: A002
        """The run with a number; without a number, the only run.

        Raises:
            RunNotFoundError: if there is no such run, or a number is needed to tell several apart.
        """
        if id is not None:
            return self.run(id)
        existing = self.runs()
        if len(existing) == 1:
            return existing[0]
        if existing:
            raise RunNotFoundError(f"{self._location} has {len(existing)} runs; name one with --run: {self._listing()}")
        raise RunNotFoundError(f"{self._location} {_EMPTY}")

    def newest_of(self, network: str | None = None) -> Run:
        """The newest run, if all are of one network.

        Args:
            network: the network's name, if only runs of that one come into question.

        Raises:
            RunNotFoundError: if the runs are of several networks, or there are none.
        """
        existing = self.runs()
        named = [run for run in existing if network in {run.network, run.source.get("network")}]
        candidates = named if network and named else existing
        if len({run.key.network for run in candidates}) == 1:
            return candidates[-1]
        return self.choose()  # which says what there is

    def run_for(self, *fingerprints: str, preprocessing: str | None = None) -> Run:
        """The newest run that names the units of a network.

        Args:
            fingerprints: of the network, and of its body, which names depend on: the first that a run is known by.
            preprocessing: how photographs become the network's input, as canonical text; by default it does not matter.

        Raises:
            RunNotFoundError: if all runs are of other networks, of other weights, or of another preprocessing.
        """
        existing = self.runs()
        known = [run for fingerprint in fingerprints for run in reversed(existing) if fingerprint in run.known_by]
        for run in known:
            if preprocessing in {None, run.key.preprocessing}:
                return run
        if known and preprocessing is not None:
            raise RunNotFoundError(self._otherwise_prepared(known[0], preprocessing))
        held = ", ".join(sorted({f"{run.network} {_short(run.key.network)}" for run in existing}))
        raise RunNotFoundError(
            f"{self._location} has no run of the network with fingerprint {_short(fingerprints[0])}"
            + (f" but of {held}: the weights differ" if held else "")
            + "; give that network's own weights, or build a run for this one with `neuronexplain build`"
        )

    def require_network(self, run: RunLike, *fingerprints: str, preprocessing: str | None = None) -> None:
        """Check that a run names the units of a network; arguments are those of `run_for`.

        Raises:
            RunNotFoundError: if it is of another network, of other weights, or of another preprocessing; the message
                names the run that fits, if any.
        """
        run = self.run(run)
        if run.known_by.isdisjoint(fingerprints):
            fitting = self.run_for(*fingerprints, preprocessing=preprocessing)
            raise RunNotFoundError(
                f"run {run.id} of {self._location} is of {run.network} {_short(run.key.network)}, and the network has "
                f"the fingerprint {_short(fingerprints[0])}: the weights differ; run {fitting.id} is of this "
                "network, name that one"
            )
        if preprocessing not in {None, run.key.preprocessing}:
            raise RunNotFoundError(self._otherwise_prepared(run, str(preprocessing)))

    @contextmanager
    def _moment(self) -> Iterator[Connection]:
        """A moment of the database."""
        with explained(self._location), self._engine.begin() as connection:
            yield connection

    def _otherwise_prepared(self, run: Run, preprocessing: str) -> str:
        return (
            f"run {run.id} of {self._location} names the units of this network in photographs that are prepared in "
            f"another way ({_apart(run.key.preprocessing, preprocessing)}); prepare them so, or build a run for this "
            "network with `neuronexplain build`"
        )

    def _listing(self) -> str:
        return "; ".join(
            f"{run.id}: {run.network} {run.layer.name}, {run.concepts}, {run.created:%Y-%m-%d %H:%M}"
            for run in self.runs()
        )


def _apart(kept: str, expected: str) -> str:
    """What two preprocessings, as canonical texts, differ in."""
    kept_settings, settings = json.loads(kept), json.loads(expected)
    return "; ".join(
        f"{name} {kept_settings.get(name)}, and not {settings.get(name)}"
        for name in sorted(kept_settings.keys() | settings.keys())
        if kept_settings.get(name) != settings.get(name)
    )


def _short(fingerprint: str) -> str:
    return fingerprint[:12]
