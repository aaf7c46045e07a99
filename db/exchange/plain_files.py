"""Runs as files to read, load and cite: JSON, a folder with pictures and tables, or CSV of only the names.

A folder holds

``names.json``
    everything (see `json_fields`); only this file is read back;
``README.md``
    what the folder is and what to cite;
``DIGEST/units.csv``, ``DIGEST/overlaps.csv``
    for each run, named by the first twelve digits of its digest: its names and counts, for people;
``DIGEST/pictures/INDEX.jpg``
    the pictures of its exemplars, by the image's index, whose sha256 ``names.json`` holds.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from db.errors import StoreError
from dissection.files.atomic import new_folder, replacing
from dissection.plain_text import visible
from dissection.vocabulary import MIN_IOU, common_noun

from .csv_tables import write_overlaps, write_units
from .json_fields import document
from .json_form import header, run_lines, run_of
from .scrutiny.pictures import GREATEST_PICTURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from db.records import Run, WholeRun
    from dissection.vocabulary import Layer

    from .json_fields import RunForm

NAMES = "names.json"

_README = """# Names of {noun}s

Written by NeuronExplain (`neuronexplain export`). Read it into a database with

    neuronexplain import --db names.db {folder}

| run | network | fingerprint | layer | concepts | images | quantile | named {noun}s |
|---|---|---|---|---|---|---|---|
{rows}

`names.json` holds everything, and is what is read back: keys, settings, thresholds, counts, exemplars, evidence,
importances of classes. `units.csv` and `overlaps.csv` are for people: a {noun} has a name where the IoU of its best
concept is at least {min_iou}; `intersection`, `unit_area` and `concept_area` are pixels, and the IoU is
intersection / (unit_area + concept_area - intersection). A fingerprint is a sha256 over the network's architecture and
weights: names belong to these weights alone.

## Licence

{licence} The pictures are small copies of the dataset's photographs, whose owners keep their rights.

## To cite

- the network and the concept dataset named above, by their authors;
- Bau, Zhou, Khosla, Oliva, Torralba: Network Dissection, CVPR 2017, for how the names were found;
- Selvaraju et al.: Grad-CAM, IJCV 2019, for what explanations do with them.
"""


def licence_of(runs: Iterable[Run]) -> str | None:
    """What runs say of the licences of their concept data, each once; ``None`` if they say nothing."""
    return "\n\n".join(dict.fromkeys(run.licence for run in runs if run.licence)) or None


def write_json(path: Path, runs: Iterable[WholeRun], licence: str | None = None) -> None:
    """Write runs as one JSON file, whole or not at all; pictures are left out.

    Raises:
        OutputError: if the file cannot be written.
    """
    with replacing(path) as stream:
        _write_document(stream, ((whole, {}) for whole in runs), licence)


def write_csv(path: Path, whole: WholeRun) -> None:
    """Write a run's names and counts, one unit per line, for people: the file cannot be read back.

    Raises:
        OutputError: if the file cannot be written.
    """
    with replacing(path) as stream:
        write_units(stream, whole.dissection.units)


def write_folder(path: Path, runs: Iterable[WholeRun], licence: str | None = None) -> None:
    """Write runs as a new folder, whole or not at all: JSON, pictures, and tables for people.

    Raises:
        OutputError: if the folder exists and is not empty, or cannot be written.
    """
    with new_folder(path) as folder:
        rows: list[str] = []
        layers: list[Layer] = []

        def written() -> Iterator[tuple[WholeRun, Mapping[int, str]]]:
            for whole in runs:
                rows.append(_readme_row(whole))
                layers.append(whole.run.layer)
                yield whole, _write_beside(folder / _name(whole.run.key.digest), whole)

        with (folder / NAMES).open("xb") as stream:
            _write_document(stream, written(), licence)
        (folder / "README.md").write_text(_readme(rows, common_noun(layers), path, licence), encoding="utf-8")


def read_json(path: Path) -> tuple[list[WholeRun], str | None]:
    """The runs of a JSON file, and its note on the licence.

    Raises:
        StoreError: if it is not such a file, or contradicts itself.
    """
    content = document(_content(path), str(path))
    if any(form.pictures for form in content.runs):
        raise StoreError(f"{path} belongs to a folder with pictures: give the folder {path.absolute().parent}")
    return [run_of(form, str(path), {}) for form in content.runs], content.licence


def read_folder(path: Path) -> tuple[list[WholeRun], str | None]:
    """The runs of a folder, and its note on their licence.

    Raises:
        StoreError: if it is not such a folder, contradicts itself, or has links in place of its files.
    """
    if not (path / NAMES).is_file():
        raise StoreError(f"{path} holds no {NAMES}: give a folder that `neuronexplain export` wrote")
    content = document(_content(_inside(path, NAMES)), str(path / NAMES))
    return [run_of(form, str(path), dict(_pictures(path, form))) for form in content.runs], content.licence


def _write_document(stream: BinaryIO, runs: Iterable[tuple[WholeRun, Mapping[int, str]]], licence: str | None) -> None:
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="\n")
    text.write(header(licence))
    for number, (whole, pictures) in enumerate(runs):
        text.write("\n" if number == 0 else ",\n")
        text.write("\n".join(run_lines(whole, pictures)))
    text.write("\n]}\n")
    text.detach()


def _write_beside(folder: Path, whole: WholeRun) -> dict[int, str]:
    """Write a run's tables and pictures; return the sha256 of each picture."""
    (folder / "pictures").mkdir(parents=True)
    units = whole.dissection.units
    with (folder / "units.csv").open("xb") as stream:
        write_units(stream, units)
    with (folder / "overlaps.csv").open("xb") as stream:
        write_overlaps(stream, units)
    for index, jpeg in whole.pictures.items():
        (folder / "pictures" / f"{index}.jpg").write_bytes(jpeg)
    return {index: hashlib.sha256(jpeg).hexdigest() for index, jpeg in whole.pictures.items()}


