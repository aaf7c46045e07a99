"""``neuronexplain study results``: what the ratings say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.errors import NeuronExplainError
from neuronexplain.cli import console, options
from neuronexplain.cli.evaluate.measuring import say_report

if TYPE_CHECKING:
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.studies.human.questions import Rating
    from neuronexplain.studies.human.ratings import Raters
    from neuronexplain.studies.human.study import Study

_INTERVAL = "In brackets: the interval of 95 % of resamples of raters and images."


def results(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="A study, or one of discrimination and one of trust.")
    ],
    ratings: Annotated[
        Path | None, typer.Option(help="Read the ratings from a CSV file of another platform instead.")
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Also write the ratings to a CSV file.")] = None,
    played: Annotated[
        bool, typer.Option("--played", help="The ratings of played raters, which are programs, not people.")
    ] = False,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """Tell what the ratings say, as in the paper's Table 2: accuracy, and relative reliability.

    Example: neuronexplain study results discrimination trust
    """
    from dissection.files.atomic import replace_file
    from neuronexplain.studies.human.csv_tables import ratings_csv
    from neuronexplain.studies.human.folder import open_study
    from neuronexplain.studies.human.results import StudyResults, table

    if len(folders) > 1 and (ratings or export):
        raise NeuronExplainError("--ratings and --export are for one study; name one folder")
    studies = [open_study(folder) for folder in folders]
    by_study = [_ratings(study, ratings, played=played) for study in studies]
    measured = [StudyResults(study, *of_study) for study, of_study in zip(studies, by_study, strict=True)]
    report = table(measured)
    if export is not None:
        replace_file(export, ratings_csv(studies[0], *by_study[0]))
    if json:
        console.write_json({"raters": measured[0].raters, **report.to_json()})
    elif csv:
        rows = _flat(report, measured[0].raters)
        console.write_rows(rows, {key: key for key in rows[0]}, as_json=False, as_csv=True)
    else:
        say_report(report, _INTERVAL)


def _ratings(study: Study, file: Path | None, *, played: bool) -> tuple[list[Rating], Raters]:
    """The ratings of a study, and who gave them."""
    from neuronexplain.studies.human.csv_tables import read_ratings
    from neuronexplain.studies.human.ratings import FILES, Ratings

    raters: Raters = "played" if played else "people"
    if file is not None:
        kept, of_whom = read_ratings(study, file)
        if kept and of_whom != raters:
            advice = "leave --played out" if played else "add --played to see them, marked as such"
            raise NeuronExplainError(f"{file} holds ratings of {of_whom} raters; {advice}")
        return kept, raters
    if not (study.folder / FILES[raters]).is_file():
        return [], raters
    with Ratings(study, raters) as stored:
        return stored.all(), raters


def _flat(report: Report, raters: Raters) -> list[console.Row]:
    """The rows with an interval's ends in columns of their own, and who the raters were."""
    from neuronexplain.metrics.intervals import Figure

    rows: list[console.Row] = []
    for row in report.rows:
        flat: console.Row = {}
        for key in report.columns:
            value = row.get(key)
            if isinstance(value, Figure):
                flat |= {key: value.value, f"{key}_low": value.low, f"{key}_high": value.high}
            else:
                flat[key] = value
        rows.append(flat | {"rated_by": raters})
    columns = dict.fromkeys(key for row in rows for key in row)
    return [{key: row.get(key) for key in columns} for row in rows]
