"""`NameStore`: runs of the dissection, kept in an SQL database."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError

from dissection.html_tables import html_table
from dissection.vocabulary import MIN_IOU

from . import engines, merging, queries, reading, writing
from .agreement import require_agreement
from .errors import RunNotFoundError, StoreError, explained, has_moved
from .held_runs import HeldRuns
from .location import Location
from .records import WholeRun, require_built, require_classes
from .schema import BESIDES, DISSECTION, runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    import numpy as np
    from jaxtyping import Float64
    from sqlalchemy import Connection, Engine, Table

    from dissection.vocabulary import Dissection, Unit, UnitName

    from .excess import LitContributions
    from .queries import ClassConcept, ConceptClass, RankBy
    from .records import Adopted, ClassImportance, Run, RunLike

_NO_PICTURES: Mapping[int, bytes] = MappingProxyType({})


class NameStore(HeldRuns):
    """Runs of the dissection in a database; made by `create` or `open`.

    Every answer about a run comes from that very run: a `Run` from another database, or one deleted since, raises a
    `RunNotFoundError`. Any method raises a `StoreError` if the database fails, or holds something else of the run than
    was stored, which is checked when the run is first asked.
    """

    def __init__(self, engine: Engine, location: Location, *, made: Path | None = None) -> None:
        super().__init__(engine, location)
        self._made = made
        self._unchanged: set[tuple[int, str, str]] = set()

    @classmethod
    def create(cls, where: str | PathLike[str]) -> Self:
        """Open a database for writing, given a path or SQLAlchemy URL; make it if it is missing.

        Used as a context manager, it removes a file that it made if the block ends in an exception and nothing was
        published to the file.

        Raises:
            StoreError: if it cannot be made, or is not one of ours.
            SchemaError: if another version wrote it.
        """
        location = Location.of(where)
        made = location.path if location.path and not location.path.exists() else None
        return cls(engines.created(location), location, made=made)

    @classmethod
    def open(cls, where: str | PathLike[str]) -> Self:
        """Open an existing database, given a path or SQLAlchemy URL, only for reading.

        Raises:
            StoreError: if it does not exist, or is not one of ours.
            SchemaError: if another version wrote it.
        """
        location = Location.of(where)
        return cls(engines.opened(location), location)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._made is not None and kind is not None:
            self._remove_empty(self._made)
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._location)!r})"

    def _repr_html_(self) -> str:
        """The runs as a table, for notebooks."""
        held = self.runs()
        rows = [
            (
                run.id,
                run.network,
                run.layer.name,
                run.layer.units,
                run.concepts,
                run.images,
                run.key.quantile,
                f"{run.created:%Y-%m-%d %H:%M}",
            )
            for run in held
        ]
        caption = f"{self._location}: {len(held)} {'run' if len(held) == 1 else 'runs'}"
        return html_table(
            caption, ("run", "network", "layer", "units", "concepts", "images", "quantile", "built"), rows
        )

    def publish(
        self,
        run: Run,
        dissection: Dissection,
        importances: Sequence[ClassImportance] = (),
        pictures: Mapping[int, bytes] = _NO_PICTURES,
    ) -> Run:
        """Store a run, completely or not at all, and return it with its number and time.

        If the store already holds a run with the same key, that run is kept and returned.

        Args:
            run: the run; its ``id`` and ``created`` are ignored.
            dissection: its dissection.
            importances: the importances for classes, at most one entry per class.
            pictures: JPEGs of images that are exemplars, by the image's index.

        Raises:
            StoreError: if the arguments do not fit together, or the database cannot keep them.
        """
        (kept,) = self.publish_all([WholeRun(run, dissection, tuple(importances), pictures)])
        return kept

    def publish_all(self, given: Sequence[WholeRun]) -> list[Run]:
        """Like `publish`, for several runs: all of them or none."""
        for whole in given:
            require_agreement(whole.run, whole.dissection, whole.importances, whole.pictures)
        with explained(self._location):
            try:
                return self._published(given)
            except IntegrityError:  # another process has meanwhile published one of them, which is now found
                return self._published(given)
            except OperationalError as error:
                if not has_moved(error):
                    raise
                self._engine.dispose()  # another process made the file, failed, and removed it again
                self._engine = engines.created(self._location)
                return self._published(given)

    def _published(self, wholes: Iterable[WholeRun]) -> list[Run]:
        created, kept = datetime.now(UTC), []
        with engines.writing(self._engine) as connection:
            for whole in wholes:
                held = reading.read_runs(connection, runs.c.digest == whole.run.key.digest)
                number = held[0].id if held else writing.write_whole(connection, whole, created)
                kept.append(held[0] if held else replace(whole.run, id=number, created=created))
        return kept

    def adopt(self, given: Iterable[WholeRun]) -> list[Adopted]:
        """Take runs from other stores unchanged, with their times: all of them or none.

        A run that the store already holds is skipped.

        Raises:
            StoreError: if a run's parts do not fit together, or the store holds a different run with its key.
        """
        with explained(self._location), engines.writing(self._engine) as connection:
            return [merging.adopt(connection, whole) for whole in given]

    def whole(self, run: RunLike) -> WholeRun:
        """A run with everything that belongs to it, as `adopt` takes it.

        Raises:
            StoreError: if anything of it was changed or damaged since it was stored.
        """
        run = self.run(run)
        with self._reading(run) as connection:
            return reading.read_whole(connection, run, f"{self._location}, run {run.id}")

    def whole_runs(self) -> Iterator[WholeRun]:
        """Every run in turn, oldest first, as another store's `adopt` takes it.

        Raises:
            StoreError: if the tables do not hold valid runs.
        """
        for run in self.runs():
            yield self.whole(run)

    def delete(self, run: RunLike) -> None:
        """Delete a run and everything that belongs to it; its number is not used again."""
        self.delete_all([run])

    def delete_all(self, chosen: Iterable[RunLike]) -> None:
        """Like :meth:`delete`, for several runs: all of them or none."""
        stored = list(map(self.run, chosen))
        with explained(self._location), engines.writing(self._engine) as connection:
            for run in stored:
                self._require(connection, run)
                writing.delete_run(connection, run.id)

    def dissection(self, run: RunLike) -> Dissection:
        """The whole dissection, equal to the one that was published.

        Raises:
            StoreError: if it was changed or damaged since.
        """
        run = self.run(run)
        with self._reading(run) as connection:
            dissection = reading.read_dissection(connection, run)
            self._unchanged.add(_part(run, DISSECTION))
            return dissection

    def unit(self, run: RunLike, number: int) -> Unit:
        """One unit with its overlaps and exemplars.

        Raises:
            StoreError: if the layer has no such unit.
        """
        run = self.run(run)
        with self._reading(run, DISSECTION) as connection:
            unit = reading.read_unit(connection, run, number)
        if unit is None:
            last = run.layer.units - 1
            raise StoreError(f"layer {run.layer.name} has no unit {number}: give one from 0 to {last}")
        return unit

    def names(self, run: RunLike, min_iou: float = MIN_IOU) -> Mapping[int, UnitName]:
        """Names by unit; a unit without a name is a missing key."""
        run = self.run(run)
        with self._reading(run, DISSECTION) as connection:
            return {name.unit: name for name in reading.read_names(connection, run.id, min_iou)}

    def thresholds(self, run: RunLike) -> Float64[np.ndarray, " units"]:
        """``T_k`` by unit.

        Raises:
            StoreError: if the run was imported from a tool that does not give them.
        """
        run = self.run(run)
        require_built(run, "thresholds")
        with self._reading(run, DISSECTION) as connection:
            return reading.read_thresholds(connection, run.id)

    def picture(self, run: RunLike, image: int) -> bytes | None:
        """The JPEG of an image, by its index in exemplars, or ``None``."""
        run = self.run(run)
        with self._reading(run, BESIDES) as connection:
            return reading.read_picture(connection, run.id, image)

    def pictures(self, run: RunLike, images: Iterable[int]) -> Mapping[int, bytes]:
        """JPEGs by image, as :meth:`picture` gives them; images without one are missing keys."""
        run = self.run(run)
        with self._reading(run, BESIDES) as connection:
            return dict(reading.read_pictures(connection, run.id, sorted(set(images))))

    def importance(self, run: RunLike, class_index: int) -> ClassImportance | None:
        """The importances for a class, or ``None`` if none were gathered."""
        run = self.run(run)
        with self._reading(run, BESIDES) as connection:
            return reading.read_importance(connection, run, class_index)

    def lit_contributions(self, run: RunLike) -> LitContributions | None:
        """The lit contributions of units to classes, or ``None`` where they were not gathered."""
        run = self.run(run)
        with self._reading(run, BESIDES) as connection:
            return reading.read_lit_contributions(connection, run)

    def class_images(self, run: RunLike) -> Mapping[int, int]:
        """Images behind each class's importances, by class; classes without importances are missing keys."""
        run = self.run(run)
        with self._reading(run, BESIDES) as connection:
            return queries.class_images(connection, run.id)

    def row_counts(self, run: RunLike) -> Mapping[str, int]:
        """How many rows are kept of a run, by table, changed or not; tables that came after its schema are left out."""
        run = self.run(run)
        with self._reading(run) as connection:
            return reading.count_rows(connection, run)

    def concepts_of(
        self, run: RunLike, class_index: int, *, rank_by: RankBy | None = None, min_iou: float = MIN_IOU
    ) -> list[ClassConcept]:
        """Concepts that name units, by their units' importance for a class, strongest first.

        Args:
            run: the run.
            class_index: the class.
            rank_by: ``lit``, by how much more the units' lit cells contribute to the class than to the average class
                (the mean over the concept's units); ``alpha`` or ``contribution``, by the sum of the units' means.
                Without it by ``lit``, or by ``alpha`` where the run keeps no statistics of classes, and answers have no
                ``lit``.
            min_iou: least IoU at which a unit has a name.

        Raises:
            ClassNotFoundError: if the network has no such class.
            StoreError: if no importances were gathered for it, or the run lacks what ``rank_by`` needs.
        """
        run = self.run(run)
        require_built(run, "importances")
        require_classes(run)
        with self._reading(run, DISSECTION, BESIDES) as connection:
            return queries.concepts_of(connection, run, class_index, rank_by=rank_by, min_iou=min_iou)

    def classes_for(
        self, run: RunLike, concept_name: str, *, rank_by: RankBy | None = None, min_iou: float = MIN_IOU
    ) -> list[ConceptClass]:
        """Classes by the importance of the units that a concept names (as spoken, in any case), strongest first.

        They are ranked as in `concepts_of`.

        Raises:
            ConceptNotFoundError: if the concept names no unit; the message offers near names that do.
            StoreError: if the run lacks what ``rank_by`` needs.
        """
        run = self.run(run)
        require_built(run, "importances")
        require_classes(run)
        with self._reading(run, DISSECTION, BESIDES) as connection:
            return queries.classes_for(connection, run, concept_name, rank_by=rank_by, min_iou=min_iou)

    def units_named(self, run: RunLike, concept_name: str, *, min_iou: float = MIN_IOU) -> list[int]:
        """The units that a concept names (as spoken, in any case), ascending.

        Raises:
            ConceptNotFoundError: if the concept names no unit; the message offers near names that do.
        """
        run = self.run(run)
        with self._reading(run, DISSECTION) as connection:
            return queries.units_named(connection, run, concept_name, min_iou=min_iou)

    def _remove_empty(self, path: Path) -> None:
        """Remove the file unless something was published to it, also by another process, which waits meanwhile."""
        with suppress(StoreError, OSError), explained(self._location), engines.writing(self._engine) as connection:
            if not reading.read_runs(connection):
                path.unlink()

    @contextmanager
    def _reading(self, run: Run, *parts: Sequence[Table]) -> Iterator[Connection]:
        """A moment of the database, in which parts of a run are as they were stored: `DISSECTION` or `BESIDES`."""
        with self._moment() as connection:
            self._require(connection, run)
            for tables in parts:
                self._require_unchanged(connection, run, tables)
            yield connection

    def _require_unchanged(self, connection: Connection, run: Run, tables: Sequence[Table]) -> None:
        if _part(run, tables) not in self._unchanged:
            reading.require_unchanged(connection, run, tables)
            self._unchanged.add(_part(run, tables))

    def _require(self, connection: Connection, run: Run) -> None:
        condition = (runs.c.id == run.id) & (runs.c.digest == run.key.digest)
        if connection.execute(select(runs.c.id).where(condition)).first() is None:
            raise RunNotFoundError(
                f"{self._location} does not hold run {run.id} of {run.network}: it was deleted, or is of "
                "another database: choose one of its runs"
            )


def _part(run: Run, tables: Sequence[Table]) -> tuple[int, str, str]:
    """What tells one half of a run from all others, whatever a number is used for later."""
    return run.id, run.key.digest, tables[0].name
