"""``neuronexplain import``: names from plain files, from other databases, or from a NetDissect result."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.errors import NeuronExplainError
from dissection.vocabulary import QUANTILE, Layer
from neuronexplain.cli import console, options
from neuronexplain.progress import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from db import WholeRun

_SQLITE = b"SQLite format 3\0"
_RESULT = ".csv"
_KNOWN = "names.json, a folder that `neuronexplain export` wrote, a database, or a NetDissect result (CSV)"


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a NetDissect result does not say about itself."""

    network: str | None
    layer: str | None
    concepts: str | None
    weights: Path | None
    quantile: float


def import_(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="names.json, an exported folder, a database, or a NetDissect result."),
    ],
    db: options.Db,
    network: Annotated[str | None, typer.Option(help="For a NetDissect result: the network's name.")] = None,
    layer: Annotated[str | None, typer.Option(help="For a NetDissect result: the layer's name.")] = None,
    concepts: Annotated[str | None, typer.Option(help="For a NetDissect result: the concept data's name.")] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="For a NetDissect result: the network's weights, to open it and compare its units."),
    ] = None,
    quantile: Annotated[
        float, typer.Option(help="For a NetDissect result: share of activations that counted as strong.")
    ] = QUANTILE,
) -> None:
    """Import names from plain files, from other databases, or from a NetDissect result: all runs or none.

    A run that the database already holds is skipped; one that differs under the same key is an error.

    A NetDissect result (LAYER-result.csv, tally.csv) has names and counts, but no thresholds: units and runs show it,
    explain refuses it. A database is read directly; PostgreSQL is named by its URL.

    Example: neuronexplain import --db names.db shared-names other.db

    Example: neuronexplain import --db names.db tally.csv --network vgg16 --layer features.29 --concepts broden
    """
    from db import NameStore

    options.require_share(quantile)
    origin = _Origin(network, layer, concepts, weights, quantile)
    _refuse_ignored(files, origin)
    with NameStore.create(db) as store, console.progress() as progress:
        counted_files = counted(files, lambda done: progress("reading", done, len(files)))
        imports = store.adopt(whole_run for file in counted_files for whole_run in _runs(file, origin))
    for entry in imports:
        prefix = "Stored as" if entry.is_new else "Already stored as"
        console.say(f"{prefix} run {entry.run.id}: {entry.run.network} {entry.run.layer.name}, {entry.run.concepts}.")
    if not imports:
        console.say("There was no run to import.")


def _runs(file: str, origin: _Origin) -> Iterator[WholeRun]:
    """The runs of a file, database or folder."""
    from db import NameStore
    from db.exchange.plain_files import read_folder, read_json

    path = Path(file)
    if _is_database(file, path):
        with NameStore.open(file) as source:
            yield from source.whole_runs()
    elif _is_result(path):
        yield _result(path, origin)
    elif path.is_dir() or path.suffix.lower() == ".json":
        runs, licence = read_folder(path) if path.is_dir() else read_json(path)
        if licence:
            console.note(f"{file}, licence: {' '.join(licence.split())}")
        yield from runs
    else:
        raise NeuronExplainError(f"{file} cannot be imported; give {_KNOWN}")


def _refuse_ignored(files: list[str], origin: _Origin) -> None:
    """Refuse what says where a NetDissect result came from, if there is none."""
    if any(Path(file).suffix.lower() == _RESULT for file in files):
        return
    unstated = asdict(_Origin(None, None, None, None, QUANTILE))
    ignored = [f"--{name}" for name, value in asdict(origin).items() if value != unstated[name]]
    options.refuse_ignored(ignored, "that describes a NetDissect result, and none is named")


def _is_result(path: Path) -> bool:
    return path.suffix.lower() == _RESULT and path.is_file()


def _is_database(file: str, path: Path) -> bool:
    if "://" in file:
        return True
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(_SQLITE)) == _SQLITE


def _result(path: Path, origin: _Origin) -> WholeRun:
    from db.exchange.netdissect import read_result, require_result

    require_result(path)
    if origin.network is None or origin.layer is None or origin.concepts is None:
        raise NeuronExplainError(f"{path} does not say where it came from; give --network, --layer and --concepts")
    if origin.weights is None:
        name, layer, fingerprint = origin.network, Layer(origin.layer, 0, 0, 0), ""
    else:
        from dissection.networks.opening import open_network

        opened = open_network(origin.network, weights=origin.weights, layer=origin.layer)
        name, layer, fingerprint = opened.name, opened.layer, opened.fingerprint
    return read_result(
        path, network=name, layer=layer, concepts=origin.concepts, fingerprint=fingerprint, quantile=origin.quantile
    )
