"""``neuronexplain concepts fetch``: fetches published concept data from its publisher."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import console, options

if TYPE_CHECKING:
    from dissection.concepts.published import PublishedDataset


def fetch(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A dataset from the list.")] = None,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="New folder; by default named after the dataset.")
    ] = None,
    mirror: Annotated[
        str | None, typer.Option(metavar="URL", help="Fetch from here instead of the address's scheme and host.")
    ] = None,
    file: Annotated[list[Path] | None, typer.Option(help="An archive that you already have (repeatable).")] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the known datasets.")] = False,
    json: options.Json = False,
) -> None:
    """Fetch and unpack a published concept dataset; the same command resumes an interrupted download.

    Example: neuronexplain concepts fetch broden1_224
    """
    from dissection.concepts.fetch import fetch as fetch_source
    from dissection.concepts.published import SOURCES, find_source

    _refuse_ignored(name, folder, mirror, file, listing=listing, json=json)
    if name is None:
        _list(list(SOURCES.values()), as_json=json)
        return
    source = find_source(name)
    target = folder or Path(source.name)
    console.note(f"{source.name}: {source.holds}. Terms: {source.terms}.")
    with console.bytes_progress() as progress:
        fetch_source(source, target, files=file or (), mirror=mirror, progress=progress)
    console.say(f"{source.name} is in {target}. Next: neuronexplain {_next(source, target)}")


def _refuse_ignored(
    name: str | None, folder: Path | None, mirror: str | None, file: list[Path] | None, *, listing: bool, json: bool
) -> None:
    fetching = {"DIR": folder, "--mirror": mirror, "--file": file}
    if name is None:
        ignored = [option for option, value in fetching.items() if value]
        options.refuse_ignored(ignored, "that goes with the NAME of a dataset")
    else:
        ignored = [option for option, is_stated in {"--list": listing, "--json": json}.items() if is_stated]
        options.refuse_ignored(ignored, "that is for the list of all datasets, without a NAME")


def _list(sources: list[PublishedDataset], *, as_json: bool) -> None:
    rows: list[console.Row] = [
        {
            "name": source.name,
            "holds": source.holds,
            "download": source.download or None,
            "terms": source.terms,
            "files": [file.url for file in source.files],
        }
        for source in sources
    ]
    columns = {"name": "name", "holds": "what it holds", "download": "download", "terms": "terms"}
    console.write_rows(rows, columns, as_json=as_json, as_csv=False)


def _next(source: PublishedDataset, target: Path) -> str:
    if source.kind:
        return f"concepts convert --from {source.kind} {target} {target.with_name(f'{target.name}-concepts')}"
    return f"concepts check {target}"
