"""The page of a comparison: what changed, and the photographs whose explanations changed most, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuronexplain.audit.page import AuditNote, write_audit
from neuronexplain.audit.values import json_bytes
from neuronexplain.report.page import render

from .tables import likeness_sentence, reports

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from db.records import Run
    from neuronexplain.explanation import Explanation

    from .runs import RunsCompared
    from .speech import PhotographChange


@dataclass(frozen=True, slots=True, eq=False)
class PhotographBeside:
    """A photograph on the page, with both explanations."""

    change: PhotographChange
    explanations: tuple[Explanation, Explanation]


def comparison_json(compared: RunsCompared) -> dict[str, object]:
    """The whole comparison as JSON values."""
    likeness = compared.likeness
    return {
        "first": _run(compared.first),
        "second": _run(compared.second),
        "units": None
        if likeness is None
        else {
            "compared": likeness.units,
            "twins": likeness.twins,
            "cosine": likeness.cosine,
            "same_numbers": likeness.is_same,
        },
        "notes": list(compared.notes),
        "tables": [report.to_json() for report in reports(compared)],
    }


def write_comparison(
    folder: Path, compared: RunsCompared, photographs: Sequence[PhotographBeside], *, rows: int
) -> None:
    """Write the page and all figures as JSON to a folder.

    Raises:
        OutputError: as :func:`~neuronexplain.audit.page.write_audit`.
    """
    page = render(
        "audit_compare.html.j2",
        sides=[("before", _run(compared.first)), ("after", _run(compared.second))],
        likeness=likeness_sentence(compared),
        notes=compared.notes,
        noun=compared.noun,
        reports=reports(compared, rows=rows),
        photographs=photographs,
    )
    title = f"What changed between {compared.first.network} and {compared.second.network}"
    note = AuditNote.of("compare", title, compared.second)
    write_audit(folder, note, page, {"compare.json": json_bytes(comparison_json(compared))})


def _run(run: Run) -> dict[str, object]:
    return {
        "run": run.id,
        "network": run.network,
        "fingerprint": run.key.network,
        "layer": run.layer.name,
        "units": run.layer.units,
        "noun": run.layer.noun,
        "concepts": run.concepts,
        "images": run.images,
    }
