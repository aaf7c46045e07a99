"""Writes judged rules as a page without scripts or outside assets, and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dissection.files.atomic import replace_file
from neuronexplain.audit.effect.pages import way_cards
from neuronexplain.listings import run_facts
from neuronexplain.report.page import render

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neuronexplain.audit.effect.named_network import NamedNetwork

    from .rules import JudgedRule

_OUTCOMES = ("broken", "undecided", "kept")


def rules_json(judgements: Sequence[JudgedRule]) -> dict[str, object]:
    """Judged rules as JSON values."""
    return {
        "counts": {name: sum(judgement.outcome == name for judgement in judgements) for name in _OUTCOMES},
        "rules": [judgement.to_json() for judgement in judgements],
    }


def write_rules(folder: Path, judgements: Sequence[JudgedRule], named: NamedNetwork, *, title: str) -> Path:
    """Write ``rules.html`` and ``rules.json`` into a folder; the path of the page.

    Raises:
        OutputError: if a file cannot be written.
    """
    ranked = sorted(judgements, key=lambda judgement: _OUTCOMES.index(judgement.outcome))
    values = rules_json(judgements)
    page = render(
        "audit_rules.html.j2",
        title=title,
        counts=values["counts"],
        judgements=[(judgement, *way_cards(judgement.reliance)) for judgement in ranked],
        facts=run_facts(named.run, named=len(named.dissection.names(named.rules.min_iou))),
    )
    document = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    replace_file(folder / "rules.json", document.encode("utf-8", "replace"))
    replace_file(folder / "rules.html", page.encode("utf-8", "replace"))
    return folder / "rules.html"
