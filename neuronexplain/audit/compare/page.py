"""The page of a comparison: what changed, and the photographs whose explanations changed most, side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dissection.files.atomic import replace_file
from neuronexplain.report.page import render

from .tables import likeness_sentence, reports

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from db.records import Run
    from neuronexplain.explanation import Explanation

    from .runs import RunsCompared
    from .speech import PhotographChange

_PAGE = "index.html"
_DATA = "compare.json"


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
        OutputError: if a file cannot be written.
    """
    page = render(
        "audit_compare.html.j2",
        sides=[("before", _run(compared.first)), ("after", _run(compared.second))],
        likeness=likeness_sentence(compared),
        notes=compared.notes,
        reports=reports(compared, rows=rows),
        photographs=photographs,
    )
    replace_file(folder / _PAGE, page.encode("utf-8", "replace"))
    replace_file(
        folder / _DATA, json.dumps(comparison_json(compared), indent=2, ensure_ascii=False, allow_nan=False).encode()
    )


def _run(run: Run) -> dict[str, object]:
    return {
        "run": run.id,
        "network": run.network,
        "fingerprint": run.key.network,
        "layer": run.layer.name,
        "units": run.layer.units,
        "concepts": run.concepts,
        "images": run.images,
    }