def _readme(rows: Sequence[str], noun: str, path: Path, licence: str | None) -> str:
    note = licence or "Nothing was said of it: ask who made it. The concept dataset has its own."
    note = "\n".join(map(visible, note.splitlines()))
    return _README.format(folder=visible(path.name), rows="\n".join(rows), noun=noun, min_iou=MIN_IOU, licence=note)


def _readme_row(whole: WholeRun) -> str:
    run = whole.run
    named = f"{len(whole.dissection.names())} of {run.layer.units}"
    cells = (_name(run.key.digest), run.network, run.key.network, run.layer.name, run.concepts)
    named_cells = " | ".join(visible(text).replace("|", "\\|").replace("<", "&lt;") for text in cells)
    return f"| {named_cells} | {run.images or 'not known'} | {run.key.quantile:g} | {named} |"


def _pictures(root: Path, form: RunForm) -> Iterator[tuple[int, bytes]]:
    """The pictures of a run; their file names are made here, never read."""
    taken: set[int] = set()
    for picture in form.pictures:
        file = _inside(root, _name(form.digest), "pictures", f"{picture.index}.jpg")
        if picture.index in taken:
            raise StoreError(f"{root / NAMES} lists picture {picture.index} twice: export it again where it was made")
        taken.add(picture.index)
        jpeg = _content(file, at_most=GREATEST_PICTURE)
        if hashlib.sha256(jpeg).hexdigest() != picture.sha256:
            raise StoreError(
                f"{file} is not the picture that {NAMES} lists: its sha256 differs, export it again where it was made"
            )
        yield picture.index, jpeg


def _inside(root: Path, *parts: str) -> Path:
    """A file below a folder, with no links on the way to it."""
    file = root.joinpath(*parts)
    if file.resolve() != root.resolve().joinpath(*parts):
        raise StoreError(f"{file} is a link, or is reached through one: put the file itself there")
    return file


def _content(file: Path, at_most: int | None = None) -> bytes:
    try:
        size = file.stat().st_size
        if at_most is not None and size > at_most:
            raise StoreError(
                f"{file} has {size} bytes: a picture of an exemplar has at most {at_most}, export it "
                "again where it was made"
            )
        return file.read_bytes()
    except OSError as error:
        raise StoreError(f"{file} cannot be read ({error.strerror}): get it again") from error


def _name(digest: str) -> str:
    return digest[:12]
