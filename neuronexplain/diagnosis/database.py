"""What a database holds, run by run, and what would keep it from being used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from db import NameStore
from db.errors import DamagedRowsError, StoreError
from db.location import Location
from db.records import SCHEMA
from dissection.networks.opening import runs_code
from dissection.vocabulary import MIN_IOU
from neuronexplain.built_here import is_built_here
from neuronexplain.unfinished import scratch_folder, unfinished_in

from .places import name_only, shown, without_places
from .problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from db.records import Run
    from dissection.execution.settings import Progress


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a report tells of a run.

    Attributes:
        run: its number.
        network: the network's name, without folders.
        layer: the layer's name.
        units: how many the layer has.
        concepts: the name of the concept data, without folders.
        labelled_by_a_model: whether a model labelled them.
        images: concept images; ``None`` where another tool made the names.
        schema: that of the tables that it was made for.
        intact: whether it is as it was stored; ``None`` where only parts of that can be checked, before schema 3.
        named: units with a name; ``None`` where the run is not intact.
        evidence: whether evidence for names was gathered.
        importances: classes whose importances are kept.
        pictures: pictures that are kept.
        dictionary: whether the units are features of a dictionary.
        formulas: formulas that are kept, borne out or not.
    """

    run: int
    network: str
    layer: str
    units: int
    concepts: str
    labelled_by_a_model: bool
    images: int | None
    schema: int
    intact: bool | None
    named: int | None
    evidence: bool
    importances: int
    pictures: int
    dictionary: bool
    formulas: int


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What a report tells of a database.

    Attributes:
        name: the file's name, or of a server only what kind it is.
        schema: version of its tables.
        runs: what it holds, oldest first.
    """

    name: str
    schema: int
    runs: tuple[RunFacts, ...]


def examine(
    where: str, extras: Mapping[str, tuple[str, ...]], progress: Progress
) -> tuple[DatabaseFacts, list[Problem]]:
    """What a database holds, every run checked against its checksums, and what is wrong with it.

    Args:
        where: path or URL.
        extras: the packages that each extra lacks.
        progress: told of each run that was checked.

    Raises:
        StoreError: if it cannot be read; the message names no folder, user or server.
    """
    try:
        location = Location.of(where)
    except StoreError:
        raise StoreError("--db is neither a path nor a database's URL: give a path, or dialect://…") from None
    try:
        with NameStore.open(where) as store:
            held = store.runs()
            facts = []
            for done, run in enumerate(held, 1):
                facts.append(_facts(store, run))
                progress("checking runs", done, len(held))
            database = DatabaseFacts(shown(location), store.schema, tuple(facts))
    except StoreError as error:
        raise StoreError(_reason(error, location)) from None
    problems = [*_problems(database, location)]
    for run, known in zip(held, facts, strict=True):
        problems += _problems_of(run, known, extras)
    return database, problems


def _facts(store: NameStore, run: Run) -> RunFacts:
    rows = store.row_counts(run)
    try:
        named, is_intact = len(store.names(run, MIN_IOU)), True
        store.class_images(run)  # the other half of what is checked
    except StoreError:
        named, is_intact = None, False
    return RunFacts(
        run=run.id,
        network=name_only(run.network),
        layer=name_only(run.layer.name),
        units=run.layer.units,
        concepts=name_only(run.concepts.removesuffix(f" ({run.labels})")),
        labelled_by_a_model=bool(run.labels),
        images=run.images or None,
        schema=run.key.schema,
        intact=is_intact if run.key.keeps_evidence or not is_intact else None,
        named=named,
        evidence=run.draws > 0,
        importances=rows["importances"],
        pictures=rows["pictures"],
        dictionary=run.layer.noun != "neuron",
        formulas=rows.get("compositions", 0),
    )


def _reason(error: StoreError, location: Location) -> str:
    """Why a database cannot be read, without what a server's driver says, which names the server, or what rows hold."""
    if isinstance(error.__cause__, DamagedRowsError):
        return f"{shown(location)} is damaged, or was never one of ours: build its runs again into a new database"
    if location.path is None and error.__cause__ is not None:
        cause = type(error.__cause__).__name__
        return f"the {shown(location)} does not answer ({cause}): run `neuronexplain runs`, which says why"
    return without_places(str(error), str(location))


def _problems(database: DatabaseFacts, location: Location) -> Iterator[Problem]:
    if database.schema < SCHEMA:
        yield Problem(
            f"{database.name} is of schema {database.schema}, and this version writes schema {SCHEMA}",
            "its runs are read as they are, and `neuronexplain build` extends it; a run that is built again keeps more",
        )
    if not database.runs:
        yield Problem(f"{database.name} holds no runs", "build one with `neuronexplain build`")
    unfinished = unfinished_in(scratch_folder(location))
    if unfinished.builds:
        yield Problem(
            f"unfinished builds: {unfinished.builds}, {unfinished.size / 1e6:.0f} MB",
            "the command that began one resumes it; delete what you do not need",
        )


def _problems_of(run: Run, facts: RunFacts, extras: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    if facts.intact is False:
        yield Problem(
            f"run {run.id} was changed or damaged since it was stored", "build or import it again into a new database"
        )
    network = run.source.get("network")
    if isinstance(network, str):
        yield from _problems_of_network(run, network, extras)
    for key in ("weights", "dictionary"):
        place = run.source.get(key)
        if isinstance(place, str) and not Path(place).exists():
            yield Problem(
                f"the {key} of run {run.id}, {name_only(place)}, cannot be found", f"name the new place: --{key}"
            )


def _problems_of_network(run: Run, network: str, extras: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    extra = network.partition("/")[0]  # a network that needs an extra is called timm/…, hf/… or just as the extra
    if missing := extras.get(extra):
        yield Problem(
            f"the network of run {run.id} needs {', '.join(missing)}", f"pip install 'neuronexplain[{extra}]'"
        )
    if runs_code(network):
        file = network.rpartition(":")[0] or network
        if file.endswith((".py", ".pt2")) and not Path(file).exists():
            what = f"the network of run {run.id}, {name_only(network)}, cannot be found"
            yield Problem(what, "name the new place: --network")
        elif not is_built_here(run):
            what = f"the network of run {run.id} is code, and this user has not built that run here"
            yield Problem(what, "if you trust the code, name it: --network")
