"""``neuronexplain export`` and ``import``: names as files that another person can read, load and cite."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from dissection.errors import NeuronExplainError
from dissection.vocabulary import QUANTILE, Layer

from . import console, options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from db import WholeRun

Item = TypeVar("Item")

_SQLITE = b"SQLite format 3\0"
_KNOWN = "names.json, a folder that `neuronexplain export` wrote, a database, or a NetDissect result (CSV)"


@dataclass(frozen=True, slots=True)
class _Result:
    """What a NetDissect result does not say of itself."""

    network: str | None
    layer: str | None
    concepts: str | None
    weights: Path | None
    quantile: float


def export(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="names.json; names.csv, for people only; or a new folder.", show_default=False
        ),
    ],
    db: options.Db,
    run: Annotated[int | None, typer.Option("--run", help="Only this run; by default all.")] = None,
    licence: Annotated[str | None, typer.Option(help="What others may do with the names, in your words.")] = None,
) -> None:
    """Write a database's names as plain files.

    JSON holds everything but the pictures of exemplars; a folder holds those too, and tables. CSV is for people and
    cannot be read back. Of paths on this machine only the last part is written.

    Example: neuronexplain export --db names.db --licence "CC BY 4.0" shared-names
    """
    from db import NameStore
    from db.exchange.plain_files import write_csv, write_folder, write_json

    with NameStore.open(db) as store, console.progress() as progress:
        if out.suffix.lower() == ".csv":
            chosen = [store.choose(run)]
            write_csv(out, store.whole(chosen[0]))
        else:
            chosen = store.runs() if run is None else [store.run(run)]
            write = write_json if out.suffix.lower() == ".json" else write_folder
            write(out, _told(map(store.whole, chosen), lambda n: progress("writing runs", n, len(chosen))), licence)
    console.say(f"{len(chosen)} {'run' if len(chosen) == 1 else 'runs'} written to {out}.")


def import_(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="names.json, an exported folder, a database, or a NetDissect result."),
    ],
    db: options.Db,
    network: Annotated[str | None, typer.Option(help="Of a NetDissect result: the network's name.")] = None,
    layer: Annotated[str | None, typer.Option(help="Of a NetDissect result: the layer's name.")] = None,
    concepts: Annotated[str | None, typer.Option(help="Of a NetDissect result: the concept data's name.")] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="Of a NetDissect result: the network's weights; then it is opened, and its units compared."),
    ] = None,
    quantile: Annotated[
        float, typer.Option(help="Of a NetDissect result: share of activations that counted as strong.")
    ] = QUANTILE,
) -> None:
    """Take names from plain files, from other databases, or from a NetDissect result: all runs or none.

    A run that the database holds already is passed over; one that says otherwise under the same key is an error.

    A NetDissect result (LAYER-result.csv, tally.csv) has names and counts, but no thresholds: units and runs show it,
    explain refuses it. A database named here is read as it is: PostgreSQL by its URL.

    Example: neuronexplain import --db names.db shared-names other.db

    Example: neuronexplain import --db names.db tally.csv --network vgg16 --layer features.29 --concepts broden
    """
    from db import NameStore

    if not 0 < quantile < 1:
        raise NeuronExplainError(f"--quantile {quantile} is no share between 0 and 1; 0.005 is usual")
    about = _Result(network, layer, concepts, weights, quantile)
    with NameStore.create(db) as store, console.progress() as progress:
        told = _told(files, lambda done: progress("reading", done, len(files)))
        adopted = store.adopt(whole for file in told for whole in _given(file, about))
    for each in adopted:
        kept = "Kept as" if each.is_new else "There already as"
        console.say(f"{kept} run {each.run.id}: {each.run.network} {each.run.layer.name}, {each.run.concepts}.")
    if not adopted:
        console.say("There was no run to take.")


def _told(items: Iterable[Item], tell: Callable[[int], None]) -> Iterator[Item]:
    for done, item in enumerate(items, 1):
        yield item
        tell(done)


def _given(file: str, about: _Result) -> Iterator[WholeRun]:
    """The runs of a file, database or folder."""
    from db import NameStore
    from db.exchange.plain_files import read_folder, read_json

    path = Path(file)
    if _is_database(file, path):
        with NameStore.open(file) as other:
            yield from other.whole_runs()
    elif path.suffix.lower() == ".csv" and path.is_file():
        yield _result(path, about)
    elif path.is_dir() or path.suffix.lower() == ".json":
        runs, licence = read_folder(path) if path.is_dir() else read_json(path)
        if licence:
            console.note(f"{file}, licence: {' '.join(licence.split())}")
        yield from runs
    else:
        raise NeuronExplainError(f"{file} is nothing that can be imported: give {_KNOWN}")


def _is_database(file: str, path: Path) -> bool:
    if "://" in file:
        return True
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(_SQLITE)) == _SQLITE


def _result(path: Path, about: _Result) -> WholeRun:
    from db.exchange.netdissect import read_result, require_result

    require_result(path)
    if about.network is None or about.layer is None or about.concepts is None:
        raise NeuronExplainError(f"{path} does not say what it is of: give --network, --layer and --concepts")
    if about.weights is None:
        name, layer, fingerprint = about.network, Layer(about.layer, 0, 0, 0), ""
    else:
        from dissection.networks.opening import open_network

        opened = open_network(about.network, weights=about.weights, layer=about.layer)
        name, layer, fingerprint = opened.name, opened.layer, opened.fingerprint
    return read_result(
        path, network=name, layer=layer, concepts=about.concepts, fingerprint=fingerprint, quantile=about.quantile
    )
