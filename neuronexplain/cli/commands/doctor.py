"""``neuronexplain doctor``: what a report of a bug needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dissection.errors import NeuronExplainError
from neuronexplain.cli import console, options

if TYPE_CHECKING:
    from neuronexplain.diagnosis.database import DatabaseFacts
    from neuronexplain.diagnosis.examining import Diagnosis
    from neuronexplain.diagnosis.machine import Device

_COLUMNS = {
    "run": "run",
    "network": "network",
    "layer": "layer",
    "units": "neurons",
    "named": "named",
    "concepts": "concepts",
    "images": "images",
    "keeps": "keeps",
    "intact": "intact",
}


def doctor(
    db: Annotated[str | None, typer.Option("--db", help="A database to look at: a file, or an SQLAlchemy URL.")] = None,
    json: options.Json = False,
) -> None:
    """Print what a report of a bug needs: versions, devices, what a database holds, and problems with what to do.

    No folder, user or server is named: of places only the last name is told.

    Example: neuronexplain doctor --db names.db
    """
    from neuronexplain.diagnosis.examining import diagnose

    with console.progress() as progress:
        diagnosis = diagnose(db, progress)
    if json:
        console.write_json(diagnosis.to_dict())
    else:
        _say(diagnosis)
    if diagnosis.unreadable:
        raise NeuronExplainError(diagnosis.unreadable)


def _say(diagnosis: Diagnosis) -> None:
    software, machine = diagnosis.software, diagnosis.machine
    console.say(f"NeuronExplain {software.version or 'of an unknown version'}")
    console.say(f"Python {software.python} on {machine.system}, {machine.architecture}")
    console.say(f"Devices (PyTorch is built for {machine.torch_for or 'none: it does not load'}):")
    for device in machine.devices:
        console.say(f"  {_device(device)}")
    console.say("Packages:")
    console.say_wrapped(", ".join(f"{name} {version or 'MISSING'}" for name, version in software.packages.items()))
    console.say("Extras:")
    console.say_wrapped(", ".join(_extra(name, lacking) for name, lacking in software.extras.items()))
    if diagnosis.database is not None:
        _say_database(diagnosis.database)
    if not diagnosis.problems and not diagnosis.unreadable:
        console.say("No problems found.")
    for number, problem in enumerate(diagnosis.problems):
        if not number:
            console.say("Problems:")
        console.say_item(f"  - {problem.what}; {problem.remedy}", hanging=4)


def _say_database(database: DatabaseFacts) -> None:
    count = f"{len(database.runs)} run" + ("" if len(database.runs) == 1 else "s")
    console.say(f"Database {database.name}: schema {database.schema}, {count}")
    if not database.runs:
        return
    rows: list[console.Row] = []
    for run in database.runs:
        labelled = " (labelled by a model)" if run.labelled_by_a_model else ""
        kept = {
            "evidence": run.evidence,
            f"importances for {run.importances} classes": run.importances,
            f"{run.pictures} pictures": run.pictures,
            "features of a dictionary": run.dictionary,
            f"{run.formulas} formulas": run.formulas,
        }
        rows.append(
            {
                "run": run.run,
                "network": run.network,
                "layer": run.layer,
                "units": run.units,
                "named": run.named,
                "concepts": run.concepts + labelled,
                "images": run.images,
                "keeps": [what for what, is_there in kept.items() if is_there],
                "intact": {True: "yes", False: "NO", None: "no checksum"}[run.intact],
            }
        )
    console.write_rows(rows, _COLUMNS, as_json=False, as_csv=False)


def _device(device: Device) -> str:
    facts = [device.name] if device.name else []
    if device.cores:
        facts.append(f"{device.cores} cores, {device.threads} threads")
    if device.memory is not None:
        facts.append(f"{device.memory / 2**30:.1f} GiB")
    return f"{device.device}: {', '.join(facts)}"


def _extra(name: str, lacking: tuple[str, ...]) -> str:
    return f"{name} not installed ({', '.join(lacking)})" if lacking else f"{name} installed"
